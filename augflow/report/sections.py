"""The sections of a report: which figures and tables stand together, and what is said of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from augflow.report.answers import answers, arms_to_show
from augflow.report.evidence import Evidence
from augflow.report.statistics import best, system_column
from augflow.report.table import RichText, Table, join_words

Tables = Mapping[str, Table]

MAIN = "samples"
"""The page of the main system once more, under a name that does not depend on the study."""

PATHS, STYLES, EDITS = "latents_path", "latents_style", "latents_edits"
"""The figures of latents."""

FOLDER = "temperatures"
LEAST = 3
"""Fewer temperatures than these are better seen side by side."""

_SCORES = "pixel accuracy=pixel_accuracy | class accuracy=class_accuracy | class IoU=class_iou"
_SPREADS = f"{_SCORES.replace(' |', '± |')}±"
"""The columns of scores, and those of their means and spreads."""


@dataclass(frozen=True)
class Figure:
    """A figure: its file's stem, its kind, and a caption that says what was measured.

    Kinds are `photo`, `chart`, and `chart upright` for one that is narrow enough for a phone.
    """

    name: str
    kind: str
    caption: str


@dataclass(frozen=True)
class Slider:
    """Images of which one is shown, as a slider has it, beside images that stay.

    Attributes:
        folder: where they lie, under `figures`.
        beside: file stems and headings of those that stay.
        shown: file stems and values of the others, in order.
        caption: what they are.
    """

    folder: str
    beside: tuple[tuple[str, str], ...]
    shown: tuple[tuple[str, str], ...]
    caption: str


@dataclass(frozen=True)
class View:
    """Some columns of a table, as the report prints them."""

    file: str
    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[RichText, ...], ...]


@dataclass(frozen=True)
class Section:
    """A titled section; one without figures and tables is not shown."""

    title: str
    figures: tuple[Figure, ...]
    tables: tuple[View, ...] = ()
    slider: Slider | None = None


def diverse(evidence: Evidence) -> str | None:
    """The main system's set, if it was sampled in several rounds."""
    sweep = evidence.params.report.sweep
    return sweep[0] if sweep and evidence.params.sets[sweep[0]].rounds > 1 else None


def moved_through(evidence: Evidence) -> Sequence[float]:
    """The temperatures of the main system's set; none where there are too few."""
    sweep = evidence.params.report.sweep
    found = evidence.params.sets[sweep[0]].temperatures if sweep else ()
    return found if len(found) >= LEAST else ()


def page_name(generator: str) -> str:
    """The name of the page of a system."""
    return f"system_{generator}"


def sections(evidence: Evidence, tables: Tables) -> list[Section]:
    """All sections in reading order."""
    return [
        _effects(),
        _samples(evidence),
        _systems(evidence, tables),
        _pages(evidence),
        _judge_scores(evidence, tables),
        _ablations(tables),
        _diversity(evidence, tables),
        _attributes(evidence, tables),
        _predictions(tables),
        _latents(evidence),
        _arms(evidence, tables),
        _selections(tables),
        _transfer(),
        _generators(tables),
        _data(evidence, tables),
    ]


def _view(tables: Tables, name: str, shown: str, caption: str) -> tuple[View, ...]:
    """Columns of a table, joined by ` | `; none where there is no such table.

    `heading=column` renames one, `name±` joins its mean and spread.
    """
    return (_view_of(tables[name], shown, caption),) if name in tables else ()


def _view_of(table: Table, shown: str, caption: str) -> View:
    heads = [text.rpartition("=") for text in shown.split(" | ")]
    rows = tuple(tuple(table.rich(row, name) for *_, name in heads) for row in table.rows)
    return View(table.file, caption, tuple(head or name for head, _, name in heads), rows)


def _bounds(tables: Tables, name: str) -> str:
    """A sentence on generators whose bits are no more than a bound; empty where all are exact."""
    rows = tables[name].rows if name in tables else ()
    names = [row.key for row in rows if row.cells["bits_are"] == "bound"]
    if not names:
        return ""
    return (
        f" Bits of {join_words(names)} are an upper bound: the noise that fills the 8-bit steps is "
        "learned there (variational dequantization)."
    )


def _frechet_column(tables: Tables, name: str) -> str:
    return " | Fréchet=frechet" if name in tables and "frechet" in tables[name].columns else ""


def _frechet_note(evidence: Evidence) -> str:
    """What the column of distances is; empty for a study that has none."""
    if not evidence.references.frechet:
        return ""
    return (
        " Fréchet: distance of the images at T to all real images of the validation scenes, as "
        f"normal distributions of {evidence.references.features} features averaged over places; "
        "it grows as images get fewer and does not see whether an image fits its layout. Of real: "
        "the training images against the validation images."
    )


def _effects() -> Section:
    """What the verdict on arms is drawn from, in one figure."""
    caption = (
        "Differences in IoU on real validation photographs, in points, with 95 % intervals. On top "
        "the mean over classes: arms that train on real photographs too, each against the arm "
        "without synthetic images that is augmented alike, or else not at all; of many such "
        "arms the three of largest difference per share of the training scenes. Below single "
        "classes of the arm that the verdict names. They help or hurt only if they survive Holm's "
        "correction over classes: an interval beside zero alone is not enough there. A class that "
        "is in one scene alone has no interval."
    )
    return Section("What helps and what hurts", (Figure("effects", "chart upright", caption),))


_PAGE = (
    "One layout a row: class map, boundary map, the real photograph, and a synthetic image "
    "(round 0) at each shown temperature T. Layouts are spread evenly over the sorted names, not "
    "picked by eye."
)


def _samples(evidence: Evidence) -> Section:
    """Samples of the main system, how far they spread for one layout, and all temperatures."""
    sweep, sets = evidence.params.report.sweep, evidence.params.sets
    main = sets[sweep[0]].generator if sweep else ""
    figures = [Figure(MAIN, "photo", f"Samples{f' of {main}' if sweep else ''}. {_PAGE}")]
    name = diverse(evidence)
    if name is not None:
        caption = (
            f"Samples of one layout that differ only in their noise, set {name} at "
            f"temperature {best(evidence, name):g}. Spread: standard deviation over these "
            "samples per pixel, mean of the three channels, white for none to dark blue for 64 of "
            "256 grey values or more."
        )
        figures.append(Figure("diversity", "photo", caption))
    degrees = moved_through(evidence)
    slider = Slider(
        FOLDER,
        (("classes", "classes"), ("real", "real photo")),
        tuple((str(index), f"{degree:g}") for index, degree in enumerate(degrees)),
        f"One held-out layout by {main} at every temperature, from equal noise.",
    )
    return Section("The images", tuple(figures), (), slider if degrees else None)


_BEST = (
    "Best temperature: the one of highest mean class IoU over rounds, on the same images that "
    "are scored, so that it flatters systems sampled at many temperatures a little."
)


def _systems(evidence: Evidence, tables: Tables) -> Section:
    """Each system at its best temperature, in numbers and side by side."""
    figures = (
        Figure(
            "systems_iou",
            "chart",
            "Class IoU of the judge on images of the same validation layouts, each system at "
            "its best temperature T: mean over rounds of sampling, bars one standard deviation to "
            "both sides. Dashed: real photographs, flat paint, photographs of other layouts.",
        ),
        Figure(
            "systems",
            "photo",
            "One layout a row: class map, the real photograph, and what each system makes of the "
            "layout (round 0) at its best temperature T.",
        ),
    )
    time = evidence.params.report.training_time
    shown = (
        "generator=row | system | preset | parameters | steps | likelihood | bits/dim=val_bpd | "
        f"T=temperature | {_SPREADS} | IoU at T 1=class_iou_at_1± | of real=class_iou.of_real"
        + _frechet_column(tables, "systems")
    )
    caption = (
        "Held-out bits per dimension, of the photograph given its layout (conditional) or alone "
        "(unconditional); a dash where a system has no likelihood. The judge's scores at the best "
        f"temperature T, in %: mean ± standard deviation over rounds of sampling. {_BEST} Below: "
        "real photographs (ceiling), flat paint and photographs of other layouts (floors)."
        + _bounds(tables, "systems")
        + _frechet_note(evidence)
        + (f" Training time of every system: {time}." if time else "")
    )
    views = _view(tables, "systems", shown, caption)
    return Section("The systems", figures if views else (), views)


def _pages(evidence: Evidence) -> Section:
    """Samples of every system but the main one, whose page stands at the top."""
    names = [evidence.params.sets[name].generator for name in evidence.params.report.sweep[1:]]
    figures = [Figure(page_name(m), "photo", f"Samples of {m}. {_PAGE}") for m in names]
    return Section("Pictures, system by system", tuple(figures))


_MEASURED = (
    "Confusion matrices of single images are summed over a round, then scored: pixel "
    "accuracy, mean class accuracy and mean class IoU. Absent classes are left out of a mean; the "
    "tables' columns absent_zero count them as 0 instead."
)


def _judge_scores(evidence: Evidence, tables: Tables) -> Section:
    """What the judge says per temperature and class, between ceiling and floors."""
    sweep, sets = evidence.params.report.sweep, evidence.params.sets
    figures = [
        Figure(
            "temperature",
            "chart",
            "The judge, a segmenter trained on real training photographs, looks at synthetic "
            "images of validation layouts. Lines: each system's mean over rounds; bars: "
            "standard deviation over rounds. Dashed: the same judge on the real photographs "
            "(ceiling), on layouts painted with each class's mean colour, and on photographs of "
            "other layouts (floors).",
        )
    ]
    main = ""
    if sweep:
        main = (
            f", on images of {sets[sweep[0]].generator} at temperature "
            f"{best(evidence, sweep[0]):g} (mean over rounds)"
        )
    caption = f"The judge's IoU of each class on real photographs{main}, and on the floors."
    figures.append(Figure("classes", "chart", caption))
    of_systems = [f"{sets[name].generator}={system_column(evidence, name)}" for name in sweep]
    views = (
        *_view(
            tables,
            "temperature",
            f"generator | set | T=temperature | rounds | images=photos | {_SPREADS} | "
            "IoU, absent as 0=class_iou_absent_zero.mean | of real=class_iou.of_real"
            + _frechet_column(tables, "temperature"),
            f"The judge on synthetic images per system and temperature: mean ± standard "
            f"deviation over rounds of sampling, in %. {_MEASURED}",
        ),
        *_view(
            tables,
            "references",
            f"row | set | T=temperature | {_SCORES} | "
            "IoU, absent as 0=class_iou_absent_zero | of real=class_iou.of_real",
            "Ceiling and floors in %: real = real validation photographs; best = the main system "
            "at its best temperature; flat = each class painted with its mean colour in the "
            "training photographs; wrong = the photograph of another layout. Last column: class "
            "IoU over that of real.",
        ),
        *_view(
            tables,
            "judge_per_class",
            " | ".join(["class", "real=real.iou", *of_systems, "flat=flat.iou", "wrong=wrong.iou"]),
            "The judge's IoU of each class, in %, systems at their best temperature; a dash where "
            "a class neither is there nor predicted.",
        ),
    )
    skipped = 0 if "temperature" in tables else 1
    return Section("Can the judge read them?", tuple(figures[skipped:]), views)


def _ablations(tables: Tables) -> Section:
    """What differs within one system, as far as the study asks for it."""
    views = (
        *_view(
            tables,
            "configurations",
            "generator | boundary maps | steps per level | steps | parameters | bits/dim=val_bpd | "
            f"T=temperature | {_SPREADS}",
            "Depth and boundary maps of one system at the temperature shown: steps per level from "
            "the finest on, held-out bits per dimension, and the judge's scores as mean ± standard "
            "deviation over rounds, in %.",
        ),
        *_view(
            tables,
            "released",
            "released | repaired | bits/dim, released=released.val_bpd | "
            "repaired=repaired.val_bpd | class IoU, released=released.class_iou | "
            "repaired=repaired.class_iou | gain in points=gain",
            "Systems as their released code has them beside the same systems repaired, trained "
            "equally long: held-out bits per dimension, and class IoU in % at the best temperature "
            "of each.",
        ),
        *_view(
            tables,
            "chosen",
            "set | generator | T=temperature | drawn | kept | class IoU=class_iou± | "
            "plain=plain± | gain in points=gain",
            "Of so many images drawn for a layout, those kept that the flow itself finds "
            "likeliest, beside the same system's plain images at that temperature: class IoU "
            "in %, mean ± standard deviation over rounds (of kept ones: over ranks).",
        ),
    )
    return Section("What depth, boundary maps, repairs and choice are worth", (), views)


def _diversity(evidence: Evidence, tables: Tables) -> Section:
    """Diversity, per class and per temperature."""
    title = "How much do they differ for one layout?"
    if "diversity" not in tables:
        return Section(title, ())
    scores = next(iter(evidence.diversity.values()))
    views = (
        *_view(
            tables,
            "diversity",
            " | ".join(tables["diversity"].columns),
            f"For each of {len(scores.layouts)} validation layouts, {scores.samples} images "
            f"at temperature {scores.shown.temperature:g} are divided by k-means into "
            f"{scores.clusters} clusters. Variance among one random member of each, pixels in "
            f"[0, 1], times 100: mean over the pixels of a class, {scores.repeats} picks, and the "
            "layouts. Flat paint is one picture a layout. Diversity says nothing of whether "
            "images look real: noise has most of it.",
        ),
        *_view(
            tables,
            "diversity_spread",
            "generator | T=temperature | layouts | images a layout=samples | "
            "among clusters=clustered | variance | perceptual",
            "The same over all pixels per temperature; the variance among all images, times "
            "100 too; and the perceptual distance of two of them: the squared difference of unit "
            f"feature vectors ({scores.features}), summed over layers.",
        ),
    )
    return Section(title, (), views)


def _attributes(evidence: Evidence, tables: Tables) -> Section:
    """Attributes read back, and how steady they are while others change."""
    title, scores = "Do attributes come out as asked for?", evidence.attributes
    if scores is None or "attributes" not in tables:
        return Section(title, ())
    views = (
        *_view(
            tables,
            "attributes",
            "images=photographs | accuracy | light | classes=layout | variance",
            "Attributes read in images: dark and bright (terciles of the mean luminance, "
            "measured) and much of a class (more than the median layout, read by a small network "
            f"trained on the real training photographs). {scores.samples} images for each "
            f"of {len(scores.layouts)} validation layouts at temperature {scores.temperature:g}. "
            "Light is asked for where a system can be; classes come from the layout. Variance: of "
            "the mean probability over layouts, what was asked for taken off.",
        ),
        *_view(
            tables,
            "attribute_changes",
            " | ".join(["change", *scores.generators]),
            "One condition after the other is changed: the light, where a system can be asked for "
            "it, then whole classes of the layout. How far the mean probability of all other "
            "attributes moves at each change.",
        ),
    )
    return Section(title, (), views)


def _predictions(tables: Tables) -> Section:
    """Class maps that flows predict from images."""
    views = _view(
        tables,
        "predictions",
        f"predictor | images=photographs | samples | {_SCORES}",
        "C-Glow in its own use, structured prediction: a class map is the mean of so many samples, "
        "rounded. Real validation photographs, in %; the judge's look at the same photographs "
        "stands beside it.",
    )
    return Section("How well does a flow predict class maps from photographs?", (), views)


def _latents(evidence: Evidence) -> Section:
    """Paths between latents, styles and edits."""
    title, section = "Latents: interpolation, style, edits", evidence.params.explore
    if section is None:
        return Section(title, ())
    form = {"spherical": "along the arc on the sphere", "linear": "along the straight line"}
    drawn = f"at temperature {section.temperature:g}, not picked by eye"
    changes = "given in params.yaml" if section.edits else "chosen by the layout's content"
    captions = {
        PATHS: f"Interpolation: from one draw of the latents to another, {form[section.path]} at "
        f"equal shares, for one layout a row. Two draws {drawn}, the same for all layouts. "
        "Systems whose latents are coins (dropout) have nothing between two draws.",
        STYLES: "Style: each of the two draws over different layouts. What a row has in common is "
        f"the draw's; drawn {drawn}.",
        EDITS: f"Edits, one upon the other, {changes}. A row is made from one draw of the latents "
        f"{drawn}: what was not edited should stay.",
    }
    return Section(title, tuple(Figure(name, "photo", text) for name, text in captions.items()))


def _arms(evidence: Evidence, tables: Tables) -> Section:
    """Networks retrained on each arm."""
    title = "Does training on them help?"
    if "arms" not in tables:
        return Section(title, ())
    steps = sorted({row.text("steps") for row in tables["runs"].rows}, key=int)
    figures = (
        Figure(
            "arms",
            "chart",
            "Networks trained on each arm, measured on real validation photographs. Points: one "
            "training (seed) each; line: their mean; band: one standard deviation to both sides.",
        ),
        Figure(
            "segmenters",
            "chart",
            "Training loss of the judge and of retrained networks (running mean over a fiftieth of "
            "the steps); of many arms those that the answers are drawn from.",
        ),
    )
    beside = "arm | against | training scenes=fraction | seeds | scenes | drawn groups=groups"
    effect = "difference | from=low | to=high | p"
    views = (
        *_view(
            tables,
            "arms",
            f"arm | trained on=trained_on | augmentation | seeds | {_SPREADS}",
            f"Mean ± standard deviation over seeds on real validation photographs, in %. Optimizer "
            f"steps of each training: {', '.join(steps)}.",
        ),
        *_view(
            tables,
            "comparisons",
            f"{beside} | {effect} | detectable | outcome",
            "Arms against arms without synthetic images and of as many training scenes: "
            "difference of mean class IoU in points, ends of its 95 % interval, two-sided p, and "
            "the smallest true difference, in points, that four of five such studies would have "
            "shown; by the rule at the top.",
        ),
        *_answers_by_class(evidence, tables, f"class | {effect} | survives | outcome"),
        *_view(
            tables,
            "more_real",
            f"{beside} | {effect} | detectable | outcome",
            "What more real photographs bring: networks that have those of most scenes against "
            "networks that have a share of them, both without augmentation beyond mirroring and "
            "without synthetic images. Columns as above; training scenes are those of the "
            "smaller share.",
        ),
        *_view(
            tables,
            "costs",
            "arm | training | generator | images=photographs | judge | choice | in all=total | "
            "times",
            "What one network of each arm takes, all in: million million (10^12) operations, which "
            "are the products and sums of convolutions and matrix products. Its own training, that "
            "of the generator, making the images (those that are not kept too), the judge and "
            "what it looks at, and the trainings that a temperature was chosen by. Last: how many "
            "times its own training. Arms share generators, judges and choices; each has the whole "
            "of them here.",
        ),
        _arms_by_class(evidence, tables),
    )
    return Section(title, figures, views)


def _answers_by_class(evidence: Evidence, tables: Tables, shown: str) -> list[View]:
    """The classes of the comparisons that the verdict is drawn from."""
    if "comparisons" not in tables:
        return []
    views, table = [], tables["comparisons_per_class"]
    for answer in answers(evidence.params.arms, tables["comparisons"]):
        rows = answer.classes(tables)
        caption = (
            f"{answer.row.text('arm')} against {answer.row.text('against')}, class by class: "
            "difference of IoU in points, ends of its 95 % interval, two-sided p, and "
            "whether the class survives Holm's correction over "
            "classes. A dash where a class is nowhere, or in one scene alone."
        )
        views.append(_view_of(Table(table.name, table.columns, rows), shown, caption))
    return views


def _arms_by_class(evidence: Evidence, tables: Tables) -> View:
    """The long table with a column for each of some arms."""
    names, table = arms_to_show(evidence.params.arms, tables), tables["arms_per_class"]
    kinds = list(dict.fromkeys(row.text("class") for row in table.rows))
    rows = {(row.text("class"), row.text("arm")): row for row in table.rows}
    lines = tuple(
        ((kind,), *(table.rich(rows[kind, arm], "iou±") for arm in names)) for kind in kinds
    )
    caption = (
        "IoU of each class on real validation photographs, mean ± standard deviation over seeds, "
        "in %."
    )
    return View(table.file, caption, ("class", *names), lines)


def _selections(tables: Tables) -> Section:
    """What was fit to train on."""
    views = (
        *_view(
            tables,
            "selections",
            "selection | set | criteria | images=candidates | kept | "
            "temperature=dropped.temperature | read worst=dropped.agreement | "
            "density=dropped.typicality | less likely=dropped.likelihood | "
            "easy layouts=dropped.hardness | labels=labels_kept | agreement=agreement.kept | "
            "of dropped=agreement.dropped | heaviest",
            "Images of a synthetic set that were kept, and how many were dropped by which "
            "criterion, each looked at among those that the ones before it had left. Labels: the "
            "share of the kept images' labels that is learned from, in %. Agreement: pixels "
            "that the judge, a network trained on the real photographs that the arm has, reads as "
            "the layout says, in %. Heaviest: how often the most drawn image comes, relative "
            "to the mean.",
        ),
        *_view(
            tables,
            "choices",
            "choice | set | temperature | seeds | folds | scenes | class IoU=class_iou | chosen",
            "Class IoU, in %, on training scenes, each read by a network trained on the scenes of "
            "other drives and their synthetic images at that temperature. No validation scene "
            "was looked at.",
        ),
        *_view(
            tables,
            "nearest",
            "images of=photographs_of | images=photographs | least | median | "
            "nearer than any=nearer_than_any_val | nearer than 1 %=nearer_than_1_percent_of_val | "
            "copies",
            "Distance of images to the nearest real training photograph, in standard "
            "deviations of scattering features: the least and the median; then the share, in %, "
            "that comes nearer than any real validation photograph, and nearer than the nearest "
            "hundredth of them; then how many are copies of a training photograph. A generator "
            "that has learned photographs by heart shows in these. No validation scene's "
            "photograph, layout or content was found in what is trained on, or this report would "
            "not have been made.",
        ),
    )
    return Section("What was fit to train on", (), views)


def _transfer() -> Section:
    """One image's content under other layouts."""
    caption = (
        "Content transfer: the latents of the first photograph, encoded under its own layout, "
        "are decoded under the second layout. Right: the real photograph of that layout."
    )
    return Section("Content moved into other structures", (Figure("transfer", "photo", caption),))


def _generators(tables: Tables) -> Section:
    """The generators' training."""
    caption = (
        "Left: training loss, a running mean over a fiftieth of the points. Right: bits "
        "per dimension on a fixed choice of held-out scenes; the table has those on all of them. "
        "They are of the photograph given its layout, or of the photograph alone for generators "
        "without conditions. Generators without a likelihood are left out. The first twentieth of "
        "a curve may lie above the frame. Numbers: "
        "tables/bpd_curve.csv."
    )
    views = _view(
        tables,
        "generators",
        "generator | system | preset | parameters | steps | likelihood | "
        "held-out bits/dim=val_bpd | distance=val_distance | scenes=val_scenes | "
        "round trip=round_trip",
        "Parameters, training steps, bits per dimension over all held-out scenes at the "
        "end, and the round-trip error: the largest difference, in 8-bit grey values, between a "
        "held-out photograph and its latents decoded again. Distance: what a generator without a "
        "likelihood measured on held-out scenes in its place, as its training does."
        + _bounds(tables, "generators"),
    )
    figures = (Figure("learning", "chart", caption),)
    return Section("The generators", figures if views else (), views)


def _data(evidence: Evidence, tables: Tables) -> Section:
    """Scenes, and the shares of classes."""
    source = evidence.facts["boundary_source"]
    made = {
        "instances": "Boundary maps are made from instance ids at full resolution.",
        "components": "Boundary maps are made from class edges and connected components of thing "
        "classes: touching objects of one class are merged.",
    }.get(source, f"Boundary maps: {source}.")
    caption = (
        "Scenes of the training split (first rows) and of the validation split (last rows), "
        f"spread evenly over the sorted names. {made}"
    )
    counted = "data" in tables and "expected" in tables["data"].columns
    views = (
        *_view(
            tables,
            "data",
            f"split | {'scenes=scenes of expected' if counted else 'scenes'} | drives | height | "
            "width | labelled | boundaries from=boundary_source",
            f"Scenes per split; labelled pixels in %. {made}{_raw_files(evidence)}",
        ),
        *_view(
            tables,
            "classes",
            "class | train share=train.share | train scenes=train.scenes | val share=val.share | "
            "val scenes=val.scenes",
            "Share of the labelled pixels in %, and scenes that hold the class.",
        ),
    )
    return Section("The data", (Figure("data", "photo", caption),), views)


def _raw_files(evidence: Evidence) -> str:
    """What the raw files were: how their digest begins, and how many scenes were left out."""
    content, left_out = (evidence.facts.get(key) for key in ("content", "left_out"))
    text = f" The digest of the raw files begins with {str(content)[:8]}." if content else ""
    if left_out:
        scenes = f"{len(left_out)} scene{'s' if len(left_out) > 1 else ''}"
        text += f" Left out for faults: {scenes}, which evidence/dataset.json lists."
    return text

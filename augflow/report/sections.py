"""The sections of a report: which figures and tables stand together, and what is said of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from augflow.report import names
from augflow.report.answers import answers
from augflow.report.evidence import Evidence
from augflow.report.order import published_pairs
from augflow.report.statistics import ARMS_RULE, ROUNDS_RULE, UNKNOWN, best, system_column
from augflow.report.table import RichText, Row, Table, join_words
from augflow.report.views import View, Views

Notes = Mapping[str, tuple[RichText, ...]]

MAIN = "samples"
"""The page of the main system, under a name that does not depend on the study."""

PATHS, STYLES, EDITS = "latents_path", "latents_style", "latents_edits"
"""The figures of latents."""

OPENING = "opening"
"""The folder of the pictures at the top: label maps, photos, and images of the best system."""

FOLDER = "temperatures"
LEAST = 3
"""Fewer temperatures than these are better seen side by side."""


@dataclass(frozen=True)
class Figure:
    """A figure: its file's stem, its kind, and a caption that says what was measured.

    A `chart` is drawn of numbers and lies in `figures`, a `photo` is made of images and lies in
    `pictures`.
    """

    name: str
    kind: str
    caption: str


@dataclass(frozen=True)
class Slider:
    """Images of which one is shown, as a slider has it, beside images that stay.

    Attributes:
        folder: where they lie, under `pictures`.
        beside: file stems and headings of those that stay.
        shown: file stems and values of the others, in order.
        caption: what they are.
    """

    folder: str
    beside: tuple[tuple[str, str], ...]
    shown: tuple[tuple[str, str], ...]
    caption: str


@dataclass(frozen=True)
class Part:
    """Figures and tables that belong together; one without any is not shown."""

    title: str
    figures: tuple[Figure, ...] = ()
    tables: tuple[View, ...] = ()
    slider: Slider | None = None
    notes: tuple[RichText, ...] = ()
    rule: str = ""


@dataclass(frozen=True)
class Section:
    """What the navigation leads to."""

    title: str
    parts: tuple[Part, ...]

    @property
    def anchor(self) -> str:
        """Where it is in the page."""
        return self.title.lower().replace(" ", "-")


def diverse(evidence: Evidence) -> str | None:
    """The main system's set, if it was sampled in several rounds."""
    sweep = evidence.params.report.sweep
    return sweep[0] if evidence.params.sets[sweep[0]].rounds > 1 else None


def moved_through(evidence: Evidence) -> Sequence[float]:
    """The temperatures of the main system's set; none where there are too few."""
    found = evidence.params.sets[evidence.params.report.sweep[0]].temperatures
    return found if len(found) >= LEAST else ()


def page_name(generator: str) -> str:
    """The name of the page of a system."""
    return f"system_{generator}"


def sections(evidence: Evidence, tables: Mapping[str, Table], notes: Notes) -> list[Section]:
    """All sections in reading order; `notes` are sentences by section."""
    views = Views(evidence, tables)
    arms, degrees = (notes.get(name, ()) for name in ("arms", "temperature"))
    return [
        Section("Arms", _arms(views, arms)),
        Section("Classes", _classes(views)),
        Section(
            "Systems",
            (
                *_systems(views),
                _ablations(views),
                _diversity(views),
                _attributes(views),
                _predictions(views),
                _transfer(views),
                _latents(evidence),
            ),
        ),
        Section("Temperature", (_temperature(views, degrees),)),
        Section("Selection", (_selections(views),)),
        Section("Data", (_data(views),)),
        Section("How it was made", (_generators(views), _segmenters())),
    ]


_PAGE = (
    "A row per layout: class map, boundary map, the real photo, and a synthetic image at each "
    "temperature T shown. Layouts are spread evenly over the sorted names, not picked by eye."
)


def _bounds(views: Views, name: str) -> str:
    """A sentence on generators whose bits are no more than a bound; empty where all are exact."""
    rows = views.tables[name].rows if name in views.tables else ()
    bounds = [
        names.generator(views.params, row.key).words
        for row in rows
        if row.cells["bits_are"] == "bound"
    ]
    if not bounds:
        return ""
    return (
        f" Bits of {join_words(bounds)} are an upper bound: the noise that fills the 8-bit steps "
        "is learned there (variational dequantization)."
    )


def _frechet_column(views: Views, name: str) -> str:
    return (
        " | Fréchet=frechet"
        if name in views.tables and "frechet" in views.tables[name].columns
        else ""
    )


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


_BESIDE = "arm | against | training photos=fraction | seeds | scenes | drawn groups=groups"
_EFFECT = "difference | from=low | to=high | p"


def _arms(views: Views, notes: tuple[RichText, ...]) -> tuple[Part, ...]:
    """Networks retrained on each arm, and what they differ by."""
    if "arms" not in views.tables:
        return ()
    steps = sorted({row.text("steps") for row in views.tables["runs"].rows}, key=int)
    scores = views(
        "arms",
        "arm | class IoU=class_iou± | class accuracy=class_accuracy± | "
        "pixel accuracy=pixel_accuracy± | seeds",
        "Networks trained on each arm, measured on real validation photos, in %: mean ± standard "
        f"deviation over seeds. Optimizer steps of each training: {', '.join(steps)}.",
    )
    differences = (
        *views(
            "comparisons",
            f"{_BESIDE} | {_EFFECT} | detectable | outcome",
            "Each arm against arms without synthetic images and of as many photos: difference of "
            "class IoU in points, ends of its 95 % interval, two-sided p, and the smallest true "
            "difference, in points, that four of five such studies would have shown.",
        ),
        *views(
            "more_real",
            f"{_BESIDE} | {_EFFECT} | detectable | outcome",
            "What more real photos bring, to compare with: networks that have most of the photos "
            "against networks that have a share of them, both without synthetic images.",
        ),
    )
    costs = views(
        "costs",
        "arm | in all=total | times | training | generator | images=photographs | judge | choice",
        "What one network of each arm takes, in million million (10^12) operations of convolutions "
        "and matrix products: in all; how many times its own training that is; its own training; "
        "that of the generator; making the images; the judge; and choosing the temperature. Arms "
        "share generators, judges and choices; each has the whole of them here.",
    )
    return (
        Part("Scores", tables=scores),
        Part("Differences", tables=differences, notes=notes, rule=ARMS_RULE),
        Part("Costs", tables=costs),
    )


def _classes(views: Views) -> tuple[Part, ...]:
    """Class by class: arms, differences, and what the judge reads in synthetic images."""
    arms: tuple[View, ...] = ()
    if "arms" in views.tables:
        arms = (_arms_by_class(views), *_answers_by_class(views))
    sweep, sets = views.params.report.sweep, views.params.sets
    maker = names.generator(views.params, sets[sweep[0]].generator).words
    degree = best(views.evidence, sweep[0])
    made = [names.generator(views.params, sets[name].generator).words for name in sweep]
    columns = [system_column(views.evidence, name) for name in sweep]
    found = views(
        "judge_per_class",
        " | ".join(["class", "real.iou", *columns, "flat.iou", "wrong.iou"]),
        "The judge's IoU of each class on images of each system at its best temperature, in %. A "
        "dash where a class neither is there nor predicted.",
    )
    headings = ("class", "real photos", *made, "flat paint", "other layouts")
    judged = tuple(replace(view, headings=headings) for view in found)
    caption = (
        f"The judge's IoU of each class on real photos, on images of {maker} at temperature "
        f"{degree:g}, and on the floors."
    )
    return (
        Part("Networks of each arm", tables=arms),
        Part("What the judge reads", (Figure("classes", "chart", caption),), judged),
    )


def _arms_by_class(views: Views) -> View:
    """A row per arm and a column per class."""
    table = views.tables["arms_per_class"]
    kinds = list(dict.fromkeys(row.text("class") for row in table.rows))
    cells = {(row.text("arm"), row.text("class")): row for row in table.rows}
    arms = dict.fromkeys(row.text("arm") for row in table.rows)
    rows = tuple(
        (
            (names.arm(views.params, arm),),
            *((table.span(cells[arm, kind], "iou.mean"),) for kind in kinds),
        )
        for arm in arms
    )
    caption = (
        "IoU of each class on real validation photos, in %: mean over seeds. The file has standard "
        "deviations, and accuracies."
    )
    return View(table.file, caption, ("arm", *kinds), rows)


def _answers_by_class(views: Views) -> tuple[View, ...]:
    """The classes of the comparisons that the answer is drawn from, side by side."""
    if "comparisons" not in views.tables:
        return ()
    found, table = answers(views.params.arms, views.tables["comparisons"]), "comparisons_per_class"
    if not found:
        return ()
    columns = [
        [_class_cells(views.tables[table], row) for row in answer.classes(views.tables)]
        for answer in found
    ]
    kinds = [((row.text("class"),),) for row in found[0].classes(views.tables)]
    rows = tuple(
        kind + tuple(cell for pair in pairs for cell in pair)
        for kind, *pairs in zip(kinds, *columns, strict=True)
    )
    pairs, headings = [], ["class"]
    for answer in found:
        sides = (names.arm(views.params, answer.row.text(s)).words for s in ("arm", "against"))
        pairs.append(" against ".join(sides))
        share = names.share(round(1 / answer.row.number("fraction")))
        headings += [f"with {share} of the photos", ""]
    caption = (
        "What the answer is drawn from, class by class: difference of IoU in points and its 95 % "
        "interval. A class helps or hurts only if it survives Holm's correction over classes. A "
        f"dash where a class is nowhere, or in one scene alone. From left to right: "
        f"{'; '.join(pairs)}."
    )
    return (View(views.tables[table].file, caption, tuple(headings), rows),)


def _class_cells(table: Table, row: Row) -> tuple[RichText, RichText]:
    """The difference of a class with its interval, and what that says."""
    value, low, high = (table.span(row, key) for key in ("difference", "low", "high"))
    told = {"None": "–", UNKNOWN: "may be chance"}.get(row.text("outcome"), row.text("outcome"))
    if row.cells["low"] is None:
        return (value,), (told,)
    return (value, " (", low, " to ", high, ")"), (told,)


def _systems(views: Views) -> tuple[Part, ...]:
    """Each system at its best temperature: numbers, the paper's beside them, pictures."""
    time = views.params.report.training_time
    shown = (
        "system=row | class IoU=class_iou± | of real=class_iou.of_real | T=temperature | "
        "at T 1=class_iou_at_1±" + _frechet_column(views, "systems") + " | "
        "class accuracy=class_accuracy± | pixel accuracy=pixel_accuracy± | bits/dim=val_bpd | "
        "likelihood | parameters | steps | preset"
    )
    caption = (
        "What the judge, a network trained on real photos, reads in images of each system at its "
        "best temperature T, in %: mean ± standard deviation over rounds of sampling. T is the "
        "one of highest class IoU on these very images, which flatters systems sampled at many "
        "temperatures a little. Below: real photos (ceiling), flat paint and photos of other "
        "layouts (floors). Bits per dimension of held-out photos, given their layouts "
        "(conditional) or alone (unconditional)."
        + _bounds(views, "systems")
        + _frechet_note(views.evidence)
        + (f" Training time of every system: {time}." if time else "")
    )
    figures = (
        Figure(
            "systems",
            "photo",
            "A row per layout: class map, the real photo, and what each system makes of the "
            "layout at its best temperature T.",
        ),
        Figure(
            "systems_iou",
            "chart",
            "Class IoU of the judge on images of the same validation layouts, each system at its "
            "best temperature T; bars: one standard deviation over rounds to both sides.",
        ),
    )
    found = views("systems", shown, caption)
    sweep, sets = views.params.report.sweep, views.params.sets
    pages = [
        Figure(
            MAIN if place == 0 else page_name(sets[name].generator),
            "photo",
            f"{names.generator(views.params, sets[name].generator).heading}. {_PAGE}",
        )
        for place, name in enumerate(sweep)
    ]
    return (
        Part("Scores", figures if found else (), found),
        Part("Beside the papers", tables=_published(views)),
        Part("Samples", tuple(pages)),
    )


def _published(views: Views) -> tuple[View, ...]:
    """Class IoU and bits beside those of Full-Glow's table 1, for two of its systems or more."""
    table = views.tables.get("systems")
    pairs = published_pairs(list(table.rows)) if table else []
    if table is None or len(pairs) < 2:
        return ()
    rows = tuple(
        (
            (names.generator(views.params, row.key),),
            table.rich(row, "class_iou±"),
            (f"{100 * line.class_iou:.2f}",),
            table.rich(row, "val_bpd"),
            ("–" if line.bits is None else f"{line.bits:.3f}",),
        )
        for row, line in pairs
    )
    caption = (
        "Class IoU of the judge in % and bits per dimension, beside those of Full-Glow's table 1 "
        "(Cityscapes at 256x256): the order can be compared, the numbers cannot."
    )
    headings = ("system", "class IoU", "in the paper", "bits/dim", "in the paper")
    return (View(table.file, caption, headings, rows),)


_SPREADS = "class IoU=class_iou± | class accuracy=class_accuracy± | pixel accuracy=pixel_accuracy±"


def _ablations(views: Views) -> Part:
    """What differs within one system, as far as the study asks for it."""
    found = (
        *views(
            "configurations",
            f"generator | boundary maps | steps per level | {_SPREADS} | bits/dim=val_bpd | "
            "T=temperature | steps | parameters",
            "Depth and boundary maps of one system at the temperature shown: steps per level from "
            "the finest on, and the judge's scores as mean ± standard deviation over rounds, in %.",
        ),
        *views(
            "released",
            "released | repaired | class IoU, released=released.class_iou | "
            "repaired=repaired.class_iou | gain in points=gain | "
            "bits/dim, released=released.val_bpd | repaired=repaired.val_bpd",
            "Systems as their released code has them beside the same systems repaired, trained "
            "equally long: class IoU in % at the best temperature of each, and held-out bits per "
            "dimension.",
        ),
        *views(
            "chosen",
            "set | generator | T=temperature | drawn | kept | class IoU=class_iou± | "
            "plain=plain± | gain in points=gain",
            "Of so many images drawn for a layout, those kept that the flow itself finds "
            "likeliest, beside the same system's plain images at that temperature: class IoU "
            "in %, mean ± standard deviation over rounds (of kept ones: over ranks).",
        ),
    )
    return Part("Depth, boundary maps, repairs and choice", tables=found)


def _diversity(views: Views) -> Part:
    """How far images of one layout differ: pictures, per class and per temperature."""
    figures, name = [], diverse(views.evidence)
    if name is not None:
        caption = (
            "Images of one layout that differ only in their noise, by "
            f"{names.generator(views.params, views.params.sets[name].generator).words} at "
            f"temperature {best(views.evidence, name):g}. Spread: standard deviation per pixel, "
            "white for none to dark blue for 64 of 256 grey values or more."
        )
        figures.append(Figure("diversity", "photo", caption))
    return Part("Diversity", tuple(figures), _diversity_tables(views))


def _diversity_tables(views: Views) -> tuple[View, ...]:
    if "diversity" not in views.tables:
        return ()
    scores = next(iter(views.evidence.diversity.values()))
    return (
        *views(
            "diversity",
            " | ".join(views.tables["diversity"].columns),
            f"For each of {len(scores.layouts)} validation layouts, {scores.samples} images "
            f"at temperature {scores.shown.temperature:g} are divided by k-means into "
            f"{scores.clusters} clusters. Variance among one random member of each, pixels in "
            f"[0, 1], times 100: mean over the pixels of a class, {scores.repeats} picks, and the "
            "layouts. Flat paint is one picture a layout. Diversity says nothing of whether "
            "images look real: noise has most of it.",
        ),
        *views(
            "diversity_spread",
            "generator | T=temperature | layouts | images a layout=samples | "
            "among clusters=clustered | variance | perceptual",
            "The same over all pixels per temperature; the variance among all images, times "
            "100 too; and the perceptual distance of two of them: the squared difference of unit "
            f"feature vectors ({scores.features}), summed over layers.",
        ),
    )


def _attributes(views: Views) -> Part:
    """Attributes read back, and how steady they are while others change."""
    title, scores = "Attributes", views.evidence.attributes
    if scores is None or "attributes" not in views.tables:
        return Part(title)
    found = (
        *views(
            "attributes",
            "images=photographs | accuracy | light | classes=layout | variance",
            "Attributes read in images: dark and bright (terciles of the mean luminance, "
            "measured) and much of a class (more than the median layout, read by a small network "
            f"trained on the real training photos). {scores.samples} images for each "
            f"of {len(scores.layouts)} validation layouts at temperature {scores.temperature:g}. "
            "Light is asked for where a system can be; classes come from the layout. Variance: of "
            "the mean probability over layouts, what was asked for taken off.",
        ),
        *views(
            "attribute_changes",
            " | ".join(["change", *scores.generators]),
            "One condition after the other is changed: the light, where a system can be asked for "
            "it, then whole classes of the layout. How far the mean probability of all other "
            "attributes moves at each change.",
        ),
    )
    return Part(title, tables=found)


def _predictions(views: Views) -> Part:
    """Class maps that flows predict from images."""
    found = views(
        "predictions",
        "predictor | images=photographs | samples | class IoU=class_iou | "
        "class accuracy=class_accuracy | pixel accuracy=pixel_accuracy",
        "C-Glow in its own use, structured prediction: a class map is the mean of so many samples, "
        "rounded. Real validation photos, in %; the judge's look at the same photos stands beside "
        "it.",
    )
    return Part("Class maps that a flow predicts", tables=found)


def _transfer(views: Views) -> Part:
    """One image's style, or all of its latents, under other layouts."""
    kinds = {section.latents for section in views.params.transfers.values()}
    caption = (
        "The first photo's style, which is its light and palette, under the second layout; the "
        "rest is drawn. Right: the real photo of that layout."
        if kinds == {"style"}
        else "The latents of the first photo, encoded under its own layout, are decoded under the "
        "second layout: nearly all of the photo comes along. Right: the real photo of that layout."
    )
    return Part("Content moved into other layouts", (Figure("transfer", "photo", caption),))


def _latents(evidence: Evidence) -> Part:
    """Paths between latents, styles and edits."""
    title, section = "Interpolation, style, edits", evidence.params.explore
    if section is None:
        return Part(title)
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
    return Part(title, tuple(Figure(name, "photo", text) for name, text in captions.items()))


def _temperature(views: Views, notes: tuple[RichText, ...]) -> Part:
    """What the judge says per temperature, between ceiling and floors."""
    sweep, degrees = views.params.report.sweep, moved_through(views.evidence)
    slider = None
    if degrees:
        maker = names.generator(views.params, views.params.sets[sweep[0]].generator).words
        slider = Slider(
            FOLDER,
            (("classes", "label map"), ("real", "real photo")),
            tuple((str(index), f"{degree:g}") for index, degree in enumerate(degrees)),
            f"One held-out layout by {maker} at every temperature, from equal noise.",
        )
    figure = Figure(
        "temperature",
        "chart",
        "The judge, a network trained on real photos, looks at synthetic images of validation "
        "layouts. Lines: each system's mean over rounds; bars: standard deviation. Dashed: real "
        "photos (ceiling), layouts painted with each class's mean colour, and photos of other "
        "layouts (floors).",
    )
    found = (
        *views(
            "temperature",
            f"generator | T=temperature | {_SPREADS} | of real=class_iou.of_real"
            + _frechet_column(views, "temperature")
            + " | IoU, absent as 0=class_iou_absent_zero.mean | rounds | images=photos",
            "The judge on synthetic images per system and temperature, in %: mean ± standard "
            "deviation over rounds of sampling. Confusion matrices of single images are summed "
            "over a round, then scored; absent classes are left out of a mean.",
        ),
        *views(
            "references",
            "row | T=temperature | class IoU=class_iou | class accuracy=class_accuracy | "
            "pixel accuracy=pixel_accuracy | of real=class_iou.of_real | "
            "IoU, absent as 0=class_iou_absent_zero",
            "Ceiling and floors in %. Flat paint: each class painted with its mean colour in the "
            "training photos. Photos of other layouts: what a generator is worth that does not "
            "look at its layout.",
        ),
    )
    rule = ROUNDS_RULE if "temperature" in views.tables else ""
    return Part("", (figure,), found, slider, notes, rule)


def _selections(views: Views) -> Part:
    """What was fit to train on."""
    found = (
        *views(
            "selections",
            "selection | set | criteria | images=candidates | kept | "
            "temperature=dropped.temperature | read worst=dropped.agreement | "
            "density=dropped.typicality | less likely=dropped.likelihood | "
            "easy layouts=dropped.hardness | labels=labels_kept | agreement=agreement.kept | "
            "of dropped=agreement.dropped | heaviest",
            "Images of a synthetic set that were kept, and how many were dropped by which "
            "criterion, each looked at among those that the ones before it had left. Labels: the "
            "share of the kept images' labels that is learned from, in %. Agreement: pixels "
            "that the judge, a network trained on the real photos that the arm has, reads as "
            "the layout says, in %. Heaviest: how often the most drawn image comes, relative "
            "to the mean.",
        ),
        *views(
            "choices",
            "choice | set | temperature | seeds | folds | scenes | class IoU=class_iou | chosen",
            "How a temperature was chosen: class IoU, in %, on training scenes, each read by a "
            "network trained on the scenes of other drives and their synthetic images at that "
            "temperature. No validation scene was looked at.",
        ),
        *views(
            "nearest",
            "images of=photographs_of | images=photographs | least | median | "
            "nearer than any=nearer_than_any_val | nearer than 1 %=nearer_than_1_percent_of_val | "
            "copies",
            "Were photos learned by heart? Distance of images to the nearest real training photo, "
            "in standard deviations of scattering features: the least and the median; then the "
            "share, in %, that comes nearer than any real validation photo, and nearer than the "
            "nearest hundredth of them; then how many are copies of a training photo. No "
            "validation scene was found in what is trained on, or there would be no report.",
        ),
    )
    return Part("", tables=found)


def _data(views: Views) -> Part:
    """Scenes, and the shares of classes."""
    evidence = views.evidence
    source = evidence.facts["boundary_source"]
    made = {
        "instances": "Boundary maps are made from instance ids at full resolution.",
        "components": "Boundary maps are made from class edges and connected components of thing "
        "classes: touching objects of one class are merged.",
    }.get(source, f"Boundary maps: {source}.")
    caption = (
        "Training scenes (first rows) and validation scenes (last rows), spread evenly over the "
        "sorted names."
    )
    counted = "data" in views.tables and "expected" in views.tables["data"].columns
    found = (
        *views(
            "data",
            f"split | {'scenes=scenes of expected' if counted else 'scenes'} | drives | height | "
            "width | labelled | boundaries from=boundary_source",
            f"Scenes per split; labelled pixels in %. {made}{_raw_files(evidence)}",
        ),
        *views(
            "classes",
            "class | train share=train.share | train scenes=train.scenes | val share=val.share | "
            "val scenes=val.scenes",
            "Share of the labelled pixels in %, and scenes that hold the class.",
        ),
    )
    return Part("", (Figure("data", "photo", caption),), found)


def _raw_files(evidence: Evidence) -> str:
    """What the raw files were: how their digest begins, and how many scenes were left out."""
    content, left_out = (evidence.facts.get(key) for key in ("content", "left_out"))
    text = f" The digest of the raw files begins with {str(content)[:8]}." if content else ""
    if left_out:
        scenes = f"{len(left_out)} scene{'s' if len(left_out) > 1 else ''}"
        text += f" Left out for faults: {scenes}, which evidence/dataset.json lists."
    return text


def _generators(views: Views) -> Part:
    """The generators' training."""
    caption = (
        "Left: training loss, a running mean over a fiftieth of the points. Right: bits "
        "per dimension on a fixed choice of held-out scenes; the table has those on all of them. "
        "Generators without a likelihood are left out. The first twentieth of a curve may lie "
        "above the frame."
    )
    found = views(
        "generators",
        "generator | steps | parameters | held-out bits/dim=val_bpd | likelihood | "
        "distance=val_distance | scenes=val_scenes | round trip=round_trip | preset",
        "Bits per dimension over all held-out scenes at the end; the largest difference, in 8-bit "
        "grey values, between a held-out photo and its latents decoded again (round trip). "
        "Distance: what a generator without a likelihood measured on held-out scenes instead."
        + _bounds(views, "generators"),
    )
    return Part("Generators", (Figure("learning", "chart", caption),), found)


def _segmenters() -> Part:
    """The networks' training."""
    caption = (
        "Training loss of the judge and of retrained networks (running mean over a fiftieth of "
        "the steps); of many arms those that the answer is drawn from."
    )
    return Part("Networks", (Figure("segmenters", "chart", caption),))

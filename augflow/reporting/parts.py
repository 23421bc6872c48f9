"""The parts of a report: which figures and tables stand together, and what is said about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from augflow.reporting.citations import listed
from augflow.reporting.diverse import shown_level
from augflow.reporting.evidence import Evidence
from augflow.reporting.explored import EDITS, PATHS, STYLES
from augflow.reporting.judged import system_column
from augflow.reporting.measures import best
from augflow.reporting.pictures import diverse
from augflow.reporting.sampled import MAIN, page_name
from augflow.reporting.table import Piece, Row, Said, Table


@dataclass(frozen=True)
class Picture:
    """A figure: its file's stem, `photo` or `chart`, and a caption that says what was measured."""

    name: str
    kind: str
    caption: str


@dataclass(frozen=True)
class View:
    """Some columns of a table, as the report prints them."""

    file: str
    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[Said, ...], ...]


@dataclass(frozen=True)
class Part:
    """A titled part of a report."""

    title: str
    pictures: tuple[Picture, ...]
    views: tuple[View, ...]


MEASURED = (
    "Confusion matrices of single photographs are summed over a round, then scored: pixel "
    "accuracy, mean class accuracy and mean class IoU. Absent classes are left out of a mean; the "
    "tables' columns absent_zero count them as 0 instead."
)


def parts(evidence: Evidence, tables: Mapping[str, Table]) -> list[Part]:
    """All parts in reading order; one without tables and figures says nothing."""
    return [
        _photographs(evidence),
        _systems(evidence, tables),
        _pages(evidence),
        _judged(evidence, tables),
        _ablated(tables),
        _diverse(evidence, tables),
        _attributed(evidence, tables),
        _predicted(tables),
        _latents(evidence),
        _trained_on(tables),
        Part("Content moved into other structures", (Picture("transfer", "photo", (
            "Content transfer: the latents of the first photograph, encoded under its own layout, "
            "are decoded under the second layout. Right: the real photograph of that layout."
        )),), ()),
        _learning(tables),
        _data(evidence, tables),
    ]  # fmt: skip


def _ablated(tables: Mapping[str, Table]) -> Part:
    views = []
    if "configurations" in tables:
        views.append(_view(
            tables["configurations"],
            "Depth and boundary maps of one system at the temperature shown: steps per level from "
            "the finest on, held-out bits per dimension, and the judge's scores as mean ± standard "
            "deviation over rounds, in %.",
            ("generator", "boundary maps", "steps per level", "steps", "parameters",
             "bits/dim=val_bpd", "T=temperature", "pixel accuracy=pixel_accuracy±",
             "class accuracy=class_accuracy±", "class IoU=class_iou±"),
        ))  # fmt: skip
    if "released" in tables:
        views.append(_view(
            tables["released"],
            "Systems as their released code has them beside the same systems repaired, trained "
            "equally long: held-out bits per dimension, and class IoU in % at the best temperature "
            "of each.",
            ("released", "repaired", "bits/dim, released=released.val_bpd",
             "repaired=repaired.val_bpd", "class IoU, released=released.class_iou",
             "repaired=repaired.class_iou", "gain in points=gain"),
        ))  # fmt: skip
    if "chosen" in tables:
        views.append(_view(
            tables["chosen"],
            "Of so many photographs drawn for a layout, those kept that the flow itself finds "
            "likeliest, beside the same system's plain photographs at that temperature: class IoU "
            "in %, mean ± standard deviation over rounds (of kept ones: over ranks).",
            ("set", "generator", "T=temperature", "drawn", "kept", "class IoU=class_iou±",
             "plain=plain±", "gain in points=gain"),
        ))  # fmt: skip
    return Part("What depth, boundary maps, repairs and choice are worth", (), tuple(views))


PAGE = (
    "One layout a row: class map, boundary map, the real photograph, and a synthetic one (round 0) "
    "at each shown temperature T. Layouts are spread evenly over the sorted names, not picked by "
    "eye."
)
BEST = (
    "Best temperature: the one of highest mean class IoU over rounds, on the same photographs that "
    "are scored, so that it flatters systems sampled at many temperatures a little."
)


def _photographs(evidence: Evidence) -> Part:
    sweep = evidence.params.report.sweep
    main = f" of {evidence.params.sets[sweep[0]].generator}" if sweep else ""
    pictures = [Picture(MAIN, "photo", f"Samples{main}. {PAGE}")]
    point = diverse(evidence)
    if point is not None:
        pictures.append(Picture("diversity", "photo", (
            f"Samples of one layout that differ only in their noise, set {point.name} at "
            f"temperature {point.temperature:g}. Spread: standard deviation over these "
            "samples per pixel, mean of the three channels, white for none to dark blue for 64 of "
            "256 grey values or more."
        )))  # fmt: skip
    return Part("The photographs", tuple(pictures), ())


def _systems(evidence: Evidence, tables: Mapping[str, Table]) -> Part:
    title = "The systems"
    if "systems" not in tables:
        return Part(title, (), ())
    pictures = (
        Picture("systems_iou", "chart", (
            "Class IoU of the judge on photographs of the same validation layouts, each system at "
            "its best temperature T: mean over rounds of sampling, bars one standard deviation to "
            "both sides. Dashed: real photographs, flat paint, photographs of other layouts."
        )),
        Picture("systems", "photo", (
            "One layout a row: class map, the real photograph, and what each system makes of the "
            "layout (round 0) at its best temperature T."
        )),
    )  # fmt: skip
    time = evidence.params.report.training_time
    caption = (
        "Held-out bits per dimension, of the photograph given its layout (conditional) or alone "
        "(unconditional); a dash where a system has no likelihood. The judge's scores at the best "
        f"temperature T, in %: mean ± standard deviation over rounds of sampling. {BEST} Below: "
        "real photographs (ceiling), flat paint and photographs of other layouts (floors)."
    )
    caption += _bounds(tables["systems"])
    caption += f" Training time of every system: {time}." if time else ""
    view = _view(tables["systems"], caption, (
        "generator=row", "system", "preset", "parameters", "steps", "likelihood",
        "bits/dim=val_bpd", "T=temperature", "pixel accuracy=pixel_accuracy±",
        "class accuracy=class_accuracy±", "class IoU=class_iou±", "IoU at T 1=class_iou_at_1±",
        "of real=class_iou.of_real",
    ))  # fmt: skip
    return Part(title, pictures, (view,))


def _pages(evidence: Evidence) -> Part:
    """Samples of every system but the main one, whose page stands at the top."""
    makers = [evidence.params.sets[name].generator for name in evidence.params.report.sweep[1:]]
    pictures = [Picture(page_name(m), "photo", f"Samples of {m}. {PAGE}") for m in makers]
    return Part("Pictures, system by system", tuple(pictures), ())


def _judged(evidence: Evidence, tables: Mapping[str, Table]) -> Part:
    views, pictures = [], []
    if "temperature" in tables:
        views.append(_view(
            tables["temperature"],
            f"The judge on synthetic photographs per system and temperature: mean ± standard "
            f"deviation over rounds of sampling, in %. {MEASURED}",
            ("generator", "set", "T=temperature", "rounds", "photos",
             "pixel accuracy=pixel_accuracy±",
             "class accuracy=class_accuracy±", "class IoU=class_iou±",
             "IoU, absent as 0=class_iou_absent_zero.mean", "of real=class_iou.of_real"),
        ))  # fmt: skip
        pictures.append(Picture("temperature", "chart", (
            "The judge, a segmenter trained on real training photographs, looks at synthetic "
            "photographs of validation layouts. Lines: each system's mean over rounds; bars: "
            "standard deviation over rounds. Dashed: the same judge on the real photographs "
            "(ceiling), on layouts painted with each class's mean colour, and on photographs of "
            "other layouts (floors)."
        )))  # fmt: skip
    views.append(_view(
        tables["references"],
        "Ceiling and floors in %: real = real validation photographs; best = the main system "
        "at its best temperature; flat = each class painted with its mean colour in the training "
        "photographs; wrong = the photograph of another layout. Last column: class IoU over that "
        "of real.",
        ("row", "set", "T=temperature", "pixel accuracy=pixel_accuracy",
         "class accuracy=class_accuracy",
         "class IoU=class_iou", "IoU, absent as 0=class_iou_absent_zero",
         "of real=class_iou.of_real"),
    ))  # fmt: skip
    sweep = evidence.params.report.sweep
    pictures.append(Picture("classes", "chart", (
        f"The judge's IoU of each class on real photographs{_best(evidence)}, and on the floors."
    )))  # fmt: skip
    makers = [f"{evidence.params.sets[n].generator}={system_column(evidence, n)}" for n in sweep]
    views.append(_view(
        tables["judge_per_class"],
        "The judge's IoU of each class, in %, systems at their best temperature; a dash where a "
        "class neither is there nor predicted.",
        ("class", "real=real.iou", *makers, "flat=flat.iou", "wrong=wrong.iou"),
    ))  # fmt: skip
    return Part("Can the judge read them?", tuple(pictures), tuple(views))


def _best(evidence: Evidence) -> str:
    """Words for the main system at its best temperature."""
    if not evidence.params.report.sweep:
        return ""
    point = best(evidence, evidence.params.report.sweep[0])
    maker = evidence.params.sets[point.name].generator
    return f", on photographs of {maker} at temperature {point.temperature:g} (mean over rounds)"


def _diverse(evidence: Evidence, tables: Mapping[str, Table]) -> Part:
    title = "How much do they differ for one layout?"
    if "diversity" not in tables:
        return Part(title, (), ())
    scores = next(iter(evidence.diversity.values()))
    table = tables["diversity"]
    return Part(title, (), (
        _view(
            table,
            f"For each of {len(scores.layouts)} validation layouts, {scores.samples} photographs "
            f"at temperature {shown_level(scores).temperature:g} are divided by k-means into "
            f"{scores.clusters} clusters. Variance among one random member of each, pixels in "
            f"[0, 1], times 100: mean over the pixels of a class, {scores.repeats} picks, and the "
            "layouts. Flat paint is one picture a layout. Diversity says nothing of whether "
            "photographs look real: noise has most of it.",
            tuple(column.name for column in table.columns),
        ),
        _view(
            tables["diversity_spread"],
            "The same over all pixels per temperature; the variance among all photographs, times "
            "100 too; and the perceptual distance of two of them: the squared difference of unit "
            f"feature vectors ({scores.features}), summed over layers.",
            ("generator", "T=temperature", "layouts", "photos a layout=samples",
             "among clusters=clustered", "variance", "perceptual"),
        ),
    ))  # fmt: skip


def _attributed(evidence: Evidence, tables: Mapping[str, Table]) -> Part:
    title, scores = "Do attributes come out as asked for?", evidence.attributes
    if scores is None or "attributes" not in tables:
        return Part(title, (), ())
    changes = tables["attribute_changes"]
    return Part(title, (), (
        _view(
            tables["attributes"],
            "A small network trained on the real training photographs reads attributes: dark and "
            "bright (terciles of the mean luminance) and much of a class (more than the median "
            f"layout). {scores.samples} photographs for each of {len(scores.layouts)} validation "
            f"layouts at temperature {scores.temperature:g}. Light is asked for where a system "
            "can be; classes come from the layout. Variance: of the mean probability over "
            "layouts, what was asked for taken off.",
            ("photographs", "accuracy", "light", "classes=layout", "variance"),
        ),
        _view(
            changes,
            "One condition after the other is changed: the light, where a system can be asked for "
            "it, then whole classes of the layout. How far the mean probability of all other "
            "attributes moves at each change.",
            tuple(column.name for column in changes.columns),
        ),
    ))  # fmt: skip


def _predicted(tables: Mapping[str, Table]) -> Part:
    title = "How well does a flow predict class maps from photographs?"
    if "predictions" not in tables:
        return Part(title, (), ())
    table = tables["predictions"]
    caption = (
        "C-Glow in its own use, structured prediction: a class map is the mean of so many samples, "
        "rounded. Real validation photographs, in %; the judge's look at the same photographs "
        "stands beside it."
    )
    heads = ("predictor", "photos=photographs", "samples", "pixel accuracy=pixel_accuracy",
             "class accuracy=class_accuracy", "class IoU=class_iou")  # fmt: skip
    return Part(title, (), (_view(table, caption, heads),))


def _latents(evidence: Evidence) -> Part:
    title, section = "Latents: interpolation, style, edits", evidence.params.explore
    if section is None:
        return Part(title, (), ())
    form = {"spherical": "along the arc on the sphere", "linear": "along the straight line"}
    drawn = f"at temperature {section.temperature:g}, not picked by eye"
    changes = "given in params.yaml" if section.edits else "chosen by the layout's content"
    pictures = (
        Picture(PATHS, "photo", (
            f"Interpolation: from one draw of the latents to another, {form[section.path]} at "
            f"equal shares, for one layout a row. Two draws {drawn}, the same for all layouts. "
            "Systems whose latents are coins (dropout) have nothing between two draws."
        )),
        Picture(STYLES, "photo", (
            "Style: each of the two draws over different layouts. What a row has in common is the "
            f"draw's; drawn {drawn}."
        )),
        Picture(EDITS, "photo", (
            f"Edits, one upon the other, {changes}. A row is made from one draw of the latents "
            f"{drawn}: what was not edited should stay."
        )),
    )  # fmt: skip
    return Part(title, pictures, ())


def _trained_on(tables: Mapping[str, Table]) -> Part:
    title = "Does training on them help?"
    if "arms" not in tables:
        return Part(title, (), ())
    steps = sorted({str(row.cells["steps"]) for row in tables["runs"].rows}, key=int)
    pictures = (
        Picture("arms", "chart", (
            "Networks trained on each arm, measured on real validation photographs. Points: one "
            "training (seed) each; line: their mean; band: one standard deviation to both sides."
        )),
        Picture("segmenters", "chart", (
            "Training loss of the judge and of the retrained networks (running mean over a "
            "fiftieth of the steps)."
        )),
    )  # fmt: skip
    views = [
        _view(
            tables["arms"],
            f"Mean ± standard deviation over seeds on real validation photographs, in %. Optimizer "
            f"steps of each training: {', '.join(steps)}.",
            ("arm", "trained on=trained_on", "augmentation", "seeds",
             "pixel accuracy=pixel_accuracy±", "class accuracy=class_accuracy±",
             "class IoU=class_iou±"),
        )
    ]  # fmt: skip
    if "comparisons" in tables:
        views.append(_view(
            tables["comparisons"],
            "Difference of mean class IoU in points, by the rule at the top.",
            ("arm", "against", "seeds", "seeds against=seeds.against", "difference",
             "95 % margin=margin", "outcome"),
        ))  # fmt: skip
    return Part(title, pictures, (*views, _arms_by_class(tables["arms_per_class"])))


def _arms_by_class(table: Table) -> View:
    """The long table with a column per arm."""
    names = list(dict.fromkeys(str(row.cells["arm"]) for row in table.rows))
    kinds = list(dict.fromkeys(str(row.cells["class"]) for row in table.rows))
    rows = {(str(r.cells["class"]), str(r.cells["arm"])): r for r in table.rows}
    lines = tuple(
        ((Piece(kind),), *(_cell(table, rows[kind, arm], "iou±") for arm in names))
        for kind in kinds
    )
    caption = (
        "IoU of each class on real validation photographs, mean ± standard deviation over seeds, "
        "in %. Differences of single classes are many and noisy: do not pick among them."
    )
    return View(table.file, caption, ("class", *names), lines)


def _learning(tables: Mapping[str, Table]) -> Part:
    if "generators" not in tables:
        return Part("The generators", (), ())
    pictures = (Picture("learning", "chart", (
        "Left: training loss, a running mean over a fiftieth of the points. Right: bits "
        "per dimension on a fixed choice of held-out scenes; the table has those on all of them. "
        "They are of the photograph given its layout, or of the photograph alone for generators "
        "without conditions. Generators without a likelihood are left out. The first twentieth of "
        "a curve may lie above the frame. Numbers: "
        "tables/bpd_curve.csv."
    )),)  # fmt: skip
    caption = (
        "Parameters, training steps, bits per dimension over all held-out scenes at the "
        "end, and the round-trip error: the largest difference, in 8-bit grey values, between a "
        "held-out photograph and its latents decoded again. Distance: what a generator without a "
        "likelihood measured on held-out scenes in its place, as its training does."
    )
    shown = ("generator", "system", "preset", "parameters", "steps", "likelihood",
             "held-out bits/dim=val_bpd", "distance=val_distance", "scenes=val_scenes",
             "round trip=round_trip")  # fmt: skip
    caption += _bounds(tables["generators"])
    return Part("The generators", pictures, (_view(tables["generators"], caption, shown),))


def _bounds(table: Table) -> str:
    """A sentence on generators whose bits are no more than a bound; empty where all are exact."""
    names = [row.key for row in table.rows if row.cells["bits_are"] == "bound"]
    if not names:
        return ""
    return (
        f" Bits of {listed(names)} are an upper bound: the noise that fills the 8-bit steps is "
        "learned there (variational dequantization)."
    )


def _data(evidence: Evidence, tables: Mapping[str, Table]) -> Part:
    source = evidence.facts["boundary_source"]
    said = {
        "instances": "Boundary maps are made from instance ids at full resolution.",
        "components": "Boundary maps are made from class edges and connected components of thing "
                      "classes: touching objects of one class are merged.",
    }.get(source, f"Boundary maps: {source}.")  # fmt: skip
    picture = Picture("data", "photo", (
        f"Scenes of the training split (first rows) and of the validation split (last rows), "
        f"spread evenly over the sorted names. {said}"
    ))  # fmt: skip
    views = (
        _view(tables["data"], f"Scenes per split; labelled pixels in %. {said}",
              ("split", "scenes", "drives", "height", "width", "labelled",
               "boundaries from=boundary_source")),
        _view(tables["classes"],
              "Share of the labelled pixels in %, and scenes that hold the class.",
              ("class", "train share=train.share", "train scenes=train.scenes",
               "val share=val.share", "val scenes=val.scenes")),
    )  # fmt: skip
    return Part("The data", (picture,), views)


def _view(table: Table, caption: str, shown: Sequence[str]) -> View:
    """Prints columns; `heading=column` renames one, `name±` joins its mean and spread."""
    pairs = [(text.rpartition("=")[0] or text, text.rpartition("=")[2]) for text in shown]
    rows = tuple(tuple(_cell(table, row, name) for _, name in pairs) for row in table.rows)
    return View(table.file, caption, tuple(heading for heading, _ in pairs), rows)


def _cell(table: Table, row: Row, name: str) -> Said:
    if not name.endswith("±"):
        return (table.piece(row, name),)
    mean, std = (table.piece(row, f"{name.removesuffix('±')}.{part}") for part in ("mean", "std"))
    return (mean,) if std.claim is None else (mean, Piece(" ± "), std)

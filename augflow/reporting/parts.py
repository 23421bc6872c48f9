"""The parts of a report: which figures and tables stand together, and what is said about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from augflow.reporting.evidence import Evidence
from augflow.reporting.measures import best
from augflow.reporting.pictures import diverse_set
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
        _judged(evidence, tables),
        _trained_on(tables),
        Part("Content moved into other structures", (Picture("transfer", "photo", (
            "Content transfer: the latents of the first photograph, encoded under its own layout, "
            "are decoded under the second layout. Right: the real photograph of that layout."
        )),), ()),
        _learning(tables),
        _data(evidence, tables),
    ]  # fmt: skip


def _photographs(evidence: Evidence) -> Part:
    pictures = [Picture("samples", "photo", (
        "One layout a row: class map, boundary map, the real photograph, and a synthetic one "
        "(round 0) of each shown set at its temperature T. Layouts are spread evenly over the "
        "sorted names, not picked by eye."
    ))]  # fmt: skip
    name = diverse_set(evidence)
    if name is not None:
        pictures.append(Picture("diversity", "photo", (
            f"Samples of one layout that differ only in their noise, set {name} at temperature "
            f"{evidence.params.sets[name].temperature:g}. Spread: standard deviation over these "
            "samples per pixel, mean of the three channels, white for none to dark blue for 64 of "
            "256 grey values or more."
        )))  # fmt: skip
    return Part("The photographs", tuple(pictures), ())


def _judged(evidence: Evidence, tables: Mapping[str, Table]) -> Part:
    views, pictures = [], []
    if "temperature" in tables:
        views.append(_view(
            tables["temperature"],
            f"The judge on synthetic photographs per temperature: mean ± standard deviation over "
            f"rounds of sampling, in %. {MEASURED}",
            ("set", "T=temperature", "rounds", "photos", "pixel accuracy=pixel_accuracy±",
             "class accuracy=class_accuracy±", "class IoU=class_iou±",
             "IoU, absent as 0=class_iou_absent_zero.mean", "of real=class_iou.of_real"),
        ))  # fmt: skip
        pictures.append(Picture("temperature", "chart", (
            "The judge, a segmenter trained on real training photographs, looks at synthetic "
            "photographs of validation layouts. Line: mean over rounds; bars: standard deviation "
            "over rounds. Dashed: the same judge on the real photographs (ceiling), on layouts "
            "painted with each class's mean colour, and on photographs of other layouts (floors)."
        )))  # fmt: skip
    views.append(_view(
        tables["references"],
        "Ceiling and floors in %: real = real validation photographs; best = the set of highest "
        "mean class IoU; flat = each class painted with its mean colour in the training "
        "photographs; wrong = the photograph of another layout. Last column: class IoU over that "
        "of real.",
        ("row", "set", "pixel accuracy=pixel_accuracy", "class accuracy=class_accuracy",
         "class IoU=class_iou", "IoU, absent as 0=class_iou_absent_zero",
         "of real=class_iou.of_real"),
    ))  # fmt: skip
    top = f" ({best(evidence)})" if evidence.params.report.sweep else ""
    pictures.append(Picture("classes", "chart", (
        f"The judge's IoU of each class on real photographs, on the best set{top}, mean over "
        "rounds, and on the floors."
    )))  # fmt: skip
    groups = [g for g in ("real", "best", "flat", "wrong")
              if f"{g}.iou" in {c.name for c in tables["judge_per_class"].columns}]  # fmt: skip
    views.append(_view(
        tables["judge_per_class"],
        "The judge's IoU of each class, in %; a dash where a class neither is there nor predicted.",
        ("class", *(f"{group}={group}.iou" for group in groups)),
    ))  # fmt: skip
    return Part("Can the judge read them?", tuple(pictures), tuple(views))


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
        "Left: training loss, points faint and a running mean over a fiftieth of them. Right: bits "
        "per dimension on a fixed choice of held-out scenes; the table has those on all of them. "
        "They are of the photograph given its layout, or of the photograph alone for generators "
        "without conditions. The first twentieth of a curve may lie above the frame. Numbers: "
        "tables/bpd_curve.csv."
    )),)  # fmt: skip
    caption = (
        "Parameters, training steps, bits per dimension over all held-out scenes at the "
        "end, and the round-trip error: the largest difference, in 8-bit grey values, between a "
        "held-out photograph and its latents decoded again."
    )
    shown = ("generator", "system", "preset", "parameters", "steps", "held-out bits/dim=val_bpd",
             "scenes=val_scenes",             "round trip=round_trip")  # fmt: skip
    return Part("The generators", pictures, (_view(tables["generators"], caption, shown),))


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

"""Parts on trainings and data: retrained networks, generators, scenes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from augflow.report.answers import answers, shown
from augflow.report.evidence import Evidence
from augflow.report.parts.views import Part, Picture, View, bounds, cell, view
from augflow.report.table import Piece, Table


def helped() -> Part:
    """What the verdict on arms is drawn from, in one figure."""
    picture = Picture("effects", "chart upright", (
        "Differences in IoU on real validation photographs, in points, with 95 % intervals. On top "
        "the mean over classes: arms that train on real photographs too, each against the arm "
        "without synthetic photographs that is augmented alike, or else not at all; of many such "
        "arms the three of largest difference per share of the training scenes. Below single "
        "classes of the arm that the verdict names. They help or hurt only if they survive Holm's "
        "correction over classes: an interval beside zero alone is not enough there. A class that "
        "is in one scene alone has no interval."
    ))  # fmt: skip
    return Part("What helps and what hurts", (picture,), ())


def trained_on(evidence: Evidence, tables: Mapping[str, Table]) -> Part:
    """Networks retrained on each arm."""
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
            "Training loss of the judge and of retrained networks (running mean over a fiftieth of "
            "the steps); of many arms those that the answers are drawn from."
        )),
    )  # fmt: skip
    views = [
        view(
            tables["arms"],
            f"Mean ± standard deviation over seeds on real validation photographs, in %. Optimizer "
            f"steps of each training: {', '.join(steps)}.",
            ("arm", "trained on=trained_on", "augmentation", "seeds",
             "pixel accuracy=pixel_accuracy±", "class accuracy=class_accuracy±",
             "class IoU=class_iou±"),
        )
    ]  # fmt: skip
    if "comparisons" in tables:
        views += _compared(evidence, tables)
    if "more_real" in tables:
        views.append(view(
            tables["more_real"],
            "What more real photographs bring: networks that have those of most scenes against "
            "networks that have a share of them, both without augmentation beyond mirroring and "
            "without synthetic photographs. Columns as above; training scenes are those of the "
            "smaller share.",
            ("arm", "against", "training scenes=fraction", "seeds", "scenes",
             "drawn groups=groups", "difference", "from=low", "to=high", "p", "detectable",
             "outcome"),
        ))  # fmt: skip
    if "costs" in tables:
        views.append(view(
            tables["costs"],
            "What one network of each arm takes, all in: million million (10^12) operations, which "
            "are the products and sums of convolutions and matrix products. Its own training, that "
            "of the generator, making the photographs (those that are not kept too), the judge and "
            "what it looks at, and the trainings that a temperature was chosen by. Last: how many "
            "times its own training. Arms share generators, judges and choices; each has the whole "
            "of them here.",
            ("arm", "training", "generator", "photographs", "judge", "choice", "in all=total",
             "times"),
        ))  # fmt: skip
    names = shown(evidence.params.arms, tables)
    return Part(title, pictures, (*views, _arms_by_class(tables["arms_per_class"], names)))


def _compared(evidence: Evidence, tables: Mapping[str, Table]) -> list[View]:
    """All comparisons, and the classes of those that the verdict is drawn from."""
    table, classes = tables["comparisons"], tables["comparisons_per_class"]
    views = [view(
        table,
        "Arms against arms without synthetic photographs and of as many training scenes: "
        "difference of mean class IoU in points, ends of its 95 % interval, two-sided p, and the "
        "smallest true difference, in points, that four of five such studies would have shown; by "
        "the rule at the top.",
        ("arm", "against", "training scenes=fraction", "seeds", "scenes", "drawn groups=groups",
         "difference", "from=low", "to=high", "p", "detectable", "outcome"),
    )]  # fmt: skip
    for answer in answers(evidence.params.arms, table):
        pair = [answer.row.cells[key] for key in ("arm", "against")]
        rows = [r for r in classes.rows if [r.cells["arm"], r.cells["against"]] == pair]
        views.append(view(
            Table(classes.name, classes.columns, tuple(rows)),
            f"{pair[0]} against {pair[1]}, class by class: difference of IoU in points, ends of "
            "its 95 % interval, two-sided p, and whether the class survives Holm's correction over "
            "classes. A dash where a class is nowhere, or in one scene alone.",
            ("class", "difference", "from=low", "to=high", "p", "survives", "outcome"),
        ))  # fmt: skip
    return views


def _arms_by_class(table: Table, names: Sequence[str]) -> View:
    """The long table with a column for each of some arms."""
    kinds = list(dict.fromkeys(str(row.cells["class"]) for row in table.rows))
    rows = {(str(r.cells["class"]), str(r.cells["arm"])): r for r in table.rows}
    lines = tuple(
        ((Piece(kind),), *(cell(table, rows[kind, arm], "iou±") for arm in names)) for kind in kinds
    )
    caption = (
        "IoU of each class on real validation photographs, mean ± standard deviation over seeds, "
        "in %."
    )
    return View(table.file, caption, ("class", *names), lines)


def selected(tables: Mapping[str, Table]) -> Part:
    """What was fit to train on."""
    views = []
    if "selections" in tables:
        views.append(view(
            tables["selections"],
            "Photographs of a synthetic set that were kept, and how many were dropped by which "
            "criterion, each looked at among those that the ones before it had left. Labels: the "
            "share of the kept photographs' labels that is learned from, in %. Agreement: pixels "
            "that the judge, a network trained on the real photographs that the arm has, reads as "
            "the layout says, in %. Heaviest: how often the most drawn photograph comes, relative "
            "to the mean.",
            ("selection", "set", "criteria", "photographs=candidates", "kept",
             "temperature=dropped.temperature", "read worst=dropped.agreement",
             "density=dropped.typicality", "less likely=dropped.likelihood",
             "easy layouts=dropped.hardness", "labels=labels_kept", "agreement=agreement.kept",
             "of dropped=agreement.dropped", "heaviest"),
        ))  # fmt: skip
    if "choices" in tables:
        views.append(view(
            tables["choices"],
            "Class IoU, in %, on training scenes, each read by a network trained on the scenes of "
            "other drives and their synthetic photographs at that temperature. No validation scene "
            "was looked at.",
            ("choice", "set", "temperature", "seeds", "folds", "scenes",
             "class IoU=class_iou", "chosen"),
        ))  # fmt: skip
    if "nearest" in tables:
        views.append(view(
            tables["nearest"],
            "Distance of photographs to the nearest real training photograph, in standard "
            "deviations of scattering features: the least and the median; then the share, in %, "
            "that comes nearer than any real validation photograph, and nearer than the nearest "
            "hundredth of them; then how many are copies of a training photograph. A generator "
            "that has learned photographs by heart shows in these. No validation scene's "
            "photograph, layout or content was found in what is trained on, or this report would "
            "not have been made.",
            ("photographs of=photographs_of", "photographs", "least", "median",
             "nearer than any=nearer_than_any_val",
             "nearer than 1 %=nearer_than_1_percent_of_val", "copies"),
        ))  # fmt: skip
    return Part("What was fit to train on", (), tuple(views))


def learning(tables: Mapping[str, Table]) -> Part:
    """The generators' training."""
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
    caption += bounds(tables["generators"])
    return Part("The generators", pictures, (view(tables["generators"], caption, shown),))


def data(evidence: Evidence, tables: Mapping[str, Table]) -> Part:
    """Scenes, and the shares of classes."""
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
        view(tables["data"], f"Scenes per split; labelled pixels in %. {said}",
              ("split", "scenes", "drives", "height", "width", "labelled",
               "boundaries from=boundary_source")),
        view(tables["classes"],
              "Share of the labelled pixels in %, and scenes that hold the class.",
              ("class", "train share=train.share", "train scenes=train.scenes",
               "val share=val.share", "val scenes=val.scenes")),
    )  # fmt: skip
    return Part("The data", (picture,), views)

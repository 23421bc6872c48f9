"""Parts on trainings and data: retrained networks, generators, scenes."""

from __future__ import annotations

from collections.abc import Mapping

from augflow.reporting.evidence import Evidence
from augflow.reporting.parts.views import Part, Picture, View, bounds, cell, view
from augflow.reporting.table import Piece, Table


def trained_on(tables: Mapping[str, Table]) -> Part:
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
            "Training loss of the judge and of the retrained networks (running mean over a "
            "fiftieth of the steps)."
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
        views.append(view(
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
        ((Piece(kind),), *(cell(table, rows[kind, arm], "iou±") for arm in names)) for kind in kinds
    )
    caption = (
        "IoU of each class on real validation photographs, mean ± standard deviation over seeds, "
        "in %. Differences of single classes are many and noisy: do not pick among them."
    )
    return View(table.file, caption, ("class", *names), lines)


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

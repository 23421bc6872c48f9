"""Tables of what a generator can do besides: diversity, attributes, prediction of class maps."""

from __future__ import annotations

from augflow.metrics.confusion import Scores
from augflow.report.evidence import Evidence, pool_scores
from augflow.report.table import Cell, Row, Table, columns
from augflow.study.results import AttributeReadings

FLAT = "flat paint"
"""A layout painted with mean colours: one picture a layout, so without any diversity."""

ALL = "all pixels"
JUDGE = "judge"
"""The row of the segmentation network that looks at the images that predictors look at."""


def diversity(evidence: Evidence) -> Table:
    """The variance among clusters per class and system, at `DiversityScores.shown`.

    The floor is `flat paint`, 0 by what it is.

    References:
        IMLE (Li, Zhang and Malik 2019), table 1.
    """
    found = {name: scores.shown for name, scores in evidence.diversity.items()}
    sources = (*(f"scores/diversity/{name}.json.gz" for name in found), "evidence/params.yaml")
    rows = []
    for index, label in enumerate((*evidence.classes.names, ALL) if found else ()):
        cells: dict[str, Cell] = {"class": label, FLAT: 0.0}
        for name, level in found.items():
            spread = level.mean.clustered
            cells[name] = spread.overall if label == ALL else spread.per_class[index]
        if any(cells[name] is not None for name in found):
            rows.append(Row(label, cells, sources))
    return Table("diversity", {"class": "text"} | dict.fromkeys((*found, FLAT), "percent"), rows)


def diversity_spread(evidence: Evidence) -> Table:
    """The three measures over all pixels, per system and temperature."""
    rows = []
    for name, scores in evidence.diversity.items():
        for level in scores.temperatures:
            cells: dict[str, Cell] = {
                "generator": name,
                "temperature": level.temperature,
                "layouts": len(scores.layouts),
                "samples": scores.samples,
                "clustered": level.mean.clustered.overall,
                "variance": level.mean.variance.overall,
                "perceptual": level.mean.perceptual.overall,
            }
            sources = (f"scores/diversity/{name}.json.gz",)
            rows.append(Row(f"{name}.{level.temperature:g}", cells, sources))
    head = columns(
        "generator | temperature: degree | layouts: count | samples: count | clustered: percent | "
        "variance: percent | perceptual: ratio"
    )
    return Table("diversity_spread", head, rows)


REAL = "real photographs"
_ATTRIBUTES = ("scores/attributes.json.gz",)


def attributes(evidence: Evidence) -> Table:
    """Accuracy of attributes in images and the variance of their mean over layouts.

    `light` is how often dark and bright images came out so, where a system can be asked for
    them; `layout` is how often images have much of the classes that their layout has much of.

    References:
        CAGlow (Liu et al. 2019), table 2.
    """
    scores = evidence.attributes
    read: dict[str, AttributeReadings] = {REAL: scores.real, **scores.generators} if scores else {}
    rows = []
    for name, one in read.items():
        each = zip(scores.names if scores else (), one.accuracy_each, strict=True)
        light = [v for label, v in each if label in ("dark", "bright") and v is not None]
        cells: dict[str, Cell] = {
            "photographs": name,
            "accuracy": one.accuracy,
            "light": sum(light) / len(light) if light else None,
            "layout": one.accuracy_layout,
            "variance": one.variance,
        }
        rows.append(Row(name, cells, _ATTRIBUTES))
    head = columns(
        "photographs | accuracy: percent | light: percent | layout: percent | variance: tiny"
    )
    return Table("attributes", head, rows)


def attribute_changes(evidence: Evidence) -> Table:
    """How far the mean probability of attributes that were left alone moves at each change.

    References:
        CAGlow (Liu et al. 2019), table 3.
    """
    made = evidence.attributes.generators if evidence.attributes else {}
    count = max((len(one.changes) for one in made.values()), default=0)
    rows = []
    for number in range(count):
        cells: dict[str, Cell] = {"change": number + 1}
        cells.update({name: one.changes[number] for name, one in made.items()})
        rows.append(Row(str(number + 1), cells, _ATTRIBUTES))
    return Table("attribute_changes", {"change": "count"} | dict.fromkeys(made, "ratio"), rows)


def predictions(evidence: Evidence) -> Table:
    """Scores on real held-out images per predictor and number of samples; then the judge's.

    References:
        C-Glow (Lu and Huang 2020), section 4.3 and tables 1 and 2.
    """
    rows = []
    for name, found in evidence.predictors.items():
        for part in found.samples:
            cells = _prediction_cells(name, len(part.items), part.samples, pool_scores(part.items))
            rows.append(
                Row(f"{name}@{part.samples}", cells, (f"scores/predictors/{name}.json.gz",))
            )
    if rows:
        real = evidence.references.rows.real
        cells = _prediction_cells(JUDGE, len(real), None, pool_scores(real))
        rows.append(Row(JUDGE, cells, ("scores/references.json.gz",)))
    head = columns("predictor | photographs: count | samples: count")
    return Table("predictions", head | dict.fromkeys(_PREDICTED, "percent"), rows)


_PREDICTED = ("pixel_accuracy", "class_accuracy", "class_iou", "class_iou_absent_zero")


def _prediction_cells(
    name: str, photographs: int, samples: int | None, found: Scores
) -> dict[str, Cell]:
    head: dict[str, Cell] = {"predictor": name, "photographs": photographs, "samples": samples}
    return head | {measure: getattr(found, measure) for measure in _PREDICTED}

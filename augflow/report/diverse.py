"""Tables of diversity: how much the photographs that a system makes for one layout differ."""

from __future__ import annotations

from augflow.report.diversity_files import DiversityScores, Level
from augflow.report.evidence import Evidence
from augflow.report.table import Cell, Column, Row, Table

FLAT = "flat paint"
"""A layout painted with mean colours: one picture a layout, so without any diversity."""

ALL = "all pixels"


def diversity(evidence: Evidence) -> Table:
    """The variance among clusters per class and system, at one temperature (`shown_level`).

    The floor is `flat paint`, 0 by what it is.

    References:
        IMLE (Li, Zhang and Malik 2019), table 1.
    """
    found = {name: shown_level(scores) for name, scores in evidence.diversity.items()}
    sources = (*(_file(name) for name in found), "evidence/params.yaml")
    rows = []
    for index, label in enumerate((*evidence.classes.names, ALL) if found else ()):
        cells: dict[str, Cell] = {"class": label, FLAT: 0.0}
        for name, level in found.items():
            spread = level.mean.clustered
            cells[name] = spread.overall if label == ALL else spread.per_class[index]
        if any(cells[name] is not None for name in found):
            rows.append(Row(label, cells, sources))
    columns = (Column("class"), *(Column(name, "percent") for name in (*found, FLAT)))
    return Table("diversity", columns, tuple(rows))


def diversity_spread(evidence: Evidence) -> Table:
    """The three measures over all pixels, per system and temperature."""
    rows = [
        Row(f"{name}.{level.temperature:g}", _cells(name, scores, level), (_file(name),))
        for name, scores in evidence.diversity.items()
        for level in scores.temperatures
    ]
    columns = (
        Column("generator"), Column("temperature", "degree"), Column("layouts", "count"),
        Column("samples", "count"), Column("clustered", "percent"), Column("variance", "percent"),
        Column("perceptual", "ratio"),
    )  # fmt: skip
    return Table("diversity_spread", columns, tuple(rows))


def shown_level(scores: DiversityScores) -> Level:
    """The measures at the temperature nearest to 1, where a model's own distribution is sampled."""
    return min(scores.temperatures, key=lambda level: abs(level.temperature - 1))


def _cells(name: str, scores: DiversityScores, level: Level) -> dict[str, Cell]:
    return {
        "generator": name,
        "temperature": level.temperature,
        "layouts": len(scores.layouts),
        "samples": scores.samples,
        "clustered": level.mean.clustered.overall,
        "variance": level.mean.variance.overall,
        "perceptual": level.mean.perceptual.overall,
    }


def _file(name: str) -> str:
    return f"scores/diversity/{name}.json"

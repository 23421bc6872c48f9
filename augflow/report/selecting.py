"""Tables of what was fit to train on: selections, and temperatures that were chosen."""

from __future__ import annotations

import numpy as np

from augflow.data.synthetic import REASONS
from augflow.report.evidence import Evidence
from augflow.report.table import Cell, Column, Row, Table
from augflow.study.params import SelectionParams


def selections(evidence: Evidence) -> Table:
    """What each selection kept of a set, and why photographs were dropped."""
    rows = []
    for name, found in evidence.selections.items():
        cells: dict[str, Cell] = {
            "selection": name, "set": found.set,
            "criteria": criteria(evidence.params.selections[name]),
            "candidates": found.candidates, "kept": found.kept,
            **{f"dropped.{reason}": found.dropped.get(reason, 0) for reason in REASONS},
            "labels_kept": found.trusted, "agreement.kept": found.agreement_kept,
            "agreement.dropped": found.agreement_dropped, "heaviest": found.heaviest,
        }  # fmt: skip
        rows.append(Row(name, cells, (f"evidence/selections/{name}.json",)))
    columns = (
        Column("selection"), Column("set"), Column("criteria"), Column("candidates", "count"),
        Column("kept", "count"), *(Column(f"dropped.{reason}", "count") for reason in REASONS),
        Column("labels_kept", "percent"), Column("agreement.kept", "percent"),
        Column("agreement.dropped", "percent"), Column("heaviest", "ratio"),
    )  # fmt: skip
    return Table("selections", columns, tuple(rows))


def choices(evidence: Evidence) -> Table:
    """What networks read on held-out training scenes, by the temperature they were trained at."""
    rows = []
    for name, found in evidence.choices.items():
        for degree in found.rows:
            cells: dict[str, Cell] = {
                "choice": name, "set": found.set, "temperature": degree.temperature,
                "seeds": len(degree.class_iou), "scenes": sum(map(len, found.folds)),
                "folds": len(found.folds),
                "class_iou": float(np.mean(degree.class_iou)),
                "chosen": "yes" if degree.temperature == found.temperature else "no",
            }  # fmt: skip
            key = f"{name}@{degree.temperature:g}"
            rows.append(Row(key, cells, (f"evidence/choices/{name}.json",)))
    columns = (
        Column("choice"), Column("set"), Column("temperature", "degree"), Column("seeds", "count"),
        Column("folds", "count"), Column("scenes", "count"), Column("class_iou", "percent"),
        Column("chosen"),
    )  # fmt: skip
    return Table("choices", columns, tuple(rows))


def criteria(section: SelectionParams) -> str:
    """The switches of a selection that are on, in words."""
    degree, band = section.temperature, section.typicality
    said: list[tuple[bool, str]] = [
        (degree is not None, f"temperature {degree}"),
        (section.agreement is not None, f"all but the {section.agreement or 0:.0%} read worst"),
        (band is not None, f"densities from {band.low:.0%} to {band.high:.0%}" if band else ""),
        (section.likeliest is not None, f"likeliest {section.likeliest}"),
        (section.hardness, "hard layouts more often"),
        (section.rarity, "rare looks more often"),
        (section.pixel_filter is not None, f"pixels up to {section.pixel_filter} x class loss"),
        (section.ignore_band > 0, f"no labels within {section.ignore_band} px of edges"),
    ]
    return ", ".join(text for on, text in said if on) or "none"

"""Tables of a study's data, of its generators' training, and of what was fit to train on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from augflow.data.classes import IGNORE
from augflow.data.scenes import SPLITS
from augflow.data.synthetic import REASONS
from augflow.report.evidence import Evidence, bits_are, final, last_step, series
from augflow.report.statistics import ratio
from augflow.report.table import Cell, Row, Table, columns
from augflow.study.params import SelectionParams


def generators(evidence: Evidence) -> Table:
    """What was trained, for how long, and how well it does on held-out scenes at the end."""
    rows = []
    for name, trained in evidence.generators.items():
        where = f"evidence/generators/{name}.csv"
        cells: dict[str, Cell] = {
            "generator": name,
            "system": trained.system,
            "preset": trained.preset,
            "parameters": trained.parameters,
            "steps": last_step(trained, where),
            "likelihood": trained.likelihood,
            "bits_are": bits_are(trained),
            "val_bpd": final(trained, "val_bpd", where),
            "val_distance": final(trained, "val_distance", where),
            "val_scenes": trained.val_scenes,
            "round_trip": final(trained, "round_trip", where),
        }
        rows.append(Row(name, cells, (where, f"evidence/generators/{name}.json")))
    head = columns(
        "generator | system | preset | parameters: count | steps: count | likelihood | bits_are | "
        "val_bpd: bits | val_distance: bits | val_scenes: count | round_trip: tiny"
    )
    return Table("generators", head, rows)


def bpd_curve(evidence: Evidence) -> Table:
    """Bits per dimension on held-out scenes wherever training measured them."""
    rows = []
    for name, trained in evidence.generators.items():
        where = f"evidence/generators/{name}.csv"
        for step, bits in zip(*series(trained.history, "val_bpd", where), strict=True):
            cells: dict[str, Cell] = {"generator": name, "step": int(step), "val_bpd": bits}
            rows.append(Row(f"{name}.{int(step)}", cells, (where,)))
    return Table("bpd_curve", columns("generator | step: step | val_bpd: bits"), rows)


def data(evidence: Evidence) -> Table:
    """Scenes per split; `expected` is there where the parameters say how many they are."""
    height, width = evidence.facts["size"]
    # evidence without a digest of the raw files is of a time when no counts were compared
    expected = evidence.params.data.expected_counts if "content" in evidence.facts else None
    rows = []
    for split in SPLITS:
        scenes = [row for row in evidence.pixels if row["split"] == split]
        labelled = sum(_pixels(scenes, evidence.classes.count))
        cells: dict[str, Cell] = {
            "split": split,
            "scenes": len(scenes),
            "drives": len({row["drive"] for row in scenes}),
            "height": height,
            "width": width,
            "labelled": ratio(labelled, labelled + sum(int(row[str(IGNORE)]) for row in scenes)),
            "boundary_source": evidence.facts["boundary_source"],
            **({} if expected is None else {"expected": expected[split]}),
        }
        rows.append(Row(split, cells, ("evidence/pixels.csv", "evidence/dataset.json")))
    head = columns(
        "split | scenes: count | drives: count | height: count | width: count | "
        "labelled: percent | boundary_source" + ("" if expected is None else " | expected: count")
    )
    return Table("data", head, rows)


def classes(evidence: Evidence) -> Table:
    """Share of the labelled pixels per class, and in how many scenes it is."""
    count = evidence.classes.count
    cells: list[dict[str, Cell]] = [{"class": name} for name in evidence.classes.names]
    head = {"class": "text"}
    for split in SPLITS:
        scenes = [row for row in evidence.pixels if row["split"] == split]
        pixels = _pixels(scenes, count)
        head |= {f"{split}.share": "percent", f"{split}.scenes": "count"}
        for index in range(count):
            cells[index][f"{split}.share"] = ratio(pixels[index], sum(pixels))
            cells[index][f"{split}.scenes"] = sum(int(row[str(index)]) > 0 for row in scenes)
    names = evidence.classes.names
    rows = [Row(name, cells[n], ("evidence/pixels.csv",)) for n, name in enumerate(names)]
    return Table("classes", head, rows)


def _pixels(scenes: Sequence[dict[str, str]], count: int) -> list[int]:
    return [sum(int(row[str(index)]) for row in scenes) for index in range(count)]


def selections(evidence: Evidence) -> Table:
    """What each selection kept of a set, and why images were dropped."""
    rows = []
    for name, found in evidence.selections.items():
        cells: dict[str, Cell] = {
            "selection": name,
            "set": found.set,
            "criteria": criteria(evidence.params.selections[name]),
            "candidates": found.candidates,
            "kept": found.kept,
            **{f"dropped.{reason}": found.dropped.get(reason, 0) for reason in REASONS},
            "labels_kept": found.trusted,
            "agreement.kept": found.agreement_kept,
            "agreement.dropped": found.agreement_dropped,
            "heaviest": found.heaviest,
        }
        rows.append(Row(name, cells, (f"evidence/selections/{name}.json",)))
    head = columns("selection | set | criteria | candidates: count | kept: count")
    head |= {f"dropped.{reason}": "count" for reason in REASONS}
    head |= columns(
        "labels_kept: percent | agreement.kept: percent | agreement.dropped: percent | "
        "heaviest: ratio"
    )
    return Table("selections", head, rows)


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


def choices(evidence: Evidence) -> Table:
    """What networks read on held-out training scenes, by the temperature they were trained at."""
    rows = []
    for name, found in evidence.choices.items():
        for level in found.rows:
            cells: dict[str, Cell] = {
                "choice": name,
                "set": found.set,
                "temperature": level.temperature,
                "seeds": len(level.class_iou),
                "scenes": sum(map(len, found.folds)),
                "folds": len(found.folds),
                "class_iou": float(np.mean(level.class_iou)),
                "chosen": "yes" if level.temperature == found.temperature else "no",
            }
            key = f"{name}@{level.temperature:g}"
            rows.append(Row(key, cells, (f"evidence/choices/{name}.json",)))
    head = columns(
        "choice | set | temperature: degree | seeds: count | folds: count | scenes: count | "
        "class_iou: percent | chosen"
    )
    return Table("choices", head, rows)


def nearest(evidence: Evidence) -> Table:
    """Distances to the nearest training image: of unseen real images, then of sets."""
    head = columns(
        "photographs_of | photographs: count | least: ratio | median: ratio | "
        "nearer_than_any_val: percent | nearer_than_1_percent_of_val: percent | copies: count"
    )
    found, rows = evidence.leaks, list[Row]()
    if found is None:
        return Table("nearest", head, ())
    middle = min(range(len(found.quantiles)), key=lambda n: abs(found.quantiles[n] - 0.5))

    def row(name: str, count: int, distances: list[float], *beside: Cell) -> Row:
        values = (name, count, distances[0], distances[middle], *beside)
        return Row(name, dict(zip(head, values, strict=True)), ("scores/leaks.json.gz",))

    rows.append(row("val", found.scenes["val"], found.val.distances, None, None, None))
    for name, near in found.sets.items():
        nearer = (near.nearer_than_any_val, near.nearer_than_1_percent_of_val)
        rows.append(row(name, near.photographs, near.distances, *nearer, len(near.copies)))
    return Table("nearest", head, rows)

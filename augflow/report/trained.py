"""Tables of the generators' training and of the data."""

from __future__ import annotations

from collections.abc import Sequence

from augflow.data.classes import IGNORE
from augflow.data.scenes import SPLITS
from augflow.report.evidence import Evidence, Trained, number, series
from augflow.report.measures import ratio
from augflow.report.table import Cell, Column, Row, Table


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
    columns = (
        Column("generator"), Column("system"), Column("preset"), Column("parameters", "count"),
        Column("steps", "count"), Column("likelihood"), Column("bits_are"),
        Column("val_bpd", "bits"), Column("val_distance", "bits"), Column("val_scenes", "count"),
        Column("round_trip", "tiny"),
    )  # fmt: skip
    return Table("generators", columns, tuple(rows))


def bpd_curve(evidence: Evidence) -> Table:
    """Bits per dimension on held-out scenes wherever training measured them."""
    rows = []
    for name, trained in evidence.generators.items():
        where = f"evidence/generators/{name}.csv"
        for step, bits in zip(*series(trained.history, "val_bpd", where), strict=True):
            cells: dict[str, Cell] = {"generator": name, "step": int(step), "val_bpd": bits}
            rows.append(Row(f"{name}.{int(step)}", cells, (where,)))
    columns = (Column("generator"), Column("step", "step"), Column("val_bpd", "bits"))
    return Table("bpd_curve", columns, tuple(rows))


def bits_are(trained: Trained) -> str | None:
    """Whether a likelihood is `exact` for the photograph and its noise, or only a `bound` of it."""
    if trained.likelihood == "none":
        return None
    return "bound" if trained.bound else "exact"


def last_step(trained: Trained, where: str) -> int:
    """How many steps a generator trained for."""
    steps = [number(row.get("step", ""), where) or 0 for row in trained.history]
    return int(max(steps, default=0))


def final(trained: Trained, column: str, where: str) -> float | None:
    """What was measured at the very end, or else last in the history."""
    recorded: float | None = getattr(trained, column)
    values = series(trained.history, column, where)[1]
    return recorded if recorded is not None else next(reversed(values), None)


def data(evidence: Evidence) -> Table:
    """Scenes per split."""
    height, width = evidence.facts["size"]
    rows = []
    for split in SPLITS:
        scenes = [row for row in evidence.pixels if row["split"] == split]
        labelled = sum(_pixels(scenes, evidence.classes.count))
        total = labelled + sum(int(row[str(IGNORE)]) for row in scenes)
        cells: dict[str, Cell] = {
            "split": split,
            "scenes": len(scenes),
            "drives": len({row["drive"] for row in scenes}),
            "height": height,
            "width": width,
            "labelled": ratio(labelled, total),
            "boundary_source": evidence.facts["boundary_source"],
        }
        rows.append(Row(split, cells, ("evidence/pixels.csv", "evidence/dataset.json")))
    columns = (
        Column("split"), Column("scenes", "count"), Column("drives", "count"),
        Column("height", "count"), Column("width", "count"), Column("labelled", "percent"),
        Column("boundary_source"),
    )  # fmt: skip
    return Table("data", columns, tuple(rows))


def classes(evidence: Evidence) -> Table:
    """Share of the labelled pixels per class, and in how many scenes it is."""
    count = evidence.classes.count
    cells: list[dict[str, Cell]] = [{"class": name} for name in evidence.classes.names]
    for split in SPLITS:
        scenes = [row for row in evidence.pixels if row["split"] == split]
        pixels = _pixels(scenes, count)
        for index in range(count):
            cells[index][f"{split}.share"] = ratio(pixels[index], sum(pixels))
            cells[index][f"{split}.scenes"] = sum(int(row[str(index)]) > 0 for row in scenes)
    rows = [
        Row(name, cells[index], ("evidence/pixels.csv",))
        for index, name in enumerate(evidence.classes.names)
    ]
    columns = [Column("class")]
    for split in SPLITS:
        columns += [Column(f"{split}.share", "percent"), Column(f"{split}.scenes", "count")]
    return Table("classes", tuple(columns), tuple(rows))


def _pixels(scenes: Sequence[dict[str, str]], count: int) -> list[int]:
    return [sum(int(row[str(index)]) for row in scenes) for index in range(count)]

"""The systems of the paper's table, to stand beside those of a study."""

from __future__ import annotations

from dataclasses import dataclass

from augflow.report.table import Row


@dataclass(frozen=True)
class Published:
    """A system's line in the paper's table; `preset` is how the names of its presets begin."""

    system: str
    preset: str
    class_iou: float
    bits: float | None


TABLE_1 = (
    Published("full_glow", "", 0.2386, 2.345),
    Published("dual_glow", "", 0.1896, 2.585),
    Published("pix2pix", "", 0.1642, None),
    Published("c_glow", "v2", 0.1231, 2.363),
    Published("c_glow", "v1", 0.0733, 2.568),
)
"""Class IoU and conditional bits per dimension in Full-Glow's table 1, Cityscapes at 256x256."""


def published_pairs(rows: list[Row]) -> list[tuple[Row, Published]]:
    """The rows whose systems the paper compares; of several of one line the first."""
    pairs = []
    for line in TABLE_1:
        fits = [
            row
            for row in rows
            if row.cells["system"] == line.system and row.text("preset").startswith(line.preset)
        ]
        pairs += [(row, line) for row in fits[:1]]
    return pairs

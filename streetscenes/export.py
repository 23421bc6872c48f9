"""Writes scenes to disk in the layout of Cityscapes."""

from __future__ import annotations

from pathlib import Path

from augflow.core import io
from streetscenes.composition import street_scene

CITIES = {
    "train": ("aldenburg", "brunnfeld", "corvalla", "dornhaven", "elmstadt"),
    "val": ("fennwick", "grauhafen"),
}
FRAMES = 12
"""Scenes of one drive."""

_COLUMNS = ("name", "split", "city", "time", "weather", "season", "quarter", "facade")


def write_streets(root: Path, counts: dict[str, int], size: tuple[int, int], seed: int) -> None:
    """Writes `counts` scenes per split and `attributes.csv`; cities and drives are of one split.

    A scene is drawn from its name, so a larger set begins with the scenes of a smaller one.

    Raises:
        ValueError: a split that has no cities.
    """
    unknown = sorted(set(counts) - set(CITIES))
    if unknown:
        raise ValueError(f"splits {unknown} have no cities, expected {sorted(CITIES)}")
    rows = []
    for split in sorted(counts):
        for city, name in names(split, counts[split]):
            scene = street_scene(seed, name, size)
            photos, ids = root / "leftImg8bit" / split / city, root / "gtFine" / split / city
            io.write_png(photos / f"{name}_leftImg8bit.png", scene.image)
            io.write_png(ids / f"{name}_gtFine_labelIds.png", scene.labels)
            io.write_png(ids / f"{name}_gtFine_instanceIds.png", scene.instances)
            rows.append({"name": name, "split": split, "city": city, **scene.attributes})
    io.write_csv(root / "attributes.csv", rows, _COLUMNS)


def names(split: str, count: int) -> list[tuple[str, str]]:
    """City and name of each scene of a split: a drive of `FRAMES` scenes in each city in turn."""
    cities = CITIES[split]
    scenes = []
    for number in range(count):
        drive, frame = divmod(number, FRAMES)
        city = cities[drive % len(cities)]
        scenes.append((city, f"{city}_{drive // len(cities):06d}_{frame:06d}"))
    return scenes

"""What a set for a user's own layouts keeps so that its photographs can be made again.

Beside the photographs and their labels lies

    origin/origin.json                what latents are, and threads
    origin/boundary/LAYOUT.png        the boundary map that a layout had, 8 bits
    origin/content/END_KIND.png       photographs whose latents were taken: image, classes, boundary

as labels alone do not tell boundary maps: those come from files of the user's, or were worked out
before the layout was brought to the generator's size.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from augflow.core import io
from augflow.core.errors import DataError
from augflow.data.scenes import KINDS, Layout, Scene
from augflow.data.synthetic import SetFacts, SetRow
from augflow.data.synthetic.manifest import label_path
from augflow.tools.provenance.remaking import Between, Drawn, Moved, Recipe

FOLDER, FACTS = "origin", "origin.json"
Way = Literal["drawn", "z", "eps", "path"]


@dataclass(frozen=True)
class Origin:
    """How the photographs of a set were made.

    Attributes:
        way: latents are drawn from each row's seed, carried over from `content` as they are (`z`)
            or standardised (`eps`), or lie on a path.
        threads: intra-op threads that they were made with.
        contents: by end: `content`, or `start` and `end` where they are photographs.
        path: of a path: `from` and `to` (seeds; photographs have none), `steps`, `kind`,
            `temperature`.
    """

    way: Way
    threads: int
    contents: Mapping[str, Scene] = field(default_factory=dict)
    path: Mapping[str, Any] = field(default_factory=dict)


def write_origin(folder: Path, origin: Origin, layouts: Iterable[tuple[str, Layout]]) -> None:
    """Writes `origin/` into the folder of a set; layouts come with their names."""
    home = folder / FOLDER
    for name, layout in layouts:
        io.write_png(home / "boundary" / f"{name}.png", _bytes(layout))
    for end, scene in origin.contents.items():
        parts = (
            scene.image[0].permute(1, 2, 0).numpy(), scene.layout.classes[0].numpy(),
            _bytes(scene.layout),
        )  # fmt: skip
        for kind, pixels in zip(KINDS, parts, strict=True):
            io.write_png(home / "content" / f"{end}_{kind}.png", pixels)
    io.write_json(home / FACTS, {
        "way": origin.way, "threads": origin.threads, "contents": sorted(origin.contents),
        "path": dict(origin.path),
    })  # fmt: skip


def read_origin(folder: Path) -> Origin | None:
    """What `write_origin` wrote into the folder of a set, None where nothing was.

    Raises:
        DataError: a file is missing or damaged.
    """
    where = folder / FOLDER / FACTS
    if not where.is_file():
        return None
    content = io.read_json(where)
    try:
        contents = {end: _content(folder / FOLDER / "content", end) for end in content["contents"]}
        return Origin(content["way"], int(content["threads"]), contents, content["path"])
    except (KeyError, TypeError, ValueError) as fault:
        raise DataError(
            f"{where}: does not say how the set was made ({type(fault).__name__}: {fault}); "
            "make the set again"
        ) from fault


def origin_recipe(folder: Path, facts: SetFacts, origin: Origin, row: SetRow) -> Recipe:
    """How a photograph of a set for a user's own layouts was made.

    Raises:
        DataError: the layout's files are missing or damaged.
    """
    path = folder / label_path(row.photo, "labelIds")
    classes = torch.tensor(facts.table.from_raw(io.read_ids(path)))[None]
    layout = Layout(classes, _boundary(folder / FOLDER / "boundary" / f"{row.layout}.png"))
    return Recipe(layout, _latents(origin, row), facts.attributes)


def _latents(origin: Origin, row: SetRow) -> Drawn | Moved | Between:
    if origin.way == "drawn":
        return Drawn(row.seed, row.temperature)
    if origin.way != "path":
        return Moved(origin.contents["content"], origin.way)
    way = origin.path
    start: int | Scene = origin.contents["start"] if way["from"] is None else way["from"]
    end: int | Scene = origin.contents["end"] if way["to"] is None else way["to"]
    return Between((start, end), way["steps"], way["kind"], way["temperature"], row.round)


def _bytes(layout: Layout) -> np.ndarray:
    return np.rint(layout.boundary[0].numpy() * 255).astype(np.uint8)


def _boundary(path: Path) -> torch.Tensor:
    return torch.tensor(io.read_ids(path))[None].float() / 255


def _content(folder: Path, end: str) -> Scene:
    image, classes, boundary = (folder / f"{end}_{kind}.png" for kind in KINDS)
    pixels = torch.tensor(io.read_photo(image)).permute(2, 0, 1)[None]
    layout = Layout(torch.tensor(io.read_ids(classes))[None], _boundary(boundary))
    return Scene(pixels, layout)

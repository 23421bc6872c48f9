"""Bytes that files will take on a disk, in whole blocks: counted, or measured on some scenes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from augflow.core import io
from augflow.core.hardware import DiskUsage, disk_block_size
from augflow.data.boundaries import guessed_instances
from augflow.data.classes import ClassTable
from augflow.data.scenes import SceneFolder, evenly, table_facts

if TYPE_CHECKING:
    from torch import Tensor

SAMPLE = 16
"""So many scenes, evenly spread, are measured."""

_INSTANCES = 4
"""Of so many of them also maps of instances, which take longer to make than to write."""

_NUMBER, _HEADER = 10, 120
"""About what a number takes in a CSV file, and a tensor in the header of a safetensors file."""


def one_file(size: float, where: Path) -> DiskUsage:
    """A file of so many bytes, on the disk of a folder."""
    unit = disk_block_size(where)
    taken = -(-max(int(size), 1) // unit) * unit
    return DiskUsage(taken, taken, taken)


def tree(folder: Path) -> DiskUsage:
    """The files that are in a folder; of none, nothing."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return sum((one_file(path.stat().st_size, folder) for path in paths), DiskUsage())


def table_file(columns: Sequence[str], rows: int, where: Path) -> DiskUsage:
    """A CSV file of numbers."""
    return one_file((rows + 1) * len(columns) * _NUMBER, where)


def tensors(values: Iterable[Tensor]) -> int:
    """Bytes of the numbers of some tensors, on whatever device they are."""
    return sum(one.numel() * one.element_size() for one in values)


def weights_file(state: Mapping[str, Tensor], where: Path) -> DiskUsage:
    """The safetensors file of a state."""
    return one_file(tensors(state.values()) + _HEADER * len(state), where)


def state_file(state: Mapping[str, Tensor], learned: Iterable[Tensor], where: Path) -> DiskUsage:
    """The resume state of a training that has begun: of a learner as it is, and its moments.

    Two moments of each weight that is `learned` come with the first step if they are not there.
    """
    known = [one for name, one in state.items() if "exp_avg" not in name]
    moments = [2 * prod(one.shape) * one.element_size() for one in learned]
    header = _HEADER * (len(known) + 2 * len(moments))
    return one_file(tensors(known) + sum(moments) + header, where)


def resume_states(state: DiskUsage, *runs: Path) -> DiskUsage:
    """What the states of networks still take that learn one after the other, each in its folder.

    Of each network two states are kept, and a third is written beside them; those that are there
    already are replaced.
    """
    kept = 2 * state.size
    there = [sum(path.stat().st_size for path in run.glob("*.safetensors")) for run in runs]
    return DiskUsage(sum(kept - min(one, kept) for one in there) + state.size, state.largest)


@dataclass(frozen=True)
class SceneFiles:
    """The PNG files of one scene, as means over some scenes; instances are 16-bit ids.

    `name` is the longest name of those that were looked at.
    """

    image: DiskUsage
    classes: DiskUsage
    instances: DiskUsage
    table: ClassTable
    name: str


def prepared_scenes(size: tuple[int, int], counts: Iterable[int], where: Path) -> DiskUsage:
    """The arrays of a prepared folder with so many scenes in each split."""
    pixels = [count * size[0] * size[1] for count in counts]
    arrays = (one_file(channels * n + _HEADER, where) for n in pixels for channels in (3, 1, 1))
    return sum(arrays, DiskUsage())


def png_size(pixels: np.ndarray) -> int:
    """Bytes of the PNG file of some pixels."""
    from PIL import Image

    stream = BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(stream, "PNG", compress_level=6)
    return len(stream.getvalue())


def scene_files(prepared: Path) -> SceneFiles:
    """Measured on some prepared scenes.

    Raises:
        DataError: not a prepared folder.
    """
    names, scenes = [], []
    listed = {row["split"] for row in io.read_csv(prepared / "scenes.csv")}
    for split in sorted(listed):
        folder = SceneFolder(prepared, split)
        rows = evenly(len(folder), SAMPLE // len(listed))
        names += [folder.names[row] for row in rows]
        batch = folder.scenes(rows)
        images = batch.image.permute(0, 2, 3, 1).numpy()
        maps = batch.layout.classes.numpy()
        scenes += [
            {"image": image, "classes": classes}
            for image, classes in zip(images, maps, strict=True)
        ]
    return measure_sizes(scenes, max(names, key=len), folder.table, prepared)


def measure_sizes(
    scenes: Sequence[Mapping[str, np.ndarray]], name: str, table: ClassTable, where: Path
) -> SceneFiles:
    """Measured on scenes in memory, each with its `image` and `classes`."""
    sizes = {kind: [png_size(scene[kind]) for scene in scenes] for kind in ("image", "classes")}
    ids = [guessed_instances(scene["classes"], table.things) for scene in scenes[:_INSTANCES]]
    sizes["instances"] = [png_size(one.astype(np.uint16)) for one in ids]
    return _means(sizes, table, name, where)


def image_set(
    files: SceneFiles, images: int, layouts: int, where: Path, instances: bool = False
) -> DiskUsage:
    """A synthetic set of so many images of so many layouts."""
    labels = files.classes + files.instances if instances else files.classes
    manifest = one_file(images * (140 + 3 * len(files.name)), where)
    facts = one_file(table_size(files.table), where)
    return files.image.times(images) + labels.times(images, layouts) + manifest + facts


def set_of_maps(
    size: tuple[int, int], maps: Sequence[np.ndarray], each: int, out: Path
) -> DiskUsage:
    """Images for some label maps, `each` of each, as if they could not be compressed."""
    labels = sum(one_file(png_size(one), out).size for one in maps)
    image = one_file(3 * size[0] * size[1], out)
    return DiskUsage((image.size * len(maps) + labels) * each, image.largest)


def score_file(files: SceneFiles, count: int, where: Path) -> DiskUsage:
    """The JSON file of so many images' confusion matrices, most of whose numbers are nought."""
    classes = files.table.count
    return one_file(count * (2 * classes**2 + 6 * classes + 2 * len(files.name) + 60), where)


def table_size(table: ClassTable) -> int:
    """Bytes of the JSON of a class table."""
    return len(io.json_bytes(table_facts(table)))


def _means(
    sizes: Mapping[str, Sequence[int]], table: ClassTable, name: str, where: Path
) -> SceneFiles:
    means = {}
    for kind, found in sizes.items():
        each = [one_file(size, where) for size in found] or [DiskUsage()]
        size = round(sum(one.size for one in each) / len(each))
        means[kind] = DiskUsage(size, max(one.largest for one in each), size)
    return SceneFiles(**means, table=table, name=name)

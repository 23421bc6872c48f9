"""Raw photographs, class ids and instance ids become scenes of one size."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from augflow.core import io
from augflow.core.errors import DataError, ParamsError
from augflow.core.hardware import DiskUsage, check_disk_space
from augflow.data import boundaries, checks, readers
from augflow.data.classes import IGNORE
from augflow.data.params import DataParams, StreetsParams
from augflow.data.readers.source import SPLITS, SourceScene, SourceSet
from augflow.data.scenes import evenly, scene_writer, table_facts
from augflow.study import disk_usage

SCENE_COLUMNS = ("name", "split", "drive", "photo", "labels", "instances", "boundary_source")
_MADE = "streets.json"

log = logging.getLogger("augflow")


@dataclass(frozen=True)
class Prepared:
    """One scene at the working size, as it is written.

    Shapes:
        image: (H, W, 3) uint8, RGB.
        classes: (H, W) uint8 train ids.
        boundary: (H, W) uint8, 255 where the whole pixel is a boundary.
    """

    image: np.ndarray
    classes: np.ndarray
    boundary: np.ndarray


def prepare(params: DataParams, out: Path) -> None:
    """Writes the prepared folder of a data set: `{train,val}/{image,classes,boundary}.npy`.

    Photographs are resized by area, ids by nearest pixel. The aspect ratio is not kept: whatever
    the shape of the photographs, they fill `data.size`, as in the paper. Boundaries are taken from
    ids of full resolution and resized afterwards. `scenes.csv` says where each scene comes from,
    `dataset.json` what the data set is: with a digest of its raw files and, where
    `data.skip_faulty` is set, the scenes that are left out for faults. Where `data.reader` is
    `streets`, the raw scenes are made at `data.root` first.

    Raises:
        ParamsError: the size does not fit the levels.
        DataError: the data set has faults, all of which are listed, or the disk has no room for
            the scenes; nothing is written.

    References:
        Full-Glow, section 5 (sizes) and appendix B (boundary maps).
    """
    require_fitting(params.size, params.levels)
    if params.reader == "streets":
        _make_streets(Path(params.root), params.streets or StreetsParams())
    source = readers.read(params)
    counts = [len(source.of_split(split)) for split in SPLITS]
    needed = disk_usage.prepared_scenes(params.size, counts, out)
    check_disk_space(out, needed, "preparing the scenes")
    with io.fresh_folder(out) as folder:
        present: dict[str, set[int]] = {split: set() for split in SPLITS}
        tallies = []
        with scene_writer(folder, params.size) as append:
            for scene in _progress(source.scenes):
                examined = checks.examine(source, scene)
                tallies.append(examined.tally)
                if not examined.tally.faults:
                    made = prepare_scene(source, examined, params.size)
                    present[scene.split] |= set(np.unique(made.classes).tolist()) - {IGNORE}
                    append(scene.split, made.image, made.classes, made.boundary)
        found = checks.check_report(source, tallies)
        checks.require_sound(source, found)
        for fault in checks.summarise(found.left_out):
            log.warning("left out: %s", fault.line(source.root))
        _write_facts(checks.used_scenes(source, tallies), params, present, folder, found)


def prepare_scene(source: SourceSet, examined: checks.Examined, size: tuple[int, int]) -> Prepared:
    """A scene without faults at the working size (height, width)."""
    if examined.photo is None or examined.classes is None:
        raise ValueError("a scene with faults cannot be prepared")
    instances = examined.instances
    if instances is None:
        instances = boundaries.guessed_instances(examined.classes, source.table.things)
    return Prepared(
        image=_resized_photo(examined.photo, size),
        classes=_resized_ids(examined.classes, size),
        boundary=boundaries.resize_boundary(boundaries.boundary_map(instances), size),
    )


def scene_sizes(
    source: SourceSet, size: tuple[int, int], out: Path, most: int = 4
) -> disk_usage.SceneFiles:
    """What the files of a prepared scene take on the disk of `out`, measured on some scenes."""
    picked = [source.scenes[place] for place in evenly(len(source.scenes), most)]
    examined = [checks.examine(source, scene) for scene in picked] if source.scenes else []
    sound = [one for one in examined if not one.tally.faults]
    made = [vars(prepare_scene(source, one, size)) for one in sound]
    name = max((scene.name for scene in source.scenes), key=len, default="")
    return disk_usage.measure_sizes(made, name, source.table, out)


def painted_sizes(params: StreetsParams, root: Path) -> DiskUsage:
    """What the files of an embedded scene take on the disk of `root`, measured on one."""
    from streetscenes import street_scene
    from streetscenes.export import names

    scene = street_scene(params.seed, names("train", 1)[0][1], params.size)
    maps = (scene.image, scene.labels, scene.instances)
    return sum((disk_usage.one_file(disk_usage.png_size(one), root) for one in maps), DiskUsage())


def require_fitting(size: tuple[int, int], levels: int) -> None:
    """Lets sizes pass that `levels` squeezes can halve.

    Raises:
        ParamsError: height or width is not divisible by `2**levels`; names the next sizes.
    """
    unit = 2**levels
    if not any(length % unit for length in size):
        return
    smaller = [max(unit, length // unit * unit) for length in size]
    larger = [-(-length // unit) * unit for length in size]
    raise ParamsError(
        f"data.size: {size[0]}x{size[1]} is not divisible by {unit}, which {levels} levels need; "
        f"next smaller {smaller[0]}x{smaller[1]}, next larger {larger[0]}x{larger[1]}"
    )


def _make_streets(root: Path, params: StreetsParams) -> None:
    from streetscenes import write_streets

    if root.exists() and any(root.iterdir()) and not (root / _MADE).exists():
        raise DataError(
            f"{root}: holds other files than embedded scenes, which would replace them; "
            "set data.root to a new folder"
        )
    counts = {"train": params.train, "val": params.val}
    scenes = painted_sizes(params, root).times(sum(counts.values()))
    check_disk_space(root, scenes, "painting the embedded scenes")
    with io.fresh_folder(root) as folder:
        write_streets(folder, counts, params.size, params.seed)
        io.write_json(folder / _MADE, params.model_dump(mode="json"))


def _progress(scenes: Iterable[SourceScene]) -> Iterable[SourceScene]:
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    hidden = not sys.stderr.isatty()
    return track(list(scenes), "prepare", console=console, transient=True, disable=hidden)


def _resized_photo(photo: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """By area along axes that shrink, then cubic along those that grow."""
    height, width = min(photo.shape[0], size[0]), min(photo.shape[1], size[1])
    smaller = cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA)
    return cv2.resize(smaller, (size[1], size[0]), interpolation=cv2.INTER_CUBIC)


def _resized_ids(ids: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """By the nearest pixel centre (plain INTER_NEAREST takes corners, half a pixel off)."""
    return cv2.resize(ids, (size[1], size[0]), interpolation=cv2.INTER_NEAREST_EXACT)


def _write_facts(
    source: SourceSet,
    params: DataParams,
    present: dict[str, set[int]],
    folder: Path,
    found: checks.Report,
) -> None:
    rows = [
        {
            "name": scene.name,
            "split": scene.split,
            "drive": scene.drive,
            "photo": scene.photo.as_posix(),
            "labels": scene.labels.as_posix(),
            "instances": scene.instances.as_posix() if scene.instances else None,
            "boundary_source": source.boundary_source,
        }
        for scene in source.scenes
    ]
    facts = {
        "classes": table_facts(source.table),
        "size": list(params.size),
        "levels": params.levels,
        "reader": source.reader,
        "boundary_source": source.boundary_source,
        "classes_present": {split: sorted(present[split]) for split in SPLITS},
        "counts": found.counts,
        "content": source.digest(),
        "left_out": found.left_out_facts(),
    }
    io.write_csv(folder / "scenes.csv", rows, SCENE_COLUMNS)
    io.write_json(folder / "dataset.json", facts)

"""Layouts from a folder of label maps: train ids, published ids or colours, of any size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import torch

from augflow.core import io
from augflow.core.errors import DataError, Faults, on_one_line
from augflow.data import boundaries
from augflow.data.classes import IGNORE, ClassTable
from augflow.data.scenes import Layout

Labels = Literal["auto", "train_ids", "label_ids", "colours"]

Fit = Literal["crop", "pad", "stretch"]
"""What becomes of a layout of another shape than a generator's images: its middle is taken, it is
filled up with pixels of no class, or it is resized as scenes are prepared."""

LABEL_SUFFIXES = ("_gtFine_labelIds", "_gtFine_labelTrainIds", "_gtFine_color", "_label")
"""Endings of published label files, best first; of several kinds in a folder the first is read."""

_OTHER_FORMATS = (".bmp", ".gif", ".tif", ".tiff", ".webp")
"""Endings of pictures that are not read; JPEG changes ids, so such a file is a photograph."""
_SUFFIX_OF = dict(zip(("label_ids", "train_ids", "colours"), LABEL_SUFFIXES, strict=False))

_MOST_IGNORED = 0.5
"""The share of pixels without a class from which ids are hardly published ones."""

PREVIEW, SHEET = "_preview", "contact_sheet.png"
"""The ending of pictures that commands write beside each label map, and the name of one of all."""

_MOST_COLOURS = 256
"""A picture of no more is painted by class."""

INSTANCES = ("_gtFine_instanceIds", "_inst_label")
"""Endings of files of instance ids."""

MAP_SUFFIXES = (*INSTANCES, "_boundary")
"""Endings of files that say where objects meet; of a layout with both kinds the ids are read."""


@dataclass(frozen=True)
class NamedLayout:
    """A layout at a generator's size, under the core name of its file.

    `before` are the height and width that it had.

    Shapes:
        layout: a batch of one.
    """

    name: str
    path: Path
    layout: Layout
    before: tuple[int, int]


def read_layouts(
    folder: Path,
    table: ClassTable,
    size: tuple[int, int],
    *,
    labels: Labels = "auto",
    maps: Path | None = None,
    fit: Fit = "stretch",
) -> list[NamedLayout]:
    """All label maps below a folder, or one file, resized (nearest) to a generator's size.

    What the files hold is decided for the folder as a whole: colour files are colour maps; ids are
    what the published endings of the names say, else train ids unless some file holds an id that
    only the published ids know; what fits both is refused. Boundary maps come from
    `maps` (boundary maps, or 16-bit instance ids), else from class edges and connected components.

    Args:
        folder: the label maps, PNG; or a single one.
        table: the classes they are read with.
        size: the generator's height and width.
        labels: what the files hold, if it is not to be guessed.
        maps: a folder with a map per layout, of the same core name and size; or the file of a
            single layout.
        fit: what becomes of those of another shape.

    Raises:
        DataError: with every fault of every file.
    """
    faults = Faults()
    paths, faults.lines = label_files(folder, labels)
    decoded = {}
    for name, path in paths.items():
        with faults.collect():
            decoded[name] = io.read_ids(path)
    kind = labels
    if labels == "auto":
        with faults.collect():
            kind = kind_of(paths, decoded, table)
        if kind == "auto":
            faults.raise_if_any()
    edges = None
    if maps is not None:
        with faults.collect():
            edges = _edges_of(paths, maps)
    found = []
    for name, ids in decoded.items():
        path = paths[name]
        with faults.collect(), prefix_errors(path):
            classes = known_classes(path, ids, table, kind, told=labels != "auto")
            boundary = _boundary(classes, table, _map_of(name, edges, maps), size, fit)
            layout = _layout(fit_shape(classes, size, fit, IGNORE), boundary, size)
            found.append(NamedLayout(name, path, layout, classes.shape[:2]))
    faults.raise_if_any()
    return found


def is_of_shape(shape: tuple[int, int], size: tuple[int, int]) -> bool:
    """Whether a map has the shape of a size, but for less than a pixel of the size."""
    height, width = shape[0] * size[1] / shape[1], shape[1] * size[0] / shape[0]
    return abs(height - size[0]) < 1 and abs(width - size[1]) < 1


def fit_shape(values: np.ndarray, size: tuple[int, int], fit: Fit, filling: int) -> np.ndarray:
    """The middle of a map in the shape of a size, or all of it with a margin.

    Shapes:
        values: (H, W).
        returns: (H', W'), of the shape of the size unless it is to be stretched.
    """
    if fit == "stretch" or is_of_shape(values.shape[:2], size):
        return values
    pick = min if fit == "crop" else max
    height, width = values.shape
    new = (
        max(1, pick(height, round(width * size[0] / size[1]))),
        max(1, pick(width, round(height * size[1] / size[0]))),
    )
    top, left = abs(new[0] - height) // 2, abs(new[1] - width) // 2
    if fit == "crop":
        return values[top : top + new[0], left : left + new[1]]
    found = np.full(new, filling, values.dtype)
    found[top : top + height, left : left + width] = values
    return found


def label_files(folder: Path, labels: Labels = "auto") -> tuple[dict[str, Path], list[str]]:
    """Core name -> file of every label map below a folder, sorted by name, and other files' faults.

    A single file is taken as it is. Where files have a published ending, one that has none and
    belongs to none of them is a fault: it would be left out. So is a picture of another format.
    Of several endings that of `labels` is taken, if it is among them.

    Raises:
        DataError: the folder is missing or holds no PNG.
    """
    if not folder.is_dir() and folder.exists():
        return io.index_by_name(folder, [folder], core_name)
    paths, faults = _pngs(folder)
    maps = [path for path in paths if not path.stem.endswith(MAP_SUFFIXES)]
    told = _SUFFIX_OF.get(labels, LABEL_SUFFIXES[0])
    for suffix in sorted(LABEL_SUFFIXES, key=lambda suffix: suffix != told):
        some = [path for path in maps if path.stem.endswith(suffix)]
        if some:
            faults += _left_over(suffix, some, maps)
            paths = some
            break
    found, wrong = io.index_by_name(folder, paths, core_name)
    others, _ = io.images_below(folder, _OTHER_FORMATS)
    unread = [
        f"{on_one_line(path)}: no PNG, so it would be left out; save ids or colours as PNG, or "
        "move it out of the folder"
        for path in others
        if core_name(path) not in found
    ]
    return found, faults + wrong + unread


def _left_over(suffix: str, taken: list[Path], maps: list[Path]) -> list[str]:
    """A fault for every label map that is no other map of a layout taken."""
    names = {core_name(path) for path in taken}
    return [
        f"{on_one_line(path)}: not named NAME{suffix}.png as others are, so it would be left out; "
        "rename it, or move it out of the folder"
        for path in maps
        if path.name != SHEET
        and core_name(path).removesuffix(PREVIEW) not in names
        and _is_label_map(path)
    ]


def _is_label_map(path: Path) -> bool:
    """Whether a file is grey, or of few colours; photographs and contact sheets may lie beside."""
    from PIL import Image

    if not path.is_file():  # nobody waits for a pipe
        return False
    try:
        with Image.open(path) as image:
            grey = image.mode in ("1", "L", "P") or image.mode.startswith("I")
            return grey or image.getcolors(_MOST_COLOURS) is not None
    except (OSError, ValueError, Image.DecompressionBombError):
        return False


@contextmanager
def prefix_errors(path: Path) -> Iterator[None]:
    """Puts a file's path before every fault of the body."""
    try:
        yield
    except DataError as fault:
        raise DataError(f"{on_one_line(path)}: {fault}") from fault


def core_name(path: Path) -> str:
    """A file's name without the endings that say which kind of map it is."""
    for suffix in (*MAP_SUFFIXES, *LABEL_SUFFIXES):
        if path.stem.endswith(suffix):
            return path.stem.removesuffix(suffix)
    return path.stem


def single_layout(
    path: Path,
    table: ClassTable,
    size: tuple[int, int],
    labels: Labels,
    edges: Path | None,
    photo: np.ndarray | None,
) -> Layout:
    """A photograph's label map as a layout of a generator's size.

    Args:
        path: the label map.
        table: the classes it is read with.
        size: the generator's height and width.
        labels: what it holds, if that is not to be guessed.
        edges: its boundary map or instance ids, if there is one.
        photo: the photograph, (H, W, 3); None where it could not be read.

    Raises:
        DataError: unreadable, holds what the table does not know, or is of another size than the
            photograph.
    """
    ids = io.read_ids(path)
    kind = labels if labels != "auto" else kind_of({path.stem: path}, {path.stem: ids}, table)
    with prefix_errors(path):
        classes = known_classes(path, ids, table, kind, told=labels != "auto")
        if photo is not None and classes.shape != photo.shape[:2]:
            raise DataError(
                f"{classes.shape[0]}x{classes.shape[1]}, its photograph "
                f"{photo.shape[0]}x{photo.shape[1]}; make them equal"
            )
    return _layout(classes, _boundary(classes, table, edges, size), size)


def array_layout(
    values: Any, table: ClassTable, size: tuple[int, int], labels: Labels, instances: Any
) -> Layout:
    """A label map in memory as a layout of a generator's size.

    Args:
        values: ids (H, W) or colours (H, W, 3): an array, a tensor or a PIL image.
        table: the classes it is read with.
        size: the generator's height and width.
        labels: what it holds, if that is not to be guessed.
        instances: ids of its objects, (H, W); None where they are not known.

    Raises:
        DataError: of another shape or type, or it holds what the table does not know.
    """
    ids = np.asarray(values.cpu() if isinstance(values, torch.Tensor) else values)
    in_colours = ids.ndim == 3 and ids.shape[2] == 3 and ids.dtype == np.uint8
    if not in_colours and (ids.ndim != 2 or ids.dtype.kind not in "iu"):
        raise DataError(
            f"label map: expected (H, W) integers or (H, W, 3) uint8 colours, got {ids.shape} "
            f"{ids.dtype}"
        )
    kind = labels if labels != "auto" else kind_of({}, {"": ids}, table)
    if in_colours != (kind == "colours"):
        raise DataError(f"label map: {ids.shape} {ids.dtype} holds no {kind}; say what it holds")
    readers = {"colours": table.from_colours, "label_ids": table.from_raw}
    classes = _of_some_class(readers.get(kind, table.from_train)(ids))
    if instances is None:
        objects = boundaries.guessed_instances(classes, table.things)
    else:
        objects = np.asarray(instances)
        if objects.shape != classes.shape or objects.dtype.kind not in "iu":
            raise DataError(
                f"instances: expected {classes.shape} integers, got {objects.shape} {objects.dtype}"
            )
    edges = boundaries.resize_boundary(boundaries.boundary_map(objects), size)
    return _layout(classes, edges, size)


def _pngs(folder: Path) -> tuple[list[Path], list[str]]:
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; give a folder of label maps (PNG)")
    paths, faults = io.images_below(folder, (".png",))
    if not paths and not faults:
        raise DataError(f"{folder}: holds no PNG; expected label maps, one PNG per layout")
    return paths, faults


def map_files(folder: Path) -> dict[str, Path]:
    """Core name -> boundary map or instance ids of every layout below a folder.

    Raises:
        DataError: the folder is missing or holds no PNG, or with every fault of names and links.
    """
    paths, faults = _pngs(folder)
    some = [path for path in paths if path.stem.endswith(MAP_SUFFIXES)]
    found, wrong = io.index_by_name(folder, _telling(some) or paths, core_name)
    if faults or wrong:
        raise DataError("\n".join(faults + wrong))
    return found


def _telling(paths: list[Path]) -> list[Path]:
    """Without the boundary maps of layouts that have instance ids too, which say more."""
    ids = {core_name(path) for path in paths if path.stem.endswith(INSTANCES)}
    return [path for path in paths if path.stem.endswith(INSTANCES) or core_name(path) not in ids]


def _edges_of(paths: dict[str, Path], maps: Path) -> dict[str, Path]:
    if maps.is_dir() or not maps.exists():
        return map_files(maps)
    if len(paths) > 1:
        raise DataError(f"{maps}: is one file for {len(paths)} layouts; give a folder of maps")
    return dict.fromkeys(paths, maps)


def kind_of(paths: dict[str, Path], decoded: dict[str, np.ndarray], table: ClassTable) -> Labels:
    """What the files hold: their names say so, else one id that is no train id decides for all.

    Raises:
        DataError: ids fit both readings and are other classes by each, or files of both readings
            are among them.
    """
    stems = [path.stem for path in paths.values()]
    if any(stem.endswith("_gtFine_labelTrainIds") for stem in stems):
        return "train_ids"
    if any(stem.endswith("_gtFine_labelIds") for stem in stems):
        return "label_ids"
    grey = [ids for ids in decoded.values() if ids.ndim == 2]
    if not grey:
        return "colours"
    if any(row.id == IGNORE != row.train_id for row in table.rows):
        return "label_ids"  # of masks, whose 255 is a class
    highest = max(int(ids[ids != IGNORE].max(initial=0)) for ids in grey)
    if highest >= table.count:
        _require_one_reading(decoded, table)
        return "label_ids"
    _require_clear(paths, grey, table)
    return "train_ids"


def _ignored_by_published(ids: list[np.ndarray], table: ClassTable) -> float:
    """The share of pixels that belong to no class if these are published ids; 1 if they are not."""
    classes = {row.id: row.train_id for row in table.rows}
    every = np.concatenate([one.ravel() for one in ids])
    values, counts = np.unique(every[every != IGNORE], return_counts=True)
    if not len(values) or not classes.keys() >= set(values.tolist()):
        return 1.0
    lost = [classes[value] == IGNORE for value in values.tolist()]
    return float(counts[lost].sum() / counts.sum())


def _require_clear(paths: dict[str, Path], grey: list[np.ndarray], table: ClassTable) -> None:
    """Lets train ids pass that cannot as well be published ids of other classes."""
    raw = {row.id: row for row in table.rows if row.train_id != IGNORE}
    used = set(np.unique(np.concatenate([np.unique(ids) for ids in grey])).tolist()) - {IGNORE}
    apart = sorted(one for one in used if one in raw and raw[one].train_id != one)
    if not apart or _ignored_by_published(grey, table) > _MOST_IGNORED:
        return
    shown = apart[:5]
    where = on_one_line(next(iter(paths.values())).parent) if paths else "label map"
    raise DataError(
        f"{where}: ids {', '.join(map(str, shown))} may be published ids "
        f"({', '.join(raw[one].name for one in shown)}) or train ids "
        f"({', '.join(table.names[one] for one in shown)}); say which with --labels"
    )


def _require_one_reading(decoded: dict[str, np.ndarray], table: ClassTable) -> None:
    """Lets published ids pass if no file among them looks like train ids."""
    known = {row.id for row in table.rows}
    grey = {name: ids for name, ids in decoded.items() if ids.ndim == 2}
    used = {name: set(np.unique(ids).tolist()) - {IGNORE} for name, ids in grey.items()}
    published = [
        name for name, ids in used.items() if ids <= known and max(ids, default=0) >= table.count
    ]
    odd = [
        name
        for name, ids in used.items()
        if ids
        and max(ids) < table.count
        and _ignored_by_published([grey[name]], table) > _MOST_IGNORED
    ]
    if published and odd:
        more = f" and {len(odd) - 5} more" if len(odd) > 5 else ""
        raise DataError(
            f"label maps: {', '.join(odd[:5])}{more}: look like train ids, {published[0]} holds "
            "published ids; put each kind into its own folder, or say with --labels what all hold"
        )


def known_classes(
    path: Path, ids: np.ndarray, table: ClassTable, kind: Labels, told: bool = False
) -> np.ndarray:
    """The train ids of what a file of a kind holds, (H, W) uint8.

    Where the kind was `told`, it decides what may be read in two ways: the indices or the colours
    of a palette, one of three equal channels or colours.

    Raises:
        DataError: it holds what the table does not know, or no class at all, or is a palette PNG
            of other colours.
    """
    if told:
        ids = _as_told(path, ids, kind)
    if ids.ndim == 3:
        return _of_some_class(_with_advice(table.from_colours, ids))
    if kind == "colours":
        raise DataError("holds ids, expected a colour map: convert it or set --labels")
    classes = _with_advice(table.from_raw if kind == "label_ids" else table.from_train, ids)
    published = "label_ids" if kind == "label_ids" else "train_ids"
    if not told and is_recoloured(path, ids, table, published):
        raise DataError(
            "palette PNG: its colours are other classes than its indices; say with --labels which "
            "of them are meant"
        )
    return _of_some_class(classes)


def _as_told(path: Path, ids: np.ndarray, kind: Labels) -> np.ndarray:
    """What a file holds, read as it was told: (H, W, 3) for colours, (H, W) for ids."""
    if kind == "colours" and ids.ndim == 2 and ids.dtype == np.uint8:
        palette = palette_of(path)
        return ids if palette is None else np.resize(palette, (256, 3)).astype(np.uint8)[ids]
    if kind != "colours" and ids.ndim == 3:
        if (ids != ids[..., :1]).any():
            raise DataError(f"holds colours, --labels says {kind}; say --labels colours")
        return ids[..., 0]
    return ids


def _of_some_class(classes: np.ndarray) -> np.ndarray:
    if (classes == IGNORE).all():
        raise DataError("no pixel belongs to a class; correct it, or take it out")
    return classes


def _with_advice(read: Callable[[np.ndarray], np.ndarray], ids: np.ndarray) -> np.ndarray:
    try:
        return read(ids)
    except DataError as fault:
        raise DataError(f"{fault}; correct them, or say with --labels what files hold") from fault


def _map_of(name: str, maps: dict[str, Path] | None, folder: Path | None) -> Path | None:
    if maps is None:
        return None
    if name not in maps:
        raise DataError(f"no map of that name in {folder}; add it, or leave --boundary out")
    return maps[name]


def _boundary(
    classes: np.ndarray,
    table: ClassTable,
    edges: Path | None,
    size: tuple[int, int],
    fit: Fit = "stretch",
) -> np.ndarray:
    """The boundary map at a generator's size, (h, w) uint8."""
    if edges is None:
        guess = boundaries.guessed_instances(fit_shape(classes, size, fit, IGNORE), table.things)
        return boundaries.resize_boundary(boundaries.boundary_map(guess), size)
    ids = io.read_ids(edges)
    if ids.shape != classes.shape:
        raise DataError(f"{edges} is {ids.shape}, the layout {classes.shape}; make them equal")
    if ids.dtype == np.int32 or edges.stem.endswith(MAP_SUFFIXES[:2]):
        ids = fit_shape(ids, size, fit, 0)
        return boundaries.resize_boundary(boundaries.boundary_map(ids), size)
    values = set(np.unique(ids).tolist())
    if values <= {0, 1} or values <= {0, 255}:
        return boundaries.resize_boundary(fit_shape(ids, size, fit, 0) > 0, size)
    if ids.shape == size:
        return ids
    raise DataError(
        f"{edges} holds {len(values)} grey values; expected a boundary map (0 and 1, or 0 and 255; "
        f"greys at {size[0]}x{size[1]} only) or 16-bit instance ids"
    )


def _layout(classes: np.ndarray, boundary: np.ndarray, size: tuple[int, int]) -> Layout:
    small = cv2.resize(classes, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    return Layout(torch.tensor(small)[None], torch.tensor(boundary)[None].float() / 255)


def palette_of(path: Path) -> np.ndarray | None:
    """The colours of a palette PNG, (n, 3); None for other files."""
    from PIL import Image

    with Image.open(path) as image:
        colours = image.getpalette() if image.mode == "P" else None
    return None if colours is None else np.array(colours).reshape(-1, 3)


def is_recoloured(path: Path, ids: np.ndarray, table: ClassTable, labels: str) -> bool:
    """Whether a file is a palette PNG whose colours are other classes than its indices.

    Shapes:
        ids: (H, W), as decoded.
    """
    palette = palette_of(path) if ids.dtype == np.uint8 else None
    used = set(np.unique(ids).tolist())
    return palette is not None and names_other_classes(palette, used, table, labels)


def names_other_classes(
    palette: np.ndarray, used: set[int], table: ClassTable, labels: str
) -> bool:
    """Whether the colours of used indices are all of the table, but of other rows."""
    numbered = table.rows if labels == "label_ids" else table.train_rows
    row_of = {tuple(row.colour): row for row in reversed(numbered)}
    colours = dict(enumerate(map(tuple, palette.tolist())))
    shown = {index: row_of.get(colours.get(index, ())) for index in used - {IGNORE}}
    if not shown or None in shown.values():
        return False
    ids = {i: row.id if labels == "label_ids" else row.train_id for i, row in shown.items() if row}
    colour_of = {row.id if labels == "label_ids" else row.train_id: row.colour for row in numbered}
    return any(colour_of[ids[index]] != colour_of.get(index) for index in ids)

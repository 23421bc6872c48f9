"""Scenes and layouts as tensors, and the prepared folder they are read from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor

from augflow.core import io
from augflow.core.errors import DataError
from augflow.data.classes import ClassRow, ClassTable

if TYPE_CHECKING:
    from augflow.data.label_maps import Labels

SPLITS = ("train", "val")
KINDS = ("image", "classes", "boundary")
_AGAIN = "run the prepare stage again"


class HasClasses(Protocol):
    """What layouts are made for: a generator, or a folder of scenes."""

    @property
    def table(self) -> ClassTable:
        """The classes."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        ...


@dataclass(frozen=True)
class Layout:
    """What an image is made for: a batch of class maps with their boundary maps.

    Shapes:
        classes: (N, H, W) uint8 train ids, 255 where no class is known.
        boundary: (N, H, W) float32 in [0, 1], 1 where two instances meet.
    """

    classes: Tensor
    boundary: Tensor

    def __post_init__(self) -> None:
        """Checks that both maps are of one shape."""
        if self.classes.shape != self.boundary.shape or self.classes.ndim != 3:
            raise ValueError(
                f"classes {tuple(self.classes.shape)} and boundary {tuple(self.boundary.shape)} "
                "must both be (N, H, W)"
            )

    def __len__(self) -> int:
        """The number of layouts in the batch."""
        return len(self.classes)

    def __getitem__(self, rows: slice | Sequence[int]) -> Layout:
        """The layouts of some rows."""
        return Layout(self.classes[rows], self.boundary[rows])

    @classmethod
    def read(
        cls,
        path: str | Path,
        like: HasClasses,
        *,
        labels: Labels = "auto",
        boundary: str | Path | None = None,
    ) -> Layout:
        """A label map (PNG: train ids, published ids or colours), resized for a generator.

        One of another shape is squashed; cut it before, to keep the shape of things.

        >>> gen = augflow.load("generator")
        >>> augflow.Layout.read("maps/crossing.png", like=gen).size
        (32, 48)

        Args:
            path: the label map.
            like: whose classes and size are meant.
            labels: what the file holds, if that is not to be guessed.
            boundary: its boundary map or 16-bit instance ids; else boundaries are those of classes
                and connected components.

        Raises:
            DataError: unreadable, or it holds what the classes do not know.
        """
        from augflow.data.label_maps import single_layout

        edges = None if boundary is None else Path(boundary)
        return single_layout(Path(path), like.table, like.size, labels, edges, None)

    @classmethod
    def from_array(
        cls, labels: Any, like: HasClasses, *, kind: Labels = "auto", instances: Any = None
    ) -> Layout:
        """The same from an array, a tensor or a PIL image in memory.

        >>> gen = augflow.load("generator")
        >>> ids = np.zeros((64, 96), np.uint8)
        >>> augflow.Layout.from_array(ids, like=gen).size
        (32, 48)

        Args:
            labels: the label map.
            like: whose classes and size are meant.
            kind: what it holds, if that is not to be guessed.
            instances: ids of the objects.

        Shapes:
            labels: (H, W) integers, or (H, W, 3) uint8 colours.
            instances: (H, W) integers.

        Raises:
            DataError: of another shape or type, or it holds what the classes do not know.
        """
        from augflow.data.label_maps import array_layout

        return array_layout(labels, like.table, like.size, kind, instances)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.classes.shape[1], self.classes.shape[2]

    def to(self, device: torch.device | str) -> Layout:
        """The same layouts on another device."""
        return Layout(_to_device(self.classes, device), _to_device(self.boundary, device))


@dataclass(frozen=True)
class Scene:
    """A batch of images with their layouts.

    >>> gen = augflow.load("generator")
    >>> layout = augflow.Layout.read("maps/crossing.png", like=gen)
    >>> len(augflow.Scene(torch.zeros(1, 3, 32, 48, dtype=torch.uint8), layout))
    1

    Shapes:
        image: (N, 3, H, W) uint8, RGB.
    """

    image: Tensor
    layout: Layout

    def __len__(self) -> int:
        """The number of scenes in the batch."""
        return len(self.image)

    def __getitem__(self, rows: slice | Sequence[int]) -> Scene:
        """The scenes of some rows."""
        return Scene(self.image[rows], self.layout[rows])

    def to(self, device: torch.device | str) -> Scene:
        """The same scenes on another device."""
        return Scene(_to_device(self.image, device), self.layout.to(device))

    def pin_memory(self) -> Scene:
        """The same scenes in memory that a GPU reads without help; needs one."""
        layout = Layout(self.layout.classes.pin_memory(), self.layout.boundary.pin_memory())
        return Scene(self.image.pin_memory(), layout)


def _to_device(tensor: Tensor, device: torch.device | str) -> Tensor:
    """On another device; nobody waits for what goes to a GPU, where what reads it comes later."""
    return tensor.to(device, non_blocking=torch.device(device).type == "cuda")


class Scenes(Protocol):
    """Scenes that can be had by row: in memory (`Scene`), or from disk (`SceneFolder`)."""

    def __len__(self) -> int:
        """The number of scenes."""
        ...

    def __getitem__(self, rows: slice | Sequence[int]) -> Scene:
        """The scenes of some rows."""
        ...


def prepared_facts(root: Path) -> tuple[ClassTable, tuple[int, int], str]:
    """The class table of a prepared folder, height and width, and where its boundaries come from.

    Raises:
        DataError: not a prepared folder.
    """
    path = root / "dataset.json"
    facts = io.read_json(path)
    try:
        height, width = facts["size"]
        return table_from(facts["classes"]), (height, width), facts["boundary_source"]
    except (AttributeError, KeyError, TypeError, ValueError) as fault:
        raise DataError(
            f"{path}: not the record of prepared scenes ({type(fault).__name__}: {fault}); run "
            "the prepare stage again"
        ) from fault


class SceneFolder:
    """One split of a prepared folder; its arrays are mapped, and read where they are looked at.

    The folder holds `dataset.json` (class table, size, where boundaries come from), `scenes.csv`
    (name, split, drive) and `{train,val}/{image,classes,boundary}.npy` (see `scene_writer`).
    """

    def __init__(self, root: Path, split: str, one_in: int = 1) -> None:
        """Opens a split, or every `one_in`-th scene of it: the first and so on.

        Raises:
            DataError: not a prepared folder, or a file of it is missing or of a wrong size.
        """
        self.root, self.split = root, split
        self.table, self.size, self.boundary_source = prepared_facts(root)
        rows = [row for row in io.read_csv(root / "scenes.csv") if row["split"] == split]
        if not rows:
            raise DataError(f"{root}: split {split!r} has no scenes; run the prepare stage")
        wrong = [row["name"] for row in rows if not io.is_name(row["name"])]
        if wrong:
            raise DataError(
                f"{root / 'scenes.csv'}: {wrong[0]!r} is no name of a scene; expected a file's "
                f"name without folders; {_AGAIN}"
            )
        self.names = [row["name"] for row in rows][::one_in]
        self.drives = [row["drive"] for row in rows][::one_in]
        self._image, self._classes, self._boundary = (
            io.map_npy(array_path(root, split, kind), (len(rows), *row), _AGAIN)[::one_in]
            for kind, row in _row_shapes(self.size).items()
        )

    def __len__(self) -> int:
        """The number of scenes."""
        return len(self.names)

    def __getitem__(self, rows: slice | Sequence[int]) -> Scene:
        """A batch of scenes; no other rows are looked at."""
        listed = range(len(self))[rows] if isinstance(rows, slice) else rows
        picked = np.array(listed, np.intp)
        # by NumPy, which starts no threads of its own: this may run beside a step of a training
        edges = np.divide(self._boundary.take(picked, 0), np.float32(255), dtype=np.float32)
        classes = torch.from_numpy(self._classes.take(picked, 0))
        image = torch.from_numpy(self._image.take(picked, 0))
        return Scene(image, Layout(classes, torch.from_numpy(edges)))

    def scenes(self, rows: Sequence[int] | None = None) -> Scene:
        """A batch of scenes by row number; all of them by default."""
        return self[slice(None) if rows is None else rows]


def array_path(root: Path, split: str, kind: str) -> Path:
    """The file of one of `KINDS` of a split in a prepared folder."""
    return root / split / f"{kind}.npy"


def _row_shapes(size: tuple[int, int]) -> dict[str, tuple[int, ...]]:
    return {"image": (3, *size), "classes": size, "boundary": size}


@contextmanager
def scene_writer(root: Path, size: tuple[int, int]) -> Iterator[Callable[..., None]]:
    """Yields `append(split, image, classes, boundary)`, which writes a scene as the next one.

    Of each split and kind there is one array, with the scenes in the order of `scenes.csv`.

    Shapes:
        image: (H, W, 3) uint8, RGB; on disk (N, 3, H, W).
        classes, boundary: (H, W) uint8; on disk (N, H, W).
    """
    with ExitStack() as files:
        rows = {
            (split, kind): files.enter_context(io.npy_rows(array_path(root, split, kind), row))
            for split in SPLITS
            for kind, row in _row_shapes(size).items()
        }

        def append(
            split: str, image: np.ndarray, classes: np.ndarray, boundary: np.ndarray
        ) -> None:
            for kind, pixels in zip(
                KINDS, (image.transpose(2, 0, 1), classes, boundary), strict=True
            ):
                rows[split, kind](pixels)

        yield append


def evenly(count: int, wanted: int) -> list[int]:
    """At most `wanted` row numbers, evenly spread over `count`."""
    return sorted({int(row) for row in np.linspace(0, count - 1, min(wanted, count))})


def saved_table(path: Path) -> ClassTable:
    """The class table in a record of prepared scenes, a generator or a report.

    Raises:
        DataError: no such file, or no class table in it.
    """
    content = io.read_json(path)
    try:
        return table_from(content["classes"])
    except (AttributeError, KeyError, TypeError, ValueError) as fault:
        raise DataError(
            f"{path}: no class table in it ({type(fault).__name__}: {fault}); restore it"
        ) from fault


def table_from(facts: dict) -> ClassTable:
    """A class table as `table_facts` wrote it.

    Raises:
        KeyError, TypeError, ValueError: it is none.
    """
    rows = tuple(
        ClassRow(r["name"], r["id"], r["train_id"], r["is_thing"], tuple(r["colour"]))
        for r in facts["rows"]
    )
    for row in rows:
        numbers = (row.id, row.train_id, *row.colour)
        if not isinstance(row.name, str) or {type(number) for number in numbers} != {int}:
            raise ValueError(f"no row of a class table: {row}")
        in_bytes = all(0 <= number <= 255 for number in (row.train_id, *row.colour))
        if not (in_bytes and len(row.colour) == 3 and -1 <= row.id <= 255):
            raise ValueError(f"no row of a class table, out of range: {row}")
    table = ClassTable(facts["name"], rows)
    if [row.train_id for row in table.train_rows] != list(range(table.count)):
        raise ValueError("train ids of a class table do not count from 0")
    return table


def table_facts(table: ClassTable) -> dict:
    """A class table as plain JSON."""
    rows = [
        {
            "name": r.name,
            "id": r.id,
            "train_id": r.train_id,
            "is_thing": r.is_thing,
            "colour": list(r.colour),
        }
        for r in table.rows
    ]
    return {"name": table.name, "rows": rows}

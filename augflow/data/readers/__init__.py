"""Readers of raw data sets: one per published layout, all in one table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from augflow.core.errors import DataError
from augflow.data.classes import ClassTable, table
from augflow.data.params import DataParams
from augflow.data.readers import camvid, cityscapes, folder, idd_lite, kitti, label_studio
from augflow.data.readers.folder import own_table
from augflow.data.readers.source import SourceSet

READERS: dict[str, Callable[[DataParams], SourceSet]] = {
    "streets": cityscapes.read,
    "cityscapes": cityscapes.read,
    "camvid": camvid.read,
    "idd_lite": idd_lite.read,
    "kitti": kitti.read,
    "folder": folder.read,
    "label_studio": label_studio.read,
}

PHOTOS = {
    "streets": "streets.json",
    "cityscapes": "leftImg8bit/*/*/*_leftImg8bit.png",
    "idd_lite": "leftImg8bit/*/*/*_image.*",
    "camvid": "trainannot/*.png",
    "kitti": "training/image_2/*.png",
    "label_studio": label_studio.MASKS,
    "folder": "images/**/*.*",
}
"""What a reader looks for; the first pattern that matches tells a folder's layout."""


def read(params: DataParams) -> SourceSet:
    """Lists and pairs the files of `data.root`; decodes none of them.

    Raises:
        DataError: no such folder, or no photographs where the reader looks.
        ParamsError: `data.classes` makes no table.
    """
    root = Path(params.root)
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; set data.root to where the data set lies")
    source = READERS[params.reader](params)
    if not source.scenes and not source.faults:
        guess = guessed_reader(root)
        hint = f"it looks like {guess}" if guess else f"known layouts: {', '.join(READERS)}"
        place = PHOTOS["cityscapes" if params.reader == "streets" else params.reader]
        if params.reader == "folder":
            place = place.replace("images", params.folders.photos, 1)
        raise DataError(
            f"{root}: no photos at {place}, where reader {params.reader} looks; "
            f"{hint}: set data.reader and data.root"
        )
    return source


def class_table(params: DataParams) -> ClassTable:
    """The classes of a data set: those of its reader, or of one's own.

    Raises:
        ParamsError: `data.classes` makes no table.
    """
    if params.reader in ("folder", "label_studio"):
        return own_table(params.classes or ())
    return table(params.reader)


def guessed_reader(root: Path) -> str | None:
    """The reader whose layout a folder has; None when it has none of them."""
    return next((name for name in PHOTOS if has_layout(root, name)), None)


def has_layout(root: Path, reader: str) -> bool:
    """Whether there are photographs where a reader looks for them."""
    return any(root.glob(PHOTOS[reader]))

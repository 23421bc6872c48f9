"""What a folder of labelled photographs is, and a class table for it where it has none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from augflow.core.errors import DataError, on_one_line
from augflow.data import readers
from augflow.data.class_guess import guess_classes, guess_mask_classes, named_classes
from augflow.data.params import DataParams, FoldersParams
from augflow.data.readers import label_studio
from augflow.data.readers.source import PHOTO_SUFFIXES, SPLITS, folders_in, images_in

_PUBLISHED = {
    "cityscapes": "Cityscapes",
    "idd_lite": "IDD-Lite",
    "camvid": "CamVid",
    "kitti": "KITTI semantics",
}
_CVAT = "labelmap.txt"
_INSTANCE_WORDS = ("inst", "object")
_LOOKED_AT = 4
"""So many files of a folder are opened to see whether they are label maps."""

_UNREADABLE = (OSError, ValueError, Image.DecompressionBombError)
_MOST_VALUES = 100
"""A picture of more is a photograph."""

_KNOWN = (
    "images/NAME.jpg with labels/NAME.png (or two folders of other names whose files have equal "
    "names), a CVAT export 'segmentation mask' with its images, Label Studio's 'brush labels to "
    "PNG' with its photos, or the published layout of " + ", ".join(_PUBLISHED.values())
)


@dataclass(frozen=True)
class Recognised:
    """What a folder is taken for.

    Attributes:
        kind: in words.
        why: what in the folder says so.
        data: how it is read; its size is still to be chosen.
        shares: of pixels, by the names of guessed classes; empty where the classes are published.
        notes: what else is to be known about the guess.
    """

    kind: str
    why: str
    data: DataParams
    shares: dict[str, float]
    notes: tuple[str, ...] = ()


def recognise(root: Path) -> Recognised:
    """Looks at a folder: published layouts first, then exports of tools, then plain folders.

    Raises:
        DataError: no such folder, or of no known layout; says which are known.
    """
    if not root.is_dir():
        raise DataError(f"{on_one_line(root)}: no such folder; name the folder of a data set")
    looks = (_published, _label_studio, _folders)
    found = next((one for look in looks if (one := look(root))), None)
    if found is None:
        raise DataError(f"{on_one_line(root)}: of no known layout; expected {_KNOWN}")
    return found


def _data(root: Path, reader: str, **more: object) -> DataParams:
    return DataParams.model_validate({"reader": reader, "root": str(root), "size": (8, 8), **more})


def _published(root: Path) -> Recognised | None:
    for reader, name in _PUBLISHED.items():
        if readers.has_layout(root, reader):
            more = {}
            if reader == "cityscapes" and not any(root.glob("gtFine/*/*/*_labelIds.png")):
                more = {"labels": "train_ids"}
            why = f"photos at {readers.PHOTOS[reader]}"
            return Recognised(name, why, _data(root, reader, **more), {})
    return None


def _label_studio(root: Path) -> Recognised | None:
    labels = label_studio.labels_of(root)
    if not labels:
        return None
    guess = guess_mask_classes(_data(root, "label_studio"), labels)
    data = _data(root, "label_studio", classes=guess.rows)
    why = f"masks at {label_studio.MASKS}"
    return Recognised("Label Studio, brush labels to PNG", why, data, guess.shares)


def _folders(root: Path) -> Recognised | None:
    """Two folders of files of equal names, one of them of label maps; a third may tell objects."""
    files = {folder: _images(root / folder) for folder in _candidates(root)}
    maps = [one for one, paths in files.items() if one != "images" and _are_label_maps(paths)]
    photos = [folder for folder in files if folder not in maps]
    pairs = [
        (shared, photo, label)
        for photo in photos
        for label in maps
        if not _is_of_instances(label) and (shared := _shared(files[photo], files[label]))
    ]
    if not pairs:
        return None
    most, photo, label = max(pairs, key=lambda pair: (pair[0], pair[1:] == ("images", "labels")))
    objects = [one for one in maps if _is_of_instances(one) and _shared(files[photo], files[one])]
    others = sorted({pair[2] for pair in pairs} - {label})
    names = named_classes(root)
    guess = guess_classes(files[label], names.rows)
    notes = list(guess.notes)
    is_cvat = names.path is not None and names.path.name == _CVAT
    given = {"photos": photo, "labels": label}
    folders = FoldersParams(**given, **({"instances": objects[0]} if objects else {}))
    why = f"{most} files of {label}/ have the names of photos in {photo}/"
    if names.path is not None:
        why += f", {names.path.name} names classes"
    if others:
        notes.append(f"{', '.join(others)}: left out, as {label} are taken for the labels")
    kind = "CVAT, segmentation mask" if is_cvat else "plain folders"
    data = _data(root, "folder", folders=folders.model_dump(), classes=guess.rows)
    return Recognised(kind, why, data, guess.shares, tuple(notes))


def _candidates(root: Path) -> Iterator[str]:
    """Folders below the root, two deep, that hold images, themselves or in train and val."""
    for folder in (one for top in folders_in(root) for one in (top, *folders_in(top))):
        if folder.name not in SPLITS and _images(folder):
            yield folder.relative_to(root).as_posix()


def _images(folder: Path) -> list[Path]:
    inner = [path for split in SPLITS for path in images_in(folder / split)]
    paths = inner or images_in(folder)
    return [path for path in paths if path.suffix in PHOTO_SUFFIXES]


def _are_label_maps(paths: Sequence[Path]) -> bool:
    if any(path.suffix != ".png" for path in paths):
        return False
    return all(_is_painted(path) for path in paths[:: max(1, len(paths) // _LOOKED_AT)])


def _is_painted(path: Path) -> bool:
    """Whether a file has few values, or 16 bits as instance ids have."""
    try:
        with Image.open(path) as image:
            return image.mode.startswith("I") or image.getcolors(_MOST_VALUES) is not None
    except _UNREADABLE:
        return False


def _is_of_instances(folder: str) -> bool:
    return any(word in Path(folder).name.lower() for word in _INSTANCE_WORDS)


def _shared(photos: Sequence[Path], labels: Sequence[Path]) -> int:
    """How many label maps have the name of a photograph."""
    return len({path.stem for path in photos} & {path.stem for path in labels})


def photo_sizes(root: Path, photos: Sequence[Path]) -> Counter[tuple[int, int]]:
    """How many of some photographs have each height and width; files that cannot be read have none.

    They are listed by `check-data`.
    """
    found: Counter[tuple[int, int]] = Counter()
    for photo in photos:
        with suppress(*_UNREADABLE), Image.open(root / photo) as image:
            found[image.height, image.width] += 1
    return found

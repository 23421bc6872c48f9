"""Writing a synthetic set, photograph by photograph."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from augflow.core import io
from augflow.core.errors import AugflowError, DataError
from augflow.data.synthetic.manifest import (
    FACTS,
    MANIFEST,
    MANIFEST_COLUMNS,
    SetFacts,
    SetRow,
    facts_json,
    label_path,
)
from augflow.data.synthetic.reader import decode_photo

_JOB, _LINES = "job.json", "lines.jsonl"
"""Beside a set that is being made: what for, and the manifest's rows so far."""


@dataclass(frozen=True)
class NewPhoto:
    """A photograph on its way into a set.

    Shapes:
        image: (H, W, 3) uint8, RGB.
        classes: (H, W) uint8 train ids, 255 where no class is known.
        instances: (H, W) integers as Cityscapes codes them, None where they are not known.
    """

    name: str
    layout: str
    split: str
    city: str
    image: np.ndarray
    classes: np.ndarray
    temperature: float = 1.0
    round: int = 0
    seed: int = 0
    content: str = ""
    log_p_bpd: float | None = None
    instances: np.ndarray | None = None


def write_set(
    out: Path,
    facts: SetFacts,
    photos: Iterable[NewPhoto],
    finish: Callable[[Path, list[SetRow]], None] | None = None,
) -> list[SetRow]:
    """Writes a set, whole or not at all; images are taken one by one as they are made.

    Args:
        out: the set's folder; an older one is replaced.
        facts: what all images have in common.
        photos: the images.
        finish: writes what else belongs into the folder, given that and the manifest's rows.

    Returns:
        The manifest's rows, in the order of `photos`.

    Raises:
        ValueError: a name comes twice, a temperature is not one of the set's, or an array is not
            of the set's size and type.
    """
    with io.fresh_folder(out) as folder:
        rows = list(_written(folder, facts, photos, ()))
        _write_lists(folder, facts, rows)
        if finish is not None:
            finish(folder, rows)
    return rows


def resume_set(
    out: Path,
    facts: SetFacts,
    job: Mapping[str, object],
    photos: Callable[[int], Iterable[NewPhoto]],
    finish: Callable[[Path, list[SetRow]], None],
    *,
    older: Sequence[SetRow] = (),
    anew: bool = False,
) -> list[SetRow]:
    """Writes a set as `write_set` does, but goes on with what a killed or stopped call has written.

    Until all is there, images and a line for each lie in a hidden folder beside the set's.

    Args:
        out: the set's folder.
        facts: what all images have in common.
        job: by name, what decides the images; what was begun belongs to one of equal values.
        photos: the images but for the first so many.
        finish: as of `write_set`.
        older: the rows of the set that is there, which is kept and comes first.
        anew: whether what was begun for another job is thrown away.

    Raises:
        DataError: what was begun is for another job; says in what that differs.
    """
    with io.lasting_folder(out) as work:
        folder, lines = work / out.name, work / _LINES
        if not _is_of_job(work, job, anew):
            for note in (work / _JOB, lines):
                note.unlink(missing_ok=True)
            shutil.rmtree(folder)
            _link(out, folder) if older else folder.mkdir()
            io.write_json(work / _JOB, job)
        rows = [*older, *_whole_rows(folder, lines, facts)]
        io.atomic_write(lines, b"".join(map(_line, rows[len(older) :])))
        with _forgetting_faults(work / _JOB, lines):
            with lines.open("ab", buffering=0) as stream:
                for row in _written(folder, facts, photos(len(rows) - len(older)), rows):
                    stream.write(_line(row))
                    rows.append(row)
            _write_lists(folder, facts, rows)
            finish(folder, rows)
    return rows


def _is_of_job(work: Path, job: Mapping[str, object], anew: bool) -> bool:
    """Whether what was begun is for this job; False where nothing was, or it is not wanted."""
    if not (work / _JOB).exists():
        return False
    begun = io.read_json(work / _JOB)
    differing = [key for key, value in job.items() if begun.get(key) != value]
    if differing and not anew:
        told = ", ".join(f"{key} {begun.get(key)} then and {job[key]} now" for key in differing)
        raise DataError(
            f"{work}: was begun with other arguments and is not finished: {told}; start it as it "
            "was to go on, give --overwrite to begin anew, or another folder with --out"
        )
    return not differing


def _link(source: Path, target: Path) -> None:
    """A copy of a folder that shares its files: they are replaced as a whole, never changed."""
    try:
        shutil.copytree(source, target, copy_function=os.link)
    except (OSError, shutil.Error):  # a file system without hard links
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)


def _line(row: SetRow) -> bytes:
    return json.dumps(vars(row)).encode() + b"\n"


def _whole_rows(folder: Path, lines: Path, facts: SetFacts) -> Iterator[SetRow]:
    """The rows of what was written, up to the first whose line or files are not whole."""
    if not lines.exists():
        return
    for line in lines.read_bytes().splitlines():
        try:
            row = SetRow(**json.loads(line))
            decode_photo(folder, row, facts)
        except (ValueError, TypeError, DataError):
            return
        yield row


@contextmanager
def _forgetting_faults(*notes: Path) -> Iterator[None]:
    """What ends in a fault of the user's would end so again: nothing goes on with it."""
    try:
        yield
    except AugflowError:
        for note in notes:
            note.unlink()
        raise


def _written(
    folder: Path, facts: SetFacts, photos: Iterable[NewPhoto], there: Iterable[SetRow]
) -> Iterator[SetRow]:
    """Writes images one by one as they are made."""
    names = {row.name for row in there}
    for photo in photos:
        if photo.name in names:
            raise ValueError(f"photograph {photo.name!r} comes twice into set {facts.name!r}")
        names.add(photo.name)
        yield _write_photo(folder, facts, photo)


def _write_lists(folder: Path, facts: SetFacts, rows: Sequence[SetRow]) -> None:
    io.write_csv(folder / MANIFEST, (vars(row) for row in rows), MANIFEST_COLUMNS)
    io.write_json(folder / FACTS, facts_json(facts))


def _write_photo(folder: Path, facts: SetFacts, photo: NewPhoto) -> SetRow:
    _check(facts, photo)
    # folder names of the Cityscapes layout hold no underscore: it parts the fields of a file's name
    city = re.sub(r"[^A-Za-z0-9-]+", "-", photo.city).strip("-") or "scenes"
    path = f"leftImg8bit/{photo.split}/{city}/{photo.name}_leftImg8bit.png"
    io.write_png(folder / path, photo.image)
    io.write_png(folder / label_path(path, "labelIds"), facts.table.raw_ids[photo.classes])
    if photo.instances is not None:
        io.write_png(folder / label_path(path, "instanceIds"), photo.instances.astype(np.uint16))
    known = {
        column: getattr(photo, column) for column in MANIFEST_COLUMNS if hasattr(photo, column)
    }
    digest = io.digest_array(photo.image)
    return SetRow(**known, generator=facts.generator, digest=digest, photo=path)


def _check(facts: SetFacts, photo: NewPhoto) -> None:
    if not (io.is_name(photo.name) and io.is_name(photo.layout)):
        raise ValueError(f"{photo.name!r} or {photo.layout!r} is no file name")
    if photo.temperature not in facts.temperatures:
        raise ValueError(
            f"{photo.name!r} has temperature {photo.temperature}, "
            f"the set has {', '.join(map(str, facts.temperatures))}"
        )
    for what, array in (("image", photo.image), ("classes", photo.classes)):
        expected = (*facts.size, 3) if what == "image" else facts.size
        if array.dtype != np.uint8 or array.shape != expected:
            raise ValueError(
                f"{what} of {photo.name!r} is {array.dtype} {array.shape}, "
                f"expected uint8 {expected}"
            )
    ids = photo.instances
    if ids is None:
        return
    if ids.shape != facts.size or not np.issubdtype(ids.dtype, np.integer):
        raise ValueError(f"instances of {photo.name!r} are {ids.dtype} {ids.shape}")
    if ids.min() < 0 or ids.max() > 65535:
        worst = ids.min() if ids.min() < 0 else ids.max()
        raise ValueError(f"instances of {photo.name!r} hold {worst}, expected 16 bits")

"""Writing a synthetic set, photograph by photograph."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from augflow.core import io
from augflow.data.synthetic.manifest import (
    FACTS,
    MANIFEST,
    MANIFEST_COLUMNS,
    SetFacts,
    SetRow,
    facts_json,
    label_path,
)


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
    rows: list[SetRow] = []
    names: set[str] = set()
    with io.fresh_folder(out) as folder:
        for photo in photos:
            if photo.name in names:
                raise ValueError(f"photograph {photo.name!r} comes twice into set {facts.name!r}")
            names.add(photo.name)
            rows.append(_write_photo(folder, facts, photo))
        io.write_csv(folder / MANIFEST, (vars(row) for row in rows), MANIFEST_COLUMNS)
        io.write_json(folder / FACTS, facts_json(facts))
        if finish is not None:
            finish(folder, rows)
    return rows


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
    if not photo.name or "/" in photo.name or photo.name.startswith("."):
        raise ValueError(f"{photo.name!r} is no file name")
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

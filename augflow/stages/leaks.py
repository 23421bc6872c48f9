"""No validation scene's photograph, layout or content may be in what is trained on."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from augflow.core import io, seeding
from augflow.core.errors import DataError, ParamsError, suggest
from augflow.data.scenes import SceneFolder
from augflow.data.synthetic import SyntheticSet, read_set
from augflow.metrics.altered_copies import AlteredCopies
from augflow.metrics.memorization import QUANTILES, Nearest, TrainNeighbours, fraction_closer
from augflow.metrics.near_duplicates import (
    LIMITS,
    Copy,
    ImageFingerprints,
    LayoutFingerprints,
    copied_layouts,
    copied_photographs,
    fingerprint_images,
    fingerprint_layouts,
)
from augflow.study import results
from augflow.study.params import Params

log = logging.getLogger("augflow")

TRAIN = "train"
"""The pool of real training scenes; synthetic sets are pools under their names."""

_BATCH = 16
_SHOWN = 5
_PATH = " to "

_WHAT = {
    "layout of": "made for the layout of validation scene",
    "content of": "shows the content of validation scene",
    "photograph": "the photograph is that of validation scene",
    "layout": "the layout is that of validation scene",
}
"""What a pair may share, and how a message says it."""


@dataclass(frozen=True)
class Leak:
    """A scene or photograph that is trained on, and the validation scene that it shows.

    Attributes:
        pool: `train`, or the synthetic set.
        name: the scene of the pool, or the photograph of the set.
        val: the validation scene.
        shares: what they share, a key of the messages: the manifest says `layout of` or
            `content of`; `photograph` and `layout` were found by looking.
        likeness: of photographs or layouts, None for what the manifest says.
        mirrored: whether one is the mirror image of the other.
    """

    pool: str
    name: str
    val: str
    shares: str
    likeness: float | None = None
    mirrored: bool = False


@dataclass(frozen=True)
class Findings:
    """All leaks, and what is written of them."""

    leaks: tuple[Leak, ...]
    record: results.Leaks


def check_leaks(
    prepared: Path,
    sets: Mapping[str, Path],
    out: Path,
    trained_on: Collection[str],
    *,
    threads: int,
) -> None:
    """Writes what validation shares with training, then refuses it if it is anything.

    Sets that are not `trained_on` are only looked at by judges, and may be made for validation
    layouts.

    Raises:
        DataError: there are leaks, all of which are listed; or a folder cannot be read.
    """
    found = find_leaks(prepared, sets, trained_on, threads=threads)
    found.record.write(out)
    if found.leaks:
        raise DataError(message(prepared, found.leaks))


def find_leaks(
    prepared: Path, sets: Mapping[str, Path], trained_on: Collection[str], *, threads: int
) -> Findings:
    """What `check_leaks` writes and refuses.

    Raises:
        ParamsError: a set that is trained on is not among the sets.
    """
    known = sorted(sets)
    faults = [
        f"no {name!r}; {suggest(name, known)}" for name in sorted(trained_on) if name not in sets
    ]
    if faults:
        raise ParamsError(f"trained_on: {'; '.join(faults)}")
    seeding.deterministic(0, threads)
    train, val = (SceneFolder(prepared, split) for split in ("train", "val"))
    seen = _Seen(train, val)
    leaks = seen.leaks_of_train()
    summaries: dict[str, results.NearSet] = {}
    for name in known:
        made = read_set(sets[name])
        if name in trained_on:
            leaks += seen.leaks_of_set(name, made)
        summaries[name] = results.NearSet(trained_on=name in trained_on, **seen.memorization(made))
        log.info("%s: %d photographs looked at", name, len(made))
    record = results.Leaks(
        limits=asdict(LIMITS),
        scenes={"train": len(train), "val": len(val)},
        leaks=[_leak_facts(leak) for leak in leaks],
        quantiles=list(QUANTILES),
        val=results.Distances(distances=_tidy(seen.held_out.quantiles())),
        sets=summaries,
    )
    return Findings(tuple(leaks), record)


def message(prepared: Path, leaks: Sequence[Leak]) -> str:
    """Every pair, and what to do, in one text: a line that says it, then one for each scene."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for leak in leaks:
        name = f"{leak.name} (mirrored)" if leak.mirrored else leak.name
        groups.setdefault((leak.pool, leak.shares, leak.val), []).append(name)
    lines = [
        f"{pool if pool == TRAIN else f'set {pool}'}: {', '.join(names)}: {_WHAT[shares]} {val}"
        for (pool, shares, val), names in groups.items()
    ]
    advice = (
        f"{prepared}: validation scenes are in what is trained on, so no score on them would count;"
        " take their copies out of the data set or give both one drive, make sets that are trained"
        " on for training layouts and contents alone, then run prepare and what follows again:"
    )
    return "\n".join([advice, *lines])


def trained_sets(params: Params) -> set[str]:
    """The sets of a study that networks are trained on: by arms, selections and choices."""
    made = {
        arm.synthetic_source for arm in params.arms.values() if arm.synthetic_source is not None
    }
    chosen = {choice.set for choice in params.choices.values()}
    return chosen | {
        params.selections[name].set if name in params.selections else name for name in made
    }


class _Seen:
    """Both splits as they are compared, each looked at once."""

    def __init__(self, train: SceneFolder, val: SceneFolder) -> None:
        self.train, self.val = train, val
        self._photographs, self._layouts = _image_fingerprints(val), _layout_fingerprints(val)
        self._altered = AlteredCopies(self._photographs)
        self._surroundings = TrainNeighbours(_batches(train))
        self._own = _image_fingerprints(train)
        self.held_out = self._surroundings.nearest(_batches(val))

    def leaks_of_train(self) -> list[Leak]:
        layouts = copied_layouts(self._layouts, _layout_fingerprints(self.train))
        return self._leaks(TRAIN, self._own, layouts, self.train.names)

    def leaks_of_set(self, pool: str, made: SyntheticSet) -> list[Leak]:
        told = self._manifest_leaks(pool, made)
        known = {(leak.name, leak.val) for leak in told}
        layouts = _copies_of_each(self._layouts, made.classes)
        names = [row.name for row in made.rows]
        found = self._leaks(pool, fingerprint_images(made.image), layouts, names)
        return [*told, *(leak for leak in found if (leak.name, leak.val) not in known)]

    def memorization(self, made: SyntheticSet) -> dict[str, Any]:
        """How near a set comes to training photographs, beside which real ones come to."""
        found = self._surroundings.nearest(
            made.scenes(range(start, min(start + _BATCH, len(made)))).image
            for start in range(0, len(made), _BATCH)
        )
        copies = {
            copy.second for copy in copied_photographs(self._own, fingerprint_images(made.image))
        }
        names = self.train.names
        own = [
            row.layout == names[place] for row, place in zip(made.rows, found.places, strict=True)
        ]
        return {
            "photographs": len(made),
            "distances": _tidy(found.quantiles()),
            "nearer_than_any_val": fraction_closer(found, self.held_out, 0.0),
            "nearer_than_1_percent_of_val": fraction_closer(found, self.held_out, 0.01),
            "nearest_has_its_layout": float(np.mean(own)),
            "copies": sorted(made.rows[place].name for place in copies),
            "nearest": self._nearest(made, found),
        }

    def _nearest(self, made: SyntheticSet, found: Nearest) -> list[dict[str, Any]]:
        order = np.argsort(found.distances, kind="stable")[:_SHOWN]
        return [
            {
                "photograph": made.rows[row].name,
                "train": self.train.names[found.places[row]],
                "distance": _tidy([float(found.distances[row])])[0],
            }
            for row in order
        ]

    def _manifest_leaks(self, pool: str, made: SyntheticSet) -> Iterable[Leak]:
        """What the manifest says: a name that training scenes have too is no evidence."""
        val = set(self.val.names) - set(self.train.names)
        leaks = []
        for row in made.rows:
            if row.split == "val" or row.layout in val:
                leaks.append(Leak(pool, row.name, row.layout, "layout of"))
            contents = sorted({row.content, *row.content.split(_PATH)} & val)
            leaks += [Leak(pool, row.name, content, "content of") for content in contents]
        return leaks

    def _leaks(
        self, pool: str, images: ImageFingerprints, layouts: Sequence[Copy], names: Sequence[str]
    ) -> list[Leak]:
        """What was found by looking: images of a pool, then its layouts."""
        copies = copied_photographs(self._photographs, images)
        known = {(copy.first, copy.second) for copy in copies}
        altered = self._altered.found_in(images)
        copies += [copy for copy in altered if (copy.first, copy.second) not in known]
        kinds = {"photograph": copies, "layout": layouts}
        return [
            Leak(
                pool,
                names[one.second],
                self.val.names[one.first],
                shares,
                one.likeness,
                one.mirrored,
            )
            for shares, copies in kinds.items()
            for one in copies
        ]


def _copies_of_each(layouts: LayoutFingerprints, classes: np.ndarray) -> list[Copy]:
    """Copies among layouts, of which a set has many photographs each: looked at once."""
    places: dict[str, list[int]] = {}
    for place, one in enumerate(classes):
        places.setdefault(io.digest_array(one), []).append(place)
    users = list(places.values())
    found = copied_layouts(layouts, fingerprint_layouts(classes[rows[0]] for rows in users))
    return [
        Copy(copy.first, place, copy.likeness, copy.mirrored)
        for copy in found
        for place in users[copy.second]
    ]


def _image_fingerprints(folder: SceneFolder) -> ImageFingerprints:
    return fingerprint_images(
        photo.permute(1, 2, 0).contiguous().numpy() for batch in _batches(folder) for photo in batch
    )


def _layout_fingerprints(folder: SceneFolder) -> LayoutFingerprints:
    return fingerprint_layouts(
        folder[[row]].layout.classes[0].numpy() for row in range(len(folder))
    )


def _batches(folder: SceneFolder) -> Iterator[Tensor]:
    for start in range(0, len(folder), _BATCH):
        yield folder[start : start + _BATCH].image


def _leak_facts(leak: Leak) -> dict[str, Any]:
    return {**asdict(leak), "likeness": leak.likeness and round(leak.likeness, 4)}


def _tidy(values: Iterable[float]) -> list[float]:
    return [round(value, 6) for value in values]

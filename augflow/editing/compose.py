"""New layouts from a pool of street layouts, in which thin classes are thicker."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from augflow.core.errors import DataError, suggest
from augflow.core.seeding import generator
from augflow.data.boundaries import boundary_map, strength
from augflow.data.scenes import Layout, SceneFolder, evenly
from augflow.editing.augment import join_halves, mirror, stretch
from augflow.editing.cutouts import Cutout, CutoutLibrary, collect_cutouts
from augflow.editing.instances import Picture, number_objects, object_instances, with_own_ids
from augflow.editing.objects import ObjectMap, guess_objects
from augflow.editing.paste import SMALLER, Place, largest_scale, paste_cutout
from augflow.editing.perspective import own_horizon

MARK = "_new"
"""Parts the name of the layout that a new one began as from its number."""

TRIES = 100
"""So many places are tried for each object."""

MORE, EXTRA = 1.5, 6
"""A boosted class shall have so many times its share in the pool, for which so many more objects
are added at most."""

PARTNERS = 8
"""So many other layouts are tried to find one that can be joined without a visible seam."""

NEARER, ASIDE = 0.02, 0.2
"""How much nearer or farther than others objects are put, as a fraction of the height, and how far
aside, as a share of how far below the horizon they stand."""

SAMPLE = 16
"""So many layouts say how strong the edges of boundary maps are."""

LIKELY = 0.5
"""How likely a layout is mirrored, and how likely another is looked for to be joined with it."""


@dataclass(frozen=True)
class NewLayout:
    """A layout that is of no photograph.

    Attributes:
        name: its own, the source's with `MARK` and a number.
        source: the layout of the pool that it began as.
        done: what was done to it, in words.

    Shapes:
        classes: (H, W) uint8 train ids, 255 where no class is known.
        ids: (H, W) int32, published instance ids in 0..65535.
        boundary: (H, W) float32 in [0, 1].
    """

    name: str
    source: str
    classes: np.ndarray
    ids: np.ndarray
    boundary: np.ndarray
    done: str

    @property
    def layout(self) -> Layout:
        """What a generator is asked for: a batch of one."""
        maps = torch.from_numpy(self.classes)[None], torch.from_numpy(self.boundary)[None]
        return Layout(*maps)


class LayoutDataset(Mapping[str, ObjectMap]):
    """Some scenes of a split by name; their objects are connected components of things."""

    def __init__(self, folder: SceneFolder, rows: Sequence[int]) -> None:
        """Takes the scenes of some rows."""
        self._folder, self._rows = folder, {folder.names[row]: row for row in rows}

    def __getitem__(self, name: str) -> ObjectMap:
        """The objects of a scene."""
        layout = self._folder.scenes([self._rows[name]]).layout
        return guess_objects(layout.classes[0].numpy(), self._folder.table)

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def strength(self) -> float:
        """How strong edges of the boundary maps are: the median over some of the scenes."""
        names = list(self)
        found = []
        for place in evenly(len(names), SAMPLE):
            edges = self._folder.scenes([self._rows[names[place]]]).layout.boundary[0].numpy()
            found.append(strength(edges, self[names[place]].ids))
        return float(np.median(found))


class LayoutMaker:
    """Makes new layouts out of a pool; each depends on pool, seed, source and number alone."""

    def __init__(
        self,
        pool: Mapping[str, ObjectMap],
        boost: Sequence[str],
        seed: int = 0,
        strength: float = 1.0,
    ) -> None:
        """Looks at every layout of the pool.

        There shall be more of the classes to `boost`; edges of boundary maps are of `strength`, in
        (0, 1].

        Raises:
            DataError: a class is not in the table, is no class of objects, or the pool has no
                object of it that can be cut out.
        """
        self.pool, self.seed, self.strength = pool, seed, strength
        if not pool:
            raise ValueError("expected a pool of one layout or more, got none")
        self.table = pool[next(iter(pool))].table
        unknown = [name for name in boost if name not in self.table.names]
        if unknown:
            known = self.table.names
            faults = [f"boost: no class {name!r}; {suggest(name, known)}" for name in unknown]
            raise DataError("; ".join(faults))
        wanted = dict.fromkeys(self.table.names.index(name) for name in boost)
        self.stock: CutoutLibrary = collect_cutouts(pool, self.table, tuple(wanted))
        # what needs most room comes first
        self.boost = tuple(sorted(wanted, key=lambda index: -_area(self.stock.cutouts[index])))
        self.mark = mark_of(pool)

    def make(self, source: str, number: int) -> NewLayout:
        """The layout of a number that begins as one of the pool."""
        draw = generator(self.seed, "new layout", source, number)
        picture, done = self._start(source, draw)
        horizon = own_horizon(object_instances(picture), picture.size, self.stock.street)
        for index in self.boost:
            for cutout, after in self._fuller(picture, horizon, index, draw):
                picture = after
                done.append(f"{self.table.names[index]} of {cutout.source} added")
        found = with_own_ids(picture, self.table)
        boundary = boundary_map(found.ids).astype(np.float32) * np.float32(self.strength)
        name = f"{source}{self.mark}{number}"
        return NewLayout(name, source, found.classes, found.ids, boundary, "; ".join(done))

    def from_name(self, name: str) -> NewLayout:
        """The layout of a name.

        Raises:
            DataError: no layout of the pool can have become one of that name.
        """
        source = _began_as(name, self.mark)
        if source is None or source not in self.pool:
            raise DataError(
                f"{name!r}: is no new layout of these; expected one of their names, then "
                f"{self.mark} and a number"
            )
        return self.make(source, int(name.removeprefix(source + self.mark)))

    def _start(self, source: str, draw: np.random.Generator) -> tuple[Picture, list[str]]:
        """A layout of the pool, mirrored or not, stretched, and joined with another or not."""
        picture, done = self._vary(source, draw)
        if len(self.pool) == 1 or draw.random() >= LIKELY:
            return picture, done
        names = [name for name in self.pool if name != source]
        for place in draw.permutation(len(names))[:PARTNERS].tolist():
            other, how = self._vary(names[place], draw)
            both = join_halves(picture, other) if other.size == picture.size else None
            if both is not None and self._keeps(picture, both):
                words = f" ({', '.join(how)})" if how else ""
                return both, [*done, f"right part from {names[place]}{words}"]
        return picture, done

    def _keeps(self, before: Picture, after: Picture) -> bool:
        """Whether no class to boost has become thinner."""
        counts = (np.bincount(one.classes.ravel(), minlength=256) for one in (before, after))
        old, new = (count[list(self.boost)] for count in counts)
        return bool((new >= old).all())

    def _vary(self, name: str, draw: np.random.Generator) -> tuple[Picture, list[str]]:
        street = self.stock.street
        picture, done = number_objects(self.pool[name], street.upright), []
        if draw.random() < LIKELY:
            picture = mirror(picture)
            done.append("mirrored")
        picture, kept = stretch(picture, street.horizon, draw)
        return picture, [*done, f"{kept:.0%} of it stretched"]

    def _fuller(
        self, picture: Picture, horizon: float, index: int, draw: np.random.Generator
    ) -> Iterator[tuple[Cutout, Picture]]:
        """The picture after each object of a class that is added, with what was added.

        There are one to three of them, more of a class that has many; and as long as the class has
        few pixels some more, rather near than far.
        """
        usual = self.stock.counts[index] / self.stock.layouts
        least = int(draw.integers(1, 4)) + round(usual / 2)
        enough = MORE * self.stock.shares[index] * picture.classes.size
        for count in range(least + EXTRA):
            if count >= least and np.count_nonzero(picture.classes == index) >= enough:
                return
            added = self._add_object(picture, horizon, index, 1 if count < least else 3, draw)
            if added is None:
                return
            picture = added[1]
            yield added

    def _add_object(
        self, picture: Picture, horizon: float, index: int, asked: int, draw: np.random.Generator
    ) -> tuple[Cutout, Picture] | None:
        """One more object of a class, about where the nearest of some others of the pool stands."""
        cutouts = self.stock.cutouts[index]
        depths = np.array([cutout.depth for cutout in cutouts])
        largest = np.array([largest_scale(cutout) for cutout in cutouts])
        for _ in range(TRIES):
            models = [cutouts[int(n)] for n in draw.integers(0, len(cutouts), asked)]
            model = max(models, key=lambda one: one.depth)
            depth = model.depth + draw.normal(0, NEARER)
            scales = depth / depths
            fit = np.flatnonzero((scales >= SMALLER) & (scales <= largest))
            if not len(fit):
                continue
            cutout = cutouts[int(draw.choice(fit))]
            place = _near(model, depth, cutout, draw)
            after = paste_cutout(picture, cutout, place, horizon, model.ground)
            if after is not None:
                return cutout, after
        return None


def numbers(sources: Sequence[str], ratio: float) -> Iterator[tuple[str, int]]:
    """Which new layouts there are: source and number, as many of each source as of the others."""
    # what `ratio` times a count is, is not to be rounded up for a binary digit's sake
    total = math.ceil(round(ratio * len(sources), 9))
    every, rest = divmod(total, len(sources))
    more = {int((n + 0.5) * len(sources) / rest) for n in range(rest)}
    for place, source in enumerate(sources):
        for number in range(every + (place in more)):
            yield source, number


def mark_of(names: Iterable[str]) -> str:
    """What parts source and number in names of new layouts, so that none is a name already."""
    known, mark = set(names), MARK
    while any(_began_as(name, mark) in known for name in known):
        mark += MARK
    return mark


def sources_of(name: str) -> Iterator[str]:
    """Every name that the source of a new layout of this name can have."""
    mark = MARK
    while (source := _began_as(name, mark)) is not None:
        yield source
        mark += MARK


def _began_as(name: str, mark: str) -> str | None:
    """The source of a new layout by the mark in its name; None where it is no such name."""
    source, found, number = name.rpartition(mark)
    plain = number.isascii() and number.isdecimal() and str(int(number)) == number
    return source if found and source and plain else None


def _near(model: Cutout, depth: float, cutout: Cutout, draw: np.random.Generator) -> Place:
    """Beside where an object stands, on either side of the picture, at another depth.

    In perspective, what is equally far from the middle of the road comes nearer to the middle of
    the picture with its distance.
    """
    aside = (model.column - 0.5) * depth / model.depth + draw.normal(0, ASIDE) * depth
    column = 0.5 + (-aside if draw.random() < LIKELY else aside)
    return Place(depth, column, flipped=(column - 0.5) * (cutout.column - 0.5) < 0)


def _area(cutouts: Sequence[Cutout]) -> float:
    """The median area of objects, as a share of that of a picture as high as wide."""
    areas = [np.count_nonzero(cutout.numbers) / cutout.size[0] ** 2 for cutout in cutouts]
    return float(np.median(areas))

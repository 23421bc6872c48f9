"""All rows of a study, what they come to, and whether its disks have room for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from augflow.core import hardware, seeding
from augflow.core.disk import binary, disk_of
from augflow.core.disk import free as free_bytes
from augflow.core.errors import DataError
from augflow.data import decoded
from augflow.estimate import clock, looking, making
from augflow.estimate.disks import cache_of
from augflow.estimate.known import Known
from augflow.estimate.row import Row, Work
from augflow.study.project import Project
from augflow.study.sizes import NOTHING

_SEGMENTING = ("judge", "judges", "choose", "select", "score", "score_references", "score_arms",
               "costs", "retrain")  # fmt: skip


@dataclass(frozen=True)
class Total:
    """What rows come to.

    Attributes:
        operations: of all.
        seconds: of all, one stage after the other; None if nobody has looked.
        memory: of the stage that takes most, or of so many as run at once.
        disk: outputs of all.
        cache: what DVC's cache takes for them.
        resume: states of the stages that take most and run at once.
        pixels: decoded scenes.
    """

    operations: int
    seconds: float | None
    memory: int
    disk: int
    cache: int
    resume: int
    pixels: int


@dataclass(frozen=True)
class Disk:
    """A disk that the study is written to.

    Attributes:
        folder: a folder on it.
        needed: bytes that stages will write there whose outputs are not there yet.
        free: bytes that are.
    """

    folder: Path
    needed: int
    free: int


@dataclass(frozen=True)
class Estimate:
    """What a study takes.

    Attributes:
        study: its name.
        rows: of all stages.
        total: of all of them.
        left: of those whose outputs are not there yet.
        disks: what is written where.
        copies: whether DVC's cache holds a second copy.
        missing: what is not known, and why.
    """

    study: str
    rows: tuple[Row, ...]
    total: Total
    left: Total
    disks: tuple[Disk, ...]
    copies: bool
    missing: tuple[str, ...]

    def require_room(self) -> None:
        """Goes on where all disks have room.

        Raises:
            DataError: one has not, in one line.
        """
        for disk in self.disks:
            if disk.needed > disk.free:
                raise DataError(
                    f"{disk.folder}: the study takes about {binary(disk.needed)} more, but "
                    f"{binary(disk.free)} are free on its disk; make room, work on a larger "
                    "disk, or ask for fewer photographs, arms or seeds"
                )

    def facts(self) -> dict[str, Any]:
        """As plain JSON."""
        return {
            "study": self.study,
            "stages": [row.facts(self.copies) for row in self.rows],
            "total": vars(self.total),
            "left": vars(self.left),
            "disks": [{**vars(disk), "folder": str(disk.folder)} for disk in self.disks],
            "cache_copies": self.copies,
            "missing": list(self.missing),
        }


def estimated(
    project: Project, *, timed: bool = True, jobs: int = 1, free: int | None = None
) -> Estimate:
    """What the study of a project folder takes.

    Args:
        project: the folder.
        timed: whether small pieces of its work are done to see how fast this machine is.
        jobs: how many stages run at once.
        free: bytes of a disk to ask about, instead of those that are free here.

    Raises:
        DataError: what is prepared is damaged.
        ParamsError: the parameters are wrong, or ask for what cannot be built.
    """
    known = Known(project, timed)
    rows = tuple(_rows(known))
    if timed:
        seeding.deterministic(0, project.params.threads)  # as all stages begin
        hardware.keep_pages()
        rates = Rates(known)
        rows = tuple(row.timed(rates.seconds(row)) for row in rows)
    cached_in, copies = cache_of(project.root)
    pixels_in = decoded.root()
    pixels = known.pixels if pixels_in is not None else 0
    there = 0 if pixels_in is None else min(pixels, known.kept_pixels(pixels_in))
    total = _total(rows, copies, jobs, pixels)
    left = _total([row for row in rows if not row.made], copies, jobs, pixels - there)
    disks = _disks(project, left, cached_in, pixels_in, free)
    missing = tuple(_missing(known, rows))
    return Estimate(project.params.study, rows, total, left, disks, copies, missing)


class Rates:
    """How fast this machine is at each kind of work of a study; each is measured once."""

    def __init__(self, known: Known) -> None:
        """Nothing is measured yet."""
        self.known, self.of = known, cache(self._of)

    def seconds(self, row: Row) -> float | None:
        """How long a stage takes; None where that is not known."""
        if row.work is None:
            return None
        stage = row.stage.partition("@")[0]
        scenes = self.known.scenes
        if stage == "prepare":
            if scenes is None or scenes.seconds is None:
                return None
            return clock.starting(False) + scenes.count * scenes.seconds
        working = sum(operations / self.of(self._key(name)) for name, operations in row.work.parts)
        return clock.starting(stage in _SEGMENTING) + working

    def _key(self, name: str) -> str:
        """Generators that are trained alike are one; the first of them is measured."""
        kind, _, which = name.partition(" ")
        if kind not in ("training", "photographs"):
            return name
        maker = self.known.maker(which)
        alike = (one for one in self.known.params.generators if self.known.maker(one) is maker)
        return f"{kind} {next(alike)}"

    def _of(self, name: str) -> float:
        known, (kind, _, which) = self.known, name.partition(" ")
        if kind == "training":
            return clock.training_rate(known.maker(which))
        if kind == "photographs":
            return clock.photograph_rate(known.maker(which))
        if kind == "predictor":
            return clock.predictor_rate(known.predicting(which))
        if kind == "reader":
            section = known.params.attributes
            assert section is not None  # there would be no work
            return clock.reader_rate(looking.reader_of(known, section))
        if kind == "features":
            return clock.features_rate(looking.features(known).operations, known.size)
        network = known.network(which)
        assert network is not None  # there would be no work
        if kind == "look":
            return clock.look_rate(network)
        return clock.network_rate(network, known.params.retrain.segmenter.batch_size)


def _rows(known: Known) -> Iterator[Row]:
    """All stages, in an order in which each finds what it reads."""
    params = known.params
    yield making.prepare(known)
    yield from (making.train(known, name) for name in params.generators)
    yield from (making.predict(known, name) for name in params.predictors)
    yield making.judge(known)
    yield from (making.judges(known, name) for name in params.judges)
    yield from (making.synthesize(known, name) for name in params.sets)
    yield from (making.transfer(known, name) for name in params.transfers)
    if params.diversity:
        for name in params.diversity.generators:
            yield looking.diversity(known, name, params.diversity)
    yield looking.attributes(known)
    if params.explore:
        yield from (looking.explore(known, n, params.explore) for n in params.explore.generators)
    yield from (making.choose(known, name) for name in params.choices)
    yield looking.leaks(known)
    yield looking.costs(known)
    yield from (making.select(known, name) for name in params.selections)
    yield from (making.retrain(known, name) for name in params.arms)
    scored = [looking.score_references(known), *(looking.score(known, n) for n in params.sets),
              looking.score_arms(known)]  # fmt: skip
    yield from scored
    yield looking.report(known, sum((row.disk or NOTHING for row in scored), NOTHING))


def _total(rows: Iterable[Row], copies: bool, jobs: int, pixels: int) -> Total:
    listed = list(rows)
    times = [row.seconds for row in listed if row.seconds is not None]
    return Total(
        operations=sum((row.work or Work()).operations for row in listed),
        seconds=sum(times) if times else None,
        memory=_most((row.memory or 0 for row in listed), jobs),
        disk=sum(row.disk.size for row in listed if row.disk),
        cache=sum(row.in_cache(copies) for row in listed),
        resume=_most((row.state for row in listed), jobs),
        pixels=pixels,
    )


def _most(numbers: Iterable[int], jobs: int) -> int:
    """What so many of them come to at most."""
    return sum(sorted(numbers, reverse=True)[:jobs])


def _disks(
    project: Project, left: Total, cache: Path, pixels: Path | None, free: int | None
) -> tuple[Disk, ...]:
    """What is written to each disk."""
    needs = [(project.data, left.disk), (project.root / ".augflow", left.resume),
             (cache, left.cache)]  # fmt: skip
    if pixels is not None:
        needs.append((pixels, left.pixels))
    found: dict[int, Disk] = {}
    for folder, needed in needs:
        name = disk_of(folder)
        known = found.get(name)
        if known is None:
            found[name] = Disk(folder, needed, free_bytes(folder) if free is None else free)
        else:
            found[name] = replace(known, needed=known.needed + needed)
    return tuple(found.values())


def _missing(known: Known, rows: Iterable[Row]) -> Iterator[str]:
    """What is not known, and why."""
    data = known.params.data
    if known.scenes is None:
        yield (
            f"{data.root}: no data there (data.root), so the number of scenes is not known, nor "
            "what depends on it; put them there and ask again"
        )
    configs = {row.stage for row in rows if row.work is None and row.stage != "report"}
    if configs and known.scenes is not None:
        yield f"{', '.join(sorted(configs))}: the network cannot be gone through without numbers"

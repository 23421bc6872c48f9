"""All rows of a study, what they come to, and whether its disks have room for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from augflow.core import distributed, hardware, seeding
from augflow.core.errors import DataError
from augflow.core.hardware import binary, disk_id, free_disk_bytes
from augflow.estimate.networks import operations_per_second, start_seconds
from augflow.estimate.stage_costs import StageRow, rows
from augflow.estimate.study_context import StudyContext
from augflow.stages.check import require_possible
from augflow.study.project import Project


@dataclass(frozen=True)
class Total:
    """What rows come to, one after the other.

    `memory` is that of the stages that take most, as many as run at once, `resume` of their states.
    """

    operations: int
    seconds: float | None
    memory: int
    disk: int
    cache: int
    resume: int


@dataclass(frozen=True)
class Disk:
    """A disk that the study is written to, by a folder on it.

    `needed` are the bytes that stages will write there whose outputs are not there yet.
    """

    folder: Path
    needed: int
    free: int


@dataclass(frozen=True)
class Estimate:
    """What a study takes: all rows, and those `left` whose outputs are not there yet.

    `copies` says whether DVC's cache holds a second copy, `missing` what is not known, and why.
    """

    study: str
    rows: tuple[StageRow, ...]
    total: Total
    left: Total
    disks: tuple[Disk, ...]
    copies: bool
    missing: tuple[str, ...]

    def check_disk_space(self) -> None:
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


def estimate_study(
    project: Project, *, timed: bool = True, jobs: int = 1, free: int | None = None
) -> Estimate:
    """What the study of a project folder takes, with so many stages at once.

    Where it is `timed`, small pieces of its work are done to see how fast this machine is; `free`
    are bytes of a disk to ask about, instead of those that are free here.

    Raises:
        DataError: what is prepared is damaged.
        ParamsError: the parameters are wrong, or ask for what cannot be built.
    """
    require_possible(project.params, project.root / "params.yaml")
    context = StudyContext(project, timed)
    found = tuple(rows(context))
    if timed:
        seeding.deterministic(0, project.params.threads)  # as all stages begin
        hardware.keep_pages()
        rate = lru_cache(None)(partial(operations_per_second, device=distributed.device()))
        found = tuple(replace(row, seconds=_seconds(row, context, rate)) for row in found)
    cache, copies = cache_of(project.root)
    total = _total(found, copies, jobs)
    left = _total([row for row in found if not row.made], copies, jobs)
    needs = [
        (project.data, left.disk),
        (project.root / ".augflow", left.resume),
        (cache, left.cache),
    ]
    disks = _disks(needs, free)
    missing = _missing(context, found)
    return Estimate(project.params.study, found, total, left, disks, copies, missing)


def cache_of(root: Path) -> tuple[Path, bool]:
    """The folder of DVC's cache, and whether a second copy of all outputs is in it.

    There is none where DVC links files instead, which is tried out. Without a repository it is what
    `dvc init` would make.
    """
    from dvc.exceptions import NotDvcRepoError
    from dvc.repo import Repo
    from dvc_objects.fs import localfs
    from dvc_objects.fs.generic import test_links

    try:
        with Repo(str(root)) as repo:
            cache, tried = repo.cache.local, str(root.absolute() / ".augflow" / "link")
            try:
                links = test_links(cache.cache_types, localfs, cache.path, localfs, tried)
            except OSError:  # not even a few bytes have room, or may be written
                links = []
            return Path(cache.path), not links or links[0] == "copy"
    except NotDvcRepoError:
        return root / ".dvc" / "cache", True


def _seconds(
    row: StageRow, context: StudyContext, rate: Callable[[Any, str], float]
) -> float | None:
    """How long a stage takes; None where that is not known."""
    if row.work is None:
        return None
    if row.stage == "prepare":
        each = context.scenes.seconds
        return None if each is None else start_seconds(False) + len(context.scenes.listed) * each
    segmenting = row.stage == "costs" or any(kind in ("segment", "predict") for kind, _ in row.work)
    work = (count / rate(network, kind) for (kind, network), count in row.work.items() if count)
    return start_seconds(segmenting) + sum(work)


def _total(rows: Sequence[StageRow], copies: bool, jobs: int) -> Total:
    times = [row.seconds for row in rows if row.seconds is not None]
    return Total(
        operations=sum(row.operations or 0 for row in rows),
        seconds=sum(times) if times else None,
        memory=sum(sorted((row.memory or 0 for row in rows), reverse=True)[:jobs]),
        disk=sum(row.disk.size for row in rows if row.disk),
        cache=sum(row.in_cache(copies) for row in rows),
        resume=sum(sorted((row.state for row in rows), reverse=True)[:jobs]),
    )


def _disks(needs: Sequence[tuple[Path, int]], free: int | None) -> tuple[Disk, ...]:
    """What is written to each disk."""
    found: dict[int, Disk] = {}
    for folder, needed in needs:
        room = free_disk_bytes(folder) if free is None else free
        disk = found.get(disk_id(folder), Disk(folder, 0, room))
        found[disk_id(folder)] = replace(disk, needed=disk.needed + needed)
    return tuple(found.values())


def _missing(context: StudyContext, rows: Sequence[StageRow]) -> tuple[str, ...]:
    """What is not known, and why."""
    if context.found is None:
        return (
            f"{context.params.data.root}: no data there (data.root), so the number of scenes is "
            "not known, nor what depends on it; put them there and ask again",
        )
    unknown = sorted({row.stage for row in rows if row.work is None} - {"report"})
    if not unknown:
        return ()
    return (f"{', '.join(unknown)}: the network cannot be gone through without numbers",)

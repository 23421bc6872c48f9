"""Tables of arms against each other: same scenes, same seeds, and the chance in both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from augflow.metrics.bootstrap import Comparison, Effect, compare
from augflow.report.evidence import Evidence
from augflow.report.retrained import runs_by_arm
from augflow.report.score_files import Run
from augflow.report.spread import class_outcome, outcome
from augflow.report.table import Cell, Column, Row, Table
from augflow.study.params import ArmParams

DRIVES = 5
"""From so many drives on they are drawn as a whole; from fewer, every scene on its own."""

_AUGMENTED = ("none", "classic", "copy_paste")
_SOURCES = ("scores/arms.json", "evidence/params.yaml", "evidence/pixels.csv")


@dataclass(frozen=True)
class Pair:
    """An arm and another that it is compared with."""

    arm: str
    against: str
    one_in: int

    @property
    def key(self) -> str:
        """The key of its row in the table `comparisons`."""
        return f"{self.arm}.{self.against}"


def comparisons(evidence: Evidence) -> Table:
    """Each arm with more than plain photographs against arms of real ones, in mean class IoU."""
    return _table("comparisons", paired(evidence))


def more_real(evidence: Evidence) -> Table:
    """Real photographs of most scenes against those of each smaller share, both without more.

    What synthetic photographs could bring to a share at most, if they were as good as real ones.
    """
    members = runs_by_arm(evidence)
    plain: dict[int, str] = {}
    for name in members:
        arm = evidence.params.arms.get(name)
        if arm is not None and arm.made is None and arm.augment == "none":
            plain.setdefault(arm.one_in, name)
    if not plain:
        return _table("more_real", {})
    most = plain[min(plain)]
    fewer = [Pair(most, plain[k], k) for k in sorted(plain)[1:]]
    found = {p: _compared(evidence, members[p.arm], members[p.against], p) for p in fewer}
    return _table("more_real", found)


def _table(name: str, compared: Mapping[Pair, Comparison | None]) -> Table:
    rows = []
    for pair, found in compared.items():
        effect = found.overall if found else Effect(None)
        cells: dict[str, Cell] = {
            "arm": pair.arm, "against": pair.against, "fraction": 1 / pair.one_in,
            "seeds": found.seeds if found else 0, "scenes": found.scenes if found else 0,
            "groups": found.groups if found else 0, **_cells(effect),
            "outcome": outcome(effect, _whole(found)),
        }  # fmt: skip
        rows.append(Row(pair.key, cells, _SOURCES))
    columns = (
        Column("arm"), Column("against"), Column("fraction", "fraction"), Column("seeds", "count"),
        Column("scenes", "count"), Column("groups", "count"), *_COLUMNS,
        Column("detectable", "percent"), Column("outcome"),
    )  # fmt: skip
    return Table(name, columns, tuple(rows))


def comparisons_per_class(evidence: Evidence) -> Table:
    """The same for each class, and which classes survive Holm's correction over them."""
    rows = []
    for pair, found in paired(evidence).items():
        if found is None:
            continue
        for name, effect, survives in zip(
            evidence.classes.names, found.classes, found.survives, strict=True
        ):
            cells: dict[str, Cell] = {
                "arm": pair.arm, "against": pair.against, "class": name, **_cells(effect),
                "survives": None if survives is None else "yes" if survives else "no",
                "outcome": class_outcome(effect, survives, _whole(found)),
            }  # fmt: skip
            del cells["detectable"]
            rows.append(Row(f"{pair.key}.{name}", cells, _SOURCES))
    columns = (
        Column("arm"), Column("against"), Column("class"), *_COLUMNS, Column("survives"),
        Column("outcome"),
    )  # fmt: skip
    return Table("comparisons_per_class", columns, tuple(rows))


_COLUMNS = (
    Column("difference", "points"), Column("low", "points"), Column("high", "points"),
    Column("p", "chance"),
)  # fmt: skip


def _cells(effect: Effect) -> dict[str, Cell]:
    return {"difference": effect.difference, "low": effect.low, "high": effect.high,
            "p": effect.p, "detectable": effect.detectable}  # fmt: skip


def _whole(found: Comparison | None) -> bool:
    return found is not None and len(found.resampled) == 2


@lru_cache(maxsize=2)
def paired(evidence: Evidence) -> Mapping[Pair, Comparison | None]:
    """All comparisons of a study; None for arms that have no seed in common."""
    members = runs_by_arm(evidence)
    return {
        pair: _compared(evidence, members[pair.arm], members[pair.against], pair)
        for pair in pairs({arm: evidence.params.arms.get(arm) for arm in members})
    }


def pairs(arms: Mapping[str, ArmParams | None]) -> list[Pair]:
    """Which arms are compared.

    Bases are the arms of real photographs without augmentation or with classic augmentation. Each
    arm with synthetic photographs, and each of real ones that is augmented further than a base, is
    compared with every base of as many training scenes.
    """
    known = {name: arm for name, arm in arms.items() if arm is not None}
    real = [name for name, arm in known.items() if arm.made is None]
    bases = [name for name in real if known[name].augment in _AUGMENTED[:2]]

    def further(name: str, base: str) -> bool:
        ranks = [_AUGMENTED.index(known[one].augment) for one in (name, base)]
        return name not in real or ranks[0] > ranks[1]

    return [
        Pair(name, base, arm.one_in)
        for name, arm in known.items()
        for base in bases
        if arm.one_in == known[base].one_in and further(name, base)
    ]


def _compared(
    evidence: Evidence, ours: Sequence[Run], theirs: Sequence[Run], pair: Pair
) -> Comparison | None:
    """The two arms over the seeds that both have, None where there is none."""
    sides = [{run.seed: run for run in runs} for runs in (ours, theirs)]
    seeds = sorted(set(sides[0]) & set(sides[1]))
    if not seeds:
        return None
    scenes = sorted(item.name for item in sides[0][seeds[0]].items)
    arrays = [np.stack([_matrices(side[seed], scenes) for seed in seeds]) for side in sides]
    names = (pair.arm, pair.against)
    return compare(arrays[0], arrays[1], _groups(evidence, scenes), names)


def _matrices(run: Run, scenes: Sequence[str]) -> np.ndarray:
    """The confusion matrices of a training, (N, K, K), in the order of `scenes`."""
    found = {item.name: item.confusion for item in run.items}
    return np.array([found[scene] for scene in scenes], np.int64)


def _groups(evidence: Evidence, scenes: Sequence[str]) -> list[str]:
    """What is drawn together: the drive of each scene, or the scene where drives are few."""
    drives = {row["scene"]: row["drive"] for row in evidence.pixels if row["split"] == "val"}
    labels = [drives[scene] for scene in scenes]
    return labels if len(set(labels)) >= DRIVES else list(scenes)

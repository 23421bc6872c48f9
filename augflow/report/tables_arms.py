"""Tables of the retrained networks on real validation images: each arm, and arm against arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from augflow.metrics.bootstrap import Comparison, Effect, compare
from augflow.report.evidence import Evidence, pool_scores
from augflow.report.statistics import (
    ABSENT_ZERO,
    MEASURES,
    class_outcome,
    class_spread,
    mean,
    outcome,
    spread_columns,
    spreads,
)
from augflow.report.table import Cell, Row, Table, columns
from augflow.study.params import ArmParams
from augflow.study.results import Run


def runs(evidence: Evidence) -> Table:
    """Each retrained network on the real validation images."""
    kinds = (*MEASURES, *ABSENT_ZERO)
    rows = []
    for arm, members in runs_by_arm(evidence).items():
        for run in members:
            cells: dict[str, Cell] = {"arm": arm, "seed": run.seed, "steps": run.steps}
            found = pool_scores(run.items)
            cells |= {"photos": len(run.items), **{kind: getattr(found, kind) for kind in kinds}}
            rows.append(Row(f"{arm}-{run.seed}", cells, ("scores/arms.json.gz",)))
    head = columns("arm | seed: step | steps: count | photos: count")
    return Table("runs", head | dict.fromkeys(kinds, "percent"), rows)


def arms(evidence: Evidence) -> Table:
    """Mean and spread over seeds of what networks trained on each arm score on real images."""
    rows = []
    for arm, members in runs_by_arm(evidence).items():
        found = [pool_scores(run.items) for run in members]
        section = evidence.params.arms.get(arm)
        cells: dict[str, Cell] = {
            "arm": arm,
            "trained_on": " + ".join(section.train_on) if section else None,
            "augmentation": section.augment if section else None,
            "seeds": len(members),
            "steps": max(run.steps for run in members),
            **spreads(found, MEASURES),
            **{f"{kind}.mean": mean(found, kind) for kind in ABSENT_ZERO},
        }
        rows.append(Row(arm, cells, ("scores/arms.json.gz", "evidence/params.yaml")))
    head = columns("arm | trained_on | augmentation | seeds: count | steps: count")
    head |= spread_columns(MEASURES) | {f"{kind}.mean": "percent" for kind in ABSENT_ZERO}
    return Table("arms", head, rows)


def arms_per_class(evidence: Evidence) -> Table:
    """The same per class: IoU and accuracy, mean and spread over seeds."""
    rows = []
    for arm, members in runs_by_arm(evidence).items():
        found = [pool_scores(run.items) for run in members]
        for index, name in enumerate(evidence.classes.names):
            cells: dict[str, Cell] = {"arm": arm, "class": name}
            for kind in ("iou", "accuracy"):
                measured = class_spread(found, f"per_class_{kind}", index)
                cells[f"{kind}.mean"], cells[f"{kind}.std"] = measured
            rows.append(Row(f"{arm}.{name}", cells, ("scores/arms.json.gz",)))
    head = columns("arm | class") | spread_columns(("iou", "accuracy"))
    return Table("arms_per_class", head, rows)


def runs_by_arm(evidence: Evidence) -> dict[str, list[Run]]:
    """The runs by arm: arms in the order of params, runs by seed."""
    found = list(evidence.arms.runs.values()) if evidence.arms else []
    known = list(evidence.params.arms)
    rest = sorted({run.arm for run in found} - set(known))
    grouped = {
        arm: sorted((run for run in found if run.arm == arm), key=lambda run: run.seed)
        for arm in (*known, *rest)
    }
    return {arm: members for arm, members in grouped.items() if members}


PARTS = ("training", "generator", "photographs", "judge", "choice")
"""Where the operations behind an arm go, in the order in which tables have them."""


def costs(evidence: Evidence) -> Table:
    """The operations behind one network of each arm, and how many times its own training's."""
    rows = []
    counted = evidence.costs.arms if evidence.costs else {}
    for arm in evidence.params.arms if counted else ():
        cost = counted[arm]
        cells: dict[str, Cell] = {"arm": arm, **{part: getattr(cost, part) for part in PARTS}}
        cells |= {"total": cost.total, "times": cost.total / cost.training}
        rows.append(Row(arm, cells, ("scores/costs.json.gz",)))
    head = {"arm": "text", **dict.fromkeys((*PARTS, "total"), "tera"), "times": "times"}
    return Table("costs", head, rows)


DRIVES = 5
"""From so many drives on they are drawn as a whole; from fewer, every scene on its own."""

_AUGMENTED = ("none", "classic", "copy_paste")
_SOURCES = ("scores/arms.json.gz", "evidence/params.yaml", "evidence/pixels.csv")
_EFFECT = columns("difference: points | low: points | high: points | p: chance")


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
    """Each arm with more than plain images against arms of real ones, in mean class IoU."""
    return _comparison_table("comparisons", comparisons_by_pair(evidence))


def more_real(evidence: Evidence) -> Table:
    """Real images of most scenes against those of each smaller share, both without more.

    What synthetic images could bring to a share at most, if they were as good as real ones.
    """
    members = runs_by_arm(evidence)
    plain: dict[int, str] = {}
    for name in members:
        arm = evidence.params.arms.get(name)
        if arm is not None and arm.synthetic_source is None and arm.augment == "none":
            plain.setdefault(arm.one_in, name)
    shares = sorted(plain)
    fewer = [Pair(plain[shares[0]], plain[k], k) for k in shares[1:]]
    found = {p: _compare(evidence, members[p.arm], members[p.against], p) for p in fewer}
    return _comparison_table("more_real", found)


def _comparison_table(name: str, compared: Mapping[Pair, Comparison | None]) -> Table:
    rows = []
    for pair, found in compared.items():
        effect = found.overall if found else Effect(None)
        cells: dict[str, Cell] = {
            "arm": pair.arm,
            "against": pair.against,
            "fraction": 1 / pair.one_in,
            "seeds": found.seeds if found else 0,
            "scenes": found.scenes if found else 0,
            "groups": found.groups if found else 0,
            **{column: getattr(effect, column) for column in (*_EFFECT, "detectable")},
            "outcome": outcome(effect, _is_whole(found)),
        }
        rows.append(Row(pair.key, cells, _SOURCES))
    head = columns(
        "arm | against | fraction: fraction | seeds: count | scenes: count | groups: count"
    )
    return Table(name, head | _EFFECT | columns("detectable: percent | outcome"), rows)


def comparisons_per_class(evidence: Evidence) -> Table:
    """The same for each class, and which classes survive Holm's correction over them."""
    rows = []
    for pair, found in comparisons_by_pair(evidence).items():
        if found is None:
            continue
        for name, effect, survives in zip(
            evidence.classes.names, found.classes, found.survives, strict=True
        ):
            cells: dict[str, Cell] = {
                "arm": pair.arm,
                "against": pair.against,
                "class": name,
                **{column: getattr(effect, column) for column in _EFFECT},
                "survives": None if survives is None else "yes" if survives else "no",
                "outcome": class_outcome(effect, survives, _is_whole(found)),
            }
            rows.append(Row(f"{pair.key}.{name}", cells, _SOURCES))
    head = columns("arm | against | class") | _EFFECT | columns("survives | outcome")
    return Table("comparisons_per_class", head, rows)


def _is_whole(found: Comparison | None) -> bool:
    """Whether both seeds and scenes could be drawn again."""
    return found is not None and len(found.resampled) == 2


@lru_cache(maxsize=2)
def comparisons_by_pair(evidence: Evidence) -> Mapping[Pair, Comparison | None]:
    """All comparisons of a study; None for arms that have no seed in common."""
    members = runs_by_arm(evidence)
    return {
        pair: _compare(evidence, members[pair.arm], members[pair.against], pair)
        for pair in pairs({arm: evidence.params.arms.get(arm) for arm in members})
    }


def pairs(arms: Mapping[str, ArmParams | None]) -> list[Pair]:
    """Which arms are compared.

    Bases are the arms of real images without augmentation or with classic augmentation. Each arm
    with synthetic images, and each of real ones that is augmented further than a base, is compared
    with every base of as many training scenes.
    """
    known = {name: arm for name, arm in arms.items() if arm is not None}
    real = [name for name, arm in known.items() if arm.synthetic_source is None]
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


def _compare(
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

"""When faults come: drawn from a seed over what an undisturbed run of a stage did."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from augflow.core import seeding
from tests.faults.injected import Fault, Operation, changes, names
from tests.faults.trials import Before, Undisturbed

Trial = tuple[Before, tuple[Fault, ...]]
"""What is there before, and the faults of runs that follow each other."""

_KILLS = ("kill:c", "power:c", "kill@", "kill:", "kill:")
_OTHERS = ("term:", "full:", "readonly:", "term@", "limit:")


def few(stage: str, nothing: Undisturbed, old: Undisturbed, seed: int = 0) -> list[Trial]:
    """Four kills, of which two are power cuts, a SIGTERM and a full disk.

    The moments of later faults of a trial are early ones: a run that goes on has less to do.
    """
    draw = seeding.generator(seed, "few", stage)
    count, again = len(changes(nothing.log)), len(changes(old.log))
    return [
        ("nothing", (_early("kill", count, draw), _early("term", count // 2, draw),
                     Fault("power", 1, ":c"))),
        ("old", (Fault("kill", _named(old.log), ":c"), _early("full", again // 4, draw),
                 _early("power", again // 4, draw))),
    ]  # fmt: skip


def many(
    stage: str, nothing: Undisturbed, old: Undisturbed, moments: int = 20, seed: int = 0
) -> list[Trial]:
    """Kills at so many moments, and half as many SIGTERMs and errors, each by itself.

    Of five kills one comes before something gets its name, one is such a power cut, and one comes
    after a time; the first is that before the last name of all.
    """
    draw = seeding.generator(seed, "many", stage)
    trials: list[Trial] = []
    for number in range(moments):
        before: Before = ("nothing", "old")[number % 2]
        run = (nothing, old)[number % 2]
        kill = _drawn(_KILLS[number // 2 % len(_KILLS)], run, draw)
        trials.append((before, (kill if number > 1 else Fault("kill", _named(run.log), ":c"),)))
        if number < moments // 2:
            trials.append((before, (_drawn(_OTHERS[number // 2 % len(_OTHERS)], run, draw),)))
    return trials


def _drawn(what: str, run: Undisturbed, draw: np.random.Generator) -> Fault:
    if what.endswith("@"):
        return Fault(what[:-1], float(draw.uniform(0, run.seconds)), "@")
    kind, unit = what.split(":")
    if kind == "limit":
        return Fault(kind, int(2 ** draw.uniform(0, 14)))
    most = _named(run.log) if unit else len(changes(run.log))
    return Fault(kind, int(draw.integers(1, most + 1)), f":{unit}")


def _early(kind: str, most: int, draw: np.random.Generator) -> Fault:
    return Fault(kind, int(draw.integers(1, max(most, 1) + 1)))


def _named(log: Sequence[Operation]) -> int:
    return sum(names(operation) for operation in changes(list(log)))

"""A round of faults through every stage, and a table of them.

    python -m tests.faults.round --moments 20

Moments are drawn from a seed. A failure says with which words to see it again, such as

    python -m tests.faults.round --stage train@flow --before old --fault kill:17
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from augflow.core import seeding
from tests.faults.injected import Fault, Operation, names
from tests.faults.runs import Runs
from tests.faults.study import STAGES
from tests.faults.trials import Before, FaultError, Study, hit

Trial = tuple[Before, tuple[Fault, ...]]
"""What is there before, and the faults of runs that follow each other."""

_KILLS = ("kill:c", "power:c", "kill:", "kill:")
_OTHERS = ("term:", "full:", "readonly:", "limit:")


def main() -> int:
    """Does what the words ask for; 1 if a stage did not come through."""
    asked = _asked()
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        study = Study(Path(folder).resolve() / "study", Runs())
        for stage in asked.stage or STAGES:
            counts, failures = disturb(study, stage, _trials(study, stage, asked))
            failed += failures
            said = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
            sys.stdout.write(f"{stage}: {said}; {len(failures)} trials failed\n")
    sys.stdout.write("".join(f"\n{failure}\n" for failure in failed))
    return int(bool(failed))


def _trials(study: Study, stage: str, asked: argparse.Namespace) -> list[Trial]:
    if asked.fault:
        return [(asked.before, tuple(asked.fault))]
    if asked.moments:
        logs = (study.undisturbed(stage, before) for before in ("nothing", "old"))
        return many(stage, *logs, asked.moments, asked.seed)
    return few(stage, study.undisturbed(stage, "nothing"), asked.seed)


def disturb(study: Study, stage: str, trials: Iterable[Trial]) -> tuple[Counter[str], list[str]]:
    """Does trials of a stage, and goes on after those that fail.

    Returns:
        How many faults of each kind met a run that was still going on, and what failed.
    """
    counts: Counter[str] = Counter()
    failures = []
    for before, faults in trials:
        try:
            ends = study.disturb(stage, before, faults)
        except FaultError as fault:
            failures.append(str(fault))
        else:
            met = zip(faults, ends, strict=True)
            counts.update(fault.kind for fault, end in met if hit(fault, end))
    return counts, failures


def few(stage: str, nothing: Sequence[Operation], seed: int = 0) -> list[Trial]:
    """Three kills, of which one is a power cut, and a SIGTERM or a full disk, stage by stage.

    The moments of later faults of a trial are early ones: a run that goes on has less to do. Over
    older outputs, with pixels decoded before, the kill is that before the last name of all.
    """
    draw = seeding.generator(seed, "few", stage)
    other = ("term", "full")[list(STAGES).index(stage) % 2]
    last = _named([words for words in nothing if ".augflow/cache/" not in words[-1]])
    return [
        ("nothing", (_early("kill", len(nothing), draw), _early(other, len(nothing) // 4, draw),
                     Fault("power", 1, ":c"))),
        ("old", (Fault("kill", last, ":c"),)),
    ]  # fmt: skip


def many(
    stage: str,
    nothing: Sequence[Operation],
    old: Sequence[Operation],
    moments: int = 20,
    seed: int = 0,
) -> list[Trial]:
    """Kills at so many moments, and half as many SIGTERMs and errors, each by itself.

    Of four kills one comes before something gets its name and one is such a power cut; the first
    is that before the last name of all.
    """
    draw = seeding.generator(seed, "many", stage)
    trials: list[Trial] = []
    for number in range(moments):
        before: Before = ("nothing", "old")[number % 2]
        log = (nothing, old)[number % 2]
        kill = _drawn(_KILLS[number // 2 % len(_KILLS)], log, draw)
        trials.append((before, (kill if number > 1 else Fault("kill", _named(log), ":c"),)))
        if number < moments // 2:
            trials.append((before, (_drawn(_OTHERS[number // 2 % len(_OTHERS)], log, draw),)))
    return trials


def _drawn(what: str, log: Sequence[Operation], draw: np.random.Generator) -> Fault:
    kind, unit = what.split(":")
    if kind == "limit":
        return Fault(kind, int(2 ** draw.uniform(0, 14)))
    return Fault(kind, int(draw.integers(1, (_named(log) if unit else len(log)) + 1)), f":{unit}")


def _early(kind: str, most: int, draw: np.random.Generator) -> Fault:
    return Fault(kind, int(draw.integers(1, max(most, 1) + 1)))


def _named(log: Sequence[Operation]) -> int:
    return sum(names(operation) for operation in log)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--moments", type=int, default=0, help="kills per stage; 0: the quick few")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--stage", action="append", choices=list(STAGES), help="default: all")
    parser.add_argument("--before", choices=("nothing", "old"), default="nothing")
    parser.add_argument("--fault", action="append", type=Fault.read, help="one by name: kill:17")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

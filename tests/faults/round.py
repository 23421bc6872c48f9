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
from collections.abc import Iterable
from pathlib import Path

from tests.faults.injected import Fault
from tests.faults.moments import Trial, few, many
from tests.faults.runs import Runs
from tests.faults.study import STAGES
from tests.faults.trials import FaultError, Study, hit


def main() -> int:
    """Does what the words ask for; 1 if a stage did not come through."""
    asked = _asked()
    failed = []
    with tempfile.TemporaryDirectory() as folder, Runs() as runs:
        study = Study(Path(folder).resolve() / "study", runs)
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
    nothing, old = (study.undisturbed(stage, before) for before in ("nothing", "old"))
    if asked.moments:
        return many(stage, nothing, old, asked.moments, asked.seed)
    return few(stage, nothing, old, asked.seed)


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

"""A round of faults through every stage, and a table of them.

    python -m tests.faults.round --moments 20

Moments are drawn from a seed. A failure says with which words to see it again, such as

    python -m tests.faults.round --stage train@flow --before old --fault kill:17
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from tests.faults.injected import Fault
from tests.faults.moments import few, many
from tests.faults.runs import Runs
from tests.faults.study import STAGES
from tests.faults.tally import Tally
from tests.faults.trials import Study


def main() -> int:
    """Does what the words ask for; 1 if a stage did not come through."""
    asked = _asked()
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder, Runs() as runs:
        study = Study(Path(folder).resolve() / "study", runs)
        for stage in asked.stage or STAGES:
            if asked.fault:
                trials = [(asked.before, tuple(asked.fault))]
            else:
                nothing, old = (study.undisturbed(stage, before) for before in ("nothing", "old"))
                trials = (
                    many(stage, nothing, old, asked.moments, asked.seed) if asked.moments
                    else few(stage, nothing, old, asked.seed)
                )  # fmt: skip
            tally.disturb(study, stage, trials)
            sys.stderr.write(f"{stage}: {tally.survived[stage]} of "
                             f"{tally.injected[stage].total()} survived\n")  # fmt: skip
    sys.stdout.write("".join(f"{failure}\n\n" for failure in tally.failures) + tally.markdown())
    if asked.json:
        asked.json.write_text(json.dumps(tally.facts(), indent=2) + "\n")
    return int(bool(tally.failures))


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--moments", type=int, default=0, help="kills per stage; 0: the quick few")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--stage", action="append", choices=list(STAGES), help="default: all")
    parser.add_argument("--before", choices=("nothing", "old"), default="nothing")
    parser.add_argument("--fault", action="append", type=Fault.read, help="one by name: kill:17")
    parser.add_argument("--json", type=Path, help="a file for the counts")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

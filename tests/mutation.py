"""Small changes of the code, drawn at random, each run against the tests of its package.

    pip install cosmic-ray
    python -m tests.mutation --minutes 60 --results mutants.jsonl

Mutants are those of cosmic-ray, one for each place that is drawn; packages take turns. Run it in a
clone: files are changed while their tests run. The same call goes on with its results, and prints
the share of mutants that tests notice and the diffs of those that they do not.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from itertools import chain, zip_longest
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast_from_path
from cosmic_ray.mutating import mutate_and_test
from cosmic_ray.plugins import get_operator, operator_names
from cosmic_ray.testing import run_tests
from cosmic_ray.work_item import MutationSpec, TestOutcome

_SELECT = ("tests/stages/test_selection_rules.py", "tests/stages/test_select.py")
PACKAGES = {
    "flows": (("augflow/flows",), ("tests/flows",)),
    "metrics": (("augflow/metrics",), ("tests/metrics",)),
    "selection": (("augflow/stages/selection_rules.py", "augflow/stages/select.py"), _SELECT),
    "synthetic": (("augflow/data/synthetic",), ("tests/data/synthetic", "tests/cli/test_synth.py")),
    "verify": (("augflow/verify",), ("tests/verify",)),
}
"""The code of each, and its tests; of a module that has tests of its own name, those alone."""

_NOTHING = ("NoOp", "BitOr")
"""Parts of the names of operators that change no value, or unions of types most of the time."""

_SECONDS = 1200
"""After which a mutant counts as noticed."""


def main() -> None:
    """Tries mutants until the time is over, and prints what came of all so far."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--packages", nargs="+", choices=PACKAGES, default=list(PACKAGES))
    words.add_argument("--minutes", type=float, default=60)
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--results", type=Path, default=Path("mutants.jsonl"))
    asked = words.parse_args()
    changed = subprocess.run(["git", "diff", "--quiet", "--", "augflow"], check=False)
    if changed.returncode:
        sys.exit("augflow/ is not as it was committed: a mutant, or work of yours? Restore it")
    os.environ["PYTHONPATH"] = str(Path.cwd())
    passing: set[str] = set()
    end, done = time.monotonic() + 60 * asked.minutes, _results(asked.results)
    drawn = [[(name, one) for one in _mutants(name, asked.seed)] for name in asked.packages]
    for name, mutant in filter(None, chain.from_iterable(zip_longest(*drawn))):
        if time.monotonic() > end:
            break
        if _key(mutant) in done:
            continue
        command = _command(name, mutant.module_path)
        if command not in passing:
            _require_passing(command)
            passing.add(command)
        found = mutate_and_test([mutant], command, _SECONDS)
        outcome = found.test_outcome.value if found.test_outcome else found.worker_outcome.value
        line = {"package": name, "outcome": outcome, "diff": found.diff or found.output}
        done[_key(mutant)] = line
        with asked.results.open("a") as stream:
            stream.write(json.dumps({"mutant": _key(mutant), **line}) + "\n")
    _print(done)


def _results(path: Path) -> dict[str, dict[str, str]]:
    lines = path.read_text().splitlines() if path.exists() else []
    return {line.pop("mutant"): line for line in map(json.loads, lines)}


def _mutants(package: str, seed: int) -> list[MutationSpec]:
    """One for each place of a package's code, in the order in which they are tried."""
    places = defaultdict(list)
    for root in map(Path, PACKAGES[package][0]):
        for path in sorted(root.rglob("*.py")) or [root]:
            for one in _mutants_of(path):
                places[path, one.start_pos, one.end_pos].append(one)
    draw = random.Random(seed)
    one_each = [draw.choice(places[place]) for place in sorted(places)]
    draw.shuffle(one_each)
    return one_each


def _mutants_of(path: Path) -> Iterator[MutationSpec]:
    tree = get_ast_from_path(path)
    for name in sorted(operator_names()):
        kind = get_operator(name)
        if kind.arguments() or any(part in name for part in _NOTHING):
            continue
        operator = kind()
        spots = (spot for node in ast_nodes(tree) for spot in operator.mutation_positions(node))
        for number, (start, end) in enumerate(spots):
            yield MutationSpec(path, name, number, start, end)


def _key(mutant: MutationSpec) -> str:
    return f"{mutant.module_path} {mutant.operator_name} {mutant.occurrence}"


def _command(package: str, module: Path) -> str:
    tests = PACKAGES[package][1]
    own = [f"{folder}/test_{module.stem}.py" for folder in tests]
    picked = [path for path in own if Path(path).exists()] or tests
    return f"{sys.executable} -m pytest -x -q -p no:cacheprovider {' '.join(picked)}"


def _require_passing(command: str) -> None:
    """Tests that fail without a mutant would notice every one."""
    outcome, said = run_tests(command, _SECONDS)
    if outcome != TestOutcome.SURVIVED:
        sys.exit(f"{command}: does not pass without a mutant:\n{said}")


def _print(results: dict[str, dict[str, str]]) -> None:
    for key, line in results.items():
        if line["outcome"] == "survived":
            sys.stdout.write(f"{key}\n{line['diff']}\n\n")
    for package in PACKAGES:
        outcomes = [one["outcome"] for one in results.values() if one["package"] == package]
        killed, count = outcomes.count("killed"), len(outcomes)
        if count:
            low, high = _wilson(killed, count)
            said = f"{killed} of {count} noticed, {killed / count:.0%} [{low:.0%}, {high:.0%}]"
            sys.stdout.write(f"{package}: {said}\n")


def _wilson(successes: int, count: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    share, square = successes / count, z * z
    centre = (share + square / (2 * count)) / (1 + square / count)
    half = z * math.sqrt(share * (1 - share) / count + square / (4 * count**2))
    half /= 1 + square / count
    return centre - half, centre + half


if __name__ == "__main__":
    main()

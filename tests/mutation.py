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
import shlex
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain, zip_longest
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast_from_path
from cosmic_ray.mutating import mutate_and_test
from cosmic_ray.plugins import get_operator, operator_names
from cosmic_ray.testing import run_tests
from cosmic_ray.work_item import MutationSpec, TestOutcome

_SELECT = ("tests/stages/test_selection_rules.py", "tests/stages/test_select.py")
_VERIFY = sorted(map(str, Path("tests/verify").glob("test_*.py")), key=lambda path: "lies" in path)
PACKAGES = {
    "flows": (("augflow/flows",), ("tests/flows",)),
    "metrics": (("augflow/metrics",), ("tests/metrics",)),
    "selection": (("augflow/stages/selection_rules.py", "augflow/stages/select.py"), _SELECT),
    "synthetic": (("augflow/data/synthetic",), ("tests/data/synthetic", "tests/cli/test_synth.py")),
    "verify": (("augflow/verify", "tests/oracles/recount.py"), _VERIFY),
}
"""The code of each, and its tests; of a module that has tests of its own name, those alone."""

_TRUE = "truths_pass and not looked_at_again"
CONCERNED = {
    "__init__": f"pipe_in_place or not_ours or [careless or [told or {_TRUE}",
    "check": "test_check or flipped_pixel_is or elsewhere or pipe_in_place or cannot_be_written"
    " or sample or [careless or [told",
    "declared": f"test_declared or another_version or [pipeline or [quiet or frozen or {_TRUE}",
    "lock": "test_lock or outputs_are or keeps_size or dvc_cannot or [careless or [pipeline"
    f" or frozen or {_TRUE}",
    "pictures": "test_pictures or [quiet",
    "rebuild": "test_rebuild",
    "records": "test_raw_files or test_environment or recorded_of_networks or more_scores"
    f" or record_of or [careless or [quiet or {_TRUE}",
    "recount": "test_recount or [told or [evidence",
    "replay": "test_environment or replay or elsewhere or machine or sampled or [made or [trained"
    " or first_steps or trained_again",
    "replay_items": "test_raw_files or elsewhere or sampled or [made or [trained",
    "reports": "test_recount or clone_without or damaged_table or elsewhere_a_chart or [careless"
    " or [told or [evidence",
    "scores": f"recorded_of_networks or [careless or [quiet or {_TRUE}",
    "sets": f"an_image or layouts_that or dropped_image or [careless or [quiet or {_TRUE}",
    "text": "test_text",
    "tolerances": "test_rebuild",
    "workspace": "test_verify or [made or [careless",
}
"""The tests of each module of `verify`, as `pytest -k` takes them: most of them look at a whole
study and so at several modules."""

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
    changed = subprocess.run(["git", "diff", "--quiet", "--", "augflow", "tests"], check=False)
    if changed.returncode:
        sys.exit("augflow/ or tests/ is not as committed: a mutant, or work of yours? Restore it")
    os.environ["PYTHONPATH"] = str(Path.cwd())
    with tempfile.TemporaryDirectory() as kept:
        done = _try_mutants(asked, Path(kept) / "study")
    _print(done)


def _try_mutants(asked: argparse.Namespace, study: Path) -> dict[str, dict[str, str]]:
    """The outcomes of all mutants so far; the first tests, of code as it is, make the study."""
    passing: set[str] = set()
    end, done = time.monotonic() + 60 * asked.minutes, _results(asked.results)
    drawn = [[(name, one) for one in _mutants(name, asked.seed)] for name in asked.packages]
    for name, mutant in filter(None, chain.from_iterable(zip_longest(*drawn))):
        if time.monotonic() > end:
            break
        if _key(mutant) in done:
            continue
        if name not in passing:
            _require_passing(_command(PACKAGES[name][1], study))
            passing.add(name)
        command = _command(_tests_of(name, mutant.module_path), study)
        began = time.monotonic()
        found = mutate_and_test([mutant], command, _SECONDS)
        outcome = found.test_outcome.value if found.test_outcome else found.worker_outcome.value
        seconds = round(time.monotonic() - began, 1)
        line = {"package": name, "outcome": outcome, "seconds": seconds}
        line["diff"] = found.diff or found.output
        done[_key(mutant)] = line
        with asked.results.open("a") as stream:
            stream.write(json.dumps({"mutant": _key(mutant), **line}) + "\n")
    return done


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


def _tests_of(package: str, module: Path) -> Sequence[str]:
    tests = PACKAGES[package][1]
    if package == "verify":
        return ["-k", CONCERNED[module.stem], *tests]
    own = [f"{folder}/test_{module.stem}.py" for folder in tests]
    return [path for path in own if Path(path).exists()] or tests


def _command(tests: Sequence[str], study: Path) -> str:
    words = ["pytest", "-x", "-q", "-p", "no:cacheprovider", "--whole-study", str(study), *tests]
    return shlex.join([sys.executable, "-m", *words])


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

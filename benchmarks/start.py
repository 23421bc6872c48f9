"""CPU seconds of commands and stages before they work, beside those of `import torch` alone.

`python -m benchmarks.start [FOLDER]`: with the folder of a project, `augflow estimate` there too.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

from augflow.stages.runner import STAGES

ROUNDS = 3
COMMANDS = {
    "--help": ["--help"],
    "describe config_a": ["describe", "full_glow", "--preset", "config_a"],
    "describe config_d": ["describe", "full_glow", "--preset", "config_d"],
}


def cpu_seconds(words: list[str], folder: Path) -> float:
    """The least of some runs, user and system."""
    taken = []
    environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}
    for _ in range(ROUNDS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(words, cwd=folder, env=environment, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(taken)


def main() -> None:
    """Prints a line for each."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path()
    python = [sys.executable, "-c"]
    torch = cpu_seconds([*python, "import torch"], folder)
    print(f"import torch: {torch:.2f}")
    commands = dict(COMMANDS)
    if len(sys.argv) > 1:
        commands["estimate"] = ["estimate"]
    for name, words in commands.items():
        print(f"{name}: {cpu_seconds([sys.executable, '-m', 'augflow', *words], folder):.2f}")
    for name in sorted({stage.module for stage in STAGES.values()}):
        begun = "from augflow.stages import runner, check\nfrom augflow.core.seeding import "
        begun += f"deterministic\nimport augflow.stages.{name}\ndeterministic(0)"
        print(f"stage {name}, beyond torch: {cpu_seconds([*python, begun], folder) - torch:.2f}")


if __name__ == "__main__":
    main()

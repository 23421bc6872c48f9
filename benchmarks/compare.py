"""The library beside the public Full-Glow code, on the same work and in the same run.

    python -m benchmarks.compare --reference path/to/checkout --sizes 64,128

The checkout is the user's: nothing of it is part of this repository.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.bench import (
    OUT,
    Batches,
    Memories,
    Out,
    Rivals,
    Rounds,
    Sizes,
    Tasks,
    Threads,
    chosen,
    run,
)  # fmt: skip


def main(
    reference: Annotated[
        Path, typer.Option(exists=True, file_okay=False, help="A checkout of the public code.")
    ],
    sizes: Sizes = "64", batches: Batches = "1,4", tasks: Tasks = "train,first,more",
    rivals: Rivals = "plain,reference", memories: Memories = "store", rounds: Rounds = 5,
    threads: Threads = 2, out: Out = OUT,
) -> None:  # fmt: skip
    """As `benchmarks.bench`, with the public code as a third contender."""
    if not (reference / "src" / "models" / "two_glows").is_dir():
        raise typer.BadParameter(
            f"{reference}: no src/models/two_glows here; give a checkout of the public code"
        )
    beside = chosen(rivals, "rival", ("plain", "reference"))
    run(sizes, batches, tasks, memories, rounds, threads, out, beside, reference)


if __name__ == "__main__":
    typer.run(main)

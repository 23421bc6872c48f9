"""The library beside the public Full-Glow code, on the same work and in the same run.

    python -m benchmarks.compare --reference path/to/checkout --sizes 64,128

The checkout is the user's: nothing of it is part of this repository.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks import bench


def main(
    reference: Annotated[Path, typer.Option(help="A checkout of the public code.")],
    sizes: Annotated[str, typer.Option(help="Sides of square photographs: 64, 128, 256.")] = "64",
    batches: Annotated[str, typer.Option(help="The library's batches.")] = "1,4",
    tasks: Annotated[str, typer.Option(help="What to do.")] = "train,first,more",
    rounds: Annotated[int, typer.Option(min=1, help="Turns at every task.")] = 5,
    threads: Annotated[int, typer.Option(min=1, help="Intra-op threads.")] = 2,
    out: Annotated[Path, typer.Option(help="Where the JSON files go.")] = Path(
        "reports/benchmarks"
    ),
) -> None:
    """As `benchmarks.bench`, with the public code as a third contender."""
    bench.main(sizes, batches, tasks, rounds, threads, reference, out)


if __name__ == "__main__":
    typer.run(main)

"""How far classic augmentation should go, measured on held-out training drives.

    python -m benchmarks.classic_policy PREPARED --one-in 16 --steps 300

Every training scene is held out once, by drive; validation scenes are not looked at. Of each
strength (0 is mirroring alone) the class IoU on all scenes, read by the networks that have not seen
them, is printed and written for every seed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from augflow.core import io, seeding
from augflow.data.folds import Fold, folds
from augflow.data.scenes import SceneFolder
from augflow.metrics import scores
from augflow.segmentation.evaluate import confusions
from augflow.segmentation.params import SegmenterParams
from augflow.stages.retrain import train_segmenter


def main(
    prepared: Path,
    one_in: Annotated[int, typer.Option(help="Every so many-th training scene alone.")] = 1,
    steps: int = 300,
    count: Annotated[int, typer.Option("--folds")] = 2,
    repeats: Annotated[int, typer.Option(help="Seeds.")] = 2,
    strengths: str = "0,0.15,0.3,0.6,1",
    out: Path = Path("reports/benchmarks/classic_policy.json"),
) -> None:
    """Measures each strength on one share of the scenes and adds a row to the file."""
    seeding.deterministic(0, 1)
    folder = SceneFolder(prepared, "train", one_in)
    params = SegmenterParams(steps=steps)
    parts = folds(folder.drives, count, "classic policy")
    found = {}
    for strength in map(float, strengths.split(",")):
        values = [class_iou(folder, parts, params, seed, strength) for seed in range(repeats)]
        found[f"{strength:g}"] = values
        print(f"strength {strength:g}: class IoU {100 * np.mean(values):.2f} %", flush=True)
    row = {"study": prepared.parent.name, "one_in": one_in, "scenes": len(folder), "steps": steps,
           "folds": len(parts), "class_iou": found}  # fmt: skip
    rows = io.read_json(out)["rows"] if out.exists() else []
    io.write_json(out, {"rows": [*rows, row]})


def class_iou(
    folder: SceneFolder, parts: tuple[Fold, ...], params: SegmenterParams, seed: int,
    strength: float,
) -> float:  # fmt: skip
    """Class IoU on all scenes, each read by the network that has not learned from it."""
    count = folder.table.count
    total = np.zeros((count, count), np.int64)
    for part in parts:
        names = [folder.names[row] for row in part.fit]
        segmenter, _ = train_segmenter(
            names, folder.scenes(part.fit), folder.table, params, seed,
            augment="classic" if strength else "none", strength=strength or 1.0,
        )  # fmt: skip
        held = folder.scenes(part.held_out)
        total += sum(confusions(segmenter, held.image, held.layout.classes))
    return scores(total).class_iou


if __name__ == "__main__":
    typer.run(main)

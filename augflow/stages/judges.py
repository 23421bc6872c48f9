"""A judge: a segmenter that selections ask, and what it is used to see in real photographs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from augflow.core import hardware, io, seeding
from augflow.core.errors import DataError
from augflow.data.folds import folds
from augflow.data.scenes import SceneFolder
from augflow.segmentation.evaluate import PixelLosses, class_losses, iter_pixel_losses
from augflow.segmentation.mmseg_model import MmsegSegmenter
from augflow.stages.retrain import REAL, save, train_segmenter
from augflow.study.params import ArmParams, JudgeParams
from augflow.training import loop

LOSSES = "class_losses.json"
"""The mean loss of each class, in a judge's folder."""


def train_judge(
    name: str,
    params: JudgeParams,
    prepared: Path,
    out: Path,
    run: Path,
    threads: int | None = None,
) -> None:
    """Trains a judge on its share of the real training images, and measures class losses.

    `class_losses.json` in its folder has the mean cross-entropy of the pixels of each class, nats.
    """
    seeding.deterministic(params.seed, threads)
    hardware.keep_pages()
    folder = SceneFolder(prepared, "train", params.one_in)
    later = [run / str(number) for number in range(params.folds if params.folds > 1 else 0)]
    judge, history = _train(folder, range(len(folder)), params, run / "all", later)
    arm = ArmParams(train_on=(REAL,), reads="prepared", one_in=params.one_in)
    if params.folds > 1:
        seen = _cross_fitted(name, folder, params, run)
    else:
        seen = iter_pixel_losses(judge, folder.scenes())
    means = class_losses(seen, folder.table.count)
    with io.fresh_folder(out) as fresh:
        save(fresh, judge, history, arm, len(folder), params, params.seed)
        facts = {"kind": "class losses", "folds": params.folds, "scenes": len(folder)}
        io.write_json(fresh / LOSSES, facts | {"losses": by_class(folder.table.names, means)})


def by_class(names: Sequence[str], means: np.ndarray) -> dict[str, float | None]:
    """Class losses by name, None for a class of which there was no pixel."""
    pairs = zip(names, means, strict=True)
    return {name: None if np.isnan(mean) else float(mean) for name, mean in pairs}


def read_losses(judge: Path, names: Sequence[str]) -> np.ndarray:
    """The mean loss of each class, as `train_judge` wrote it.

    Shapes:
        returns: (K,) float64 in nats; nan for a class of which there was no pixel.

    Raises:
        DataError: the file is missing, damaged or of other classes.
    """
    path = judge / LOSSES
    try:
        found = io.read_json(path)["losses"]
        if sorted(found) != sorted(names):
            raise DataError(
                f"{path}: losses of {', '.join(found)}; expected those of {', '.join(names)}; "
                "train the judge again"
            )
        losses = [found[name] for name in names]
        return np.array([np.nan if loss is None else float(loss) for loss in losses])
    except (AttributeError, KeyError, TypeError, ValueError) as fault:
        raise DataError(f"{path}: no class losses ({fault}); train the judge again") from fault


def _train(
    folder: SceneFolder,
    rows: Sequence[int],
    params: JudgeParams,
    run: Path,
    later: Sequence[Path] = (),
) -> tuple[MmsegSegmenter, list[loop.HistoryRow]]:
    names = [folder.names[row] for row in rows]
    return train_segmenter(
        names, folder.scenes(rows), folder.table, params, params.seed, run, later=later
    )


def _cross_fitted(
    name: str, folder: SceneFolder, params: JudgeParams, run: Path
) -> Iterator[tuple[PixelLosses, np.ndarray]]:
    """What networks see in the photographs that they have not learned from."""
    for number, fold in enumerate(folds(folder.drives, params.folds, f"judges.{name}")):
        network, _ = _train(folder, fold.fit, params, run / str(number))
        yield from iter_pixel_losses(network, folder.scenes(fold.held_out))

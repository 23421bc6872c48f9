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
from augflow.stages.retrain import REAL, facts_of, save, train_segmenter
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
    """Trains a judge on its share of the real training photographs, and measures class losses.

    Args:
        name: the judge's name.
        params: its section.
        prepared: the prepared folder.
        out: the judge's folder, written as a whole: weights, config, `history.csv`, and the mean
            cross-entropy of the pixels of each class in `class_losses.json`.
        run: where the states of interrupted trainings are kept.
        threads: threads of torch.

    Raises:
        DataError: there are too few scenes for folds, or the disk has no room.
        ModelError: the network cannot be built, the checkpoint does not fit, or the loss stopped
            being finite.
    """
    seeding.deterministic(params.seed, threads)
    hardware.keep_pages()
    folder = SceneFolder(prepared, "train", params.one_in)
    later = [run / str(number) for number in range(params.folds if params.folds > 1 else 0)]
    judge, history = _train(folder, range(len(folder)), params, run / "all", later)
    arm = ArmParams(train_on=(REAL,), reads="prepared", one_in=params.one_in)
    judge.training = {
        **facts_of(arm),
        "photographs": len(folder),
        "seed": params.seed,
        "steps": params.steps,
        "batch_size": params.batch_size,
    }
    if params.folds > 1:
        seen = _cross_fitted(name, folder, params, run)
    else:
        seen = iter_pixel_losses(judge, folder.scenes())
    means = class_losses(seen, folder.table.count)
    with io.fresh_folder(out) as fresh:
        save(fresh, judge, history)
        io.write_json(fresh / LOSSES, _facts(params, folder, means))


def read_losses(judge: Path, names: Sequence[str]) -> np.ndarray:
    """The mean loss of each class, as `train_judge` wrote it.

    Args:
        judge: the judge's folder.
        names: of the classes, K.

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


def _facts(params: JudgeParams, folder: SceneFolder, means: np.ndarray) -> dict[str, object]:
    losses = {
        name: None if np.isnan(mean) else float(mean)
        for name, mean in zip(folder.table.names, means, strict=True)
    }
    return {"kind": "class losses", "folds": params.folds, "scenes": len(folder), "losses": losses}

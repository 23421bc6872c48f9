"""Segmenters look at photographs: a confusion matrix for each, from which all scores follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from augflow.core.errors import DataError, ModelError
from augflow.data.scenes import SceneFolder
from augflow.data.synthetic import SyntheticSet, read_set
from augflow.editing.compose import sources_of
from augflow.metrics.features import features
from augflow.metrics.frechet import frechet_distance, pooled_features
from augflow.segmentation.evaluate import confusions
from augflow.segmentation.mmseg_model import MmsegSegmenter, load_segmenter_for
from augflow.stages.retrain import require_fitting
from augflow.study.params import FeatureParams
from augflow.study.results import ArmScores, Item, ReferenceRows, References, Run, SetScores

Named = tuple[str, str, int]
"""Name, layout and round of a photograph."""


def score_set(
    prepared: Path,
    synthetic: Path,
    judge: Path,
    out: Path,
    params: FeatureParams = FeatureParams(),  # noqa: B008
    threads: int | None = None,
    *,
    trust_config: bool = False,
) -> None:
    """The judge looks at every image of a synthetic set; all are compared with real ones.

    Ground truth is the layout that an image was made for, as the prepared folder holds it, or as
    the set does where its layouts are new. The Frechet distance of each temperature's images is to
    all real images of the splits that the layouts are of.

    Raises:
        DataError: the set is damaged, or its layouts are not those of the prepared folder.
        ModelError: the judge is damaged or was trained on other classes.
    """
    _use(threads)
    made = read_set(synthetic)
    folders = {split: SceneFolder(prepared, split) for split in _splits(made)}
    table = next(iter(folders.values())).table
    for folder in folders.values():
        require_fitting(made, synthetic, folder.table, folder.size)
    check = _check_layouts if made.facts.new_layouts is None else _check_sources
    check(made, synthetic, folders)
    segmenter = load_segmenter_for(judge, table, trust_config)
    names = [(row.name, row.layout, row.round) for row in made.rows]
    scenes = made.scenes()
    items = _items(segmenter, scenes.image, scenes.layout.classes, names)
    SetScores(
        set=made.facts.name,
        temperatures=list(made.facts.temperatures),
        classes=list(table.names),
        judge=segmenter.digest(),
        features=params.features,
        frechet=set_distances(made, folders, params, made.facts.temperatures),
        items=[
            item.model_copy(update={"temperature": row.temperature})
            for item, row in zip(items, made.rows, strict=True)
        ],
    ).write(out)


def score_references(
    prepared: Path,
    judge: Path,
    out: Path,
    params: FeatureParams = FeatureParams(),  # noqa: B008
    threads: int | None = None,
    *,
    trust_config: bool = False,
) -> None:
    """The judge looks at photographs that no generator made, for the held-out layouts.

    `real` are the photographs themselves: the ceiling. `flat` is every class painted with the mean
    colour that it has in the training photographs, and `wrong` the photograph of another layout, of
    another drive where there is one: two floors, the first of right structure without appearance,
    the second of real appearance without the structure.

    Raises:
        DataError: the prepared folder is damaged, or has one held-out scene only.
        ModelError: the judge is damaged or was trained on other classes.
    """
    _use(threads)
    train, val = SceneFolder(prepared, "train"), SceneFolder(prepared, "val")
    if len(val) < 2:
        raise DataError(
            f"{prepared}: split val has 1 scene, expected 2 or more to show each another's "
            "photograph; raise data.val_fraction"
        )
    segmenter = load_segmenter_for(judge, val.table, trust_config)
    scenes = val.scenes()
    classes = scenes.layout.classes
    others = other_scenes(val.drives)
    images = {
        "real": scenes.image,
        "flat": paint_classes(classes, mean_colours(train)),
        "wrong": scenes.image[others],
    }
    names = [(name, name, 0) for name in val.names]
    shown = {"wrong": [(val.names[n], name, 0) for n, name in zip(others, val.names, strict=True)]}
    rows = {
        kind: _items(segmenter, photos, classes, shown.get(kind, names))
        for kind, photos in images.items()
    }
    compared = {**images, "real": train.scenes().image}
    distances = image_distances(params, list(compared.values()), scenes.image)
    References(
        classes=list(val.table.names),
        judge=segmenter.digest(),
        features=params.features,
        frechet=dict(zip(compared, distances, strict=True)),
        rows=ReferenceRows(**rows),
    ).write(out)


def score_arms(
    prepared: Path,
    trained: Mapping[str, Path],
    out: Path,
    threads: int | None = None,
    *,
    trust_config: bool = False,
) -> None:
    """Retrained networks look at the real held-out photographs.

    Args:
        prepared: the prepared folder.
        trained: the networks' folders by `ARM-SEED`.
        out: the JSON file.
        threads: threads of torch.
        trust_config: whether the networks may name modules and files.

    Raises:
        DataError: the prepared folder is damaged.
        ModelError: networks that are damaged, of other classes, or trained for unequal steps.
    """
    _use(threads)
    val = SceneFolder(prepared, "val")
    scenes = val.scenes()
    names = [(name, name, 0) for name in val.names]
    runs = {}
    for key in sorted(trained):
        segmenter = load_segmenter_for(trained[key], val.table, trust_config)
        runs[key] = Run(
            arm=key.rpartition("-")[0],
            seed=segmenter.training["seed"],
            steps=segmenter.training["steps"],
            segmenter=segmenter.digest(),
            items=_items(segmenter, scenes.image, scenes.layout.classes, names),
        )
    _check_equal_steps(runs)
    ArmScores(classes=list(val.table.names), runs=runs).write(out)


def mean_colours(folder: SceneFolder) -> np.ndarray:
    """The mean colour of each class in the photographs of a split.

    Shapes:
        returns: (256, 3) uint8 by train id; ids without a pixel have the mean of all pixels.
    """
    scenes = folder.scenes()
    ids = scenes.layout.classes.flatten().numpy()
    pixels = scenes.image.permute(0, 2, 3, 1).reshape(-1, 3).numpy()
    counts = np.bincount(ids, minlength=256)
    sums = np.stack([np.bincount(ids, pixels[:, c], 256) for c in range(3)], axis=1)
    means = np.tile(sums.sum(axis=0) / counts.sum(), (256, 1))
    means[counts > 0] = sums[counts > 0] / counts[counts > 0, None]
    return np.rint(means).astype(np.uint8)


def paint_classes(classes: Tensor, colours: np.ndarray) -> Tensor:
    """Class maps as flat paint.

    Shapes:
        classes: (N, H, W) uint8.
        colours: (256, 3) uint8.
        returns: (N, 3, H, W) uint8.
    """
    return torch.from_numpy(colours)[classes.long()].permute(0, 3, 1, 2).contiguous()


def other_scenes(drives: Sequence[str]) -> list[int]:
    """For each scene the row of another one, from another drive where there is one.

    The search starts half the list further on, so that the pairs spread over all scenes.
    """
    count = len(drives)
    others = []
    for row, drive in enumerate(drives):
        places = [(row + count // 2 + n) % count for n in range(count)]
        candidates = [place for place in places if place != row]
        others.append(next((p for p in candidates if drives[p] != drive), candidates[0]))
    return others


def set_distances(
    made: SyntheticSet,
    folders: Mapping[str, SceneFolder],
    params: FeatureParams,
    temperatures: Sequence[float],
) -> list[float | None]:
    """The Frechet distance of a set's images at each temperature to the real ones of its splits."""
    groups = [
        [place for place, row in enumerate(made.rows) if row.temperature == temperature]
        for temperature in temperatures
    ]
    real = torch.cat([folder.scenes().image for folder in folders.values()])
    return image_distances(params, [made.scenes(rows).image for rows in groups], real)


def image_distances(
    params: FeatureParams, groups: Sequence[Tensor], real: Tensor
) -> list[float | None]:
    """The Frechet distance of each group to real images, in the features of params.

    None where there are fewer than two of either.

    Shapes:
        groups, real: each (N, 3, H, W) uint8.
    """
    look = features(params.features, Path(params.weights) if params.weights else None)
    pooled = pooled_features(look, real)
    return [
        frechet_distance(pooled_features(look, images), pooled)
        if min(len(images), len(real)) > 1
        else None
        for images in groups
    ]


def _use(threads: int | None) -> None:
    if threads is not None:
        torch.set_num_threads(threads)


def _items(
    segmenter: MmsegSegmenter, images: Tensor, classes: Tensor, names: Sequence[Named]
) -> list[Item]:
    matrices = confusions(segmenter, images, classes)
    return [
        Item(name=name, layout=layout, round=turn, confusion=matrix.tolist())
        for (name, layout, turn), matrix in zip(names, matrices, strict=True)
    ]


def _splits(made: SyntheticSet) -> list[str]:
    return sorted({row.split for row in made.rows})


def _check_layouts(made: SyntheticSet, where: Path, folders: Mapping[str, SceneFolder]) -> None:
    known = {
        (split, name): row
        for split, folder in folders.items()
        for row, name in enumerate(folder.names)
    }
    maps = {split: folder.scenes().layout.classes.numpy() for split, folder in folders.items()}
    faults = []
    for row, classes in zip(made.rows, made.classes, strict=True):
        place = known.get((row.split, row.layout))
        if place is None:
            faults.append(f"{where}: {row.name}: no scene {row.layout!r} in split {row.split}")
        elif not np.array_equal(maps[row.split][place], classes):
            faults.append(f"{where}: {row.name}: labels are not those of scene {row.layout!r}")
    _refuse(faults)


def _check_sources(made: SyntheticSet, where: Path, folders: Mapping[str, SceneFolder]) -> None:
    """New layouts begin as scenes, and all photographs of one have its labels."""
    faults: list[str] = []
    first: dict[str, np.ndarray] = {}
    for row, classes in zip(made.rows, made.classes, strict=True):
        known = folders[row.split].names
        if not any(source in known for source in sources_of(row.layout)):
            faults.append(
                f"{where}: {row.name}: {row.layout!r} began as no scene of split {row.split}"
            )
        elif not np.array_equal(first.setdefault(row.layout, classes), classes):
            faults.append(f"{where}: {row.name}: labels are not those of {row.layout!r} elsewhere")
    _refuse(faults)


def _refuse(faults: Sequence[str]) -> None:
    if faults:
        raise DataError("\n".join(f"{fault}; run synthesize again" for fault in faults))


def _check_equal_steps(runs: Mapping[str, Run]) -> None:
    steps = {key: run.steps for key, run in runs.items()}
    if len(set(steps.values())) > 1:
        shown = ", ".join(f"{key} {count}" for key, count in steps.items())
        raise ModelError(
            f"arms were trained for unequal numbers of steps ({shown}); run retrain again"
        )

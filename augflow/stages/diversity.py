"""How much a generator's photographs of one layout differ, at one temperature after another."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from augflow import generators
from augflow.core import hardware, seeding
from augflow.data.scenes import Layout, SceneFolder, evenly
from augflow.generators import weights_digest
from augflow.generators.base import Generator
from augflow.generators.sampling import image_seed, sample_images
from augflow.metrics.diversity import Diversity, over_layouts
from augflow.metrics.diversity import diversity as measured
from augflow.metrics.features import Features, features
from augflow.study.params import DiversityParams
from augflow.study.results import DiversityLevel, DiversityMeasures, DiversityScores

log = logging.getLogger("augflow")


def diversity(
    name: str, params: DiversityParams, generator: Path, prepared: Path, out: Path, *, threads: int
) -> None:
    """Measures many photographs for each of a few held-out layouts; they are not kept.

    A photograph's seed belongs to the section's seed, its layout and its number, so all generators
    and temperatures are drawn from equal seeds.

    Args:
        name: the generator's name in `params.yaml`.
        params: the section `diversity`.
        generator: the generator's folder.
        prepared: the prepared folder.
        out: the JSON file: per temperature the means over layouts and those of each layout.
        threads: intra-op threads.

    Raises:
        ParamsError: no such features.
        ModelError: the generator, or the weights of the features, cannot be read.
        DataError: the generator's size is not that of the layouts.

    References:
        IMLE (Li, Zhang and Malik 2019), section 4.3.
    """
    hardware.keep_pages()
    seeding.deterministic(params.seed, threads)
    look = features(params.features, Path(params.weights) if params.weights else None)
    maker = generators.load_unchecked(generator)
    scenes = SceneFolder(prepared, "val")
    rows = evenly(len(scenes), params.layouts)
    levels = []
    for temperature in params.temperatures:
        found = dict(_measure(maker, scenes, rows, look, params, temperature))
        mean = over_layouts(list(found.values()))
        levels.append(
            DiversityLevel(
                temperature=temperature,
                mean=_record(mean),
                layouts={layout: _record(one) for layout, one in found.items()},
            )
        )
        log.info(
            "%s at temperature %g: variance among clusters %.3g, perceptual distance %.3g",
            name,
            temperature,
            mean.clustered.overall,
            mean.perceptual.overall,
        )
    DiversityScores(
        generator=name,
        weights=weights_digest(maker.state_dict()),
        classes=list(scenes.table.names),
        features=params.features,
        samples=params.samples,
        clusters=params.clusters,
        repeats=params.repeats,
        layouts=[scenes.names[row] for row in rows],
        temperatures=levels,
    ).write(out)


def _record(found: Diversity) -> DiversityMeasures:
    return DiversityMeasures.model_validate(asdict(found))


def _measure(
    maker: Generator,
    scenes: SceneFolder,
    rows: list[int],
    look: Features,
    params: DiversityParams,
    temperature: float,
) -> Iterator[tuple[str, Diversity]]:
    for row in rows:
        name, layout = scenes.names[row], scenes.scenes([row]).layout
        drawn = [image_seed(params.seed, name, number) for number in range(params.samples)]
        yield (
            name,
            measured(
                _photos(maker, layout, drawn, temperature),
                layout.classes[0].numpy(),
                scenes.table.count,
                look,
                clusters=params.clusters,
                repeats=params.repeats,
                seed=seeding.derive(params.seed, name),
            ),
        )


def _photos(
    maker: Generator, layout: Layout, drawn: list[int], temperature: float
) -> np.ndarray[Any, Any]:
    """The photographs of one layout, (N, H, W, 3) uint8."""
    return np.stack([photo.image for photo in sample_images(maker, layout, drawn, temperature)])

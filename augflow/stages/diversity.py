"""How much a generator's photographs of one layout differ, at one temperature after another."""

from __future__ import annotations

import logging
from dataclasses import asdict
from pathlib import Path

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
    name: str, params: DiversityParams, folder: Path, prepared: Path, out: Path, *, threads: int
) -> None:
    """Measures many photographs for each of a few held-out layouts; they are not kept.

    A photograph's seed belongs to the section's seed, its layout and its number, so all generators
    and temperatures are drawn from equal seeds.

    References:
        IMLE (Li, Zhang and Malik 2019), section 4.3.
    """
    hardware.keep_pages()
    seeding.deterministic(params.seed, threads)
    look = features(params.features, Path(params.weights) if params.weights else None)
    generator = generators.load_unchecked(folder)
    scenes = SceneFolder(prepared, "val")
    rows = evenly(len(scenes), params.layouts)
    layouts = {scenes.names[row]: scenes.scenes([row]).layout for row in rows}
    levels, count = [], scenes.table.count
    for temperature in params.temperatures:
        found = {
            title: _measure(generator, title, layout, count, look, params, temperature)
            for title, layout in layouts.items()
        }
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
        weights=weights_digest(generator.state_dict()),
        classes=list(scenes.table.names),
        features=params.features,
        samples=params.samples,
        clusters=params.clusters,
        repeats=params.repeats,
        layouts=list(layouts),
        temperatures=levels,
    ).write(out)


def _record(found: Diversity) -> DiversityMeasures:
    return DiversityMeasures.model_validate(asdict(found))


def _measure(
    generator: Generator,
    name: str,
    layout: Layout,
    count: int,
    look: Features,
    params: DiversityParams,
    temperature: float,
) -> Diversity:
    """Of the images of one layout."""
    seeds = [image_seed(params.seed, name, number) for number in range(params.samples)]
    made = sample_images(generator, layout, seeds, temperature)
    return measured(
        np.stack([one.image for one in made]),
        layout.classes[0].numpy(),
        count,
        look,
        clusters=params.clusters,
        repeats=params.repeats,
        seed=seeding.derive(params.seed, name),
    )

"""A synthetic set: photographs for the layouts of a split, at one temperature."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from augflow import generators, machine, seeds
from augflow.flows.conditional import FlowGenerator
from augflow.generators import weights_digest
from augflow.params import SetParams
from augflow.photographs import sampled
from augflow.scenes import SceneFolder
from augflow.stages.train import spread
from augflow.synthetic import NewPhoto, SetFacts, write_set

log = logging.getLogger("augflow")


def synthesize(
    name: str, params: SetParams, generator: Path, prepared: Path, out: Path, *, threads: int
) -> None:
    """Writes a set of `params.rounds` photographs per layout, of `params.limit` evenly spread ones.

    A photograph's seed belongs to the set's seed, its layout and its round; sets that differ in
    temperature alone are drawn from equal noise.

    Args:
        name: the set's name in `params.yaml`.
        params: its section.
        generator: the generator's folder.
        prepared: the prepared folder whose layouts are used.
        out: the set's folder.
        threads: intra-op threads; equal threads give equal bytes on one machine.

    Raises:
        ModelError: the generator cannot be read.
        DataError: its size is not that of the layouts.
    """
    machine.keep_pages()
    seeds.deterministic(params.seed, threads)
    maker = generators.load(generator)
    scenes = SceneFolder(prepared, params.layouts)
    facts = set_facts(name, maker, scenes, params.temperature, params.rounds)
    rows = write_set(out, facts, _photos(maker, scenes, params))
    log.info("%s: %d photographs at temperature %g", name, len(rows), params.temperature)


def set_facts(
    name: str, maker: FlowGenerator, scenes: SceneFolder, temperature: float, rounds: int
) -> SetFacts:
    """What `set.json` says of a set that `maker` makes for prepared layouts."""
    digest = weights_digest(maker.state_dict())
    return SetFacts(name, digest, temperature, rounds, scenes.table, scenes.size)


def photo_seed(seed: int, layout: str, number: int) -> int:
    """The seed of the `number`-th photograph of a layout in a set."""
    return seeds.derive(seed, layout, number)


def _photos(maker: FlowGenerator, scenes: SceneFolder, params: SetParams) -> Iterator[NewPhoto]:
    for row in spread(len(scenes), params.limit or len(scenes)):
        layout = scenes.scenes([row]).layout
        name = scenes.names[row]
        drawn = [photo_seed(params.seed, name, number) for number in range(params.rounds)]
        made = sampled(maker, layout, drawn, params.temperature)
        for number, (seed, photo) in enumerate(zip(drawn, made, strict=True)):
            yield NewPhoto(
                name=f"{name}_r{number}", layout=name, split=params.layouts,
                city=scenes.drives[row], image=photo.image, classes=layout.classes[0].numpy(),
                round=number, seed=seed, log_p_bpd=photo.log_p_bpd,
            )  # fmt: skip

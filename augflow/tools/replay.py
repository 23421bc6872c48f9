"""Makes a synthetic photograph again and compares: `augflow replay`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from augflow import generators
from augflow.core import hardware, io
from augflow.core.errors import DataError
from augflow.core.seeding import deterministic
from augflow.data.boundaries import boundary_map, guessed_instances
from augflow.data.scenes import Layout
from augflow.data.synthetic import MANIFEST
from augflow.data.synthetic.manifest import label_path
from augflow.generators.base import Generator
from augflow.generators.latents import Drawn, Known, make_images
from augflow.stages.synthesize import layout_maker
from augflow.study.params import SetParams, TransferParams
from augflow.tools.latent_sources import Splits, origin_layout, read_origin
from augflow.tools.set_context import (
    SYNTHETIC,
    LocatedImage,
    SetContext,
    find_image,
    read_generator_record,
    read_selection,
    set_context,
)
from augflow.tools.synth import THREADS


@dataclass(frozen=True)
class Replay:
    """A photograph made again, beside what its file holds.

    Attributes:
        largest: the largest difference of a channel, in grey values.
        share: the share of pixels that differ in a channel.
        changed: whether the file holds other pixels than its manifest records.
        as_recorded: whether the pixels made again are those that the manifest records.

    Shapes:
        image: (H, W, 3) uint8.
    """

    image: np.ndarray
    largest: int
    share: float
    changed: bool
    as_recorded: bool

    @property
    def equal(self) -> bool:
        """Whether no pixel differs."""
        return self.largest == 0


def replay(photo: Path, generator: Path | None = None) -> Replay:
    """Makes the pixels of an image again from generator, layout, content, temperature, seed.

    By default the generator is the project's with the recorded digest.

    Raises:
        DataError: not an image of a set, or it cannot be made again: says why.
    """
    here = find_image(photo)
    home = set_context(here.folder)
    stored = io.read_photo(here.path)
    folder = _generator_folder(here, home, generator)
    name, source = _source(here, home)
    origin = read_origin(source) if source else None
    threads = home.project.params.threads if home.data and home.project else THREADS
    hardware.keep_pages()
    deterministic(0, origin.threads if origin else threads)
    model, doubt = generators.load_unchecked(folder), ""
    if source is not None and origin is not None:
        layout = origin_layout(source, here.facts, here.row)
        latents, attributes = origin.latents(model, here.row), here.facts.attributes
    else:
        splits = Splits(home.prepared_folder) if home.prepared_folder else None
        layout, doubt = _layout(here, home.section(name), source, splits)
        latents, attributes = _latents(here, home.section(name), name, splits, model), {}
    made = make_images(model, layout, [latents], attributes)[0].image
    if made.shape != stored.shape:
        raise DataError(
            f"{photo}: is {stored.shape[0]}x{stored.shape[1]} now, made again "
            f"{made.shape[0]}x{made.shape[1]}; restore the file"
        )
    apart = np.abs(made.astype(np.int64) - stored).max(axis=2)
    recorded = here.row.digest
    found = Replay(
        made,
        int(apart.max()),
        float((apart > 0).mean()),
        io.digest_array(stored) != recorded,
        io.digest_array(made) == recorded,
    )
    if doubt and not found.equal and not found.as_recorded:
        raise _cannot(here, doubt)
    return found


def _generator_folder(here: LocatedImage, home: SetContext, given: Path | None) -> Path:
    digest = here.row.generator
    if given is None:
        found = home.generator(digest)
        if found is None:
            known = ", ".join(f"{one.name} ({one.digest})" for one in home.generators())
            raise _cannot(
                here,
                f"no generator here has the digest {digest} of the one that made it (found: "
                f"{known or 'none'}); give its folder with --generator",
            )
        return found.folder
    other = read_generator_record(given).digest
    if other != digest:
        raise _cannot(
            here,
            f"{given} has the digest {other}, the generator that made it {digest}; "
            "give the folder of that one with --generator",
        )
    return given


def _source(here: LocatedImage, home: SetContext) -> tuple[str, Path | None]:
    """Name and folder of the set that a photograph was made in; None where it is not there."""
    selection = read_selection(here.folder)
    if selection is None:
        return here.folder.absolute().name, here.folder
    folder = home.data / SYNTHETIC / selection.set if home.data else None
    return selection.set, folder if folder is not None and folder.is_dir() else None


def _latents(
    here: LocatedImage,
    section: SetParams | TransferParams | None,
    name: str,
    splits: Splits | None,
    generator: Generator,
) -> Drawn | Known:
    row = here.row
    if not row.content:
        return Drawn(row.seed, row.temperature)
    if not isinstance(section, TransferParams) or splits is None:
        raise _cannot(
            here,
            f"its content was moved from {row.content}, and neither the set nor a transfer "
            f"{name!r} in params.yaml, with prepared scenes, says how; make the set again",
        )
    return splits.latents(generator, section, row)


def _layout(
    here: LocatedImage,
    section: SetParams | TransferParams | None,
    source: Path | None,
    splits: Splits | None,
) -> tuple[Layout, str]:
    """The layout of an image, and a doubt where its boundary map had to be guessed."""
    row = here.row
    if splits is not None and isinstance(section, SetParams) and section.new_layouts is not None:
        maker = layout_maker(splits.split(section.layouts), section)
        return maker.from_name(row.layout).layout, ""
    if splits is not None and row.layout in _names(splits, row.split):
        return splits.scene(row.split, row.layout).layout, ""
    if source is None:
        raise _cannot(
            here,
            f"its layout {row.layout!r} is no prepared scene, and the set that it was "
            "selected from, whose labels are whole, is not there",
        )
    labels = source / label_path(row.photo, "labelIds")
    instances = source / label_path(row.photo, "instanceIds")
    if not labels.is_file():
        raise _cannot(here, f"its layout {row.layout!r} is no prepared scene, and {labels} is gone")
    classes = here.facts.table.from_raw(io.read_ids(labels))
    known = instances.is_file()
    ids = io.read_ids(instances).astype(np.int32) if known else None
    edges = boundary_map(
        guessed_instances(classes, here.facts.table.things) if ids is None else ids
    )
    layout = Layout(torch.tensor(classes)[None], torch.tensor(edges)[None].float())
    doubt = (
        f"the boundary map of its layout {row.layout!r} is not on record, and one made from "
        f"{'the instance ids' if known else 'the labels'} in {source} gives other pixels"
    )
    return layout, doubt


def _names(splits: Splits, split: str) -> list[str]:
    rows = io.read_csv(splits.prepared / "scenes.csv")
    return [row["name"] for row in rows if row["split"] == split]


def _cannot(here: LocatedImage, why: str) -> DataError:
    return DataError(f"{here.path}: cannot be made again ({MANIFEST} of {here.folder}): {why}")

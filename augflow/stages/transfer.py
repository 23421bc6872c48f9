"""Content transfer: what one photograph shows, in the structure of another layout."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from augflow import generators
from augflow.core import hardware, seeding
from augflow.core.hardware import check_disk_space
from augflow.data.scenes import SceneFolder, evenly
from augflow.data.synthetic import NewPhoto, write_set
from augflow.generators.base import Generator
from augflow.generators.latents import transfer_image
from augflow.generators.sampling import image_seed
from augflow.stages.synthesize import set_facts
from augflow.study import disk_usage
from augflow.study.params import TransferParams

log = logging.getLogger("augflow")

CELLS = 4


def transfer(
    name: str, params: TransferParams, folder: Path, prepared: Path, out: Path, *, threads: int
) -> None:
    """Writes a set in which every layout gets the content of the photograph that suits it best.

    References:
        Full-Glow, section 5.4 and figure 3.
    """
    hardware.keep_pages()
    seeding.deterministic(params.seed, threads)
    generator = generators.load(folder)
    layouts = SceneFolder(prepared, params.layouts)
    contents = SceneFolder(prepared, params.contents)
    facts = set_facts(name, generator, layouts, (params.degree,), 1)
    count = min(params.limit or len(layouts), len(layouts))
    take = disk_usage.image_set(disk_usage.scene_files(prepared), count, count, out)
    check_disk_space(out, take, f"transfer {name}")
    rows = write_set(out, facts, _photos(generator, layouts, contents, params))
    log.info("%s: %d photographs transferred", name, len(rows))


def class_mix(classes: np.ndarray, count: int) -> np.ndarray:
    """The share of every class in each cell of a 4 x 4 grid over a class map.

    Latents keep their place in the picture, so structure and content agree where the same classes
    are in the same places; shares over the whole picture would not say so.

    Shapes:
        classes: (H, W) train ids, 255 ignored.
        returns: (16 K,) float64, each cell's shares of its own area.
    """
    rows = np.array_split(np.arange(classes.shape[0]), CELLS)
    columns = np.array_split(np.arange(classes.shape[1]), CELLS)
    shares = [
        np.bincount(cell[cell < count].ravel(), minlength=count) / max(cell.size, 1)
        for r in rows
        for c in columns
        for cell in (classes[np.ix_(r, c)],)
    ]
    return np.concatenate(shares)


def best_content(layout: np.ndarray, contents: np.ndarray, allowed: np.ndarray, count: int) -> int:
    """The row of the class map whose mix is nearest to a layout's, by absolute differences.

    Shapes:
        layout: (H, W).
        contents: (N, H, W).
        allowed: (N,) bool, the rows that may be taken.
    """
    wanted = class_mix(layout, count)
    distances = np.array([np.abs(class_mix(c, count) - wanted).sum() for c in contents])
    return int(np.argmin(np.where(allowed, distances, np.inf)))


def _photos(
    generator: Generator, layouts: SceneFolder, contents: SceneFolder, params: TransferParams
) -> Iterator[NewPhoto]:
    maps = contents.scenes().layout.classes.numpy()
    drives = np.array(contents.drives)
    for row in evenly(len(layouts), params.limit or len(layouts)):
        name, layout = layouts.names[row], layouts.scenes([row]).layout
        others = np.array([other != name for other in contents.names])
        elsewhere = others & (drives != layouts.drives[row])
        allowed = elsewhere if elsewhere.any() else others
        best = best_content(layout.classes[0].numpy(), maps, allowed, layouts.table.count)
        seed = image_seed(params.seed, name, 0) if params.latents == "style" else 0
        made = (params.latents, seed, params.degree)
        photo = transfer_image(generator, contents.scenes([best]), layout, *made)
        yield NewPhoto(
            name=f"{name}_from_{contents.names[best]}",
            layout=name,
            split=params.layouts,
            city=layouts.drives[row],
            image=photo.image,
            classes=layout.classes[0].numpy(),
            temperature=params.degree,
            seed=seed,
            content=contents.names[best],
            log_p_bpd=photo.log_p_bpd,
        )

"""A checkpoint of the papers' public code becomes a generator's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from augflow import generators
from augflow.core import io
from augflow.core.errors import DataError
from augflow.data.boundaries import Filter
from augflow.data.classes import ClassTable
from augflow.generators.base import Generator
from augflow.tools import checkpoints

OWN = {"weights.safetensors", "config.json"}


def import_weights(
    origin: Literal["glow2", "pix2pix"], file: Path, out: Path, table: ClassTable,
    size: tuple[int, int], *, boundary: Literal["v1", "v2"] = "v1",
    boundary_filter: Filter = "bicubic",
) -> Generator:  # fmt: skip
    """Reads a checkpoint and writes `weights.safetensors` and `config.json` to `out`.

    Args:
        origin: whose code wrote it.
        file: the checkpoint.
        out: the generator's folder.
        table: the classes of the layouts.
        size: height and width of the photographs.
        boundary: the version of boundary map that a `glow2` learned with, if it did.
        boundary_filter: how that map was made smaller.

    Raises:
        DataError: `out` holds other things than a generator.
        ModelError: the file is damaged, holds more than tensors, or does not fit.
        ParamsError: the size does not fit the network.
    """
    _check_out(out)
    generator: Generator
    if origin == "glow2":
        generator = checkpoints.read_glow2(file, table, size, boundary, boundary_filter)
        system = "full_glow"
    else:
        generator, system = checkpoints.read_pix2pix(file, table, size), "pix2pix"
    facts = {
        "name": out.name,
        "preset": f"imported from {origin}",
        "likelihood": generator.likelihood,
        "file": io.digest_bytes(file.read_bytes()),
    }
    with io.fresh_folder(out) as folder:
        generators.save(folder, system, generator, facts)
    return generator


def _check_out(out: Path) -> None:
    """Only a generator's folder is replaced."""
    there = [path.name for path in out.iterdir()] if out.exists() else []
    other = sorted(set(there) - OWN)
    if other:
        raise DataError(f"{out}: holds {other[0]!r}, which is no generator's; name a new folder")

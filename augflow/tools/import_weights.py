"""A checkpoint of the papers' public code becomes a generator's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from augflow import generators
from augflow.core import io
from augflow.data.boundaries import Filter
from augflow.data.classes import ClassTable
from augflow.generators.base import Generator
from augflow.tools import checkpoints
from augflow.tools.output_folder import require_output_folder

GENERATOR_FILES = {"weights.safetensors", "config.json"}


def import_weights(
    origin: Literal["glow2", "pix2pix"],
    file: Path,
    out: Path,
    table: ClassTable,
    size: tuple[int, int],
    *,
    boundary: Literal["v1", "v2"] = "v1",
    boundary_filter: Filter = "bicubic",
    overwrite: bool = False,
) -> Generator:
    """Reads a checkpoint and writes `weights.safetensors` and `config.json` to `out`."""
    kind = ("config.json", GENERATOR_FILES.__contains__)
    require_output_folder(out, [file], *kind, overwrite=overwrite)
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

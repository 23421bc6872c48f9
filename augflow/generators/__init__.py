"""The generators: one file per system, one table, save and load."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from augflow.core import io
from augflow.core.config import Section, validate_section
from augflow.core.errors import ModelError, ParamsError, suggest
from augflow.core.tensors import read_weights
from augflow.data.classes import ClassTable
from augflow.generators.base import Generator
from augflow.generators.c_flow import C_FLOW, CFlow, CFlowConfig
from augflow.generators.c_glow import C_GLOW, CondGlow, CondGlowConfig
from augflow.generators.caflow import CAFLOW, CAFlow, CAFlowConfig
from augflow.generators.caglow import CAGLOW, CAGlow, CAGlowConfig
from augflow.generators.cglow import CGLOW, CGlow, CGlowConfig
from augflow.generators.crn import CRN, Crn, CrnConfig
from augflow.generators.dual_glow import DUAL_GLOW, DualGlow, DualGlowConfig
from augflow.generators.full_glow import FullGlow
from augflow.generators.glow import Glow
from augflow.generators.imle import IMLE, Imle, ImleConfig
from augflow.generators.pix2pix import PIX2PIX, Pix2Pix, Pix2PixConfig
from augflow.generators.presets import FULL_GLOW, GLOW, FullGlowConfig, GlowConfig, make_config

__all__ = [
    "SYSTEMS",
    "Generator",
    "System",
    "build",
    "fill",
    "load",
    "load_unchecked",
    "save",
]


@dataclass(frozen=True)
class System:
    """A row of the table: the class, its configuration, and its presets."""

    generator: type[Generator]
    config: type[Section]
    presets: dict[str, dict[str, Any]]


SYSTEMS = {
    "full_glow": System(FullGlow, FullGlowConfig, FULL_GLOW),
    "caflow": System(CAFlow, CAFlowConfig, CAFLOW),
    "dual_glow": System(DualGlow, DualGlowConfig, DUAL_GLOW),
    "c_flow": System(CFlow, CFlowConfig, C_FLOW),
    "pix2pix": System(Pix2Pix, Pix2PixConfig, PIX2PIX),
    "c_glow": System(CondGlow, CondGlowConfig, C_GLOW),
    "glow": System(Glow, GlowConfig, GLOW),
    "cglow": System(CGlow, CGlowConfig, CGLOW),
    "caglow": System(CAGlow, CAGlowConfig, CAGLOW),
    "crn": System(Crn, CrnConfig, CRN),
    "imle": System(Imle, ImleConfig, IMLE),
}


def system(name: str) -> System:
    """The row of that name.

    Raises:
        ParamsError: no such system; lists the known ones.
    """
    if name not in SYSTEMS:
        raise ParamsError(f"no system {name!r}; {suggest(name, sorted(SYSTEMS))}")
    return SYSTEMS[name]


def config_of(params: Any, size: tuple[int, int]) -> Section:
    """What a section of `params.yaml` asks for (system, preset, overrides), at a study's size."""
    row = system(params.system)
    return make_config(row.config, row.presets, params.preset, {"size": size, **params.overrides})


def build(name: str, config: Section, table: ClassTable, seed: int = 0) -> Generator:
    """A new generator of a system with fresh weights."""
    generator: Any = system(name).generator
    return generator(config, table, seed)


WORST_ROUND_TRIP = 0.5
"""In 8-bit grey values: a photograph that comes back so far off is another one."""


def save(folder: Path, name: str, generator: Any, facts: dict[str, Any]) -> str:
    """Writes `weights.safetensors` and `config.json`.

    `facts` are whatever else belongs to the record (preset, steps, final numbers).

    Returns:
        The digest of the weights, by content.
    """
    from safetensors.torch import save as to_bytes

    from augflow.data.scenes import table_facts

    tensors = {key: value.contiguous() for key, value in generator.state_dict().items()}
    digest = weights_digest(tensors)
    io.atomic_write(folder / "weights.safetensors", to_bytes(tensors))
    config = {
        "system": name,
        "config": generator.config.model_dump(mode="json"),
        "classes": table_facts(generator.table),
        "weights": digest,
        "parameters": sum(p.numel() for p in generator.parameters()),
        "facts": facts,
    }
    io.write_json(folder / "config.json", config)
    return digest


def load_unchecked(folder: Path) -> Generator:
    """Reads a generator that `save` wrote.

    Raises:
        ModelError: files are missing, damaged, or do not fit each other.
    """
    if not (folder / "weights.safetensors").exists() or not (folder / "config.json").exists():
        raise ModelError(
            f"{folder}: no generator here (expected weights.safetensors and config.json); "
            "train one, or give the folder of one with --generator"
        )
    record = read_record(folder, "generator")
    config = validate_section(
        system(record.system).config, record.config, str(folder / "config.json")
    )
    generator = build(record.system, config, record.table)
    fill(generator, folder, record.weights)
    return generator.eval()


@dataclass(frozen=True)
class Record:
    """What `config.json` says of a saved model; `weights` is their digest."""

    system: str
    config: Any
    table: ClassTable
    weights: str


def read_record(folder: Path, kind: str) -> Record:
    """The record of a model that `save` wrote.

    Raises:
        ModelError: it is not the record of one; says to restore or train that `kind` of model.
    """
    from augflow.data.scenes import table_from

    path = folder / "config.json"
    record = io.read_json(path)
    try:
        name, digest, table = record["system"], record["weights"], table_from(record["classes"])
        if not isinstance(name, str):
            raise TypeError(f"system is {name!r}, expected a name")
        return Record(name, record["config"], table, digest)
    except (KeyError, TypeError, ValueError) as fault:
        raise ModelError(
            f"{path}: not the record of a saved {kind} ({type(fault).__name__}: {fault}); "
            f"restore it, or train the {kind} again"
        ) from fault


def load(folder: Path) -> Generator:
    """Reads a generator that photographs are to be made with.

    A flow that has lost its inverse makes photographs that have not the density, nor the latents,
    that are written down for them. Its record says so if it has been trained here; of imported
    weights nothing is known.

    Raises:
        ModelError: as `load_unchecked`; or the generator is a flow whose round trip fails.
    """
    generator, facts = load_unchecked(folder), io.read_json(folder / "config.json").get("facts")
    error = facts.get("round_trip", 0.0) if isinstance(facts, dict) else 0.0
    if not isinstance(error, int | float) or not error < WORST_ROUND_TRIP:
        shown = f"{error:.3g} grey values off" if isinstance(error, int | float) else "lost"
        raise ModelError(
            f"{folder}: a photograph comes back {shown} from this flow's latents, expected less "
            f"than {WORST_ROUND_TRIP:g}: train it again with a lower learning rate, clip_norm, or "
            "a higher floor of the coupling scale"
        )
    return generator


def fill(model: nn.Module, folder: Path, digest: str) -> None:
    """Puts the weights of a folder into a model that was built from its configuration.

    Raises:
        ModelError: the file is damaged, its digest another, its numbers are not finite, or names,
            shapes or types are not the model's.
    """
    path = folder / "weights.safetensors"
    tensors, own = read_weights(path), model.state_dict()
    if weights_digest(tensors) != digest:
        raise ModelError(f"{path}: weights are not those that config.json records; restore both")
    faults = [f"{name!r} is missing" for name in own if name not in tensors]
    faults += [f"{name!r} is unknown" for name in tensors if name not in own]
    faults += [
        f"{name!r} is {_form(tensors[name])}, expected {_form(value)}"
        for name, value in own.items()
        if name in tensors and _form(tensors[name]) != _form(value)
    ]
    if faults:
        more = f" and {len(faults) - 4} more" if len(faults) > 4 else ""
        raise ModelError(
            f"{path}: weights do not fit the configuration: {', '.join(faults[:4])}{more}; "
            "restore both files, or train the generator again"
        )
    model.load_state_dict(tensors)


def _form(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {'x'.join(map(str, tensor.shape))}"


def weights_digest(tensors: dict[str, Tensor]) -> str:
    """A digest of names and values, whatever the file's header says."""
    parts = [
        f"{name}:{io.digest_array(tensors[name].detach().cpu().numpy())}"
        for name in sorted(tensors)
    ]
    return io.digest_bytes("\n".join(parts).encode())

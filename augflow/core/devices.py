"""What a training runs on: a matter of the machine, told by options or by the environment.

Nothing of it is a parameter of a study, as results do not depend on it but by rounding.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from augflow.core import io, seeding
from augflow.core.distributed import ALONE, Ranks
from augflow.core.errors import DataError, ParamsError, nearest

if TYPE_CHECKING:
    import torch
    from torch import Tensor

log = logging.getLogger("augflow")

Accelerator = Literal["cpu", "cuda", "auto"]
Precision = Literal["float32", "bfloat16"]
_PRECISIONS: dict[Precision, Literal["32-true", "bf16-mixed"]] = {
    "float32": "32-true", "bfloat16": "bf16-mixed",
}  # fmt: skip


@dataclass(frozen=True)
class Used:
    """What something was computed on; equal ones alone give equal bits.

    Attributes:
        device: `cpu`, what the GPU calls itself, or `SEVERAL`.
        processes: that shared the work.
    """

    device: str = "cpu"
    processes: int = 1


_NOTE = "devices.json"
SEVERAL = "several, one after another"
"""The device of a training that was taken up on another one than it was begun on."""


@dataclass(frozen=True)
class Devices:
    """The processor or GPUs of some machines.

    Attributes:
        accelerator: `auto` takes a GPU where there is one.
        devices: processes on each machine, each with a GPU of its own if they are on GPUs.
        nodes: machines.
    """

    accelerator: Accelerator = "cpu"
    devices: int = 1
    nodes: int = 1

    @property
    def processes(self) -> int:
        """How many train together."""
        return self.devices * self.nodes

    @property
    def used(self) -> Used:
        """The same by the name of the device, as results on another one differ by rounding."""
        import torch

        name = torch.cuda.get_device_name() if _available(self) == "cuda" else "cpu"
        return Used(name, self.processes)


def asked(
    accelerator: str | None = None, devices: int | None = None, nodes: int | None = None
) -> Devices:
    """The devices of the options; of the environment where one is not given; else one processor.

    The environment is AUGFLOW_ACCELERATOR, AUGFLOW_DEVICES and AUGFLOW_NODES. Processes that
    torchrun or `fabric run` has started are counted by what they were told.

    Raises:
        ParamsError: an unknown name, not a number, or another number than processes were started.
    """
    chosen = accelerator or _variable("AUGFLOW_ACCELERATOR", "LT_ACCELERATOR")
    if chosen is None:
        chosen = "cpu"
        _tell_of_gpu()
    if chosen not in get_args(Accelerator):
        known = nearest(chosen, get_args(Accelerator))
        raise ParamsError(f"--accelerator (AUGFLOW_ACCELERATOR): no {chosen!r}; {known}")
    counts = {
        "devices": _number("devices", devices, "AUGFLOW_DEVICES"),
        "nodes": _number("nodes", nodes, "AUGFLOW_NODES"),
    }
    started = _started()
    for name, count in counts.items():
        if started and count not in (None, started[name]):
            raise ParamsError(
                f"--{name} is {count}, but the launcher started {started[name]}: leave it out, or "
                "start as many"
            )
    found = started or {name: count or 1 for name, count in counts.items()}
    return Devices(chosen, found["devices"], found["nodes"])  # type: ignore[arg-type]


def device() -> torch.device:
    """Where a process by itself computes: the processor, or the GPU that the environment asks for.

    Raises:
        ParamsError: it asks for a GPU, and there is none.
    """
    import torch

    return torch.device(_available(by_itself()))


def by_itself() -> Devices:
    """The devices of a process that shares its work with no other."""
    return Devices(asked().accelerator)


def note(run: Path, tensors: Iterable[Tensor], processes: int) -> None:
    """Notes in the folder of a run what it is computed on from here on.

    Args:
        run: the folder.
        tensors: what is learned, where it is learned.
        processes: that share the work.
    """
    import torch

    cards = sorted({str(one.device) for one in tensors if one.is_cuda})
    used = Used(torch.cuda.get_device_name(cards[0]) if cards else "cpu", processes)
    path = run / _NOTE
    whole = used if not path.exists() or noted(run) == used else Used(SEVERAL)
    if not path.exists() or noted(run) != whole:
        io.write_json(path, asdict(whole))


def noted(run: Path) -> Used:
    """What all of a run, and of those inside it, was computed on, see `note`.

    `SEVERAL` where nobody knows.
    """
    try:
        found = {Used(**io.read_json(path)) for path in run.rglob(_NOTE)}
    except (DataError, TypeError):
        found = set()
    return found.pop() if len(found) == 1 else Used(SEVERAL)


def start(devices: Devices, precision: Precision) -> Ranks:
    """Starts the processes of a training, or joins those that a launcher has started.

    Where no launcher has, the command of this process is run again for each further device.

    Raises:
        ParamsError: a GPU, or more GPUs, than there are; machines that do not know each other.
    """
    accelerator = _available(devices)
    if (accelerator, devices.devices, devices.nodes) == ("cpu", 1, 1):
        return ALONE
    if devices.nodes > 1 and not (_started() or _cluster()):
        raise ParamsError(
            f"--nodes is {devices.nodes}, but this machine knows no other: start "
            "`torchrun --nnodes N --nproc-per-node M -m augflow train` on each, or set "
            "MASTER_ADDR, MASTER_PORT and NODE_RANK"
        )
    if accelerator == "cuda":
        seeding.exact()
    from lightning_fabric import Fabric

    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    many = devices.processes > 1
    try:
        fabric = Fabric(
            accelerator=accelerator,
            strategy=os.environ.get("LT_STRATEGY", "ddp" if many else "auto"),
            devices=devices.devices,
            num_nodes=devices.nodes,
            precision=_PRECISIONS[precision],
        )
    except ValueError as fault:
        raise ParamsError(" ".join(str(fault).split())) from fault
    if os.environ.get("LT_CLI_USED") != "1":
        fabric.launch()
    return Ranks(fabric, devices.devices)


def _available(devices: Devices) -> str:
    """`cpu` or `cuda`, the latter with as many GPUs as are wanted."""
    import torch

    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if devices.accelerator == "cpu" or (devices.accelerator == "auto" and not there):
        return "cpu"
    if not there:
        raise ParamsError("--accelerator is cuda, but there is no GPU that torch can use; take cpu")
    if devices.devices > there:
        raise ParamsError(
            f"--devices is {devices.devices}, but this machine has {there} for cuda; take as many, "
            "or cpu"
        )
    return "cuda"


@cache
def _tell_of_gpu() -> None:
    import torch

    if torch.cuda.is_available():
        log.info("there is a GPU, and it is not used: AUGFLOW_ACCELERATOR=auto takes it")


def _started() -> dict[str, int]:
    """How many processes torchrun has started on each machine and on how many; else nothing."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return {}
    here, all_of_them = (int(os.environ[name]) for name in ("LOCAL_WORLD_SIZE", "WORLD_SIZE"))
    return {"devices": here, "nodes": all_of_them // here}


def _cluster() -> bool:
    """Whether machines have been told of each other."""
    return "SLURM_NTASKS" in os.environ or {"MASTER_ADDR", "NODE_RANK"} <= os.environ.keys()


def _number(name: str, given: int | None, variable: str) -> int | None:
    text = _variable(variable) if given is None else str(given)
    if text is None:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise ParamsError(f"--{name} ({variable}): expected a number from 1 on, got {text!r}")
    return int(text)


def _variable(*names: str) -> str | None:
    return next((os.environ[name] for name in names if os.environ.get(name)), None)

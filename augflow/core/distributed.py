"""What a training runs on, and the processes that share it.

Devices are a matter of the machine, told by options or by the environment. Nothing of it is a
parameter of a study, as results do not depend on it but by rounding.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

import torch
import torch.distributed as dist
from torch import Tensor

from augflow.core import io, seeding
from augflow.core.errors import AugflowError, DataError, ModelError, ParamsError, suggest

if TYPE_CHECKING:
    from lightning_fabric import Fabric

log = logging.getLogger("augflow")

T = TypeVar("T")

Accelerator = Literal["cpu", "cuda", "auto"]
Precision = Literal["float32", "bfloat16"]
_FABRIC_PRECISION: dict[Precision, Literal["32-true", "bf16-mixed"]] = {
    "float32": "32-true",
    "bfloat16": "bf16-mixed",
}

_NOTE = "devices.json"
SEVERAL = "several, one after another"
"""The device of a training that was taken up on another one than it was begun on."""

_BUCKET = 2**25
"""How many numbers are summed in one message, at least, as long as there are more."""
_PATIENCE = timedelta(days=1)
"""How long ranks wait for one that measures or writes; one that has ended is missed at once."""


@dataclass(frozen=True)
class MicroBatch:
    """Rows `start` to `stop` of a batch of so many rows, which are worked through at once."""

    start: int
    stop: int
    batch: int

    def __len__(self) -> int:
        """The number of rows."""
        return self.stop - self.start

    @property
    def rows(self) -> slice:
        """The rows, for indexing."""
        return slice(self.start, self.stop)

    @property
    def share(self) -> float:
        """What a mean over the part counts in the mean over the batch."""
        return len(self) / self.batch


class Ranks:
    """The processes of a training, or the only one. Every rank holds all weights.

    A batch and its noise are drawn as a whole by every rank, and each takes its rows, so that a
    step is the same for any number of ranks. Before they exchange anything, ranks ask each other
    whether all are well: a fault of one ends all of them (`raise_together`). `beside` is how many
    of them are on this machine.
    """

    def __init__(self, fabric: Fabric | None = None, beside: int = 1) -> None:
        """Joins the processes that Fabric has started; without it there is one, on the processor.

        All ranks have to do so at the same time.
        """
        self._fabric, self._ended = fabric, False
        self.device = torch.device("cpu") if fabric is None else fabric.device
        self.rank = 0 if fabric is None else fabric.global_rank
        self.count = 1 if fabric is None else fabric.world_size
        self.beside = beside
        self._talk: Any = None
        if self.count > 1:
            # of its own, so that questions and answers wait for no GPU, and longer than its sums do
            self._talk = dist.new_group(backend="gloo", timeout=_PATIENCE)

    @property
    def is_main(self) -> bool:
        """Whether this is the rank that measures, shows and writes."""
        return self.rank == 0

    def parts(self, batch: int, most: int | None = None) -> list[MicroBatch]:
        """This rank's rows of a batch, in parts of at most so many rows."""
        first, last = (batch * number // self.count for number in (self.rank, self.rank + 1))
        size = most or max(last - first, 1)
        return [MicroBatch(at, min(at + size, last), batch) for at in range(first, last, size)]

    def autocast(self, precision: str, device: torch.device) -> AbstractContextManager[Any]:
        """The context in which networks on a device run in `training.precision`."""
        if self._fabric is not None:
            return self._fabric.autocast()
        enabled = precision == "bfloat16"
        return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled)

    def all_gather(self, value: T) -> list[T]:
        """The values of all ranks, in their order; whatever pickle takes."""
        if self.count == 1:
            return [value]
        self._agree()
        return self._gather_objects(value)

    def sum(self, tensors: Sequence[Tensor]) -> None:
        """Puts the sum over ranks into every tensor; all ranks give tensors of the same shapes."""
        if self.count == 1:
            return
        self._agree()
        bucket: list[Tensor] = []
        for number, tensor in enumerate(tensors, start=1):
            bucket.append(tensor)
            if sum(one.numel() for one in bucket) >= _BUCKET or number == len(tensors):
                flat = torch.cat([one.flatten() for one in bucket])
                dist.all_reduce(flat)
                for one, total in zip(bucket, flat.split([b.numel() for b in bucket]), strict=True):
                    one.copy_(total.view_as(one))
                bucket = []

    def differentiable_sum(self, x: Tensor) -> Tensor:
        """The sum over ranks, as a new tensor through which gradients flow to all of them."""
        return _Summed.apply(self, x)

    def of_leader(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """The first rank's tensors by name, on the processor; what others give does not matter."""
        if self.count == 1:
            return tensors
        self._agree()
        own = {name: t.detach().cpu().clone() for name, t in tensors.items() if self.is_main}
        held = [own]
        dist.broadcast_object_list(held, 0, group=self._talk)
        return held[0]

    @contextmanager
    def raise_together(self) -> Iterator[None]:
        """Ranks end this together: all well, or all with the first fault of any.

        Raises:
            AugflowError: what another rank found; or whatever this one has raised.
            RuntimeError: what another rank raised that is not the user's fault.
        """
        try:
            yield
        except Exception as fault:
            if self.count > 1 and not self._ended:
                self._agree(fault)
            raise
        if self.count > 1:
            self._agree()

    def _agree(self, fault: Exception | None = None) -> None:
        """Waits for all ranks; raises the first fault if any rank comes with one."""
        faulty = torch.tensor([fault is not None], dtype=torch.int32)
        try:
            dist.all_reduce(faulty, group=self._talk)
        except RuntimeError as gone:
            self._ended = True
            raise ModelError(
                "another of the processes that train has ended without a word (killed, perhaps "
                "for want of memory): start again to go on from the last saved state"
            ) from gone
        if not faulty.item():
            return
        self._ended = True
        told = [one for one in self._gather_objects(self._portable(fault)) if one is not None]
        raise told[0] from fault

    def _portable(self, fault: Exception | None) -> Exception | None:
        """A fault that other processes can raise."""
        if fault is None or isinstance(fault, AugflowError):
            return fault
        return RuntimeError(f"rank {self.rank}: {type(fault).__name__}: {fault}")

    def _gather_objects(self, value: T) -> list[T]:
        values: list[Any] = [None] * self.count
        dist.all_gather_object(values, value, group=self._talk)
        return values


class _Summed(torch.autograd.Function):
    """The sum over ranks, and the sum over ranks of its gradients."""

    @staticmethod
    def forward(ctx: Any, ranks: Ranks, x: Tensor) -> Tensor:
        ctx.ranks, total = ranks, x.clone()
        ranks.sum([total])
        return total

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor]:
        total = grad.clone()
        ctx.ranks.sum([total])
        return None, total


ALONE = Ranks()
"""One process on the processor."""


@dataclass(frozen=True)
class Used:
    """What something was computed on; equal ones alone give equal bits.

    `device` is `cpu`, what the GPU calls itself, or `SEVERAL`.
    """

    device: str = "cpu"
    processes: int = 1


@dataclass(frozen=True)
class Devices:
    """The processor or GPUs of some machines (`nodes`), on each of which so many `devices` train.

    On GPUs each process has one of its own; `auto` takes GPUs where there are any.
    """

    accelerator: Accelerator = "cpu"
    devices: int = 1
    nodes: int = 1

    @property
    def processes(self) -> int:
        """How many train together."""
        return self.devices * self.nodes

    @property
    def by_name(self) -> Used:
        """The same by the name of the device, as results on another one differ by rounding."""
        name = torch.cuda.get_device_name() if _available(self) == "cuda" else "cpu"
        return Used(name, self.processes)


def requested_devices(
    accelerator: str | None = None, devices: int | None = None, nodes: int | None = None
) -> Devices:
    """The devices of the options; of the environment where one is not given; else one processor.

    The environment is AUGFLOW_ACCELERATOR, AUGFLOW_DEVICES and AUGFLOW_NODES. Processes that
    torchrun or `fabric run` has started are counted by what they were told.

    Raises:
        ParamsError: an unknown name, not a number, or another number than processes were started.
    """
    asked = (os.environ.get(name) for name in ("AUGFLOW_ACCELERATOR", "LT_ACCELERATOR"))
    chosen = accelerator or next(filter(None, asked), None)
    if chosen is None:
        chosen = "cpu"
        _tell_of_gpu()
    if chosen not in get_args(Accelerator):
        known = suggest(chosen, get_args(Accelerator))
        raise ParamsError(f"--accelerator (AUGFLOW_ACCELERATOR): no {chosen!r}; {known}")
    counts = {"devices": _number("devices", devices), "nodes": _number("nodes", nodes)}
    started = _launched_counts()
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
    return torch.device(_available(by_itself()))


def by_itself() -> Devices:
    """The devices of a process that shares its work with no other."""
    return Devices(requested_devices().accelerator)


def write_note(run: Path, tensors: Iterable[Tensor], processes: int) -> None:
    """Notes in the folder of a run what it is computed on from here on, by where it learns."""
    cards = sorted({str(one.device) for one in tensors if one.is_cuda})
    used = Used(torch.cuda.get_device_name(cards[0]) if cards else "cpu", processes)
    path = run / _NOTE
    whole = used if not path.exists() or read_note(run) == used else Used(SEVERAL)
    if not path.exists() or read_note(run) != whole:
        io.write_json(path, asdict(whole))


def read_note(run: Path) -> Used:
    """What all of a run, and of those inside it, was computed on, see `write_note`.

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
    told = "SLURM_NTASKS" in os.environ or {"MASTER_ADDR", "NODE_RANK"} <= os.environ.keys()
    if devices.nodes > 1 and not (_launched_counts() or told):
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
            precision=_FABRIC_PRECISION[precision],
        )
    except ValueError as fault:
        raise ParamsError(" ".join(str(fault).split())) from fault
    if os.environ.get("LT_CLI_USED") != "1":
        fabric.launch()
    return Ranks(fabric, devices.devices)


def _available(devices: Devices) -> str:
    """`cpu` or `cuda`, the latter with as many GPUs as are wanted."""
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
    if torch.cuda.is_available():
        log.info("there is a GPU, and it is not used: AUGFLOW_ACCELERATOR=auto takes it")


def _launched_counts() -> dict[str, int]:
    """How many processes torchrun has started on each machine and on how many; else nothing."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return {}
    here, all_of_them = (int(os.environ[name]) for name in ("LOCAL_WORLD_SIZE", "WORLD_SIZE"))
    return {"devices": here, "nodes": all_of_them // here}


def _number(name: str, given: int | None) -> int | None:
    """An option, or what the environment says instead."""
    variable = f"AUGFLOW_{name.upper()}"
    text = str(given) if given is not None else os.environ.get(variable)
    if not text:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise ParamsError(f"--{name} ({variable}): expected a number from 1 on, got {text!r}")
    return int(text)

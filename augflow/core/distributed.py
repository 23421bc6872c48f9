"""The processes that train together: whose rows are whose, sums over all, faults of one."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from augflow.core.errors import AugflowError, ModelError

if TYPE_CHECKING:
    from lightning_fabric import Fabric

T = TypeVar("T")

_BUCKET = 2**25
"""How many numbers are summed in one message, at least, as long as there are more."""
_PATIENCE = timedelta(days=1)
"""How long ranks wait for one that measures or writes; one that has ended is missed at once."""


@dataclass(frozen=True)
class Part:
    """Consecutive rows of a batch that are worked through at once.

    Attributes:
        start: the first row.
        stop: the row after the last one.
        batch: the number of rows in the batch.
    """

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
    whether all are well: a fault of one ends all of them (`together`).

    Attributes:
        device: where this rank computes.
        rank: its number.
        count: how many there are.
        beside: how many of them are on this machine.
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
    def leads(self) -> bool:
        """Whether this is the rank that measures, shows and writes."""
        return self.rank == 0

    def parts(self, batch: int, most: int | None = None) -> list[Part]:
        """This rank's rows of a batch, in parts of at most so many rows."""
        first, last = (batch * number // self.count for number in (self.rank, self.rank + 1))
        size = most or max(last - first, 1)
        return [Part(at, min(at + size, last), batch) for at in range(first, last, size)]

    def autocast(self, precision: str, device: torch.device) -> AbstractContextManager[Any]:
        """The context in which networks on a device run in `training.precision`."""
        if self._fabric is not None:
            return self._fabric.autocast()
        enabled = precision == "bfloat16"
        return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled)

    def gathered(self, value: T) -> list[T]:
        """The values of all ranks, in their order; whatever pickle takes."""
        if self.count == 1:
            return [value]
        self._agree()
        return self._told(value)

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

    def summed(self, x: Tensor) -> Tensor:
        """The sum over ranks, as a new tensor through which gradients flow to all of them."""
        return _Summed.apply(self, x)

    def of_leader(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """The first rank's tensors by name, on the processor; what others give does not matter."""
        if self.count == 1:
            return tensors
        heads = self.gathered({name: (t.shape, t.dtype) for name, t in tensors.items()})[0]
        found: dict[str, Tensor] = {}
        for name, (shape, dtype) in heads.items():
            own = tensors[name].detach().cpu().clone() if self.leads else None
            found[name] = torch.empty(shape, dtype=dtype) if own is None else own.contiguous()
            dist.broadcast(found[name], 0, group=self._talk)
        return found

    @contextmanager
    def together(self) -> Iterator[None]:
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
        told = [one for one in self._told(self._portable(fault)) if one is not None]
        raise told[0] from fault

    def _portable(self, fault: Exception | None) -> Exception | None:
        """A fault that other processes can raise."""
        if fault is None or (isinstance(fault, AugflowError) and _travels(fault)):
            return fault
        return RuntimeError(f"rank {self.rank}: {type(fault).__name__}: {fault}")

    def _told(self, value: T) -> list[T]:
        values: list[Any] = [None] * self.count
        dist.all_gather_object(values, value, group=self._talk)
        return values


def _travels(fault: Exception) -> bool:
    try:
        pickle.loads(pickle.dumps(fault))
    except Exception:  # whatever a foreign part of it does when it is packed
        return False
    return True


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

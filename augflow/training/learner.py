"""What all learners share: optimizers, schedule, moving average, and a state of plain tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from augflow.core.distributed import ALONE, MicroBatch, Ranks
from augflow.core.errors import ModelError, ParamsError
from augflow.core.tensors import device_of, require_like
from augflow.data.scenes import Scene, Scenes
from augflow.training.batches import EVAL_BATCH, random_flip
from augflow.training.params import TrainingParams

UNSEEN = "the loss itself"
"""What `first_nonfinite_module` says when every layer's output is finite."""


class NotFiniteError(ModelError):
    """A loss or gradient stopped being finite; the message names the layer.

    Attributes:
        rows: the training scenes in question, where a learner picks its own.
    """

    rows: Sequence[int] | None = None


class Learner:
    """What `training.fit` trains: networks with an optimizer each, Adam or AdamW.

    Attributes:
        networks: what has an optimizer of its own, by name.
        optimizers: by the same names.
        ranks: the processes that share every batch.
        micro_batch: how many rows are worked through at once; None for all that a rank has.
    """

    networks: dict[str, nn.Module]
    optimizers: dict[str, torch.optim.Optimizer]
    ranks: Ranks = ALONE
    micro_batch: int | None = None

    def step(self, scene: Scene, rng: np.random.Generator, step: int) -> dict[str, float]:
        """One update on a batch; the numbers to log. All randomness comes from `rng`.

        Raises:
            NotFiniteError: before the weights are touched.
        """
        raise NotImplementedError

    def whole_batches(self) -> str | None:
        """Why a batch cannot be worked through in parts, and what to do; None where it can."""
        return None

    def state(self) -> dict[str, Tensor]:
        """All that the next step depends on: the tensors themselves, which it changes."""
        tensors = {f"weights.{name}": p.detach() for name, p in self._weights().items()}
        tensors |= {f"buffers.{name}": value for name, value in self._buffers().items()}
        for name, p in self._weights().items():
            moments = self.optimizers[name.partition(".")[0]].state.get(p, {})
            tensors |= {f"adam.{key}.{name}": value for key, value in moments.items()}
        return tensors

    @torch.no_grad()
    def restore(self, state: dict[str, Tensor]) -> None:
        """Goes back to a `state`.

        Raises:
            KeyError: the state lacks a tensor.
            ValueError: a tensor is of another shape or type.
        """
        for name, p in self._weights().items():
            p.copy_(require_like(state, f"weights.{name}", p))
        for name, value in self._buffers().items():
            value.copy_(require_like(state, f"buffers.{name}", value))
        for name, p in self._weights().items():
            likes = {"step": torch.zeros(()), "exp_avg": p, "exp_avg_sq": p}
            if any(f"adam.{key}.{name}" in state for key in likes):
                self.optimizers[name.partition(".")[0]].state[p] = {
                    key: require_like(state, f"adam.{key}.{name}", like).to(p.device, copy=True)
                    for key, like in likes.items()
                }

    def _weights(self) -> dict[str, nn.Parameter]:
        return {
            f"{network}.{name}": p
            for network, module in self.networks.items()
            for name, p in module.named_parameters()
        }

    def _buffers(self) -> dict[str, Tensor]:
        return {
            f"{network}.{name}": value
            for network, module in self.networks.items()
            for name, value in module.named_buffers()
        }


class GeneratorLearner(Learner):
    """A learner of a generator, by one Adam per network.

    Subclasses say how a batch is learned from (`update`), before the first one (`initialise`), and
    what is measured on held-out scenes (`measure_held_out`).

    A step draws its coins and noise for the whole batch, on the processor. `optimizer_step` then
    works through this rank's parts of it, each moved to the generator's device (`rows_on_device`).

    Attributes:
        columns: the numbers of a row of the history.
    """

    columns: tuple[str, ...] = ("loss", "grad_norm", "learning_rate")

    def __init__(
        self,
        generator: Any,
        params: TrainingParams,
        networks: Mapping[str, nn.Module] | None = None,
    ) -> None:
        """Sets up the optimizers, and a moving average if `params.ema` asks for one.

        `networks` have an optimizer each, by name; by default the generator alone has one.

        Raises:
            ParamsError: `params.micro_batch` parts a batch that has to stay whole, or
                `params.memory` is asked of a generator that is no flow.
        """
        self.generator, self.params = generator, params
        if hasattr(generator, "memory"):
            generator.memory = params.memory
        elif params.memory != "store":
            raise ParamsError(
                f"training.memory is {params.memory}, which only flows know: set it to store, and "
                "micro_batch to a few rows if memory is short"
            )
        self.networks = dict(networks or {"generator": generator})
        self.weights = self._weights()
        self.optimizers = {
            network: torch.optim.Adam(
                module.parameters(), lr=params.learning_rate, betas=params.betas, fused=True
            )
            for network, module in self.networks.items()
        }
        self.average: dict[str, Tensor] | None = None
        if params.ema is not None:
            self.average = {n: p.detach().clone() for n, p in generator.named_parameters()}
        self.micro_batch = params.micro_batch if params.micro_batch != "auto" else None
        reason = self.whole_batches()
        if reason and self.micro_batch and self.micro_batch < params.batch_size:
            raise ParamsError(f"training.micro_batch is {self.micro_batch}, but {reason}")

    @property
    def device(self) -> torch.device:
        """Where the generator is."""
        return device_of(self.generator)

    def join(self, ranks: Ranks) -> None:
        """Shares every batch with other ranks from here on."""
        self.ranks = ranks

    def initialise(self, scene: Scene) -> None:
        """Whatever depends on data before the first step; `scene` holds `init_scenes` scenes."""

    def on_fit_start(self, scenes: Scenes) -> None:
        """Told of the whole training set, before `initialise` and before a state is restored."""

    def step(self, scene: Scene, rng: np.random.Generator, step: int) -> dict[str, float]:
        """See `Learner.step`."""
        if self.params.flip:
            scene = random_flip(scene, rng)
        rate = self.set_rate(step)
        numbers = self.update(scene, rng, step)
        self.update_ema(step)
        return {**numbers, "learning_rate": rate}

    def update(self, scene: Scene, rng: np.random.Generator, step: int) -> dict[str, float]:
        """Updates the weights by a batch, mirrored already if it is to be; the numbers to log."""
        raise NotImplementedError

    def measure_held_out(self, scene: Scene) -> dict[str, float]:
        """What `evaluate` measures on held-out scenes, with the averaged weights."""
        with self.ema_weights() as generator:
            return self.evaluate(generator, scene, min(EVAL_BATCH, self.micro_batch or EVAL_BATCH))

    @staticmethod
    def evaluate(generator: Any, scene: Scene, batch: int = EVAL_BATCH) -> dict[str, float]:
        """Numbers of the history and of the record; a function of weights and scenes alone.

        `batch` scenes at most are looked at at once.
        """
        return {}

    def state(self) -> dict[str, Tensor]:
        """See `Learner.state`."""
        average = {f"average.{name}": value for name, value in (self.average or {}).items()}
        return super().state() | average

    @torch.no_grad()
    def restore(self, state: dict[str, Tensor]) -> None:
        """See `Learner.restore`."""
        super().restore(state)
        for name, value in (self.average or {}).items():
            value.copy_(require_like(state, f"average.{name}", value))

    @contextmanager
    def ema_weights(self) -> Iterator[Any]:
        """The generator as it is used: averaged weights, evaluation mode, while this lasts."""
        generator = self.generator
        own = {name: p.detach().clone() for name, p in generator.named_parameters()}
        generator.eval()
        _load(generator, self.average or {})
        try:
            yield generator
        finally:
            _load(generator, own)
            generator.train()

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        return self.params.learning_rate * schedule(self.params, step)

    def set_rate(self, step: int) -> float:
        """Sets the learning rate of a step; returns it."""
        rate = self.rate(step)
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = rate
        return rate

    def parts(self, batch: int) -> list[MicroBatch]:
        """The parts in which this rank works through its rows of a batch."""
        return self.ranks.parts(batch, self.micro_batch)

    def rows_on_device(self, part: MicroBatch, *values: Any) -> list[Any]:
        """A part's rows of scenes and tensors of a batch, on the generator's device."""
        return [value[part.rows].to(self.device) for value in values]

    def optimizer_step(
        self,
        network: str,
        parts: Sequence[MicroBatch],
        step: int,
        losses: Callable[[MicroBatch], dict[str, Tensor]],
        blame: Callable[[MicroBatch], object] | None = None,
    ) -> dict[str, float]:
        """One update of a network's weights against a loss of all ranks' parts of a batch.

        Args:
            network: whose weights.
            parts: this rank's parts, of which one after the other is differentiated.
            step: for messages.
            losses: scalars by name, `loss` among them: what a part adds to those of the batch (a
                mean over its rows times `MicroBatch.share`, say).
            blame: what the layer to blame for a loss of a part that is not finite is looked for in,
                the first whose output is not; by default the losses.

        Returns:
            The batch's numbers by the same names, and `grad_norm`.

        Raises:
            NotFiniteError: before the weights are touched.
        """
        self.optimizers[network].zero_grad(set_to_none=True)
        numbers = self._reduce_gradients(network, self._accumulate_gradients(parts, losses))
        if not np.isfinite(numbers["loss"]):
            blamed = self._nonfinite_module(network, parts, blame or losses)
            raise NotFiniteError(
                f"step {step}: the loss is {numbers['loss']}, first seen in {blamed}"
            )
        norm = self._clip_gradients(network, step)
        self.optimizers[network].step()
        return {**numbers, "grad_norm": norm}

    @torch.no_grad()
    def update_ema(self, step: int) -> None:
        """Moves the average towards the generator's weights, faster during the first steps."""
        if self.average is None or self.params.ema is None:
            return
        decay = min(self.params.ema, (1 + step) / (10 + step))
        weights = [p for _, p in self.generator.named_parameters()]
        torch._foreach_lerp_(list(self.average.values()), weights, 1 - decay)

    @torch.no_grad()
    def reset_ema(self) -> None:
        """Sets the average to the weights as they are, after an initialisation."""
        for name, p in self.generator.named_parameters():
            if self.average is not None:
                self.average[name].copy_(p.detach())

    def precision(self) -> AbstractContextManager[Any]:
        """The context in which networks run in `params.precision`."""
        return self.ranks.autocast(self.params.precision, self.device)

    def _accumulate_gradients(
        self, parts: Sequence[MicroBatch], losses: Callable[[MicroBatch], dict[str, Tensor]]
    ) -> dict[str, float]:
        """Adds up gradients and numbers of this rank's parts.

        Buffers begin each part as they were, as spectral norms move theirs at every forward pass.
        """
        before = {n: b.clone() for n, b in self._buffers().items()} if len(parts) > 1 else {}
        numbers: dict[str, float] = {}
        for part in parts:
            for name, value in self._buffers().items() if numbers else ():
                value.copy_(before[name])
            values = losses(part)
            if torch.isfinite(values["loss"]):
                values["loss"].backward()
            for name, tensor in values.items():
                number = float(tensor.detach())
                numbers[name] = numbers[name] + number if name in numbers else number
        return numbers

    def _reduce_gradients(self, network: str, numbers: dict[str, float]) -> dict[str, float]:
        """Adds up gradients and numbers of all ranks."""
        if self.ranks.count == 1:
            return numbers
        weights = list(self.networks[network].parameters())
        told = self.ranks.all_gather((numbers, [p.grad is not None for p in weights]))
        reached = [any(flags) for flags in zip(*(flags for _, flags in told), strict=True)]
        for p, reaches in zip(weights, reached, strict=True):
            if reaches and p.grad is None:  # a rank without rows has none
                p.grad = torch.zeros_like(p)
        self.ranks.sum([p.grad for p in weights if p.grad is not None])
        names = max((found for found, _ in told), key=len)
        return {name: sum(found.get(name, 0.0) for found, _ in told) for name in names}

    def _nonfinite_module(
        self, network: str, parts: Sequence[MicroBatch], run: Callable[[MicroBatch], object]
    ) -> str:
        """The layer to blame in the first part, of any rank, that has one."""
        own = {id(p) for p in self.generator.parameters()}
        module = self.networks[network]
        within = self.generator if own.issuperset(map(id, module.parameters())) else module
        found = (first_nonfinite_module(within, partial(run, part)) for part in parts)
        first = next((name for name in found if name != UNSEEN), UNSEEN)
        return next((name for name in self.ranks.all_gather(first) if name != UNSEEN), UNSEEN)

    def _clip_gradients(self, network: str, step: int) -> float:
        limit = self.params.clip_norm or float("inf")
        module = self.networks[network]
        norm = torch.nn.utils.clip_grad_norm_(module.parameters(), limit, foreach=True)
        if not torch.isfinite(norm):
            name = largest_gradient(module)
            raise NotFiniteError(f"step {step}: the gradient of {name} is not finite")
        return float(norm)


def schedule(params: TrainingParams, step: int) -> float:
    """The share of the learning rate at a step: linear warm-up, constant, linear to zero.

    `params.gamma` decays it by a factor every `params.gamma_every` steps besides, and from
    `params.drop_from` on (a share of all steps) it is a tenth.

    References:
        Full-Glow, appendix D (high resolution): constant for the first half, then linear to 0;
        CAFLOW, appendix B: warm-up, step decay, one final drop.
    """
    warm = min(1.0, (step + 1) / params.warmup_steps) if params.warmup_steps else 1.0
    start = params.decay_from * params.steps
    left = (params.steps - step) / max(params.steps - start, 1) if step >= start else 1.0
    decayed = params.gamma ** (step // params.gamma_every)
    dropped = 0.1 if step >= params.drop_from * params.steps else 1.0
    return warm * min(1.0, left) * decayed * dropped


@torch.no_grad()
def _load(generator: nn.Module, values: Mapping[str, Tensor]) -> None:
    for name, p in generator.named_parameters():
        if name in values:
            p.copy_(values[name])


def first_nonfinite_module(module: nn.Module, run: Callable[[], object]) -> str:
    """The first module whose output is not finite, in the order of the forward pass."""
    found: list[str] = []
    hooks = [
        inner.register_forward_hook(_finder(name, found))
        for name, inner in module.named_modules()
        if name
    ]
    try:
        with torch.no_grad():
            run()
    finally:
        for hook in hooks:
            hook.remove()
    return found[0] if found else UNSEEN


def _finder(name: str, found: list[str]) -> Callable[[object, object, object], None]:
    def hook(module: object, inputs: object, output: object) -> None:
        values = output if isinstance(output, tuple) else (output,)
        tensors = [value for value in values if isinstance(value, Tensor)]
        if any(not torch.isfinite(value).all() for value in tensors):
            found.append(name)

    return hook


def largest_gradient(module: nn.Module) -> str:
    """The weight with the largest gradient; one that is not a number counts as largest."""
    sizes = {
        name: float(p.grad.abs().max().nan_to_num(nan=float("inf")))
        for name, p in module.named_parameters()
        if p.grad is not None
    }
    return max(sizes, key=lambda name: sizes[name])

"""What all learners share: optimizers, schedule, moving average, and a state of plain tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from augflow import seeds
from augflow.errors import ModelError
from augflow.params import TrainingParams
from augflow.scenes import Layout, Scene
from augflow.synthesizer import Generator


class Learner(Protocol):
    """Anything that `training.fit` can train."""

    def step(self, scene: Scene, rng: np.random.Generator, step: int) -> dict[str, float]:
        """One update on a batch; the numbers to log. All randomness comes from `rng`."""
        ...

    def state(self) -> dict[str, Tensor]:
        """Everything that the next step depends on."""
        ...

    def restore(self, state: dict[str, Tensor]) -> None:
        """Goes back to a `state`."""
        ...


class NotFiniteError(ModelError):
    """A loss or gradient stopped being finite; the message names the layer.

    Attributes:
        rows: the training scenes in question, where a learner picks its own.
    """

    rows: Sequence[int] | None = None


class GeneratorLearner:
    """A learner of a generator, by one Adam per network.

    Subclasses say how a batch is learned from (`step`), before the first one (`initialise`), and
    what is measured on held-out scenes (`measured`).

    Attributes:
        columns: the numbers of a row of the history.
    """

    columns: ClassVar[tuple[str, ...]] = ("loss", "grad_norm", "learning_rate")

    def __init__(
        self,
        generator: Any,
        params: TrainingParams,
        networks: Mapping[str, nn.Module] | None = None,
    ) -> None:
        """Sets up the optimizers, and a moving average if `params.ema` asks for one.

        Args:
            generator: what is trained, a `Generator`.
            params: how.
            networks: what has an optimizer of its own, by name; the generator alone by default.
        """
        self.generator, self.params = generator, params
        self.networks = dict(networks or {"generator": generator})
        self.weights = {
            f"{network}.{name}": p
            for network, module in self.networks.items()
            for name, p in module.named_parameters()
        }
        self.optimizers = {
            network: torch.optim.Adam(
                module.parameters(), lr=params.learning_rate, betas=params.betas, fused=True
            )
            for network, module in self.networks.items()
        }
        self.average: dict[str, Tensor] | None = None
        if params.ema is not None:
            self.average = {n: p.detach().clone() for n, p in generator.named_parameters()}

    def initialise(self, scene: Scene) -> None:
        """Whatever depends on data before the first step; `scene` holds `init_scenes` scenes."""

    def attend(self, scenes: Scene) -> None:
        """Told of the whole training set, before `initialise` and before a state is restored."""

    def step(self, scene: Scene, rng: np.random.Generator, step: int) -> dict[str, float]:
        """See `Learner.step`."""
        raise NotImplementedError

    def measured(self, scene: Scene) -> dict[str, float]:
        """What `evaluate` measures on held-out scenes, with the averaged weights."""
        with self.averaged() as generator:
            return self.evaluate(generator, scene)

    @staticmethod
    def evaluate(generator: Any, scene: Scene) -> dict[str, float]:
        """Numbers of the history and of the record; a function of weights and scenes alone."""
        return {}

    def state(self) -> dict[str, Tensor]:
        """See `Learner.state`."""
        tensors = {f"weights.{name}": p.detach() for name, p in self.weights.items()}
        for name, value in self._buffers().items():
            tensors[f"buffers.{name}"] = value
        for name, moments in self._moments().items():
            for key, value in moments.items():
                tensors[f"adam.{key}.{name}"] = value
        for name, value in (self.average or {}).items():
            tensors[f"average.{name}"] = value
        return tensors

    @torch.no_grad()
    def restore(self, state: dict[str, Tensor]) -> None:
        """See `Learner.restore`."""
        for name, p in self.weights.items():
            p.copy_(state[f"weights.{name}"])
        for name, value in self._buffers().items():
            value.copy_(state[f"buffers.{name}"])
        for network, optimizer in self.optimizers.items():
            for name, p in self.networks[network].named_parameters():
                keys = ("step", "exp_avg", "exp_avg_sq")
                known = {key: state.get(f"adam.{key}.{network}.{name}") for key in keys}
                moments = {key: value.clone() for key, value in known.items() if value is not None}
                if moments:
                    optimizer.state[p] = moments
        for name, value in (self.average or {}).items():
            value.copy_(state[f"average.{name}"])

    @contextmanager
    def averaged(self) -> Iterator[Any]:
        """The generator as it is used: averaged weights, evaluation mode, while this lasts."""
        generator: Generator = self.generator
        own = {name: p.detach().clone() for name, p in generator.named_parameters()}
        generator.eval()
        _load(generator, self.average or {})
        try:
            yield generator
        finally:
            _load(generator, own)
            generator.train()

    def set_rate(self, step: int, optimizer: str | None = None) -> float:
        """Sets the learning rate of a step, of all optimizers or one; returns it."""
        rate = self.params.learning_rate * schedule(self.params, step)
        for name, one in self.optimizers.items():
            if optimizer in (None, name):
                for group in one.param_groups:
                    group["lr"] = rate
        return rate

    def descend(self, network: str, loss: Tensor, step: int, culprit: Callable[[], str]) -> float:
        """One update of a network's weights against a loss; returns the gradient's norm.

        Args:
            network: whose weights.
            loss: a scalar.
            step: for messages.
            culprit: names the layer that is to blame for a loss that is not finite.

        Raises:
            NotFiniteError: before the weights are touched.
        """
        if not torch.isfinite(loss):
            value = float(loss.detach())
            raise NotFiniteError(f"step {step}: the loss is {value}, first seen in {culprit()}")
        self.optimizers[network].zero_grad(set_to_none=True)
        loss.backward()
        norm = self._clipped(network, step)
        self.optimizers[network].step()
        return norm

    @torch.no_grad()
    def follow(self, step: int) -> None:
        """Moves the average towards the generator's weights, faster during the first steps."""
        if self.average is None or self.params.ema is None:
            return
        decay = min(self.params.ema, (1 + step) / (10 + step))
        weights = [p for _, p in self.generator.named_parameters()]
        torch._foreach_lerp_(list(self.average.values()), weights, 1 - decay)

    @torch.no_grad()
    def restart_average(self) -> None:
        """Sets the average to the weights as they are, after an initialisation."""
        for name, p in self.generator.named_parameters():
            if self.average is not None:
                self.average[name].copy_(p.detach())

    def precision(self) -> torch.autocast:
        """The context in which networks run in `params.precision`."""
        bfloat = self.params.precision == "bfloat16"
        return torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat)

    def _clipped(self, network: str, step: int) -> float:
        limit = self.params.clip_norm or float("inf")
        module = self.networks[network]
        norm = torch.nn.utils.clip_grad_norm_(module.parameters(), limit, foreach=True)
        if not torch.isfinite(norm):
            name = _steepest(module)
            raise NotFiniteError(f"step {step}: the gradient of {name} is not finite")
        return float(norm)

    def _moments(self) -> dict[str, dict[str, Tensor]]:
        return {
            f"{network}.{name}": optimizer.state.get(p, {})
            for network, optimizer in self.optimizers.items()
            for name, p in self.networks[network].named_parameters()
        }

    def _buffers(self) -> dict[str, Tensor]:
        modules: dict[str, nn.Module] = {"generator": self.generator, **self.networks}
        return {
            f"{network}.{name}": value
            for network, module in modules.items()
            for name, value in module.named_buffers()
        }


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


def flipped(scene: Scene, rng: np.random.Generator) -> Scene:
    """Each scene mirrored left to right, or not, by a coin of its own."""
    coins = torch.from_numpy(rng.random(len(scene)) < 0.5)
    image = torch.where(coins[:, None, None, None], scene.image.flip(-1), scene.image)
    classes = torch.where(coins[:, None, None], scene.layout.classes.flip(-1), scene.layout.classes)
    edges = torch.where(coins[:, None, None], scene.layout.boundary.flip(-1), scene.layout.boundary)
    return Scene(image, Layout(classes, edges))


def uniform(shape: tuple[int, ...], rng: np.random.Generator) -> Tensor:
    """Uniform draws in [0, 1), float32."""
    return torch.from_numpy(rng.random(shape, dtype=np.float32))


def normal(shape: tuple[int, ...], rng: np.random.Generator) -> Tensor:
    """Standard normal draws, float32."""
    return torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))


def photo_noise(start: int, count: int) -> seeds.Noise:
    """The noise with which held-out scenes are looked at: a stream per place in their order."""
    return seeds.Noise([seeds.derive(0, "held out", start + n) for n in range(count)])


def culprit(module: nn.Module, run: Callable[[], object]) -> str:
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
    return found[0] if found else "the loss itself"


def _finder(name: str, found: list[str]) -> Callable[[object, object, object], None]:
    def hook(module: object, inputs: object, output: object) -> None:
        values = output if isinstance(output, tuple) else (output,)
        tensors = [value for value in values if isinstance(value, Tensor)]
        if any(not torch.isfinite(value).all() for value in tensors):
            found.append(name)

    return hook


@torch.no_grad()
def _load(generator: nn.Module, values: Mapping[str, Tensor]) -> None:
    for name, p in generator.named_parameters():
        if name in values:
            p.copy_(values[name])


def _steepest(module: nn.Module) -> str:
    """The weight with the largest gradient; one that is not a number counts as largest."""
    sizes = {
        name: float(p.grad.abs().max().nan_to_num(nan=float("inf")))
        for name, p in module.named_parameters()
        if p.grad is not None
    }
    return max(sizes, key=lambda name: sizes[name])

"""How a family of generators learns: one update at a time, all state in plain tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from augflow import seeds
from augflow.errors import ModelError
from augflow.flows.conditional import FlowGenerator, content_noise
from augflow.flows.density import bits_per_dim, dequantized, discrete_log_prob
from augflow.params import TrainingParams
from augflow.scenes import Layout, Scene


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
    """A loss or gradient stopped being finite; the message names the layer."""


class LikelihoodLearner:
    """Maximum likelihood of photographs given layouts, and of layouts: equation 11 of Full-Glow."""

    def __init__(self, generator: FlowGenerator, params: TrainingParams) -> None:
        """Sets up Adam, and a moving average of the weights if `params.ema` asks for one."""
        self.generator, self.params = generator, params
        self.weights = dict(generator.named_parameters())
        self.optimizer = torch.optim.Adam(
            self.weights.values(), lr=params.learning_rate, fused=True
        )
        self.average = None
        if params.ema is not None:
            self.average = {name: p.detach().clone() for name, p in self.weights.items()}

    def initialise(self, scene: Scene) -> None:
        """Data-dependent initialisation of every actnorm from a batch, before the first step."""
        rng = seeds.generator(self.params.seed, "initialise")
        noise = _noise_like(scene.image, rng)
        planes = content_noise(scene.layout, self._planes)
        self.generator.initialise(dequantized(scene.image, noise), scene.layout, planes)
        if self.average is not None:
            for name, p in self.weights.items():
                self.average[name].copy_(p.detach())

    def step(self, scene: Scene, rng: np.random.Generator, step: int) -> dict[str, float]:
        """See `Learner.step`.

        Raises:
            NotFiniteError: before the weights are touched.
        """
        if self.params.flip:
            scene = flipped(scene, rng)
        rate = self.params.learning_rate * schedule(self.params, step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        image = dequantized(scene.image, _noise_like(scene.image, rng))
        planes = _uniform((len(scene), self._planes, *scene.layout.size), rng)
        with self._precision():
            loss, bits = self._loss(image, scene.layout, planes)
        if not torch.isfinite(loss):
            layer = _culprit(self.generator, lambda: self._loss(image, scene.layout, planes))
            value = float(loss.detach())
            raise NotFiniteError(f"step {step}: the loss is {value}, first seen in {layer}")
        loss.backward()
        norm = self._clipped(step)
        self.optimizer.step()
        self._follow(step)
        return {"loss": float(loss.detach()), **bits, "grad_norm": norm, "learning_rate": rate}

    def state(self) -> dict[str, Tensor]:
        """See `Learner.state`."""
        tensors = {f"weights.{name}": p.detach() for name, p in self.weights.items()}
        for name, p in self.weights.items():
            for key, value in self.optimizer.state.get(p, {}).items():
                tensors[f"adam.{key}.{name}"] = value
        for name, value in (self.average or {}).items():
            tensors[f"average.{name}"] = value
        return tensors

    @torch.no_grad()
    def restore(self, state: dict[str, Tensor]) -> None:
        """See `Learner.restore`."""
        for name, p in self.weights.items():
            p.copy_(state[f"weights.{name}"])
            moments = {
                key: state[f"adam.{key}.{name}"].clone()
                for key in ("step", "exp_avg", "exp_avg_sq")
                if f"adam.{key}.{name}" in state
            }
            if moments:
                self.optimizer.state[p] = moments
        for name, value in (self.average or {}).items():
            value.copy_(state[f"average.{name}"])

    @contextmanager
    def averaged(self) -> Iterator[FlowGenerator]:
        """The generator with the averaged weights, for as long as the context lasts."""
        if self.average is None:
            yield self.generator
            return
        own = {name: p.detach().clone() for name, p in self.weights.items()}
        self._load(self.average)
        try:
            yield self.generator
        finally:
            self._load(own)

    @torch.no_grad()
    def _load(self, values: dict[str, Tensor]) -> None:
        for name, p in self.weights.items():
            p.copy_(values[name])

    def _loss(
        self, image: Tensor, layout: Layout, planes: Tensor
    ) -> tuple[Tensor, dict[str, float]]:
        generator = self.generator
        conditions, source_log_prob = generator.params(layout, planes)
        target = generator.target.encode(image, conditions.levels).log_prob
        bits = bits_per_dim(discrete_log_prob(target, generator.dims), generator.dims).mean()
        numbers = {"bpd_target": float(bits.detach())}
        if generator.source_weight == 0:
            return bits, numbers
        dims = planes[0].numel()
        source = bits_per_dim(discrete_log_prob(source_log_prob, dims), dims).mean()
        numbers["bpd_source"] = float(source.detach())
        return bits + generator.source_weight * source, numbers

    def _precision(self) -> torch.autocast:
        bfloat = self.params.precision == "bfloat16"
        return torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat)

    @property
    def _planes(self) -> int:
        return self.generator.planes_count

    def _clipped(self, step: int) -> float:
        limit = self.params.clip_norm or float("inf")
        norm = torch.nn.utils.clip_grad_norm_(self.weights.values(), limit, foreach=True)
        if not torch.isfinite(norm):
            raise NotFiniteError(f"step {step}: the gradient of {self._steepest()} is not finite")
        return float(norm)

    def _steepest(self) -> str:
        """The weight with the largest gradient; one that is not a number counts as largest."""
        sizes = {
            name: float(p.grad.abs().max().nan_to_num(nan=float("inf")))
            for name, p in self.weights.items()
            if p.grad is not None
        }
        return max(sizes, key=lambda name: sizes[name])

    @torch.no_grad()
    def _follow(self, step: int) -> None:
        if self.average is None or self.params.ema is None:
            return
        decay = min(self.params.ema, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self.average.values()), list(self.weights.values()), 1 - decay)


def schedule(params: TrainingParams, step: int) -> float:
    """The share of the learning rate at a step: linear warm-up, constant, linear to zero.

    References:
        Full-Glow, appendix D (high resolution): constant for the first half, then linear to 0.
    """
    warm = min(1.0, (step + 1) / params.warmup_steps) if params.warmup_steps else 1.0
    start = params.decay_from * params.steps
    left = (params.steps - step) / max(params.steps - start, 1) if step >= start else 1.0
    return warm * min(1.0, left)


def flipped(scene: Scene, rng: np.random.Generator) -> Scene:
    """Each scene mirrored left to right, or not, by a coin of its own."""
    coins = torch.from_numpy(rng.random(len(scene)) < 0.5)
    image = torch.where(coins[:, None, None, None], scene.image.flip(-1), scene.image)
    classes = torch.where(coins[:, None, None], scene.layout.classes.flip(-1), scene.layout.classes)
    edges = torch.where(coins[:, None, None], scene.layout.boundary.flip(-1), scene.layout.boundary)
    return Scene(image, Layout(classes, edges))


@torch.no_grad()
def held_out_bits(generator: FlowGenerator, scenes: Scene, batch: int = 16) -> float:
    """Mean conditional bits per dimension over scenes, one fixed dequantization draw each."""
    total = 0.0
    for start in range(0, len(scenes), batch):
        part = scenes[list(range(start, min(start + batch, len(scenes))))]
        noise = seeds.Noise([seeds.derive(0, "held out", start + n) for n in range(len(part))])
        image = dequantized(part.image, torch.from_numpy(noise.uniform(*part.image.shape[1:])))
        conditions, _ = generator.params(part.layout)
        total += float(generator.bits_per_dim(image, conditions).double().sum())
    return total / len(scenes)


@torch.no_grad()
def round_trip(generator: FlowGenerator, scenes: Scene) -> float:
    """The largest error of decode(encode(x)) over scenes, in 8-bit grey values."""
    image = (scenes.image.float() + 0.5) / 256
    conditions = generator.condition(scenes.layout)
    back = generator.decode(generator.encode(image, conditions), conditions)
    return float((back - image).abs().max()) * 256


def _noise_like(image: Tensor, rng: np.random.Generator) -> Tensor:
    return _uniform(tuple(image.shape), rng)


def _uniform(shape: tuple[int, ...], rng: np.random.Generator) -> Tensor:
    return torch.from_numpy(rng.random(shape, dtype=np.float32))


def _culprit(generator: FlowGenerator, run: Callable[[], object]) -> str:
    """The first module whose output is not finite, in the order of the forward pass."""
    found: list[str] = []
    hooks = [
        module.register_forward_hook(_finder(name, found))
        for name, module in generator.named_modules()
        if name
    ]
    try:
        with torch.no_grad():
            run()
    finally:
        for hook in hooks:
            hook.remove()
    return found[0] if found else "the priors' log-density"


def _finder(name: str, found: list[str]) -> Callable[[object, object, object], None]:
    def hook(module: object, inputs: object, output: object) -> None:
        values = output if isinstance(output, tuple) else (output,)
        tensors = [value for value in values if isinstance(value, Tensor)]
        if any(not torch.isfinite(value).all() for value in tensors):
            found.append(name)

    return hook

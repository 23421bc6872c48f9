"""The flows of CAFLOW: multi-scale ones of images, auto-regressive ones of their latents.

Levels are numbered as in CAFLOW: n - 1 is factored out first, at half of the image's resolution,
and 0 is what remains at the end. Where in its bin a value lies, a conditional flow proposes, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from augflow.core.config import Memory
from augflow.flows.blocks import Block, BlockParams, BlockShape
from augflow.flows.density import LEVELS, standard_log_prob
from augflow.flows.transforms import full_precision, unsqueeze

EDGE = 2.0**-16
"""How near to the edges of its bin a value may come; float32 resolves no more."""

BlockRun = Callable[..., tuple[Tensor, Tensor]]
"""What a pass does with a block and its inputs: call it, or `Block.initialise`."""


class MultiScale(nn.Module):
    """An unconditional flow of images: a block per level, half of the channels factored out.

    References:
        CAFLOW, appendix A.1.
    """

    def __init__(self, inputs: int, levels: int, shape: BlockShape, rng: torch.Generator) -> None:
        """Makes `levels` blocks like `shape` for images of `inputs` channels."""
        super().__init__()
        self.inputs, self.levels = inputs, levels
        self.blocks = nn.ModuleList(
            Block(replace(shape, inputs=inputs * 2**depth), rng) for depth in range(levels)
        )

    def channels(self, level: int) -> int:
        """Channels of the latents of a level."""
        width = self.inputs * 2 ** (self.levels - level)
        return 2 * width if level == 0 else width

    def params(self, memory: Memory = "store") -> tuple[BlockParams, ...]:
        """The parameters of all blocks."""
        return tuple(self.block(depth).params(None, memory) for depth in range(self.levels))

    def encode(
        self, x: Tensor, params: Sequence[BlockParams], run: BlockRun = Block.__call__
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        """Images to latents, level 0 first, and the log-determinant (N,) in nats.

        Shapes:
            x: (N, inputs, H, W).
        """
        log_det = x.new_zeros(len(x))
        latents = []
        for depth in range(self.levels):
            x, change = run(self.block(depth), x, params[depth])
            log_det = log_det + change
            if depth < self.levels - 1:
                x, out = x.chunk(2, 1)
                latents.append(out)
        return (x, *reversed(latents)), log_det

    def decode(self, latents: Sequence[Tensor], params: Sequence[BlockParams]) -> Tensor:
        """The inverse of `encode`."""
        x = latents[0]
        for depth in reversed(range(self.levels)):
            level = self.levels - 1 - depth
            if level > 0:
                x = torch.cat([x, latents[level]], 1)
            x = self.block(depth).inverse(x, params[depth])
        return x

    def block(self, depth: int) -> Block:
        """The block that is so many squeezes away from the image."""
        block = self.blocks[depth]
        assert isinstance(block, Block)
        return block


@dataclass(frozen=True)
class Components:
    """What the auto-regressive flows make of the latents of a batch.

    Shapes:
        noise: the z_j^i, for i = 0 .. n - 1 and j = i .. 0.
        log_probs: log P(l_i | l_{i-1} .. l_0, d_i .. d_0) for i = 0 .. n - 1, (N,) nats each.
    """

    noise: tuple[Tensor, ...]
    log_probs: tuple[Tensor, ...]


class AutoRegressive(nn.Module):
    """The conditional flows F_i of the latents l_i, each a chain of f_j^i for j = i .. 0.

    f_j^i reads what is left of l_i under the conditions d_j and, below its own level, l_j. With
    `shared` weights f_j^i is one function for all i > j.

    References:
        CAFLOW, equations 7 to 9, appendices A.2, C and D.
    """

    def __init__(
        self,
        latents: Sequence[int],
        known: Sequence[int],
        shape: BlockShape,
        rng: torch.Generator,
        *,
        shared: bool,
        squeeze_last: bool,
    ) -> None:
        """Makes the functions.

        Of each l_i it is told the channels `latents`, of each d_j, with whatever else the layout
        decides there, `known`; with `squeeze_last` the functions f_0^i halve the resolution, too.
        """
        super().__init__()
        self.levels, self.shared = len(latents), shared
        self.blocks = nn.ModuleDict()
        self.latent_channels: dict[tuple[int, int], int] = {}
        for i in range(self.levels):
            inputs = latents[i]
            for j in range(i, -1, -1):
                fitted = replace(
                    shape,
                    inputs=inputs,
                    squeezes=j > 0 or squeeze_last,
                    known=known[j],
                    beside=latents[j] if j < i else 0,
                )
                if self.name(i, j) not in self.blocks:
                    self.blocks[self.name(i, j)] = Block(fitted, rng)
                inputs = fitted.channels // 2
                self.latent_channels[i, j] = inputs if j > 0 else fitted.channels

    def name(self, i: int, j: int) -> str:
        """The name of the function f_j^i among `blocks`."""
        return f"f{j}_above" if self.shared and i > j else f"f{j}_{i}"

    def block(self, i: int, j: int) -> Block:
        """The function f_j^i."""
        block = self.blocks[self.name(i, j)]
        assert isinstance(block, Block)
        return block

    def params(self, known: Sequence[Tensor], memory: Memory = "store") -> dict[str, BlockParams]:
        """All that the layout decides in every function, by its name.

        Shapes:
            known: d_0 .. d_{n-1}, each (N, known[j], H_j, W_j).
        """
        pairs = {self.name(i, j): (i, j) for i in range(self.levels) for j in range(i + 1)}
        return {name: self.block(i, j).params(known[j], memory) for name, (i, j) in pairs.items()}

    def encode(
        self,
        latents: Sequence[Tensor],
        params: Mapping[str, BlockParams],
        run: BlockRun = Block.__call__,
    ) -> Components:
        """Latents of images to noise; functions that share their weights run as one batch."""
        rest = list(latents)
        log_probs = [x.new_zeros(len(x)) for x in latents]
        noise: dict[tuple[int, int], Tensor] = {}
        for j in reversed(range(self.levels)):
            for group in self._groups(j):
                outs, changes = self._run(group, j, rest, latents[j], params, run)
                for i, out, change in zip(group, outs, changes, strict=True):
                    kept, z = out.chunk(2, 1) if j > 0 else (out, out)
                    rest[i], noise[i, j] = kept, z
                    log_probs[i] = log_probs[i] + change + standard_log_prob(z)
        return Components(tuple(noise[place] for place in self.latent_channels), tuple(log_probs))

    def decode(
        self, noise: Sequence[Tensor], params: Mapping[str, BlockParams]
    ) -> tuple[Tensor, ...]:
        """Noise to latents of images, l_0 first, as every later one is conditioned on it."""
        given = dict(zip(self.latent_channels, noise, strict=True))
        latents: list[Tensor] = []
        for i in range(self.levels):
            x = given[i, 0]
            for j in range(i + 1):
                x = x if j == 0 else torch.cat([x, given[i, j]], 1)
                beside = latents[j] if j < i else None
                x = self.block(i, j).inverse(x, params[self.name(i, j)], beside)
            latents.append(x)
        return tuple(latents)

    def _groups(self, j: int) -> list[list[int]]:
        """The numbers i of the functions f_j^i, those of equal weights together."""
        above = list(range(j + 1, self.levels))
        return [[j], *([above] if self.shared and above else [[i] for i in above])]

    def _run(
        self,
        group: list[int],
        j: int,
        rest: Sequence[Tensor],
        latents: Tensor,
        params: Mapping[str, BlockParams],
        run: BlockRun,
    ) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
        x = torch.cat([rest[i] for i in group])
        own = params[self.name(group[0], j)]
        if len(group) > 1:
            own = own.rows(list(range(len(latents))) * len(group))
        beside = None if group[0] == j else torch.cat([latents] * len(group))
        out, change = run(self.block(group[0], j), x, own, beside)
        return out.chunk(len(group)), change.chunk(len(group))


class Dequantizer(nn.Module):
    """Moves uniform noise within the bins of a photograph, as a function of the photograph.

    The noise is made normal, passed through a conditional flow and made a share of the bin again.
    Before training its distribution is uniform, as rotations leave normal noise as it is.

    References:
        Ho et al. 2019, "Flow++", section 3.1; CAFLOW, appendices A.1 and B.1.
    """

    def __init__(self, shape: BlockShape, rng: torch.Generator) -> None:
        """Makes the flow; `shape` has as many inputs and known channels as a photograph."""
        super().__init__()
        self.flow = Block(shape, rng)

    def forward(self, image: Tensor, memory: Memory = "store") -> tuple[Tensor, Tensor]:
        """Moves each value within its bin.

        Shapes:
            image: (N, 3, H, W) in [0, 1), uniformly dequantized.
            returns: the same bins, other places; and -log q of the place (N,), nats, against a
                uniform one: what the bound on the log-probability gains.
        """
        with full_precision(image):
            pixels = (image * LEVELS).floor()
            share = (image * LEVELS - pixels).clamp(EDGE, 1 - EDGE)
            noise = torch.special.ndtri(share)
            z, log_det = self.flow(noise, self.flow.params(pixels / LEVELS - 0.5, memory))
            moved = unsqueeze(z)
            place = torch.special.ndtr(moved).clamp(EDGE, 1 - EDGE)
            gain = log_det + standard_log_prob(moved) - standard_log_prob(noise)
        return (pixels + place) / LEVELS, gain

"""Full-Glow as one writes it down from the paper: one step, one photograph, one network at a time.

It is what the library is measured against. Nothing is stacked, cached or fused: every step has
conditioning networks of its own, matrices are inverted whenever a photograph is made, and the
layout is read again for every sample. Where paper and published checkpoints disagree on a shape,
it has the checkpoints', under their names, so `augflow import-weights` reads its weights.

References:
    Sorkhei et al. 2021, "Full-Glow", section 4 and appendix D.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Condition = tuple[Tensor, Tensor, Tensor]
"""What a step of the source puts out after actnorm, 1x1 convolution and coupling."""

LEVELS = 256


class _ZeroConv(nn.Module):
    """A 3x3 convolution that starts at zero, over an edge of ones."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3)
        self.scale = nn.Parameter(torch.zeros(1, outputs, 1, 1))
        nn.init.zeros_(self.conv.weight)
        assert self.conv.bias is not None
        nn.init.zeros_(self.conv.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(x, (1, 1, 1, 1), value=1.0)) * torch.exp(3 * self.scale)


class _Convs(nn.Module):
    """Three convolutions without padding, as the parameter networks begin."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.conv_net = nn.Sequential(
            nn.Conv2d(inputs, 8, 1), nn.ReLU(), nn.Conv2d(8, 4, 3), nn.ReLU(),
            nn.Conv2d(4, 2, 3), nn.ReLU(),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.conv_net(x)


class _LastLinear(nn.Module):
    """The layer whose bias is what the parameters start at."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)
        self.initialized: Tensor
        self.register_buffer("initialized", torch.tensor(0, dtype=torch.uint8))

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)


class _Linears(nn.Module):
    """Four linear layers, as the parameter networks end."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear_net = nn.Sequential(
            nn.Linear(inputs, 32), nn.ReLU(), nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 48),
            nn.ReLU(), _LastLinear(48, outputs),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.linear_net(x)


class _ParameterNet(nn.Module):
    """From a condition (1, C, h, w) to the parameters of one operation, (outputs,)."""

    def __init__(self, inputs: int, cells: int, outputs: int) -> None:
        super().__init__()
        self.conv_net, self.linear_net = _Convs(inputs), _Linears(2 * cells, outputs)

    @property
    def last(self) -> _LastLinear:
        layer = self.linear_net.linear_net[6]
        assert isinstance(layer, _LastLinear)
        return layer

    def forward(self, condition: Tensor) -> Tensor:
        return self.linear_net(self.conv_net(condition).flatten(1))[0]


class _FeatureNet(nn.Module):
    """From a condition to the features that a coupling network reads beside its own half."""

    def __init__(self, inputs: int, width: int, outputs: int) -> None:
        super().__init__()
        self.conv_net = nn.Sequential(
            nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU(),
            nn.Conv2d(width, outputs, 3, padding=1), nn.ReLU(),
        )  # fmt: skip

    def forward(self, condition: Tensor) -> Tensor:
        return self.conv_net(condition)


class _ActNorm(nn.Module):
    """y = scale (x + loc); both are learned, or made by a network where there is a condition."""

    def __init__(self, channels: int, cells: int | None) -> None:
        super().__init__()
        if cells is None:
            self.loc = nn.Parameter(torch.zeros(1, channels, 1, 1))
            self.scale = nn.Parameter(torch.ones(1, channels, 1, 1))
            self.initialized: Tensor
            self.register_buffer("initialized", torch.tensor(0, dtype=torch.uint8))
        else:
            self.cond_net = _ParameterNet(channels, cells, 2 * channels)

    def parameters_of(self, condition: Tensor | None) -> tuple[Tensor, Tensor]:
        if condition is None:
            return self.scale, self.loc
        scale, loc = self.cond_net(condition).chunk(2)
        return scale[None, :, None, None], loc[None, :, None, None]

    @torch.no_grad()
    def initialise(self, x: Tensor) -> None:
        """From the first photograph, as all that follow are at batch 1 too."""
        where = self.cond_net.last if hasattr(self, "cond_net") else self
        if where.initialized:
            return
        std, mean = torch.std_mean(x, dim=(0, 2, 3), keepdim=True)
        scale, loc = 1 / (std + 1e-6), -mean
        if isinstance(where, _LastLinear):
            where.linear.bias.copy_(torch.cat([scale.flatten(), loc.flatten()]))
        else:
            self.scale.copy_(scale)
            self.loc.copy_(loc)
        where.initialized.fill_(1)

    def forward(self, x: Tensor, condition: Tensor | None) -> tuple[Tensor, Tensor]:
        self.initialise(x)
        scale, loc = self.parameters_of(condition)
        return scale * (x + loc), x.shape[2] * x.shape[3] * scale.abs().log().sum()

    def inverse(self, y: Tensor, condition: Tensor | None) -> Tensor:
        scale, loc = self.parameters_of(condition)
        return y / scale - loc


class _InvConv(nn.Module):
    """A 1x1 convolution by P L U; L, U and log s learned, or made by a network."""

    def __init__(self, channels: int, cells: int | None) -> None:
        super().__init__()
        rotation, _ = torch.linalg.qr(torch.randn(channels, channels))
        permutation, lower, upper = torch.linalg.lu(rotation)
        diagonal = torch.diagonal(upper)
        self.w_p: Tensor
        self.s_sign: Tensor
        self.l_eye: Tensor
        self.u_mask: Tensor
        self.l_mask: Tensor
        for name, value in (
            ("w_p", permutation), ("s_sign", diagonal.sign()), ("l_eye", torch.eye(channels)),
            ("u_mask", torch.ones(channels, channels).triu(1)),
            ("l_mask", torch.ones(channels, channels).tril(-1)),
        ):  # fmt: skip
            self.register_buffer(name, value)
        log_s = diagonal.abs().log()
        if cells is None:
            self.w_l, self.w_u = nn.Parameter(lower), nn.Parameter(upper.triu(1))
            self.w_s = nn.Parameter(log_s)
        else:
            self.cond_net = _ParameterNet(channels, cells, 2 * channels**2 + channels)
            start = torch.cat([lower.flatten(), upper.triu(1).flatten(), log_s])
            self.cond_net.last.linear.bias.data.copy_(start)
            self.cond_net.last.initialized.fill_(1)

    def matrix(self, condition: Tensor | None) -> tuple[Tensor, Tensor]:
        """The matrix, and its log-determinant."""
        if condition is None:
            lower, upper, log_s = self.w_l, self.w_u, self.w_s
        else:
            c = len(self.l_eye)
            out = self.cond_net(condition)
            lower, upper = out[: c * c].reshape(c, c), out[c * c : 2 * c * c].reshape(c, c)
            log_s = out[2 * c * c :]
        left = lower * self.l_mask + self.l_eye
        right = upper * self.u_mask + torch.diag(self.s_sign * torch.exp(log_s))
        return self.w_p @ left @ right, log_s.sum()

    def forward(self, x: Tensor, condition: Tensor | None) -> tuple[Tensor, Tensor]:
        matrix, log_det = self.matrix(condition)
        return F.conv2d(x, matrix[:, :, None, None]), x.shape[2] * x.shape[3] * log_det

    def inverse(self, y: Tensor, condition: Tensor | None) -> Tensor:
        matrix, _ = self.matrix(condition)
        return F.conv2d(y, torch.inverse(matrix)[:, :, None, None])


class _Coupling(nn.Module):
    """The second half is shifted and scaled by what a network makes of the first."""

    def __init__(self, channels: int, width: int, condition_width: int | None) -> None:
        super().__init__()
        inputs = channels // 2
        if condition_width is not None:
            self.cond_net = _FeatureNet(channels, condition_width, channels)
            inputs += channels
        self.net = nn.Sequential(
            nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 1),
            nn.ReLU(), _ZeroConv(width, channels),
        )  # fmt: skip
        for number in (0, 2):
            layer = self.net[number]
            assert isinstance(layer, nn.Conv2d)
            nn.init.normal_(layer.weight, 0, 0.05)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)

    def scale_and_shift(self, half: Tensor, condition: Tensor | None) -> tuple[Tensor, Tensor]:
        if condition is not None:
            half = torch.cat([half, self.cond_net(condition)], 1)
        raw, shift = self.net(half).chunk(2, 1)
        return torch.sigmoid(raw + 2), shift

    def forward(self, x: Tensor, condition: Tensor | None) -> tuple[Tensor, Tensor]:
        half, other = x.chunk(2, 1)
        scale, shift = self.scale_and_shift(half, condition)
        return torch.cat([half, (other + shift) * scale], 1), scale.log().sum()

    def inverse(self, y: Tensor, condition: Tensor | None) -> Tensor:
        half, other = y.chunk(2, 1)
        scale, shift = self.scale_and_shift(half, condition)
        return torch.cat([half, other / scale - shift], 1)


class _Step(nn.Module):
    """Actnorm, 1x1 convolution, coupling."""

    def __init__(
        self, channels: int, width: int, condition_width: int | None, cells: int | None
    ) -> None:
        super().__init__()
        self.act_norm = _ActNorm(channels, cells)
        self.inv_conv = _InvConv(channels, cells)
        self.coupling = _Coupling(channels, width, condition_width)

    def forward(self, x: Tensor, given: Condition | None) -> tuple[Condition, Tensor]:
        of = given or (None, None, None)
        normed, first = self.act_norm(x, of[0])
        mixed, second = self.inv_conv(normed, of[1])
        out, third = self.coupling(mixed, of[2])
        return (normed, mixed, out), first + second + third

    def inverse(self, z: Tensor, given: Condition) -> Tensor:
        mixed = self.coupling.inverse(z, given[2])
        return self.act_norm.inverse(self.inv_conv.inverse(mixed, given[1]), given[0])


class _Block(nn.Module):
    """A level: squeeze, steps, and half of the channels factored out (all of them at the top)."""

    def __init__(self, steps: Sequence[_Step], channels: int, top: bool) -> None:
        super().__init__()
        self.flows, self.top = nn.ModuleList(steps), top
        half = channels if top else channels // 2
        self.gaussian = _ZeroConv(half, 2 * half)

    def prior(self, kept: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_sd = self.gaussian(kept).chunk(2, 1)
        return mean, log_sd


class _Tower(nn.Module):
    """One multi-scale flow."""

    def __init__(
        self, size: tuple[int, int], steps: Sequence[int], width: int, condition_width: int | None
    ) -> None:
        super().__init__()
        blocks = []
        for level, count in enumerate(steps):
            channels = 12 * 2**level
            height, across = (side >> level + 1 for side in size)
            cells = (height - 4) * (across - 4) if condition_width is not None else None
            made = [_Step(channels, width, condition_width, cells) for _ in range(count)]
            blocks.append(_Block(made, channels, level == len(steps) - 1))
        self.blocks = nn.ModuleList(blocks)

    def forward(
        self, x: Tensor, given: Sequence[Sequence[Condition]] | None = None
    ) -> tuple[list[Tensor], Tensor, list[list[Condition]]]:
        """Latents, log-probability, and what every step put out."""
        log_p = x.new_zeros(())
        latents, traces = [], []
        for level, block in enumerate(self.blocks):
            assert isinstance(block, _Block)
            x = squeezed(x)
            outs: list[Condition] = []
            for number, step in enumerate(block.flows):
                out, log_det = step(x, None if given is None else given[level][number])
                x, log_p = out[2], log_p + log_det
                outs.append(out)
            traces.append(outs)
            kept, latent = (torch.zeros_like(x), x) if block.top else x.chunk(2, 1)
            mean, log_sd = block.prior(kept)
            squares = ((latent - mean) * torch.exp(-log_sd)) ** 2
            log_p = log_p - 0.5 * (squares + 2 * log_sd + math.log(2 * math.pi)).sum()
            latents.append(latent)
            x = kept
        return latents, log_p, traces

    def inverse(
        self, given: Sequence[Sequence[Condition]], noise: Sequence[Tensor] | None = None,
        latents: Sequence[Tensor] | None = None,
    ) -> Tensor:  # fmt: skip
        """A photograph from noise under the priors, or from latents as they are."""
        x: Tensor | None = None
        for level in reversed(range(len(self.blocks))):
            block = self.blocks[level]
            assert isinstance(block, _Block)
            if latents is not None:
                z = latents[level]
            else:
                assert noise is not None
                mean, log_sd = block.prior(torch.zeros_like(noise[level]) if x is None else x)
                z = mean + torch.exp(log_sd) * noise[level]
            x = z if x is None else torch.cat([x, z], 1)
            for step, condition in zip(
                reversed(list(block.flows)), reversed(given[level]), strict=True
            ):
                assert isinstance(step, _Step)
                x = step.inverse(x, condition)
            x = unsqueezed(x)
        assert x is not None
        return x


class PlainFullGlow(nn.Module):
    """Two towers; every step of the right one is told what the same step of the left put out.

    Shapes:
        colours: (1, 3, H, W), a layout in the palette's colours, in [0, 1].
        image: (1, 3, H, W), a photograph in [0, 1].
    """

    def __init__(
        self, size: tuple[int, int], steps: Sequence[int], width: int = 512,
        condition_width: int = 128,
    ) -> None:  # fmt: skip
        """Draws the weights from torch's generator."""
        super().__init__()
        self.size, self.steps = size, tuple(steps)
        self.left_glow = _Tower(size, steps, width, None)
        self.right_glow = _Tower(size, steps, width, condition_width)

    def loss(self, colours: Tensor, image: Tensor, source_weight: float = 1e-4) -> Tensor:
        """Bits per dimension of the photograph, and of the layout at a small weight."""
        _, left, traces = self.left_glow(dequantized(colours))
        _, right, _ = self.right_glow(dequantized(image), traces)
        return source_weight * self._bits(left) + self._bits(right)

    def _bits(self, log_p: Tensor) -> Tensor:
        dims = 3 * self.size[0] * self.size[1]
        return (math.log(LEVELS) * dims - log_p) / (math.log(2) * dims)

    @torch.no_grad()
    def sample(self, colours: Tensor, noise: Sequence[Tensor]) -> Tensor:
        """A photograph for a layout, which is read anew."""
        return self.right_glow.inverse(self.left_glow(colours)[2], noise=noise)

    @torch.no_grad()
    def transfer(self, image: Tensor, colours: Tensor, to: Tensor) -> Tensor:
        """The content of a photograph, under its own layout, in another layout."""
        latents, _, _ = self.right_glow(image, self.left_glow(colours)[2])
        return self.right_glow.inverse(self.left_glow(to)[2], latents=latents)

    def noise(self, temperature: float = 1.0) -> list[Tensor]:
        """Standard normal draws in the latents' shapes, times the temperature."""
        shapes = []
        for level in range(len(self.steps)):
            channels = 12 * 2**level // (1 if level == len(self.steps) - 1 else 2)
            shapes.append((1, channels, self.size[0] >> level + 1, self.size[1] >> level + 1))
        return [temperature * torch.randn(shape) for shape in shapes]


def dequantized(x: Tensor) -> Tensor:
    """With uniform noise of a bin's width."""
    return x + torch.rand_like(x) / LEVELS


def squeezed(x: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, 4 C, H / 2, W / 2)."""
    n, c, h, w = x.shape
    parts = x.reshape(n, c, h // 2, 2, w // 2, 2).permute(0, 1, 3, 5, 2, 4)
    return parts.reshape(n, 4 * c, h // 2, w // 2)


def unsqueezed(x: Tensor) -> Tensor:
    """The inverse of `squeezed`."""
    n, c, h, w = x.shape
    parts = x.reshape(n, c // 4, 2, 2, h, w).permute(0, 1, 4, 2, 5, 3)
    return parts.reshape(n, c // 4, 2 * h, 2 * w)

"""What every generator offers: conditions made from layouts once, photographs made from latents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from augflow.core.config import Section
from augflow.core.errors import DataError
from augflow.core.seeding import Noise
from augflow.data.classes import ClassTable
from augflow.data.scenes import Layout

Likelihood = Literal["conditional", "unconditional", "none"]
LatentKind = Literal["gaussian", "dropout", "choice"]


class Generator(nn.Module):
    """A row of the table: makes photographs for layouts from latents of fixed shapes.

    Subclasses set `config` and `table` and say what latents they draw, how layouts become
    conditions, and how both become photographs.

    Attributes:
        likelihood: whether photographs have an exact log-probability, and given what.
        learner: the name of what trains it (`training.LEARNERS`).
        latents: `gaussian` latents may be interpolated and scaled by a temperature; `dropout`
            latents are coins; `choice` latents pick one of several outputs.
        encodes: whether a photograph's latents can be told (`encode_noise`).
        attributes: names of what `condition` can be asked for beside the layout.
    """

    config: Section
    table: ClassTable
    likelihood: ClassVar[Likelihood] = "none"
    latents: ClassVar[LatentKind] = "gaussian"
    learner: ClassVar[str] = "likelihood"
    encodes: ClassVar[bool] = False
    attributes: ClassVar[tuple[str, ...]] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of its photographs."""
        config: Any = self.config
        height, width = config.size
        return height, width

    @property
    def dims(self) -> int:
        """The number of values of a photograph, 3 H W."""
        return 3 * self.size[0] * self.size[1]

    @property
    def is_upper_bound(self) -> bool:
        """Whether its bits per dimension are an upper bound of the exact ones."""
        return False

    def latent_shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shapes of one photograph's latents, without the batch axis."""
        raise NotImplementedError

    def condition(self, layout: Layout) -> Any:
        """All that depends on the layouts alone, computed once and used for every sample.

        It has a length, the number of layouts, and `rows`, which takes some of them, a layout
        several times if need be.

        Raises:
            DataError: the layouts are not of the generator's size.
        """
        raise NotImplementedError

    def decode_latents(self, latents: Sequence[Tensor], conditions: Any) -> Tensor:
        """Photographs from standard latents, (N, 3, H, W), not clipped; gradients flow."""
        raise NotImplementedError

    @torch.no_grad()
    def draw(self, noise: Noise) -> tuple[Tensor, ...]:
        """Standard normal latents, row n from noise n alone: tensors (N, *shape)."""
        like = next(self.parameters())
        return tuple(
            torch.from_numpy(noise.normal(*shape)).to(like) for shape in self.latent_shapes()
        )

    @torch.no_grad()
    def sample(self, conditions: Any, noise: Noise, temperature: float = 1.0) -> Tensor:
        """Photographs at a temperature; row n depends on layout n and noise n alone.

        Shapes:
            returns: (N, 3, H, W) in [0, 1].

        References:
            Full-Glow, section 5.3.
        """
        latents = self.scale(self.draw(noise), temperature)
        return self.decode_latents(latents, conditions).clamp(0, 1)

    def scale(self, latents: Sequence[Tensor], temperature: float) -> tuple[Tensor, ...]:
        """Standard latents at a temperature."""
        return tuple(temperature * part for part in latents)

    def check_size(self, layout: Layout) -> None:
        """Refuses layouts of another size than the generator's.

        Raises:
            DataError: names the right size.
        """
        if layout.size != self.size:
            raise DataError(
                f"layouts are {layout.size[0]}x{layout.size[1]}; this generator makes photographs "
                f"of {self.size[0]}x{self.size[1]}: resize them (nearest) to that"
            )

    def hold_palette(self) -> None:
        """Keeps the classes' colours beside the weights, for `source_planes`."""
        self.palette: Tensor
        self.register_buffer(
            "palette", torch.from_numpy(self.table.palette.copy()), persistent=False
        )

    def source_planes(self, layout: Layout) -> Tensor:
        """What `config.source` names: palette colours, or 255 in the plane of a pixel's class.

        Shapes:
            returns: (N, 3 or K, H, W) uint8.
        """
        config: Any = self.config
        if config.source == "palette":
            return self.palette[layout.classes.long()].permute(0, 3, 1, 2)
        return class_planes(layout.classes, self.table.count) * 255


@dataclass(frozen=True)
class Planes:
    """Conditions of generators that read the layout as it is.

    Shapes:
        values: (N, C, H, W).
    """

    values: Tensor

    def __len__(self) -> int:
        return len(self.values)

    def rows(self, rows: Sequence[int]) -> Planes:
        """The conditions of some layouts; a layout may be taken several times."""
        return Planes(self.values[torch.as_tensor(list(rows), device=self.values.device)])


def class_planes(classes: Tensor, count: int) -> Tensor:
    """One plane per class, 1 where a pixel has it; all planes are 0 where no class is known.

    Shapes:
        classes: (N, H, W) train ids, 255 where no class is known.
        returns: (N, count, H, W) uint8.
    """
    hot = F.one_hot(classes.long().clamp(max=count), count + 1)
    return hot[..., :count].permute(0, 3, 1, 2).to(torch.uint8)


def class_fractions(classes: Tensor, count: int, levels: int) -> tuple[Tensor, ...]:
    """The share of each class in the cells of every level of a flow.

    A cell of level l is a square of 2**l pixels. Pixels of no known class count as nothing, so the
    shares of a cell sum to less than 1 where there are some.

    Shapes:
        classes: (N, H, W) train ids, 255 where no class is known.
        returns: `levels` tensors (N, count, H / 2**l, W / 2**l), l = 1..levels, float32 in [0, 1].
    """
    planes = class_planes(classes, count).float()
    return tuple(F.avg_pool2d(planes, 2**level) for level in range(1, levels + 1))


def class_loss(logits: Tensor, shares: Tensor, known: float | None = None) -> Tensor:
    """Cross-entropy of cells' class shares under logits, in nats per known pixel; a scalar.

    Of some rows of a batch it is what they add to that of the batch, whose shares sum to `known`.

    Shapes:
        logits, shares: (N, K, h, w).
    """
    total = shares.sum().clamp(min=1e-6) if known is None else known
    return -(shares * F.log_softmax(logits.float(), 1)).sum() / total


def known_pixels(classes: Tensor, count: int) -> int:
    """How many pixels of class maps are of one of `count` classes."""
    return int((classes < count).sum())


def known_fraction(classes: Tensor, count: int, rows: slice) -> float:
    """The share of a batch's known pixels that some of its rows have.

    It is what `class_loss` of those rows counts in that of the whole batch, at every level.

    Shapes:
        classes: (N, H, W) train ids, 255 where no class is known.
    """
    return known_pixels(classes[rows], count) / max(known_pixels(classes, count), 1)


def class_accuracy(logits: Tensor, shares: Tensor) -> float:
    """The share of known pixels whose cell is read as their class.

    Shapes:
        logits, shares: (N, K, h, w).
    """
    picked = logits.argmax(1, keepdim=True)
    return float(shares.gather(1, picked).sum() / shares.sum().clamp(min=1e-6))


def misfit(size: tuple[int, int], unit: int, what: str) -> str | None:
    """Why a size cannot be halved as often as asked for, and the next ones; None where it can.

    `unit` is what both sides have to be divisible by, `what` what asks for it.
    """
    if not any(side % unit for side in size):
        return None
    lower = "x".join(str(max(unit, side // unit * unit)) for side in size)
    upper = "x".join(str(-(-side // unit) * unit) for side in size)
    return (
        f"size {size[0]}x{size[1]}: {what} need sides divisible by {unit}; the next are {lower} "
        f"and {upper}"
    )

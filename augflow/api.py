"""The Python interface: generators that take arrays and give arrays, sets, and studies."""

from __future__ import annotations

from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from torch import Tensor

from augflow import generators
from augflow.core.errors import DataError, ModelError
from augflow.core.seeding import Noise
from augflow.core.tensors import device_of
from augflow.data.classes import ClassTable
from augflow.data.label_maps import Labels
from augflow.data.scenes import Layout
from augflow.flows.density import quantize
from augflow.generators import base
from augflow.generators.likelihood import FlowGenerator, LikelihoodGenerator
from augflow.generators.sampling import bin_centres, condition_on, image_seed
from augflow.study.project import Project

if TYPE_CHECKING:
    from augflow.data.synthetic import SetRow
    from augflow.tools.synth import Older
    from augflow.verify import Check, Level, Sample


class Generator:
    """A trained generator of any system, see `load`.

    Every image is made and measured by itself, so that its bytes do not depend on its batch.

    >>> gen = augflow.load("generator")
    >>> gen.size, gen.has_likelihood, gen.classes[:2]
    ((32, 48), True, ('road', 'sidewalk'))

    Attributes:
        model: the network, a `torch.nn.Module`; it may be moved to another device.
    """

    def __init__(self, model: base.Generator) -> None:
        """Wraps a network."""
        self.model = model

    @property
    def table(self) -> ClassTable:
        """The classes of its layouts with ids and colours."""
        return self.model.table

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes by train id."""
        return self.table.names

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of its images in pixels."""
        return self.model.size

    @property
    def has_likelihood(self) -> bool:
        """Whether `bits_per_dim`, `encode` and `decode` can be asked for: it is a flow."""
        return isinstance(self.model, LikelihoodGenerator)

    def to(self, device: str) -> Self:
        """The same generator, its network moved to another device.

        >>> gen = augflow.load("generator").to("cpu")
        """
        self.model.to(device)
        return self

    @torch.no_grad()
    def condition(self, layout: Layout) -> Any:
        """All that a layout decides, worked out once and used for any number of images.

        >>> gen = augflow.load("generator")
        >>> cond = gen.condition(augflow.Layout.read("maps/crossing.png", like=gen))

        Raises:
            DataError: no layout, several, or one of another size.
        """
        if not isinstance(layout, Layout):
            raise DataError(
                f"expected an augflow.Layout, got {type(layout).__name__}; make one with "
                "Layout.read(path, like=gen) or Layout.from_array(ids, like=gen)"
            )
        if len(layout) != 1:
            raise DataError(f"expected one layout, got {len(layout)}; condition on each by itself")
        return condition_on(self.model, layout)

    @torch.no_grad()
    def sample(self, cond: Any, n: int = 1, temperature: float = 0.8, seed: int = 0) -> np.ndarray:
        """Images for a layout, those that `augflow synth --same-noise` makes.

        >>> gen = augflow.load("generator")
        >>> cond = gen.condition(augflow.Layout.read("maps/crossing.png", like=gen))
        >>> gen.sample(cond, n=4, temperature=0.8, seed=0).shape
        (4, 3, 32, 48)

        Args:
            cond: what `condition` gives.
            n: how many.
            temperature: the factor on the noise.
            seed: of the noise; image number k of a seed has the same noise for every layout.

        Shapes:
            returns: (n, 3, H, W) uint8, RGB.

        Raises:
            ModelError: a value is not finite.
        """
        from augflow.tools.synth import SHARED

        noise = (Noise([image_seed(seed, SHARED, number)]) for number in range(n))
        return self._images(self.model.sample(cond, one, temperature) for one in noise)

    @torch.no_grad()
    def bits_per_dim(self, images: Any, cond: Any) -> np.ndarray:
        """Bits per dimension of images given a layout, at the centres of their 8-bit bins.

        >>> gen = augflow.load("generator")
        >>> cond = gen.condition(augflow.Layout.read("maps/crossing.png", like=gen))
        >>> gen.bits_per_dim(gen.sample(cond, n=2), cond).shape
        (2,)

        Shapes:
            images: (n, 3, H, W) uint8, RGB: an array or a tensor.
            returns: (n,) float64.

        Raises:
            DataError: images of another type or shape.
            ModelError: the generator is no flow.
        """
        flow, values = self._flow(), self._values(images)
        return np.array([float(flow.bits_per_dim(one, cond)) for one in values])

    @torch.no_grad()
    def encode(self, images: Any, cond: Any) -> list[np.ndarray]:
        """The latents of images given a layout.

        >>> gen = augflow.load("generator")
        >>> cond = gen.condition(augflow.Layout.read("maps/crossing.png", like=gen))
        >>> [level.shape for level in gen.encode(gen.sample(cond, n=2), cond)]
        [(2, 6, 16, 24), (2, 24, 8, 12)]

        Shapes:
            images: (n, 3, H, W) uint8, RGB.
            returns: (n, C, h, w) float32 for each level of the flow.

        Raises:
            DataError: images of another type or shape.
            ModelError: the generator is no flow.
        """
        flow, values = self._flow(), self._values(images)
        found = [flow.encode(one, cond) for one in values]
        return [torch.cat(level).cpu().numpy() for level in zip(*found, strict=True)]

    @torch.no_grad()
    def decode(self, latents: list[np.ndarray], cond: Any) -> np.ndarray:
        """Images of latents: those of an image, given another layout, move its content there.

        >>> gen = augflow.load("generator")
        >>> cond = gen.condition(augflow.Layout.read("maps/crossing.png", like=gen))
        >>> images = gen.sample(cond, n=2)
        >>> bool((gen.decode(gen.encode(images, cond), cond) == images).all())
        True

        Shapes:
            latents: what `encode` gives, n images.
            returns: (n, 3, H, W) uint8, RGB.

        Raises:
            DataError: latents of other shapes.
            ModelError: the generator is no flow, or a value is not finite.
        """
        flow, like = self._flow(), next(self.model.parameters())
        levels = [torch.as_tensor(level).to(like) for level in latents]
        counts = {level.shape[:1] for level in levels}
        # a CAGlow draws more than the latents of its flow: what it makes them from
        if isinstance(flow, FlowGenerator):
            shapes = FlowGenerator.latent_shapes(flow)
        else:
            shapes = flow.latent_shapes()
        if [tuple(level.shape[1:]) for level in levels] != list(shapes) or len(counts) > 1:
            found = ", ".join(str(tuple(level.shape)) for level in levels)
            raise DataError(
                f"latents: expected {len(shapes)} levels (n, *shape) of shapes "
                f"{', '.join(map(str, shapes))}, got {found or 'none'}"
            )
        rows = range(len(levels[0]))
        return self._images(flow.decode([v[row : row + 1] for v in levels], cond) for row in rows)

    def _flow(self) -> LikelihoodGenerator:
        if not isinstance(self.model, LikelihoodGenerator):
            raise ModelError(
                "this generator has no likelihood and no latents of images: load a flow"
            )
        return self.model

    def _values(self, images: Any) -> list[Tensor]:
        """Images one by one, as flows see them."""
        pixels = np.array(images.cpu() if isinstance(images, Tensor) else images, order="C")
        if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[1:] != (3, *self.size):
            raise DataError(
                f"images: expected (n, 3, {self.size[0]}, {self.size[1]}) uint8, got "
                f"{pixels.shape} {pixels.dtype}"
            )
        return list(bin_centres(torch.from_numpy(pixels).to(device_of(self.model))).split(1))

    def _images(self, made: Any) -> np.ndarray:
        values = torch.cat([torch.empty(0, 3, *self.size, device=device_of(self.model)), *made])
        if not torch.isfinite(values).all():
            raise ModelError(
                "an image has values that are not finite: the flow cannot be inverted here; lower "
                "the temperature"
            )
        return quantize(values).cpu().numpy()


def load(folder: str | Path) -> Generator:
    """The generator in a folder that a study's `train` or `augflow import-weights` wrote.

    >>> import augflow
    >>> gen = augflow.load("generator")

    Raises:
        ModelError: there is none, its files are damaged or do not fit each other, or it is a flow
            that has lost its inverse.
    """
    return Generator(generators.load(Path(folder)))


def synthesize(
    gen: Generator | str | Path,
    layouts: str | Path,
    out: str | Path,
    *,
    temperature: float = 0.8,
    samples: int = 1,
    seed: int = 0,
    labels: Labels = "auto",
    boundary: str | Path | None = None,
    older: Older = "refuse",
) -> list[SetRow]:
    """Writes a labelled set for label maps, as `augflow synth` does.

    >>> rows = augflow.synthesize("generator", "maps", "made", temperature=0.8, samples=2)
    >>> [row.name for row in rows]
    ['crossing_s0', 'crossing_s1']

    Args:
        gen: a generator, or its folder.
        layouts: a label map, or a folder of them: PNG, ids or colours of any size.
        out: the folder to write.
        temperature: the factor on the noise.
        samples: images for each layout.
        seed: of the noise.
        labels: what the label maps hold, if that is not to be guessed.
        boundary: boundary maps or 16-bit instance ids of the layouts: a folder, or a file.
        older: what becomes of a set that is in `out`: it is kept and the call refused, replaced
            ("overwrite"), or added to ("append").

    Returns:
        The rows of the set's manifest.

    Raises:
        DataError: with every fault of the layouts, or because `out` must not or cannot be written.
        ModelError: the generator cannot be read.
    """
    from augflow.tools.synth import synth

    model = gen.model if isinstance(gen, Generator) else Path(gen)
    maps = None if boundary is None else Path(boundary)
    return synth(
        Path(layouts),
        model,
        Path(out),
        temperature=temperature,
        samples=samples,
        seed=seed,
        labels=labels,
        maps=maps,
        older=older,
    )


class Study(Project):
    """The study of a project folder: parameters, places, stages and checks.

    >>> study = augflow.Study("project")
    >>> study.params.study
    'smoke'
    >>> study.generator("full_glow").as_posix()
    'project/data/smoke/generators/full_glow'
    """

    def __init__(self, root: str | Path = ".", trust_config: bool = False) -> None:
        """Opens nothing yet.

        Args:
            root: the folder of `params.yaml`.
            trust_config: whether saved networks may name modules and files, whatever it says.
        """
        super().__init__(Path(root), trust_config)

    def run(self, stage: str, key: str = "") -> Any:
        """Runs a stage of `dvc.yaml` for a key, whether it is up to date or not.

        It runs in the project's folder, which is the working directory meanwhile.

        >>> augflow.Study("project").run("trane", "full_glow")
        Traceback (most recent call last):
        ...
        augflow.core.errors.ParamsError: no stage 'trane'; ... did you mean 'train'?

        Raises:
            ParamsError: no such stage, or the study has no such key: names the nearest.
            AugflowError: whatever the stage raises.
        """
        from augflow.stages.runner import run_stage

        with chdir(self.root):
            return run_stage(Project(trust_config=self.trust_config), stage, key)

    def verify(self, level: Level = 0, sample: Sample | None = None) -> list[Check]:
        """Whether the study still holds, as `augflow verify --level LEVEL` finds.

        Level 1 makes again what a `sample` of `augflow.verify.Sample` draws, by default another
        one each time.

        >>> checks = augflow.Study("project").verify(level=0)
        >>> any(check.state == "cannot be checked" for check in checks)
        True

        Raises:
            ParamsError: `params.yaml` is missing or wrong.
        """
        from augflow.verify import verify

        with chdir(self.root):
            return list(verify(Project(trust_config=self.trust_config), level, sample=sample))

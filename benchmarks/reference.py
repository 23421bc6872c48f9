"""The public Full-Glow code, from a checkout that the user names, as a contender.

Nothing of it is kept here: it is imported from where it lies, and driven as its own training and
sampling loops drive it, at batch 1.
"""

from __future__ import annotations

import contextlib
import io
import math
import sys
from collections.abc import Iterator, Sequence
from functools import cached_property
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import torch
import torchvision  # type: ignore[import-untyped]  # noqa: F401
from torch import Tensor

from benchmarks.contenders import TRANSFERS, OneByOne, Pairs, Work

NOT_NEEDED = ("comet_ml", "nvidia_smi", "mlxtend", "tensorflow", "horovod", "skimage")
"""Packages that it imports for what is not measured here: logging, GPUs, other data sets."""


class Reference(OneByOne):
    """Its `TwoGlows` with LU and without boundary maps, its loss, its sampling."""

    model: Any

    def __init__(self, work: Work, checkout: str, pairs: Pairs | None = None) -> None:
        """Imports the code and builds the model, initialised from data.

        Raises:
            FileNotFoundError: the checkout holds no such code.
        """
        root = Path(checkout) / "src"
        if not (root / "models" / "two_glows").is_dir():
            raise FileNotFoundError(
                f"{root}: no models/two_glows here; give a checkout of the public Full-Glow code"
            )
        super().__init__(work, pairs)
        torch.manual_seed(0)
        sys.path.insert(0, str(root))
        with _stand_ins(NOT_NEEDED), contextlib.redirect_stdout(io.StringIO()):
            self.code: Any = __import__("models")
            self.loss: Any = __import__("trainer.loss", fromlist=["calc_loss"])
            options = {"all_conditional": False, "split_type": "regular", "do_lu": True,
                       "grad_checkpoint": False}  # fmt: skip
            params = {"channels": 3, "img_size": list(work.size), "n_block": len(work.steps),
                      "n_flow": list(work.steps), "n_bits": 8}  # fmt: skip
            self.params: dict[str, Any] = params
            self.model = self.code.TwoGlows(
                params, options, {**options, "all_conditional": True, "condition": "left"}
            )
            with torch.no_grad():
                self._loss(0)

    @cached_property
    def optimizer(self) -> torch.optim.Optimizer:
        """Adam, as it sets it up."""
        return torch.optim.Adam(self.model.parameters(), lr=1e-4)

    def train(self) -> int:
        """See `Contender`."""
        self.drawn += 1
        loss = self._loss(self.drawn)
        self.model.zero_grad()
        loss.backward()
        self.optimizer.step()
        return 1

    def transfer(self) -> int:
        """See `Contender`; the content is encoded again for every layout."""
        colours, image = self.pair(4)
        for number in range(TRANSFERS):
            with torch.no_grad():
                _, right = self.model(colours, image)
                self._reverse(self.pair(10 + number)[0], right["z_outs"], True)
        return TRANSFERS

    def _loss(self, number: int) -> Tensor:
        colours, image = self.pair(number)
        args = SimpleNamespace(model="improved", reg_factor=1e-4)
        found = self.loss.forward_and_loss(args, self.params, self.model, colours, image, None)
        loss: Tensor = found["loss"]
        if not math.isfinite(float(loss.detach())):
            raise FloatingPointError(f"the reference's loss is {float(loss.detach())}")
        return loss

    def sample(self, colours: Tensor, temperature: float) -> None:
        """See `OneByOne`."""
        with torch.no_grad():
            noise = self.code.sample_z(
                1, temperature, 3, self.work.size, len(self.work.steps), "regular"
            )
            self._reverse(colours, noise, False)

    def _reverse(self, colours: Tensor, latents: Sequence[Tensor], given: bool) -> None:
        self.model.reverse(x_a=colours, z_b_samples=latents, reconstruct=given)


@contextlib.contextmanager
def _stand_ins(names: Sequence[str]) -> Iterator[None]:
    """Empty modules in the place of packages that are not installed, as long as it is imported."""
    finder = _Finder({name for name in names if find_spec(name) is None})
    sys.meta_path.append(finder)
    yield
    sys.meta_path.remove(finder)
    for name in [name for name in sys.modules if name.partition(".")[0] in finder.names]:
        del sys.modules[name]


class _Finder(MetaPathFinder, Loader):
    """Finds an `_Anything` for some packages and all below them."""

    def __init__(self, names: set[str]) -> None:
        self.names = names

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        known = fullname.partition(".")[0] in self.names
        return ModuleSpec(fullname, self, is_package=True) if known else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Anything(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is in it."""


class _Anything(ModuleType):
    """A module that has every name; what it gives can be called, and does nothing."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Nothing()


class _Nothing:
    def __call__(self, *args: Any, **options: Any) -> Any:
        return args[0] if len(args) == 1 and callable(args[0]) else self

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

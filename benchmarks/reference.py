"""The public Full-Glow code, from a checkout that the user names, as a contender.

Nothing of it is kept here: it is imported from where it lies, and driven as its own training and
sampling loops drive it, at batch 1.
"""

from __future__ import annotations

import contextlib
import io
import math
import sys
from collections.abc import Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from benchmarks.contenders import ROUNDS, TEMPERATURES, TRANSFERS, Work, pair

NOT_NEEDED = ("comet_ml", "nvidia_smi", "mlxtend", "mlxtend.data", "tensorflow", "skimage",
              "skimage.metrics", "sklearn", "gdown")  # fmt: skip
"""Packages that it imports for what is not measured here: logging, GPUs, other data sets."""


class Reference:
    """Its `TwoGlows` with LU and without boundary maps, its loss, its sampling."""

    def __init__(self, work: Work, checkout: str) -> None:
        """Imports the code and builds the model, initialised from data.

        Raises:
            FileNotFoundError: the checkout holds no such code.
        """
        root = Path(checkout) / "src"
        if not (root / "models" / "two_glows").is_dir():
            raise FileNotFoundError(
                f"{root}: no models/two_glows here; give a checkout of the public Full-Glow code"
            )
        self.work, self.drawn = work, 0
        torch.manual_seed(0)
        sys.path.insert(0, str(root))
        _stand_in(NOT_NEEDED)
        with contextlib.redirect_stdout(io.StringIO()):
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

    def first(self) -> int:
        """See `Contender`."""
        self.drawn += 1
        return self.more()

    def more(self) -> int:
        """See `Contender`."""
        self._sample(pair(self.work.size, self.drawn)[0], 0.8)
        return 1

    def sweep(self) -> int:
        """See `Contender`."""
        colours = pair(self.work.size, 3)[0]
        for temperature in TEMPERATURES:
            for _ in range(ROUNDS):
                self._sample(colours, temperature)
        return len(TEMPERATURES) * ROUNDS

    def transfer(self) -> int:
        """See `Contender`; the content is encoded for every layout, as its experiment does."""
        colours, image = pair(self.work.size, 4)
        for number in range(TRANSFERS):
            with torch.no_grad():
                _, right = self.model(colours, image)
                self._reverse(pair(self.work.size, 10 + number)[0], right["z_outs"], True)
        return TRANSFERS

    def _loss(self, number: int) -> Tensor:
        colours, image = pair(self.work.size, number)
        args = SimpleNamespace(model="improved", reg_factor=1e-4)
        found = self.loss.forward_and_loss(args, self.params, self.model, colours, image, None)
        loss: Tensor = found["loss"]
        if not math.isfinite(float(loss.detach())):
            raise FloatingPointError(f"the reference's loss is {float(loss.detach())}")
        return loss

    def _sample(self, colours: Tensor, temperature: float) -> None:
        with torch.no_grad():
            noise = self.code.sample_z(
                1, temperature, 3, self.work.size, len(self.work.steps), "regular"
            )
            self._reverse(colours, noise, False)

    def _reverse(self, colours: Tensor, latents: Sequence[Tensor], given: bool) -> None:
        self.model.reverse(x_a=colours, z_b_samples=latents, reconstruct=given)


def _stand_in(names: Sequence[str]) -> None:
    """Empty modules in the place of packages that are not installed."""
    for name in names:
        parent = name.split(".")[0]
        if parent in sys.modules or find_spec(parent) is None:
            module = sys.modules.setdefault(name, _Anything(name))
            if "." in name:
                setattr(sys.modules[parent], name.split(".")[1], module)


class _Anything(ModuleType):
    """A module that has every name; what it gives cannot do anything."""

    __path__ = ()  # type: ignore[assignment]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return object

"""Draws that several parts of a plan need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from streetscenes.view import Colour

T = TypeVar("T")


def picked(things: Sequence[T], rng: np.random.Generator) -> T:
    """One of several, all equally likely."""
    return things[int(rng.integers(len(things)))]


def tinted(
    colours: Sequence[Colour], rng: np.random.Generator, gain: float = 1.0, spread: float = 0.08
) -> Colour:
    """One of several colours, a little brighter or darker."""
    colour = np.array(picked(colours, rng))
    r, g, b = np.clip(colour * gain * (1 + spread * rng.standard_normal()), 8, 250)
    return float(r), float(g), float(b)


def fresh_seed(rng: np.random.Generator) -> int:
    """A seed for the details of one object."""
    return int(rng.integers(2**31))

"""augflow: label maps in, labelled images out, and evidence of whether they help.

>>> import augflow
>>> gen = augflow.load("generator")
>>> layout = augflow.Layout.read("maps/crossing.png", like=gen)
>>> images = gen.sample(gen.condition(layout), n=2, temperature=0.8, seed=0)
>>> images.shape, images.dtype
((2, 3, 32, 48), dtype('uint8'))
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from augflow.core import __version__

if TYPE_CHECKING:
    from augflow.api import Generator, Study, load, synthesize
    from augflow.data.scenes import Layout, Scene

__all__ = ["Generator", "Layout", "Scene", "Study", "__version__", "load", "synthesize"]

_HOMES = {"Layout": "augflow.data.scenes", "Scene": "augflow.data.scenes"}


def __getattr__(name: str) -> Any:
    """What is public, imported when it is asked for: the command line's help needs no torch."""
    if name not in __all__:
        raise AttributeError(f"module 'augflow' has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "augflow.api")), name)


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)

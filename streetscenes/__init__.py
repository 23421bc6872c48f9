"""Embedded street scenes: procedural photographs with class ids and instance ids.

A scene is planned in metres, drawn in painter's order into buffers of colour, owner and depth, and
photographed: `street_scene` makes one, `write_streets` a data set in the layout of Cityscapes.
"""

from streetscenes.composition import StreetScene, street_scene
from streetscenes.export import write_streets

__all__ = ["StreetScene", "street_scene", "write_streets"]

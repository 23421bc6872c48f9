"""Small solid models made of planar faces, and the light on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from streetscenes.view import Colour, Light


@dataclass(frozen=True)
class Face:
    """A planar face of a model: x right, y up, z forward; drawn when it looks at the camera."""

    points: np.ndarray
    colour: Colour
    outward: Sequence[float]
    gloss: float = 0.0
    shine: float = 0.0


@dataclass
class Solid:
    """Faces in drawing order."""

    faces: list[Face] = field(default_factory=list)

    def add(
        self,
        points: Sequence[Sequence[float]] | np.ndarray,
        colour: Colour,
        outward: Sequence[float],
        gloss: float = 0.0,
        shine: float = 0.0,
    ) -> None:
        """Adds a face; `outward` tells its outer side roughly, its points the exact normal."""
        self.faces.append(Face(np.asarray(points, float), colour, outward, gloss, shine))

    def panel(
        self,
        z: float,
        across: tuple[float, float],
        up: tuple[float, float],
        colour: Colour,
        out: int,
        shine: float = 0.0,
    ) -> None:
        """Adds a rectangle in a plane z = const that looks backward (-1) or forward (1)."""
        (x0, x1), (y0, y1) = across, up
        corners = [(x0, y0, z), (x1, y0, z), (x1, y1, z), (x0, y1, z)]
        self.add(corners, colour, (0, 0, out), 0, shine)

    def block(
        self, centre: Sequence[float], size: Sequence[float], colour: Colour, shine: float = 0.0
    ) -> None:
        """Adds the front and back of a box."""
        (x, y, z), (w, h, d) = centre, size
        for out in (-1, 1):
            across, up = (x - w / 2, x + w / 2), (y - h / 2, y + h / 2)
            self.panel(z + out * d / 2, across, up, colour, out, shine)

    def normals(self) -> np.ndarray:
        """The outer normals of all faces, (F, 3)."""
        first = np.array([face.points[:3] for face in self.faces])
        a, b = first[:, 1] - first[:, 0], first[:, 2] - first[:, 0]
        normals = a[:, [1, 2, 0]] * b[:, [2, 0, 1]] - a[:, [2, 0, 1]] * b[:, [1, 2, 0]]
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
        inward = (normals * np.array([face.outward for face in self.faces])).sum(1) < 0
        return np.where(inward[:, None], -normals, normals)

    def disc(
        self, centre: Sequence[float], radius: float, colour: Colour, outward: Sequence[float]
    ) -> None:
        """Adds a wheel's face in the plane x = const."""
        turns = np.linspace(0, 2 * np.pi, 16, endpoint=False)
        x, y, z = centre
        ring = np.stack([np.full(16, x), y + radius * np.sin(turns), z + radius * np.cos(turns)], 1)
        self.add(ring, colour, outward)


def lit_colours(model: Solid, normals: np.ndarray, light: Light, lit: float) -> list[list[float]]:
    """Colours of the faces in the light, with the sky mirrored where they are glossy."""
    colours = np.array([face.colour for face in model.faces], float)
    gloss = np.array([face.gloss for face in model.faces])
    shining = np.array([face.shine > 0 for face in model.faces])
    cosine = np.maximum(normals @ np.array(light.sun), 0)[:, None]
    gain = (0.82 + 0.18 * normals[:, 1:2]) * light.sky_fill + lit * cosine * light.sun_fill
    gain = gain * (0.8 + 0.2 * np.minimum(1.0, 1 + normals[:, 1:2]))
    sky = 0.55 * np.array(light.zenith) + 0.45 * np.array(light.horizon)
    mirror = (gloss * np.clip(0.25 + 0.75 * normals[:, 1], 0, 1))[:, None]
    shaded = colours * gain
    shaded += mirror * (sky - shaded)
    return np.where(shining[:, None], colours, shaded).tolist()


def darker(colour: Colour, gain: float) -> Colour:
    """A colour times a gain."""
    r, g, b = colour
    return r * gain, g * gain, b * gain


def mixed(a: Colour, b: Colour, share: float) -> Colour:
    """A colour between two, `share` of the way from the first to the second."""
    r, g, b_ = (p + share * (q - p) for p, q in zip(a, b, strict=True))
    return r, g, b_

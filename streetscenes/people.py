"""People: walking or standing, from the side or from the front, in clothes of many colours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from augflow.core import seeding
from streetscenes.canvas import Canvas
from streetscenes.ground import footprint
from streetscenes.view import Colour, World

PERSON = 24

# fmt: off
TOPS: tuple[Colour, ...] = (
    (204, 40, 44), (36, 74, 150), (240, 238, 230), (34, 34, 38), (232, 186, 48), (60, 130, 84),
    (214, 120, 160), (120, 124, 130), (232, 124, 46), (98, 62, 120), (80, 160, 190), (140, 100, 70),
)
LEGS: tuple[Colour, ...] = ((38, 48, 82), (30, 30, 34), (92, 90, 88), (150, 128, 94), (62, 82, 118),
                             (204, 198, 184))
_SKINS: tuple[Colour, ...] = ((236, 196, 168), (214, 166, 132), (170, 118, 84), (116, 76, 54),
                              (88, 58, 44))
_HAIR: tuple[Colour, ...] = ((36, 26, 22), (84, 56, 34), (150, 108, 60), (210, 180, 120),
                             (140, 140, 142), (120, 50, 28))
# fmt: on


@dataclass(frozen=True)
class Person:
    """A person at (u, z); `facing` is `left`, `right`, `away` or `toward`."""

    u: float
    z: float
    height: float
    facing: str
    stride: float
    top: Colour
    legs: Colour
    outfit: str
    umbrella: bool
    seed: int


@dataclass(frozen=True)
class _Figure:
    """A body's own frame: x across and y up in body heights from the feet."""

    canvas: Canvas
    x: float
    ground: float
    size: float

    def limb(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        radii: tuple[float, float],
        colour: np.ndarray,
    ) -> None:
        """A rounded stroke."""
        ends = (self._at(*start), self._at(*end))
        self.canvas.limb(ends, (radii[0] * self.size, radii[1] * self.size), colour.tolist())

    def shape(self, points: list[tuple[float, float]], colour: np.ndarray) -> None:
        """A filled outline."""
        self.canvas.polygon(np.array([self._at(*p) for p in points]), colour.tolist())

    def disc(self, x: float, y: float, radius: float, colour: np.ndarray, flat: float = 1) -> None:
        """A filled ellipse."""
        self.canvas.disc(*self._at(x, y), radius * self.size, colour.tolist(), flat=flat)

    def _at(self, x: float, y: float) -> tuple[float, float]:
        return self.x + x * self.size, self.ground - y * self.size


def cast_person(canvas: Canvas, world: World, person: Person) -> None:
    """A small dark patch at the feet and a long narrow shadow in the sun."""
    turns = np.linspace(0, 2 * np.pi, 10, endpoint=False)
    ring = [(person.u + 0.34 * np.cos(t), person.z + 0.3 * np.sin(t)) for t in turns]
    canvas.cast(footprint(world, ring), 0.75)
    if world.lit(person.u, person.z):
        sun = world.light.sun
        reach = 0.8 * person.height / max(sun[1], 0.35)
        du, dz = -sun[0] * reach, -sun[2] * reach
        u, z = person.u, person.z
        quad = [(u - 0.2, z), (u + 0.2, z), (u + du + 0.24, z + dz), (u + du - 0.2, z + dz)]
        canvas.cast(footprint(world, [(a, max(b, 1.5)) for a, b in quad]), 0.8)


def draw_person(canvas: Canvas, world: World, person: Person) -> None:
    """Draws a person."""
    rng = seeding.generator(person.seed, "person")
    x, ground = world.place(person.u, person.z)
    figure = _Figure(canvas, x, ground, person.height * world.camera.scale(person.z))
    gain = world.light.on((0, 0.2, -0.98), world.lit(person.u, person.z)) * 1.02
    skin = np.array(_SKINS[int(rng.integers(len(_SKINS)))]) * gain
    hair = np.array(_HAIR[int(rng.integers(len(_HAIR)))]) * gain
    top, legs = np.array(person.top) * gain, np.array(person.legs) * gain
    canvas.begin(PERSON, person.z, is_thing=True)
    if person.facing in ("left", "right"):
        _from_side(figure, person, (top, legs, skin, hair), rng)
    else:
        _from_front(figure, person, (top, legs, skin, hair), rng)
    if person.umbrella:
        _umbrella(figure, np.array(TOPS[int(rng.integers(len(TOPS)))]) * gain)
    toward = (world.light.sun[0], -0.6) if world.lit(person.u, person.z) else (-0.4, -0.9)
    canvas.finish(relief=0.42, toward=toward)


_Tones = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def _from_side(figure: _Figure, person: Person, tones: _Tones, rng: np.random.Generator) -> None:
    top, legs, skin, hair = tones
    way = 1.0 if person.facing == "right" else -1.0
    swing = 0.17 * person.stride
    shoe = np.array([40.0, 36, 34])
    for foot, shade in ((-swing, 0.78), (swing, 1.0)):
        knee = (way * (foot * 0.55 + 0.025), 0.27)
        ankle = (way * (foot * 1.25 - 0.02), 0.04 + 0.04 * (foot < 0))
        figure.limb((0.0, 0.5), knee, (0.062, 0.046), legs * shade)
        figure.limb(knee, ankle, (0.045, 0.032), legs * shade)
        figure.limb(ankle, (ankle[0] + way * 0.055, ankle[1] - 0.015), (0.028, 0.022), shoe)
    figure.limb((0.0, 0.78), (-way * swing * 0.9, 0.53), (0.036, 0.028), top * 0.74)
    _torso(figure, person, top, 0.085)
    figure.limb((0.0, 0.8), (way * 0.012, 0.88), (0.035, 0.032), skin * 0.9)
    figure.disc(way * 0.015, 0.925, 0.058, skin, 1.16)
    figure.disc(-way * 0.012, 0.945, 0.058, hair, 1.0)
    figure.limb((0.0, 0.77), (way * swing * 0.6, 0.62), (0.038, 0.032), top * 0.92)
    hand = (way * (swing * 1.1 + 0.02), 0.5)
    figure.limb((way * swing * 0.6, 0.62), hand, (0.032, 0.026), top * 0.92)
    figure.disc(*hand, 0.026, skin)
    if rng.random() < 0.35:
        figure.limb(
            (-way * 0.07, 0.74), (-way * 0.075, 0.6), (0.055, 0.06), np.array([70.0, 60, 52])
        )


def _from_front(figure: _Figure, person: Person, tones: _Tones, rng: np.random.Generator) -> None:
    top, legs, skin, hair = tones
    lift = 0.05 * person.stride * (1 if rng.random() < 0.5 else -1)
    shoe = np.array([40.0, 36, 34])
    for side, raised in ((-1, max(0.0, lift)), (1, max(0.0, -lift))):
        foot = (side * 0.062, 0.035 + raised)
        figure.limb(
            (side * 0.052, 0.5), (side * 0.06, 0.27), (0.064, 0.048), legs * (1 - 0.1 * (side > 0))
        )
        figure.limb((side * 0.06, 0.27), foot, (0.047, 0.034), legs * (1 - 0.1 * (side > 0)))
        figure.disc(*foot, 0.036, shoe, 0.7)
    for side in (-1, 1):
        elbow = (side * 0.155, 0.63)
        figure.limb((side * 0.115, 0.78), elbow, (0.04, 0.034), top * 0.86)
        figure.limb(elbow, (side * 0.148, 0.5), (0.033, 0.027), top * 0.86)
        figure.disc(side * 0.148, 0.485, 0.027, skin)
    _torso(figure, person, top, 0.118)
    figure.limb((0.0, 0.8), (0.0, 0.88), (0.036, 0.034), skin * 0.88)
    figure.disc(0.0, 0.925, 0.057, skin, 1.18)
    if person.facing == "away":
        figure.disc(0.0, 0.935, 0.062, hair, 1.12)
        if rng.random() < 0.4:
            figure.limb((0, 0.76), (0, 0.6), (0.085, 0.09), np.array([66.0, 70, 84]))
    else:
        figure.disc(0.0, 0.965, 0.055, hair, 0.62)
        if rng.random() < 0.5:
            figure.limb((-0.1, 0.78), (0.09, 0.56), (0.012, 0.012), np.array([60.0, 48, 40]))


def _torso(figure: _Figure, person: Person, top: np.ndarray, wide: float) -> None:
    """Jacket, long coat, or dress."""
    hem = {"jacket": 0.47, "coat": 0.3, "dress": 0.3}[person.outfit]
    flare = {"jacket": 0.9, "coat": 1.05, "dress": 1.3}[person.outfit]
    waist = wide * (0.74 if person.outfit == "dress" else 0.86)
    figure.shape(
        [(-wide * 0.95, 0.8), (-wide * 0.45, 0.835), (wide * 0.45, 0.835), (wide * 0.95, 0.8),
         (waist, 0.6), (wide * flare, hem), (-wide * flare, hem), (-waist, 0.6)],
        top,
    )  # fmt: skip
    figure.shape([(-wide * flare, hem + 0.02), (wide * flare, hem + 0.02),
                  (wide * flare, hem), (-wide * flare, hem)], top * 0.7)  # fmt: skip


def _umbrella(figure: _Figure, tone: np.ndarray) -> None:
    figure.limb((0.11, 0.6), (0.07, 1.14), (0.008, 0.008), np.array([50.0, 50, 52]))
    turns = np.linspace(0, np.pi, 11)
    dome = [(0.07 + 0.27 * np.cos(t), 1.0 + 0.16 * np.sin(t)) for t in turns]
    figure.shape(dome, tone)
    figure.shape([dome[3], (0.07, 1.16), dome[7], (0.0, 1.0), (0.14, 1.0)], tone * 0.85)

"""Trees, bushes and hedges: clumps of leaves, dark within and below, bright toward the light."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from augflow.core import seeding
from streetscenes import texture
from streetscenes.canvas import Canvas
from streetscenes.ground import footprint
from streetscenes.view import Colour, World

VEGETATION = 21

# fmt: off
LEAVES: dict[str, tuple[Colour, ...]] = {
    "spring": ((116, 158, 60), (132, 168, 74), (98, 148, 62), (224, 168, 184), (236, 214, 216)),
    "summer": ((70, 116, 46), (58, 100, 50), (88, 124, 44), (64, 108, 60), (50, 90, 44)),
    "autumn": ((214, 158, 44), (196, 98, 36), (168, 60, 34), (142, 140, 52), (226, 184, 66)),
}
# fmt: on
_BARK: Colour = (92, 74, 58)


@dataclass(frozen=True)
class Tree:
    """A tree at (u, z); `shape` is `round`, `tall` or `cone`."""

    u: float
    z: float
    height: float
    crown: float
    shape: str
    leaves: Colour
    seed: int


@dataclass(frozen=True)
class Hedge:
    """A clipped hedge, or a row of bushes, along one side from z to z."""

    u: float
    near: float
    far: float
    height: float
    leaves: Colour
    clipped: bool
    seed: int


def cast_tree(canvas: Canvas, world: World, tree: Tree) -> None:
    """The shadow of a tree: below it, and away from the sun when it shines there."""
    turns = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    rng = seeding.generator(tree.seed, "shadow")
    sun = world.light.sun
    lit = world.lit(tree.u, tree.z)
    far = tree.height * 0.6 * lit / max(sun[1], 0.35)
    for _ in range(7 if lit else 1):
        radius = tree.crown * rng.uniform(0.35, 0.75) if lit else tree.crown
        du, dz = rng.normal(0, tree.crown * 0.4, 2) * bool(lit)
        u, z = tree.u - sun[0] * far + du, tree.z - sun[2] * far + dz
        if z > 2.5:
            ring = [(u + radius * np.cos(t), z + radius * np.sin(t)) for t in turns]
            canvas.cast(footprint(world, [p for p in ring if p[1] > 1.5]), 0.85 if lit else 0.4)


def draw_tree(canvas: Canvas, world: World, tree: Tree) -> None:
    """Trunk, boughs and crown."""
    rng = seeding.generator(tree.seed, "tree")
    x, ground = world.place(tree.u, tree.z)
    metre = world.camera.scale(tree.z)
    lit = world.lit(tree.u, tree.z)
    canvas.begin(VEGETATION, tree.z)
    bark = np.array(_BARK) * world.light.on((0, 0, -1), lit) * rng.uniform(0.8, 1.2)
    fork = tree.height * (0.42 if tree.shape == "round" else 0.2)
    lean = rng.normal(0, 0.04) * tree.height
    girth = 0.03 * tree.height * rng.uniform(0.8, 1.2)
    top = (x + lean * metre, ground - fork * metre)
    canvas.limb(((x, ground), top), (girth * 0.62 * metre, girth * 0.4 * metre), bark)
    for turn in rng.uniform(-0.8, 0.8, 4):
        reach = tree.height * 0.28
        tip = (top[0] + np.sin(turn) * reach * metre, top[1] - np.cos(turn) * reach * metre)
        canvas.limb((top, tip), (girth * 0.3 * metre, girth * 0.12 * metre), bark * 0.85)
    canvas.finish(relief=0.5, toward=_toward(world))
    canvas.begin(VEGETATION, tree.z)
    _crown(canvas, world, tree, (top[0], metre), rng)
    _ruffle(canvas, rng, 0.17)
    canvas.finish()


def _crown(
    canvas: Canvas,
    world: World,
    tree: Tree,
    at: tuple[float, float],
    rng: np.random.Generator,
) -> None:
    """Clumps over the crown's outline, the darkest first."""
    x, metre = at
    _, ground = world.place(tree.u, tree.z)
    low, high = tree.height * (0.34 if tree.shape == "round" else 0.12), tree.height
    count = int(np.clip(330 * 16 / tree.z, 80, 330))
    across, up, size = _clumps(tree.shape, count, rng)
    size = size * (330 / count) ** 0.4
    toward = _toward(world)
    bright = 0.62 + 0.34 * (up - 0.4) + 0.22 * across * toward[0] + rng.normal(0, 0.13, count)
    strong = 1.0 if world.lit(tree.u, tree.z) else 0.6
    gain = world.light.on((0, 0.7, -0.7), world.lit(tree.u, tree.z))
    hue = 1 + rng.normal(0, 0.06, (count, 3))
    order = np.argsort(bright + 0.5 * rng.random(count), kind="stable")
    tones = np.array(tree.leaves) * (1 + strong * (bright[:, None] - 0.66)) * hue * gain
    rows = ground - (low + up * (high - low)) * metre
    places = np.stack([x + across * tree.crown * metre, rows], 1)
    radii = np.maximum(size * tree.crown * metre, 0.9)
    canvas.clumps(places[order], radii[order], tones[order])


def _clumps(
    shape: str, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places in the crown: across in [-1, 1], up in [0, 1], and radii as shares of the crown's."""
    up = rng.random(count)
    if shape == "cone":
        wide = np.clip(1.02 - up, 0.03, 1) * (0.8 + 0.2 * np.cos(up * 40))
        size = 0.05 + 0.11 * wide
    elif shape == "tall":
        wide = np.sqrt(np.clip(1 - (2 * up - 0.9) ** 2 / 1.25, 0.02, 1))
        size = np.full(count, 0.22)
    else:
        lobes = 1 + 0.16 * np.sin(up * 9 + rng.uniform(0, 6)) + 0.1 * rng.standard_normal(count)
        wide = np.sqrt(np.clip(1 - (2 * up - 1) ** 2, 0.02, 1)) * lobes
        size = 0.1 + 0.08 * rng.random(count)
    across = (
        wide * np.sin(rng.uniform(-np.pi / 2, np.pi / 2, count)) * rng.choice([1.0, 0.93], count)
    )
    return across, up, size * rng.uniform(0.75, 1.25, count)


def draw_hedge(canvas: Canvas, world: World, hedge: Hedge) -> None:
    """A hedge as a textured wall with a leafy upper edge; bushes where it is not clipped."""
    rng = seeding.generator(hedge.seed, "hedge")
    canvas.begin(VEGETATION, max(hedge.near, 1.0))
    gain = world.light.on((-np.sign(hedge.u) * 0.6, 0.6, -0.5), 0.8)
    near, far = max(hedge.near, 1.6), hedge.far
    street, h = world.street, hedge.height * (1.0 if hedge.clipped else 0.55)
    base = np.array(hedge.leaves) * gain
    for low, tone in ((0.0, 0.6), (h * 0.5, 0.8)):
        outline = ((near, low), (near, h), (far, h), (far, low))
        quad = [(street.x(hedge.u, z), y, z) for z, y in outline]
        canvas.polygon(world.camera.project(np.array(quad)), base * tone)
    count = 420
    z = np.sort(far - (far - near) * rng.random(count) ** 0.55)[::-1]
    up = rng.uniform(0.5, 1.02, count) if hedge.clipped else 1 - rng.random(count) ** 1.3
    swell = 1.0 if hedge.clipped else 0.72 + 0.28 * np.sin(z * 1.9 + rng.uniform(0, 6))
    points = np.stack(
        [_across(world, hedge.u + rng.normal(0, 0.14, count), z), up * hedge.height * swell, z], 1
    )
    size = rng.uniform(0.07, 0.16, count) * (1.0 if hedge.clipped else 1.7) * hedge.height
    radii = np.maximum(size * world.camera.focal * world.camera.rows / z, 0.9)
    tones = (0.5 + 0.5 * up + rng.normal(0, 0.12, count))[:, None] * np.array(hedge.leaves) * gain
    canvas.clumps(world.camera.project(points), radii, tones)
    _ruffle(canvas, rng, 0.2)
    canvas.finish()


def _across(world: World, u: np.ndarray, z: np.ndarray) -> np.ndarray:
    return u - world.street.lateral + world.street.bend * z * z


def _ruffle(canvas: Canvas, rng: np.random.Generator, strength: float) -> None:
    """Fine light and dark over the leaves."""
    where = canvas.window()
    if where is None:
        return
    mine = canvas.owner[where] == len(canvas.owners) - 1
    rough = texture.crop(texture.grain, mine.shape[0], mine.shape[1], rng)
    canvas.shade(where, mine, np.clip(1 + strength * rough, 0.45, 1.6))


def _toward(world: World) -> tuple[float, float]:
    """Where light comes from in the picture's plane."""
    sun = world.light.sun
    if max(world.light.sun_fill) < 0.05:
        return 0.0, -1.0
    return sun[0], -max(sun[1], 0.3)

"""What stands on sidewalks: lamp posts, signs, traffic lights, bollards, bins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streetscenes.canvas import Canvas, Glow
from streetscenes.ground import footprint
from streetscenes.signs import FACES
from streetscenes.view import Colour, World

POLE = 17
LIGHT = 19
SIGN = 20
STATIC = 4


@dataclass(frozen=True)
class Post:
    """A pole at (u, z). `kind` is `lamp`, `lantern`, `sign`, `traffic_light`, `bollard` or `bin`.

    `face` names the plate of a sign; `tone` is the pole's paint.
    """

    u: float
    z: float
    kind: str
    height: float
    face: str
    tone: Colour


def cast_post(canvas: Canvas, world: World, post: Post) -> None:
    """A pole's shadow: a thin strip away from the sun."""
    foot = [
        (post.u + a, post.z + b)
        for a, b in ((-0.15, -0.15), (0.15, -0.15), (0.15, 0.15), (-0.15, 0.15))
    ]
    canvas.cast(footprint(world, foot), 0.6)
    if world.lit(post.u, post.z):
        sun = world.light.sun
        reach = 0.8 * post.height / max(sun[1], 0.35)
        du, dz = -sun[0] * reach, -sun[2] * reach
        far = max(1.5, post.z + dz)
        strip = [(post.u - 0.07, post.z), (post.u + 0.07, post.z)]
        strip += [(post.u + du + 0.07, far), (post.u + du - 0.07, far)]
        canvas.cast(footprint(world, strip), 0.7)


def draw_post(canvas: Canvas, world: World, post: Post) -> None:
    """Draws a pole with what it carries."""
    if post.kind == "bin":
        _bin(canvas, world, post)
        return
    x, ground = world.place(post.u, post.z)
    metre = world.camera.scale(post.z)
    gain = world.light.on((0, 0, -1), world.lit(post.u, post.z))
    tone = np.array(post.tone) * gain
    girth = {"lamp": 0.11, "lantern": 0.09, "sign": 0.055, "bollard": 0.1}.get(post.kind, 0.09)
    canvas.begin(POLE, post.z)
    foot, top = (x, ground), (x, ground - post.height * metre)
    canvas.limb((foot, top), (girth * metre, girth * 0.7 * metre), tone)
    if post.kind in ("lamp", "lantern"):
        base = (x, ground - 0.9 * metre)
        canvas.limb((foot, base), (girth * 1.6 * metre, girth * 1.5 * metre), tone * 0.9)
        _lamp(canvas, world, post, top, metre)
    if post.kind == "bollard":
        band = [(x - 0.1 * metre, top[1] + 0.12 * metre), (x + 0.1 * metre, top[1] + 0.12 * metre)]
        band += [(px, py + 0.14 * metre) for px, py in band[::-1]]
        canvas.polygon(np.array(band), np.array((240, 240, 236)) * gain)
    canvas.finish(relief=0.5, toward=(-0.9 if world.light.sun[0] < 0 else 0.9, -0.1))
    if post.kind == "sign":
        _plate(canvas, post, (x, top[1]), metre, gain)
    if post.kind == "traffic_light":
        _traffic_light(canvas, post, (x, top[1]), metre, gain)


def _lamp(canvas: Canvas, world: World, post: Post, top: tuple[float, float], metre: float) -> None:
    """An arm toward the road with a flat head, or a lantern on the top; glowing in the dark."""
    x, y = top
    on = world.light.lamps
    bulb = (255, 226, 160) if on else (214, 216, 212)
    tone = np.array(post.tone) * world.light.on((0, 0, -1))
    if post.kind == "lamp":
        way = -np.sign(post.u)
        tip = (x + way * 1.5 * metre, y - 0.35 * metre)
        canvas.limb((top, tip), (0.07 * metre, 0.05 * metre), tone)
        head = (tip[0] + way * 0.6 * metre, tip[1])
        canvas.limb((tip, head), (0.13 * metre, 0.1 * metre), tone * 0.9)
        low = ((tip[0] + head[0]) / 2, tip[1] + 0.1 * metre)
        canvas.disc(*low, 0.26 * metre, bulb, float(on), flat=0.35)
    else:
        low = (x, y - 0.3 * metre)
        canvas.disc(*low, 0.3 * metre, bulb, float(on), flat=1.15)
        cap = [
            (x - 0.36 * metre, y - 0.5 * metre),
            (x, y - 0.85 * metre),
            (x + 0.36 * metre, y - 0.5 * metre),
        ]
        canvas.polygon(np.array(cap), tone * 0.8)
    if on:
        colour = (1.15, 0.86, 0.52)
        canvas.glows.append(Glow(low[0], low[1], 1.3 * metre, 1.3 * metre, colour))
        middle = low[1] + 0.75 * post.height * metre
        canvas.glows.append(Glow(low[0], middle, 3.4 * metre, 2.6 * metre, colour))


def _plate(
    canvas: Canvas,
    post: Post,
    at: tuple[float, float],
    metre: float,
    gain: np.ndarray,
) -> None:
    """The plate of a sign; its lower rim hides the pole's end."""
    r = (0.62 if post.face == "town" else 0.46) * metre
    canvas.begin(SIGN, post.z)
    for outline, colour in FACES[post.face]:
        canvas.polygon(outline * r + at, np.array(colour) * gain)
    canvas.finish(relief=0.08)


def _traffic_light(
    canvas: Canvas, post: Post, at: tuple[float, float], metre: float, gain: np.ndarray
) -> None:
    x, y = at
    canvas.begin(LIGHT, post.z)
    box = np.array([(-0.2, -0.1), (0.2, -0.1), (0.2, 0.95), (-0.2, 0.95)]) * metre + (x, y)
    canvas.polygon(box, np.array([34, 36, 38]) * gain)
    lights = {"red": (255, 50, 40), "amber": (255, 190, 50), "green": (60, 240, 130)}
    for row, (name, tone) in enumerate(lights.items()):
        on = post.face == name
        shown = np.array(tone) * (1.0 if on else 0.22)
        canvas.disc(x, y + (0.1 + 0.31 * row) * metre, 0.13 * metre, shown, float(on))
        if on:
            r, g, b = np.array(tone) / 255
            glow = Glow(x, y + (0.1 + 0.31 * row) * metre, 0.5 * metre, 0.5 * metre, (r, g, b))
            canvas.glows.append(glow)
    canvas.finish()


def _bin(canvas: Canvas, world: World, post: Post) -> None:
    x, y = world.place(post.u, post.z)
    metre = world.camera.scale(post.z)
    gain = world.light.on((0, 0, -1), world.lit(post.u, post.z))
    canvas.begin(STATIC, post.z)
    body = np.array([(-0.26, 0), (0.26, 0), (0.31, -0.95), (-0.31, -0.95)]) * metre + (x, y)
    canvas.polygon(body, np.array(post.tone) * gain)
    lid = np.array([(-0.34, -0.92), (0.34, -0.92), (0.28, -1.06), (-0.28, -1.06)]) * metre + (x, y)
    canvas.polygon(lid, np.array(post.tone) * gain * 0.7)
    canvas.finish(relief=0.3)

"""From what is there to what a camera sees: lamps, mirrors, fog, glow, rain, lens and sensor."""

from __future__ import annotations

import cv2
import numpy as np

from streetscenes import texture
from streetscenes.canvas import Canvas
from streetscenes.ground import ROAD
from streetscenes.sky import SKY
from streetscenes.view import World


def expose(
    canvas: Canvas,
    world: World,
    labels: np.ndarray,
    size: tuple[int, int],
    rng: np.random.Generator,
) -> np.ndarray:
    """The photograph of a canvas.

    Shapes:
        labels: (rows, columns) uint8 raw ids of the canvas.
        size: (H, W), a whole fraction of the canvas.
        returns: (H, W, 3) uint8.
    """
    light = world.light
    colour = canvas.colour[..., :3].astype(np.float32) / 255
    own = canvas.colour[..., 3:].astype(np.float32) / 255
    colour *= own + (1 - own) * _lamplight(canvas, world)
    if light.wet:
        _mirror(colour, labels, world, rng)
    sky = labels == SKY
    colour += _fog(canvas, world, sky)[..., None] * (_haze(world) - colour)
    shining = np.where(sky[..., None], 0, colour * np.clip(own * 2 - 0.8, 0, 1))
    small = (size[1], size[0])
    photo = cv2.resize(colour, small, interpolation=cv2.INTER_AREA)
    glow = cv2.resize(shining.astype(np.float32), small, interpolation=cv2.INTER_AREA)
    photo += _bloom(glow, world)
    if light.weather == "rain":
        _rain(photo, rng)
    return _develop(photo, world, rng)


def _lamplight(canvas: Canvas, world: World) -> np.ndarray:
    """What lamps and sky add up to at every pixel, (rows, columns, 3) gains."""
    rows, columns = canvas.owner.shape
    step = 6
    small = (columns // step + 1, rows // step + 1)
    y = ((np.arange(small[1]) + 0.5) * step).astype(np.float32)
    x = ((np.arange(small[0]) + 0.5) * step).astype(np.float32)
    total = np.empty((small[1], small[0], 3), np.float32)
    total[:] = world.light.ambient
    dark = 1 - float(np.mean(world.light.ambient))
    if dark > 0.15:
        for lamp in canvas.glows:
            across = np.exp(-(((x - lamp.x) / (1.4 * lamp.wide)) ** 2))
            down = np.exp(-(((y - lamp.y) / (1.4 * lamp.high)) ** 2))
            light = np.array(lamp.colour, np.float32) * dark * 0.95
            total += down[:, None, None] * across[None, :, None] * light
        total += _headlights(world, x, y) * dark
    full = cv2.resize(total, (small[0] * step, small[1] * step), interpolation=cv2.INTER_LINEAR)
    return np.minimum(full[:rows, :columns], 1.5)


def _headlights(world: World, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The pool of light before one's own car."""
    camera = world.camera
    middle = camera.centre[1] + 0.24 * camera.rows
    across = np.exp(-(((x - camera.centre[0]) / (0.42 * camera.rows)) ** 2))
    down = np.exp(-(((y - middle) / (0.2 * camera.rows)) ** 2))
    warm = np.array([0.78, 0.72, 0.6], np.float32)
    return down[:, None, None] * across[None, :, None] * warm


def _mirror(colour: np.ndarray, labels: np.ndarray, world: World, rng: np.random.Generator) -> None:
    """A wet road mirrors what stands behind it, stretched downward, more in puddles."""
    horizon = int(np.ceil(world.camera.centre[1]))
    rows, columns = labels.shape
    below = rows - horizon
    source = np.clip(horizon - (np.arange(below) * 0.8).astype(int) - 1, 0, rows - 1)
    flipped = cv2.blur(colour[source], (int(0.01 * rows) | 1, int(0.11 * rows) | 1))
    shape = texture.crop(texture.clouds, max(4, below // 3), max(4, columns // 8), rng)
    puddle = cv2.resize(shape, (columns, below), interpolation=cv2.INTER_LINEAR)
    near = np.linspace(1.15, 0.7, below, dtype=np.float32)[:, None]
    share = world.light.wet * np.clip(0.34 + 0.16 * puddle, 0.08, 0.7) * near
    share = share * (labels[horizon:] == ROAD)
    dark = colour[horizon:] * 0.8
    colour[horizon:] = np.where(
        share[..., None] > 0, dark + share[..., None] * (flipped - dark * 0.6), colour[horizon:]
    )


def _fog(canvas: Canvas, world: World, sky: np.ndarray) -> np.ndarray:
    """Share of haze before every pixel, (rows, columns)."""
    depth = np.minimum(canvas.depth, 400)
    share = 1 - np.exp(-depth * world.light.haze)
    y = np.arange(sky.shape[0], dtype=np.float32)[:, None]
    high = np.clip((world.camera.centre[1] - y) / world.camera.centre[1], 0, 1)
    thick = min(1.0, world.light.haze * 25)
    return np.where(sky, thick * (1 - 0.6 * high), share).astype(np.float32)


def _haze(world: World) -> np.ndarray:
    tone = np.array(world.light.haze_colour, np.float32) / 255
    return tone * (1.0 if world.light.time != "dusk" else 0.92)


def _bloom(glow: np.ndarray, world: World) -> np.ndarray:
    """Light that lens and damp air spread around lamps."""
    rows = glow.shape[0]
    damp = 1.0 + 1.2 * (world.light.weather in ("fog", "rain"))
    strong = 0.55 if world.light.time in ("night", "dusk") else 0.2
    near = cv2.GaussianBlur(glow, (0, 0), 0.012 * rows + 0.3)
    wide = cv2.GaussianBlur(glow, (0, 0), 0.05 * rows)
    return strong * (0.7 * near + 0.75 * damp * wide)


def _rain(photo: np.ndarray, rng: np.random.Generator) -> None:
    """Faint slanted streaks."""
    rows, columns = photo.shape[:2]
    layer = np.zeros((rows * 2, columns * 2), np.uint8)
    slant = rng.normal(0, 0.12)
    for x, y, long in rng.random((110, 3)):
        start = (int(x * 2 * columns), int(y * 2 * rows))
        reach = (0.03 + 0.07 * long) * 2 * rows
        end = (int(start[0] + slant * reach), int(start[1] + reach))
        cv2.line(layer, start, end, int(90 + 120 * long), 1, cv2.LINE_AA)
    streaks = cv2.resize(layer, (columns, rows), interpolation=cv2.INTER_AREA)
    photo += (streaks.astype(np.float32) / 255 * 0.14)[..., None]


def _develop(photo: np.ndarray, world: World, rng: np.random.Generator) -> np.ndarray:
    """Exposure, tint, contrast, vignette, lens blur, grain."""
    rows, columns = photo.shape[:2]
    aim = {"noon": 0.47, "dawn": 0.43, "dusk": 0.36, "night": 0.21}[world.light.time]
    metered = (aim / max(float(photo.mean()), 0.05)) ** 0.6
    photo = photo * metered * rng.uniform(0.9, 1.1)
    photo = photo * (1 + rng.normal(0, 0.014, 3)).astype(np.float32)
    grey = photo.mean(-1, keepdims=True)
    photo = grey + (photo - grey) * rng.uniform(0.92, 1.18)
    shoulder = np.maximum(photo, 0)
    photo = np.where(shoulder > 0.78, 0.78 + 0.22 * np.tanh((shoulder - 0.78) / 0.22), shoulder)
    photo = photo + 0.1 * (photo * photo * (3 - 2 * photo) - photo)
    y = np.linspace(-1, 1, rows, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, columns, dtype=np.float32)[None]
    photo = photo * (1 - rng.uniform(0.08, 0.2) * (0.6 * x * x + 0.4 * y * y))[..., None]
    photo = cv2.GaussianBlur(photo.astype(np.float32), (0, 0), 0.35 + 0.0012 * rows)
    dim = world.light.time in ("night", "dusk")
    sigma = rng.uniform(0.005, 0.010) * (1.5 if dim else 1.0)
    noise = rng.standard_normal((rows, columns, 1), dtype=np.float32)
    tinted = rng.standard_normal((rows, columns, 3), dtype=np.float32)
    photo = photo + sigma * (0.8 * noise + 0.5 * tinted)
    return np.clip(photo * 255 + 0.5, 0, 255).astype(np.uint8)

"""The sky with clouds, sun, moon and stars, and the hazy skyline where it meets the ground."""

from __future__ import annotations

import cv2
import numpy as np

from streetscenes import texture
from streetscenes.canvas import Canvas
from streetscenes.view import Light, World

SKY = 23
BUILDING = 11
VEGETATION = 21


def draw_sky(canvas: Canvas, world: World, rng: np.random.Generator) -> None:
    """Paints everything above the horizon, and a little below."""
    camera, light = world.camera, world.light
    rows, columns = canvas.owner.shape
    bottom = min(rows, int(camera.centre[1]) + 2)
    canvas.begin(SKY, 0.0)
    canvas.owner[:bottom] = len(canvas.owners) - 1
    x0, y0 = camera.centre
    unit = camera.focal * rows
    up = np.clip((y0 - np.arange(bottom)) / unit, 0, None).astype(np.float32)[:, None]
    across = ((np.arange(columns) - x0) / unit).astype(np.float32)[None]
    steep = 1 - np.exp(-up * rng.uniform(2.0, 3.6))
    sky = steep[..., None] * np.array(light.zenith, np.float32)
    sky = sky + (1 - steep[..., None]) * np.array(light.horizon, np.float32)
    sky = np.repeat(sky, columns, 1)
    _add_sun(sky, light, up, across)
    _add_clouds(sky, light, up, across, rng)
    if light.time == "night" and light.weather == "sun":
        _add_stars(sky, rng)
    canvas.colour[:bottom, :, :3] = np.clip(sky, 0, 255).astype(np.uint8)
    canvas.colour[:bottom, :, 3] = 255


def draw_skyline(canvas: Canvas, world: World, rng: np.random.Generator) -> None:
    """Far blocks and tree tops along the horizon, so that no bare edge of the world shows."""
    camera, light = world.camera, world.light
    _, horizon = camera.centre
    metre = camera.scale(240.0)
    base = horizon + 0.012 * camera.rows
    x = -0.1 * camera.rows
    canvas.begin(BUILDING, 240.0)
    while x < camera.columns + 0.1 * camera.rows:
        wide, high = rng.uniform(9, 40), rng.uniform(8, 26) * (1.8 if rng.random() < 0.1 else 1)
        tone = rng.uniform(80, 170) * light.on((0, 0, -1)) * rng.uniform(0.92, 1.06, 3)
        right, top = x + wide * metre, base - high * metre - 0.012 * camera.rows
        canvas.polygon(np.array([[x, top], [right, top], [right, base], [x, base]]), tone)
        x = right
    canvas.finish()
    canvas.begin(VEGETATION, 200.0)
    green = np.array([62, 84, 50]) * light.on((0, 0.5, -0.8))
    for _ in range(int(rng.integers(0, 14))):
        x = rng.uniform(0, camera.columns / camera.rows) * camera.rows
        for _ in range(5):
            radius = metre * rng.uniform(4, 9)
            shade = green * rng.uniform(0.8, 1.15)
            canvas.disc(x + rng.normal() * radius, base - radius * 0.7, radius, shade, flat=0.8)
    canvas.finish()


def _add_sun(sky: np.ndarray, light: Light, up: np.ndarray, across: np.ndarray) -> None:
    """The sun's disc and glow where it is ahead; the afterglow's brighter side otherwise."""
    if max(light.sun_fill) < 0.05:
        return
    side = light.sun[0] / max(abs(light.sun[2]), 0.15)
    height = light.sun[1] / max(abs(light.sun[2]), 0.15)
    ahead = light.sun[2] > 0
    distance = np.hypot(across - side, (up - height) * (1.4 if ahead else 0.4))
    warm = np.array([255, 236, 200] if light.time == "noon" else [255, 206, 130], np.float32)
    strength = 0.75 * np.exp(-distance * 3.2) if ahead else 0.18 * np.exp(-distance * 1.2)
    if ahead:
        strength = np.maximum(strength, np.clip((0.045 - distance) * 60, 0, 1))
    sky += strength[..., None] * (warm - sky)


def _add_clouds(
    sky: np.ndarray, light: Light, up: np.ndarray, across: np.ndarray, rng: np.random.Generator
) -> None:
    """Clouds on a plane overhead, so that they shrink toward the horizon."""
    reach = 1 / (up + 0.09)
    size = rng.uniform(14, 30)
    x = across * reach * size + rng.uniform(0, texture.SIDE)
    y = np.broadcast_to(reach * size * 1.6, x.shape) + rng.uniform(0, texture.SIDE)
    field = texture.sampled(texture.clouds(), x, y)
    field = field + 0.3 * texture.sampled(texture.clouds(), 4.3 * x, 4.3 * y)
    cover = np.clip((field + 2.6 * (light.cloudiness - 0.42)) * 0.9, 0, 1)
    cover *= np.clip(up * 14, 0, 1) * (0.85 if light.weather == "sun" else 0.55)
    thick = np.clip(field * 0.3 + 0.55, 0.2, 1)[..., None]
    bright, dark = _cloud_tones(light)
    sky += cover[..., None] * (dark + (bright - dark) * (1 - 0.75 * thick * cover[..., None]) - sky)


def _cloud_tones(light: Light) -> tuple[np.ndarray, np.ndarray]:
    horizon, zenith = np.array(light.horizon), np.array(light.zenith)
    if light.weather != "sun":
        return np.minimum(horizon * 1.06, 255), zenith * 0.86
    if light.time == "noon":
        return np.array([252.0, 252, 252]), np.array([196.0, 202, 212])
    if light.time == "night":
        return horizon * 1.1, zenith * 1.2
    return np.minimum(horizon * 1.08 + 10, 255), 0.55 * zenith + 0.45 * horizon * (0.9, 0.75, 0.85)


def _add_stars(sky: np.ndarray, rng: np.random.Generator) -> None:
    rows, columns = sky.shape[:2]
    for x, y, bright in rng.random((70, 3)):
        place = (int(y * 0.85 * rows), int(x * columns))
        sky[place] += (170 * bright + 50) * np.clip(1 - y, 0.2, 1)
    if rng.random() < 0.5:
        x, y = rng.uniform(0.1, 0.9) * columns, rng.uniform(0.08, 0.4) * rows
        radius = 0.022 * rows * 2
        cv2.circle(sky, (int(x * 8), int(y * 8)), int(radius * 8), (236, 232, 214), -1, 0, 3)

"""House fronts: how they look, and their textures: walls, windows, balconies, cornices."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from augflow.core import seeding
from streetscenes import texture
from streetscenes.panels import AWNINGS, clipped, fill
from streetscenes.shopfronts import draw_shops
from streetscenes.view import Colour, Light

WALLS: dict[str, tuple[Colour, ...]] = {
    "plaster": (
        (232, 214, 176),
        (226, 190, 176),
        (214, 168, 92),
        (206, 206, 200),
        (238, 234, 222),
        (178, 198, 176),
        (236, 212, 130),
        (168, 190, 208),
        (214, 138, 108),
    ),
    "brick": ((150, 74, 58), (128, 66, 50), (168, 96, 70), (116, 84, 72), (188, 158, 118)),
    "stone": ((196, 184, 160), (170, 164, 152), (212, 200, 178), (150, 142, 132)),
    "panel": ((186, 188, 190), (206, 200, 190), (150, 156, 164), (214, 208, 196), (186, 170, 150)),
    "glass": ((98, 112, 124), (70, 84, 100), (122, 130, 134), (92, 108, 104)),
}

_SHUTTERS: tuple[Colour, ...] = ((52, 94, 70), (70, 96, 130), (124, 62, 44), (226, 222, 212))

_DOORS: tuple[Colour, ...] = ((96, 56, 34), (40, 70, 56), (140, 36, 32), (44, 52, 84), (60, 60, 62))


@dataclass(frozen=True)
class Facade:
    """How a house front looks; lengths in metres. `ground` is `shop`, `door` or `blank`."""

    kind: str
    wall: Colour
    trim: Colour
    floors: int
    storey: float
    bay: float
    window: tuple[float, float]
    ground: str
    awning: Colour
    shutters: Colour | None
    door: Colour
    balconies: bool
    lights: float
    seed: int

    @property
    def height(self) -> float:
        """From the ground to the eaves."""
        return self.floors * self.storey + 0.9


def draw(kind: str, rng: np.random.Generator, light: Light) -> Facade:
    """A random front of a kind of `WALLS`."""
    walls = WALLS[kind]
    wall = np.array(walls[int(rng.integers(len(walls)))]) * rng.uniform(0.9, 1.08)
    storey = rng.uniform(2.9, 3.6)
    tall = {"plaster": (2, 6), "brick": (2, 5), "stone": (3, 6), "panel": (4, 9), "glass": (5, 11)}
    wide = {"panel": 1.5, "glass": 1.7}.get(kind, rng.uniform(0.95, 1.25))
    lights = {"night": 0.5, "dusk": 0.35, "dawn": 0.12}.get(light.time, 0.02)
    shops = {"plaster": 0.5, "brick": 0.55, "stone": 0.6, "panel": 0.3, "glass": 0.7}[kind]
    pale = np.array([236.0, 232, 222]) if rng.random() < 0.7 else wall * 0.7
    return Facade(
        kind=kind,
        wall=clipped(wall),
        trim=clipped(pale),
        floors=int(rng.integers(*tall[kind])),
        storey=float(storey),
        bay=float(rng.uniform(2.1, 3.1)),
        window=(float(wide), float(rng.uniform(1.4, 1.8))),
        ground="shop" if rng.random() < shops else "door",
        awning=AWNINGS[int(rng.integers(len(AWNINGS)))],
        shutters=_SHUTTERS[int(rng.integers(4))]
        if kind == "plaster" and rng.random() < 0.4
        else None,
        door=_DOORS[int(rng.integers(len(_DOORS)))],
        balconies=bool(rng.random() < (0.45 if kind in ("panel", "stone") else 0.15)),
        lights=float(lights * rng.uniform(0.5, 1.4)),
        seed=int(rng.integers(2**31)),
    )


def picture(
    front: Facade, length: float, metre: float, light: Light, gain: np.ndarray
) -> np.ndarray:
    """The texture of a front of some length at `metre` pixels per metre, under (3,) gains of light.

    What is drawn does not depend on `metre`, only how fine it is.

    Shapes:
        returns: (h, w, 4) uint8, red, green, blue and own light; the ground is the last row.
    """
    rng = seeding.generator(front.seed, "facade")
    wall = _wall(front, max(8, round(length * metre)), metre, rng)
    if front.ground != "blank":
        _windows(wall, front, length, metre, light, rng)
    if front.ground == "shop":
        draw_shops(wall, front.awning, (length, front.storey, metre), front.lights > 0.1, rng)
    elif front.ground == "door":
        _doors(wall, front, length, metre, rng)
    _cornice(wall, front, metre)
    rows = np.arange(wall.shape[0], dtype=np.float32)[::-1] / metre
    fade = 1 - 0.22 * np.exp(-rows / 1.2) + 0.06 * np.clip(rows / front.height - 0.5, -1, 1)
    gains = (fade[:, None] * gain[None].astype(np.float32))[:, None]
    dimmed = np.minimum(wall[..., :3] * gains, 255).astype(np.uint8)
    wall[..., :3] = np.where(wall[..., 3:] > 100, wall[..., :3], dimmed)
    return wall


def _wall(front: Facade, wide: int, metre: float, rng: np.random.Generator) -> np.ndarray:
    high = max(8, round(front.height * metre))
    stains = cv2.resize(
        texture.crop(texture.clouds, max(4, high // 3), max(4, wide // 4), rng), (wide, high)
    )
    tone = 1 + 0.035 * stains + 0.028 * texture.crop(texture.grain, high, wide, rng)
    if front.kind == "brick" and metre >= 10:
        tone = tone + _courses(high, wide, metre)
    if front.kind in ("panel", "glass"):
        tone[:: max(3, round(front.storey * metre))] -= 0.16
        tone[:, :: max(3, round(front.bay * metre))] -= 0.12
    if front.kind == "stone":
        tone[:: max(3, round(0.62 * metre))] -= 0.1
    wall = np.zeros((high, wide, 4), np.uint8)
    wall[..., :3] = np.clip(tone[..., None] * np.array(front.wall, np.float32), 0, 255)
    return wall


def _courses(high: int, wide: int, metre: float) -> np.ndarray:
    size = max(2.0, 0.2 * metre)
    row = np.floor(np.arange(high) / size)[:, None]
    along = np.arange(wide)[None] + np.mod(row, 2) * size
    column = np.floor(along / (2 * size))
    tone = 0.09 * np.sin(column * 12.9898 + row * 78.233)
    return tone + 0.13 * (np.mod(np.arange(high), size) < 1)[:, None]


def _windows(
    wall: np.ndarray,
    front: Facade,
    length: float,
    metre: float,
    light: Light,
    rng: np.random.Generator,
) -> None:
    """Sets a grid of windows, floor by floor, one bay beside the other."""
    bays = max(1, int((length - 0.5) / front.bay))
    start = (length - bays * front.bay) / 2
    wide, high = front.window
    if front.kind == "glass":
        wide, high = front.bay * 0.92, front.storey * 0.84
    panes = [_pane(front, wide, high, metre, light, rng) for _ in range(4)]
    lit = [_lit_pane(pane, rng) for pane in panes[:3]]
    draws = rng.random((front.floors, bays))
    picks = rng.integers(0, 12, (front.floors, bays))
    for floor in range(1, front.floors):
        y = front.height - floor * front.storey - (front.storey - high) * 0.42 - high
        for bay in range(bays):
            x = start + (bay + 0.5) * front.bay - wide / 2
            shining = draws[floor, bay] < front.lights
            pane = lit[picks[floor, bay] % 3] if shining else panes[picks[floor, bay] % 4]
            _set_window(wall, front, pane, (x, y - 0.35), metre)


def _set_window(
    wall: np.ndarray, front: Facade, pane: np.ndarray, at: tuple[float, float], metre: float
) -> None:
    x, y = round(at[0] * metre), round(at[1] * metre)
    high, wide = pane.shape[:2]
    if x < 1 or y < 1 or x + wide >= wall.shape[1] or y + high >= wall.shape[0]:
        return
    if front.shutters is not None:
        flap = max(1, round(0.42 * metre))
        for left in (x - flap, x + wide):
            fill(wall, (left, y, left + flap - 1, y + high), front.shutters)
    wall[y : y + high, x : x + wide] = pane
    if front.kind == "glass":
        return
    sill = max(1, round(0.12 * metre))
    shade = max(1, round(0.14 * metre))
    fill(wall, (x - sill, y + high, x + wide + sill, y + high + sill - 1), front.trim)
    under = wall[y + high + sill : y + high + sill + shade, x : x + wide, :3]
    under[:] = (under * 0.72).astype(np.uint8)
    if front.balconies:
        _balcony(wall, (x, y + high, wide), metre)


def _balcony(wall: np.ndarray, at: tuple[int, int, int], metre: float) -> None:
    x, floor, wide = at
    rail, out = round(0.55 * metre), round(0.35 * metre)
    fill(wall, (x - out, floor - rail, x + wide + out, floor - rail + max(1, rail // 7)), _IRON)
    gap = round(0.24 * metre)
    for bar in range(x - out, x + wide + out, gap) if gap > 2 else ():
        fill(wall, (bar, floor - rail, bar + max(0, round(0.03 * metre)), floor), _IRON)
    fill(wall, (x - out, floor, x + wide + out, floor + max(1, out // 2)), (150, 146, 140))


_IRON = (52, 54, 58)


def _pane(
    front: Facade, wide: float, high: float, metre: float, light: Light, rng: np.random.Generator
) -> np.ndarray:
    """One window: frame, glass that mirrors the sky, curtains, bars."""
    w, h = max(3, round(wide * metre)), max(3, round(high * metre))
    pane = np.zeros((h, w, 4), np.uint8)
    pane[..., :3] = np.array(front.trim) * 0.94
    frame = max(1, round(0.08 * metre)) if metre > 7 else 0
    glass = pane[frame : h - frame, frame : w - frame, :3]
    down = np.linspace(0, 1, glass.shape[0])[:, None, None]
    mirror = 0.25 * np.array(light.zenith) + 0.35 * np.array(light.horizon)
    dark = np.array([38.0, 46, 54])
    share = rng.uniform(0.15, 0.75 if front.kind == "glass" else 0.5)
    glass[:] = np.clip(dark + share * mirror * (1 - 0.55 * down), 0, 255)
    kind = rng.random()
    if kind < 0.45 and front.kind != "glass":
        drape = max(1, glass.shape[1] // 4)
        cloth = np.array([206, 200, 186]) * rng.uniform(0.5, 0.9)
        glass[:, :drape], glass[:, -drape:] = cloth, cloth
    elif kind < 0.65:
        glass[: int(glass.shape[0] * rng.uniform(0.2, 0.6))] = (178, 172, 160)
    bar = max(1, round(0.06 * metre)) - (metre < 7)
    if bar > 0 and front.kind != "glass":
        pane[:, w // 2 - bar // 2 : w // 2 - bar // 2 + bar, :3] = np.array(front.trim) * 0.9
        pane[h // 3 : h // 3 + bar, :, :3] = np.array(front.trim) * 0.9
    return pane


def _lit_pane(pane: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    tones = ((255, 214, 140), (255, 196, 108), (240, 232, 206), (255, 224, 168))
    tone = np.array(tones[int(rng.integers(4))]) * rng.uniform(0.75, 1.0)
    down = np.linspace(1.0, 0.7, pane.shape[0])[:, None, None]
    shining = pane.copy()
    share = 0.35 + 0.65 * (pane[..., :3].mean(-1, keepdims=True) / 255 < 0.62)
    shining[..., :3] = np.clip(tone * down * share, 0, 255)
    shining[..., 3] = 225
    return shining


def _doors(
    wall: np.ndarray, front: Facade, length: float, metre: float, rng: np.random.Generator
) -> None:
    """A plinth, a door or two and ground floor windows."""
    rows = wall.shape[0]
    plinth = rows - round(0.7 * metre)
    wall[plinth:, :, :3] = (wall[plinth:, :, :3] * 0.72).astype(np.uint8)
    bays = max(1, int((length - 0.5) / front.bay))
    start = (length - bays * front.bay) / 2
    door = int(rng.integers(bays))
    wide, high = front.window
    pane = np.zeros((max(3, round(high * metre)), max(3, round(wide * metre)), 4), np.uint8)
    pane[..., :3] = (58, 66, 74)
    pane[: pane.shape[0] // 2, :, :3] = (96, 106, 116)
    for bay in range(bays):
        middle = start + (bay + 0.5) * front.bay
        if bay == door or (bays > 5 and bay == (door + 4) % bays):
            left, right = round((middle - 0.6) * metre), round((middle + 0.6) * metre)
            edge = max(1, round(0.14 * metre))
            top = rows - round(2.35 * metre)
            fill(wall, (left - edge, top - edge, right + edge, rows), front.trim)
            fill(wall, (left, top, right, rows), front.door)
            fill(wall, (left + edge, top + edge, right - edge, top + 3 * edge), (90, 100, 106))
        else:
            _set_window(wall, front, pane, (middle - wide / 2, front.height - 2.55), metre)


def _cornice(wall: np.ndarray, front: Facade, metre: float) -> None:
    """The band under the eaves with its shadow, and a thin one above the ground floor."""
    deep = max(1, round(0.3 * metre))
    wall[:deep, :, :3] = np.array(front.trim) * (0.9 if front.kind != "glass" else 0.5)
    below = wall[deep : 2 * deep + 1, :, :3]
    below[:] = (below * 0.7).astype(np.uint8)
    if front.kind in ("plaster", "stone", "brick"):
        at = wall.shape[0] - round((front.storey + 0.1) * metre)
        thin = max(1, round(0.14 * metre))
        wall[at : at + thin, :, :3] = np.array(front.trim) * 0.95

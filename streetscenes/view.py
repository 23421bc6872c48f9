"""Where things are: the camera, the street in front of it, and the light that falls on it.

Metres throughout. Street coordinates are (u, z): u to the right of the centre line, z ahead of the
camera. Camera coordinates are (x, y, z) with y up from the ground.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NEAR = 0.9
"""Nothing is drawn nearer than this, in metres."""

Colour = tuple[float, float, float]
Point = tuple[float, float]


@dataclass(frozen=True)
class Camera:
    """A pinhole camera that looks along the street, `height` metres above the ground.

    `focal`, `horizon` and `shift` are in picture heights, so that every size shows one composition.
    """

    focal: float
    horizon: float
    shift: float
    height: float
    rows: int
    columns: int

    @property
    def centre(self) -> Point:
        """The vanishing point in pixels: (x, y)."""
        return self.columns / 2 + self.shift * self.rows, self.horizon * self.rows

    def scale(self, z: float) -> float:
        """Pixels per metre at distance z."""
        return self.focal * self.rows / max(z, NEAR)

    def project(self, points: np.ndarray) -> np.ndarray:
        """Pixels of points in camera coordinates.

        Shapes:
            points: (N, 3) x, y, z.
            returns: (N, 2) x, y.
        """
        z = np.maximum(points[:, 2], NEAR)
        factor = self.focal * self.rows / z
        x, y = self.centre
        return np.stack([x + points[:, 0] * factor, y + (self.height - points[:, 1]) * factor], 1)


@dataclass(frozen=True)
class Street:
    """The ground plan.

    `half` is half the carriageway's width, `pavement` the width of each sidewalk; `bend` curves
    it sideways by `bend * z**2`; `lateral` is the camera's u; `crossing` is where another street
    crosses, from z to z; `end` is where the street meets a transverse row of houses.
    """

    half: float
    pavement: float
    bend: float
    lateral: float
    crossing: tuple[float, float] | None
    end: float

    @property
    def edge(self) -> float:
        """The distance of the building line from the centre line."""
        return self.half + self.pavement

    def x(self, u: float, z: float) -> float:
        """The camera coordinate of a street coordinate."""
        return u - self.lateral + self.bend * z * z

    def in_crossing(self, z: float, margin: float = 0.0) -> bool:
        """Whether z lies in the crossing street, widened by a margin."""
        if self.crossing is None:
            return False
        return self.crossing[0] - margin < z < self.crossing[1] + margin


@dataclass(frozen=True)
class Light:
    """Time of day and weather as numbers.

    `sky_fill` and `sun_fill` add up to the colour of light on a surface; `sun` points to the sun;
    `ambient` dims everything that does not shine by itself (1 by day); `haze` is the density of fog
    per metre; `wet` in [0, 1] is how much the road mirrors.
    """

    time: str
    weather: str
    zenith: Colour
    horizon: Colour
    sky_fill: Colour
    sun_fill: Colour
    sun: Colour
    ambient: Colour
    haze: float
    haze_colour: Colour
    cloudiness: float
    wet: float

    @property
    def lamps(self) -> bool:
        """Whether street lamps and headlights are on."""
        return self.time == "night" or self.weather == "fog" or self.time == "dusk"

    def on(self, normal: Colour, lit: float = 1.0) -> np.ndarray:
        """The light on a surface: (3,) gains of red, green and blue.

        Args:
            normal: where the surface looks, of unit length.
            lit: share of the sun that reaches it.
        """
        cosine = max(0.0, float(np.dot(normal, self.sun)))
        up = 0.82 + 0.18 * normal[1]
        return up * np.asarray(self.sky_fill) + lit * cosine * np.asarray(self.sun_fill)


@dataclass(frozen=True)
class World:
    """What everything drawn needs to know."""

    camera: Camera
    street: Street
    light: Light
    shadow_reach: float

    def lit(self, u: float, z: float) -> float:
        """Share of the sun that reaches a place on the ground: 0 in the shadow of the houses."""
        if max(self.light.sun_fill) < 0.05:
            return 0.0
        if self.street.in_crossing(z):
            return 1.0
        toward = np.sign(self.light.sun[0]) or 1.0
        return float(toward * u < self.street.edge - self.shadow_reach)

    def place(self, u: float, z: float, y: float = 0.0) -> tuple[float, float]:
        """The pixel of a street coordinate at height y."""
        point = self.camera.project(np.array([[self.street.x(u, z), y, z]]))[0]
        return float(point[0]), float(point[1])

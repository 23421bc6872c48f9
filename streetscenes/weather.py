"""Draws a time of day and a weather, and turns them into light."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streetscenes.view import Colour, Light

TIMES = {"dawn": 0.16, "noon": 0.46, "dusk": 0.19, "night": 0.19}
WEATHERS = {"sun": 0.5, "overcast": 0.25, "rain": 0.15, "fog": 0.1}


@dataclass(frozen=True)
class _Hour:
    """The clear sky of an hour: colours from zenith to horizon, light from sky and sun."""

    zeniths: tuple[Colour, ...]
    horizons: tuple[Colour, ...]
    sky_fill: Colour
    sun_fill: Colour
    elevation: tuple[float, float]
    ambient: Colour


# fmt: off
_HOURS = {
    "dawn": _Hour(((96, 136, 196), (126, 138, 190)), ((255, 206, 150), (250, 190, 176)),
                  (0.60, 0.60, 0.68), (0.82, 0.58, 0.32), (0.16, 0.42), (1.0, 0.97, 0.95)),
    "noon": _Hour(((52, 108, 196), (78, 138, 214), (40, 90, 170)),
                  ((188, 214, 238), (206, 222, 232)),
                  (0.58, 0.63, 0.72), (0.82, 0.75, 0.62), (0.6, 1.2), (1.0, 1.0, 1.0)),
    "dusk": _Hour(((52, 56, 120), (74, 64, 128), (46, 70, 128)), ((250, 146, 76), (244, 118, 96)),
                  (0.62, 0.56, 0.64), (0.74, 0.40, 0.18), (0.1, 0.3), (0.74, 0.70, 0.76)),
    "night": _Hour(((8, 12, 32), (14, 14, 40)), ((44, 42, 66), (62, 50, 54), (26, 38, 70)),
                   (0.92, 0.92, 0.95), (0.0, 0.0, 0.0), (0.5, 0.9), (0.27, 0.29, 0.40)),
}
_GREYS = {
    "dawn": (206, 196, 196), "noon": (208, 212, 218), "dusk": (140, 132, 150),
    "night": (38, 40, 52),
}
# fmt: on


def draw(rng: np.random.Generator) -> Light:
    """A random hour and weather as light."""
    time = str(rng.choice(list(TIMES), p=list(TIMES.values())))
    weather = str(rng.choice(list(WEATHERS), p=list(WEATHERS.values())))
    hour = _HOURS[time]
    zenith = _jittered(_picked(hour.zeniths, rng), rng)
    horizon = _jittered(_picked(hour.horizons, rng), rng)
    elevation = rng.uniform(*hour.elevation)
    azimuth = rng.uniform(0.25, 1.2) * rng.choice([-1, 1])
    ahead = rng.choice([-1.0, 1.0], p=[0.6, 0.4])
    sun = (
        float(np.cos(elevation) * np.sin(azimuth)),
        float(np.sin(elevation)),
        float(ahead * np.cos(elevation) * np.cos(azimuth)),
    )
    cloudiness = float(rng.choice([0.2, 0.45, 0.65]) + rng.uniform(-0.08, 0.08))
    haze = float(rng.uniform(0.0012, 0.004))
    clear = Light(
        time, weather, zenith, horizon, hour.sky_fill, hour.sun_fill, sun, hour.ambient,
        haze, horizon, cloudiness, 0.0,
    )  # fmt: skip
    return clear if weather == "sun" else _covered(clear, rng)


def _covered(clear: Light, rng: np.random.Generator) -> Light:
    """The same hour under clouds, in rain or in fog."""
    grey = np.array(_jittered(_GREYS[clear.time], rng))
    dark = {"overcast": 1.02, "rain": 0.84, "fog": 1.0}[clear.weather]
    share = {"overcast": 0.85, "rain": 0.88, "fog": 0.97}[clear.weather]
    zenith = _mixed(clear.zenith, grey * dark * (1.0 if clear.weather == "fog" else 0.84), share)
    horizon = _mixed(clear.horizon, grey * dark, share - 0.05)
    haze = {
        "overcast": rng.uniform(0.002, 0.005),
        "rain": rng.uniform(0.006, 0.012),
        "fog": rng.uniform(0.02, 0.05),
    }[clear.weather]
    dim = {"overcast": 0.95, "rain": 0.84, "fog": 0.96}[clear.weather]
    return Light(
        clear.time,
        clear.weather,
        zenith,
        horizon,
        _mixed((1.02, 1.03, 1.05), clear.sky_fill, 0.25),
        (0.02, 0.02, 0.02) if clear.time != "night" else (0.0, 0.0, 0.0),
        clear.sun,
        _mixed(np.array(clear.ambient) * dim, (0, 0, 0), 0.0),
        float(haze),
        horizon,
        {"overcast": 0.9, "rain": 1.0, "fog": 0.3}[clear.weather],
        float(rng.uniform(0.6, 1.0)) if clear.weather == "rain" else 0.0,
    )


def _picked(colours: tuple[Colour, ...], rng: np.random.Generator) -> Colour:
    return colours[int(rng.integers(len(colours)))]


def _jittered(colour: Colour, rng: np.random.Generator, spread: float = 0.05) -> Colour:
    gains = 1 + spread * rng.standard_normal() + 0.5 * spread * rng.standard_normal(3)
    r, g, b = np.clip(np.array(colour) * gains, 0, 255)
    return float(r), float(g), float(b)


def _mixed(a: Colour | np.ndarray, b: Colour | np.ndarray, share: float) -> Colour:
    r, g, b_ = np.asarray(a) * (1 - share) + np.asarray(b) * share
    return float(r), float(g), float(b_)

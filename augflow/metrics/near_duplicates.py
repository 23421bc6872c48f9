"""Copies among photographs and among layouts: what validation may share with no training."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from augflow.core import seeding
from augflow.core.errors import DataError

Pixels = np.ndarray[Any, Any]

LOOK = (64, 96)
"""Height and width, in pixels, at which two pictures are laid upon each other."""

_MIDDLE = (56, 84)
"""The part of one picture that is looked for in the other: it may lie 4 rows, 6 columns aside."""

_SCALES = (1.0, 0.91, 0.94, 0.97, 1.03, 1.06, 1.09)
_HALF_ALIKE = 0.5
_HASHED, _BITS = 32, 8


@dataclass(frozen=True)
class Limits:
    """From where on two pictures count as copies, measured on IDD-Lite, CamVid and streets.

    Copies were made by encoding anew (JPEG quality 10 to 60), rescaling by 2 %, zooming by 2 and
    5 %, cropping 4 % off two sides, brightening, darkening, mirroring, and all of these at once.

    Attributes:
        hamming: the most bits, of 64, in which hashes of copies differ. Found: at most 22 where
            a side was cropped, 14 for the others; 2 in 100 pairs of distinct scenes are as near.
        photograph: the least likeness of copied photographs. Found: copies from 0.89 on, and scenes
            of different drives up to 0.76. Frames of one drive are copies by this where the camera
            stands: 3 in 1000 neighbours of IDD-Lite, one in three of CamVid, which is video.
        share: the least share of equal pixels of copied layouts, before they are laid upon
            each other. Found: copies from 0.76 on, and scenes of different drives up to 0.95.
        layout: the least likeness of copied layouts. Found: copies from 0.86 on, and scenes of
            different drives up to 0.78.
        photograph_detail: the least standard deviation, in grey values, of what is compared in
            photographs. Found: from 6.5 on; flat ones say nothing.
        layout_detail: the same of painted layouts. Found: from 10 on, and in 99 of 100 from 14 on.
            A single object before a straight horizon comes to 10: nearly empty layouts are alike
            without being copies, so they accuse nobody.
        keypoints: the fewest places at which an altered copy agrees with its original (see
            `AlteredCopies`). Found: altered copies from 8 on, and other scenes up to 5, once 8.
        overlap: the least likeness of what an altered copy and its original both show. Found:
            altered copies from 0.83 on, and other scenes up to 0.58 (597 x 210 of IDD-Lite, 163 x
            305 of CamVid, 200 x 40 streets).
    """

    hamming: int = 22
    photograph: float = 0.85
    share: float = 0.75
    layout: float = 0.83
    photograph_detail: float = 3.0
    layout_detail: float = 12.0
    keypoints: int = 7
    overlap: float = 0.7


LIMITS = Limits()


@dataclass(frozen=True)
class Copy:
    """A picture of one list that is a picture of another list, by their places.

    Attributes:
        likeness: see `likeness`.
        mirrored: whether it is its mirror image.
    """

    first: int
    second: int
    likeness: float
    mirrored: bool


@dataclass(frozen=True)
class ImageFingerprints:
    """What is kept of photographs to compare them.

    Shapes:
        hashes: (N, 2) uint64, of a photograph and of its mirror image.
        looks: (N, 64, 96) uint8, grey.
    """

    hashes: Pixels
    looks: Pixels


@dataclass(frozen=True)
class LayoutFingerprints:
    """What is kept of layouts to compare them.

    Shapes:
        classes: (N, 32, 48) uint8.
        looks: (N, 64, 96, 3) uint8, painted, a colour for each class.
    """

    classes: Pixels
    looks: Pixels


def fingerprint_images(photographs: Iterable[Pixels]) -> ImageFingerprints:
    """What photographs are compared by.

    Shapes:
        photographs: each (H, W, 3) uint8.
    """
    hashes, looks = [], []
    for photograph in photographs:
        grey = cv2.cvtColor(photograph, cv2.COLOR_RGB2GRAY)
        hashes.append(_hashes(grey))
        looks.append(_resize(grey, LOOK))
    return ImageFingerprints(
        np.array(hashes, np.uint64).reshape(-1, 2), np.array(looks, np.uint8).reshape(-1, *LOOK)
    )


def fingerprint_layouts(layouts: Iterable[Pixels]) -> LayoutFingerprints:
    """What layouts are compared by.

    Shapes:
        layouts: each (H, W) uint8 train ids.
    """
    colours = seeding.generator(0, "colours of classes").integers(0, 256, (256, 3)).astype(np.uint8)
    height, width = LOOK
    small, looks = [], []
    for classes in layouts:
        small.append(
            cv2.resize(classes, (width // 2, height // 2), interpolation=cv2.INTER_NEAREST_EXACT)
        )
        looks.append(_resize(colours[classes], LOOK))
    return LayoutFingerprints(
        np.array(small, np.uint8).reshape(-1, height // 2, width // 2),
        np.array(looks, np.uint8).reshape(-1, *LOOK, 3),
    )


def copied_photographs(
    first: ImageFingerprints, second: ImageFingerprints, limits: Limits = LIMITS
) -> list[Copy]:
    """The photographs of one list that another list holds too, or their mirror images.

    They may have been encoded anew, made lighter or darker, scaled, shifted or cropped by a few
    percent. Hashes say which pairs are worth a look, `likeness` decides.

    References:
        Zauner 2010, "Implementation and benchmarking of perceptual image hash functions".
    """
    pairs = _near_hashes(first, second, limits.hamming)
    return _looked_at(first.looks, second.looks, pairs, limits.photograph, limits.photograph_detail)


def copied_layouts(
    first: LayoutFingerprints, second: LayoutFingerprints, limits: Limits = LIMITS
) -> list[Copy]:
    """The layouts of one list that another list holds too, or their mirror images.

    Layouts of streets are alike: sky above road. So pairs with a large share of equal pixels are
    only worth a look; `likeness` sees edges alone.
    """
    pairs = _equal_pixels(first.classes, second.classes, limits.share)
    return _looked_at(first.looks, second.looks, pairs, limits.layout, limits.layout_detail)


def likeness(look: Pixels, other: Pixels, detail: float) -> float:
    """How well one picture's middle is found in another, at most 1.

    It is the highest normalised correlation over shifts of 6 % and scales of 0.91 to 1.09.
    Both pictures are reduced to what stands out from its surroundings and from its row: light,
    haze, and the order of sky, houses and road that all streets share count for nothing.

    Shapes:
        look, other: (64, 96) or (64, 96, 3) uint8.

    Returns:
        The correlation, or 0 where either stands out by less than `detail` grey values.
    """
    board = _standing_out(other)
    if board.std() < detail:
        return 0.0
    best = 0.0
    for scale in _SCALES:
        size = (round(LOOK[0] * scale), round(LOOK[1] * scale))
        top, left = ((size[n] - _MIDDLE[n]) // 2 for n in (0, 1))
        whole = _standing_out(cv2.resize(look, size[::-1], interpolation=cv2.INTER_LINEAR))
        middle = whole[top : top + _MIDDLE[0], left : left + _MIDDLE[1]]
        if middle.std() < detail:
            return 0.0
        found = cv2.matchTemplate(board, middle, cv2.TM_CCOEFF_NORMED)
        best = max(best, float(found.max()))
        if best < _HALF_ALIKE:  # copies of other scales are more alike than that at their own size
            break
    return best


def _standing_out(look: Pixels) -> Pixels:
    """A band of frequencies, less the mean of each row."""
    band = band_of(look)
    return np.ascontiguousarray(band - band.mean(1, keepdims=True))


def band_of(look: Pixels) -> Pixels:
    """What stands out from its surroundings: a band of frequencies.

    Shapes:
        look: (H, W) or (H, W, 3) uint8.
        returns: the same, float32.
    """
    pixels = look.astype(np.float32)
    return cv2.GaussianBlur(pixels, (0, 0), 1.0) - cv2.GaussianBlur(pixels, (0, 0), 6.0)


def _looked_at(
    first: Pixels,
    second: Pixels,
    pairs: Iterator[tuple[int, int, bool]],
    least: float,
    detail: float,
) -> list[Copy]:
    copies: dict[tuple[int, int], Copy] = {}
    for one, other, mirrored in pairs:
        look = np.ascontiguousarray(first[one][:, ::-1]) if mirrored else first[one]
        found = likeness(look, second[other], detail)
        known = copies.get((one, other))
        if found >= least and (known is None or known.likeness < found):
            copies[one, other] = Copy(one, other, found, mirrored)
    return [copies[pair] for pair in sorted(copies)]


def _near_hashes(
    first: ImageFingerprints, second: ImageFingerprints, most: int
) -> Iterator[tuple[int, int, bool]]:
    for one, hashes in enumerate(first.hashes):
        for mirrored, code in enumerate(hashes):
            differing = np.bitwise_count(second.hashes[:, 0] ^ code)
            yield from (
                (one, int(other), bool(mirrored)) for other in np.flatnonzero(differing <= most)
            )


def _equal_pixels(first: Pixels, second: Pixels, least: float) -> Iterator[tuple[int, int, bool]]:
    for one, classes in enumerate(first):
        for mirrored, looked in enumerate((classes, classes[:, ::-1])):
            shares = (second == looked).mean((1, 2))
            yield from (
                (one, int(other), bool(mirrored)) for other in np.flatnonzero(shares >= least)
            )


def _hashes(grey: Pixels) -> tuple[int, int]:
    """The hash of a photograph and of its mirror image, whose odd columns change their sign.

    A bit says whether a coefficient of the cosine transform exceeds their median. Those of no
    frequency along a side, in which all streets are alike, are left out.
    """
    waves = cv2.dct(_resize(grey, (_HASHED, _HASHED)).astype(np.float32))
    waves = waves[1 : _BITS + 1, 1 : _BITS + 1]
    signs = np.where(np.arange(1, _BITS + 1) % 2, -1, 1)
    return _code(waves), _code(waves * signs)


def _code(waves: Pixels) -> int:
    return int.from_bytes(np.packbits(waves > np.median(waves)).tobytes(), "big")


def _resize(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    if min(pixels.shape[:2]) < 2:
        raise DataError(f"a picture of {pixels.shape[0]}x{pixels.shape[1]} pixels is no scene")
    larger = pixels.shape[0] < size[0] or pixels.shape[1] < size[1]
    how = cv2.INTER_LINEAR if larger else cv2.INTER_AREA
    return cv2.resize(pixels, size[::-1], interpolation=how)

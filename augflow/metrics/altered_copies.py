"""Copies of photographs that were cropped, turned, framed, flipped or made negative."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from augflow.metrics.near_duplicates import (
    LIMITS,
    Copy,
    ImageFingerprints,
    Limits,
    Pixels,
    band_of,
)

_MOST, _ASKED, _LOOKED_AT = 120, 40, 3
"""Keypoints of a photograph, those that vote, and how many of the views they vote for are tried."""

_LEAST_VOTES = 4
_RATIO = 0.8
"""A match is nearer than this share of the distance to the next nearest (Lowe, section 7.1)."""

_PIXELS = 2.5
"""How far, in pixels, a match may lie from where the transformation puts it."""

_SCALES = (0.5, 2.0)
_LEAST_OVERLAP = 0.3
_APART = 3


@dataclass(frozen=True)
class _Keypoints:
    """Places and descriptors, the strongest first.

    Shapes:
        places: (N, 2) float32, x and y.
        descriptors: (N, 128) float32, of length 1.
        coarse: (N, 32) float32, of length 1: descriptors of 2 x 2 cells instead of 4 x 4.
    """

    places: Pixels
    descriptors: Pixels
    coarse: Pixels


@dataclass(frozen=True)
class _View:
    """A photograph, its mirror image or the negative of either."""

    place: int
    mirrored: bool
    look: Pixels
    keypoints: _Keypoints


class AlteredCopies:
    """Photographs that are looked for in others, by keypoints.

    Found are copies of which 70 % of each side is left, turned by any angle, framed by up to 20 %
    of the shorter side on all sides, mirrored, upside down, negative, and several of these at once,
    whether or not they were also blurred, made lighter or darker, or encoded anew.
    Not found are copies that were sheared, stretched (a quarter turn at the size of the others is)
    or seen from another side, of which less is left (half of one beside another picture), that are
    half as large or less on a ground, and such as show next to nothing that stands out.
    `tests/metrics/test_altered_copies.py` counts.

    Keypoints of a photograph vote for the view that has the nearest one. Between it and the views
    with most votes a similarity transformation is sought on which `Limits.keypoints` matches agree,
    and what lies upon each other then has to be alike.

    References:
        Lowe 2004, "Distinctive image features from scale-invariant keypoints"; Arandjelovic and
        Zisserman 2012, "Three things everyone should know to improve object retrieval" (square
        roots of descriptors).
    """

    def __init__(self, photographs: ImageFingerprints, limits: Limits = LIMITS) -> None:
        """Finds the keypoints of photographs, of their mirror images and of the negatives."""
        self._limits = limits
        self._views = [
            _View(place, mirrored, view, _keypoints(view))
            for place, look in enumerate(photographs.looks)
            for mirrored in (False, True)
            for negative in (False, True)
            for view in (_view(look, mirrored, negative),)
        ]
        self._owners = np.repeat(
            np.arange(len(self._views)), [len(view.keypoints.places) for view in self._views]
        )
        coarse = [view.keypoints.coarse for view in self._views]
        self._coarse = np.concatenate([np.zeros((0, 32), np.float32), *coarse])

    def found_in(self, photographs: ImageFingerprints) -> list[Copy]:
        """The photographs that are altered copies, each of the one that it is most like."""
        copies = []
        for place, look in enumerate(photographs.looks):
            keypoints = _keypoints(look)
            found = [
                Copy(view.place, place, likeness, view.mirrored)
                for view in self._likely(keypoints)
                if (likeness := self._likeness(view, look, keypoints)) >= self._limits.overlap
            ]
            if found:
                copies.append(max(found, key=lambda copy: copy.likeness))
        return sorted(copies, key=lambda copy: (copy.first, copy.second))

    def _likely(self, keypoints: _Keypoints) -> list[_View]:
        """The views that most of the strongest keypoints are nearest to."""
        if not len(self._coarse) or not len(keypoints.places):
            return []
        nearest = (keypoints.coarse[:_ASKED] @ self._coarse.T).argmax(1)
        votes = np.bincount(self._owners[nearest], minlength=len(self._views))
        order = np.argsort(-votes, kind="stable")[:_LOOKED_AT]
        return [self._views[place] for place in order if votes[place] >= _LEAST_VOTES]

    def _likeness(self, view: _View, look: Pixels, keypoints: _Keypoints) -> float:
        """The correlation of a view with a photograph that it is laid upon; 0 if it cannot be."""
        pairs = _matches(view.keypoints, keypoints)
        if len(pairs) < self._limits.keypoints:
            return 0.0
        ours, theirs = view.keypoints.places[pairs[:, 0]], keypoints.places[pairs[:, 1]]
        # its draws have a seed of their own
        moved, agree = cv2.estimateAffinePartial2D(
            ours, theirs, method=cv2.RANSAC, ransacReprojThreshold=_PIXELS, maxIters=300
        )
        if moved is None or not _SCALES[0] < np.hypot(moved[0, 0], moved[0, 1]) < _SCALES[1]:
            return 0.0
        spots = np.unique(theirs[agree.ravel() > 0] // _APART, axis=0)
        return _overlap(view.look, look, moved) if len(spots) >= self._limits.keypoints else 0.0


def _view(look: Pixels, mirrored: bool, negative: bool) -> Pixels:
    view = np.ascontiguousarray(look[:, ::-1]) if mirrored else look
    return 255 - view if negative else view


def _keypoints(look: Pixels) -> _Keypoints:
    found, descriptors = cv2.SIFT.create(nfeatures=_MOST, contrastThreshold=0.01).detectAndCompute(
        look, None
    )
    if descriptors is None:
        return _Keypoints(*(np.zeros((0, width), np.float32) for width in (2, 128, 32)))
    # threads find them in any order
    order = sorted(
        range(len(found)), key=lambda n: (-found[n].response, found[n].pt, found[n].angle)
    )
    roots = np.sqrt(descriptors[order] / descriptors[order].sum(1, keepdims=True))
    cells = roots.reshape(-1, 2, 2, 2, 2, 8).sum((2, 4)).reshape(-1, 32)
    return _Keypoints(
        np.array([found[n].pt for n in order], np.float32),
        roots,
        cells / np.linalg.norm(cells, axis=1, keepdims=True),
    )


def _matches(ours: _Keypoints, theirs: _Keypoints) -> Pixels:
    """Pairs of places, (N, 2): each of theirs and the nearest of ours, where that stands out."""
    if len(ours.places) < 2:
        return np.zeros((0, 2), np.intp)
    likeness = theirs.descriptors @ ours.descriptors.T
    first, second = np.sort(2 - 2 * likeness, 1)[:, :2].T
    clear = np.flatnonzero(first < _RATIO**2 * second)
    return np.stack([likeness[clear].argmax(1), clear], 1)


def _overlap(look: Pixels, other: Pixels, moved: Pixels) -> float:
    """The correlation of what stands out from its surroundings where both pictures are."""
    size = other.shape[::-1]
    board = cv2.warpAffine(look, moved, size, flags=cv2.INTER_LINEAR)
    both = cv2.warpAffine(np.ones_like(look), moved, size, flags=cv2.INTER_NEAREST)
    inside = cv2.erode(both, np.ones((5, 5), np.uint8)) > 0
    if inside.mean() < _LEAST_OVERLAP:
        return 0.0
    ours, theirs = (band_of(picture)[inside] for picture in (board, other))
    spread = float(ours.std() * theirs.std())
    return (
        float(((ours - ours.mean()) * (theirs - theirs.mean())).mean()) / spread if spread else 0.0
    )

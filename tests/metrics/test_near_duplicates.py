"""Copies are found however they were made anew; scenes that are only alike are not accused."""

import cv2
import numpy as np
import pytest

from augflow.core.errors import DataError
from augflow.metrics.near_duplicates import (
    LIMITS,
    LOOK,
    copied_layouts,
    copied_photographs,
    fingerprint_images,
    fingerprint_layouts,
    likeness,
)
from streetscenes import street_scene

SIZE = (96, 144)


@pytest.fixture(scope="module")
def streets():
    """Twelve painted street scenes."""
    return [street_scene(7, f"aldenburg_{n:06d}_000000", SIZE) for n in range(12)]


@pytest.fixture(scope="module")
def photos(streets):
    return [scene.image for scene in streets]


@pytest.fixture(scope="module")
def layouts(streets):
    return [scene.labels for scene in streets]


def encoded(photo):
    stored = cv2.imencode(".jpg", photo[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 60])[1]
    return np.ascontiguousarray(cv2.imdecode(stored, cv2.IMREAD_COLOR)[..., ::-1])


def zoomed(pixels, scale, how=cv2.INTER_LINEAR):
    larger = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=how)
    top, left = ((larger.shape[n] - SIZE[n]) // 2 for n in (0, 1))
    return larger[top : top + SIZE[0], left : left + SIZE[1]]


def resized(pixels, how=cv2.INTER_AREA):
    return cv2.resize(pixels, SIZE[::-1], interpolation=how)


ANEW = {
    "as it is": lambda photo: photo,
    "encoded": encoded,
    "rescaled": lambda photo: resized(encoded(cv2.resize(photo, None, fx=1.02, fy=1.02))),
    "zoomed": lambda photo: encoded(zoomed(photo, 1.02)),
    "of another size": lambda photo: cv2.resize(photo, (300, 200)),
    "cropped": lambda photo: resized(photo[3:, :-4]),
    "brightened": lambda photo: np.clip(photo * 1.3 + 15, 0, 255).astype(np.uint8),
    "darkened": lambda photo: (255 * (photo / 255) ** 1.6).astype(np.uint8),
    "mirrored": lambda photo: np.ascontiguousarray(photo[:, ::-1]),
    "all at once": lambda photo: encoded(
        np.clip(zoomed(photo, 1.02)[:, ::-1] * 1.2, 0, 255).astype(np.uint8)
    ),
}


@pytest.mark.parametrize("anew", ANEW)
def test_every_copied_photograph_is_found_and_nothing_else(photos, anew):
    copies = [ANEW[anew](photo) for photo in photos[3:9]]
    found = copied_photographs(fingerprint_images(photos), fingerprint_images(copies))
    assert [(copy.first, copy.second) for copy in found] == [(n + 3, n) for n in range(6)]
    assert all(LIMITS.photograph <= copy.likeness <= 1.0001 for copy in found)
    assert {copy.mirrored for copy in found} == {anew in ("mirrored", "all at once")}


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("scale", [1.0, 1.02])
def test_every_copied_layout_is_found_and_nothing_else(layouts, scale, mirrored):
    copies = [zoomed(layout, scale, cv2.INTER_NEAREST) for layout in layouts[3:9]]
    if mirrored:
        copies = [np.ascontiguousarray(layout[:, ::-1]) for layout in copies]
    found = copied_layouts(fingerprint_layouts(layouts), fingerprint_layouts(copies))
    assert [(copy.first, copy.second) for copy in found] == [(n + 3, n) for n in range(6)]
    assert {copy.mirrored for copy in found} == {mirrored}


def test_flat_photographs_nearly_empty_layouts_and_empty_lists_accuse_nobody(photos):
    flat = fingerprint_images([np.full((*SIZE, 3), 90, np.uint8)])
    nothing = fingerprint_images([])
    for one, other in ((flat, flat), (nothing, flat), (fingerprint_images(photos), nothing)):
        assert copied_photographs(one, other) == []
    assert copied_layouts(fingerprint_layouts([]), fingerprint_layouts([])) == []
    empty = np.zeros((2, *SIZE), np.uint8)
    empty[:, 60:] = 1
    assert copied_layouts(fingerprint_layouts(empty[:1]), fingerprint_layouts(empty[1:])) == []
    assert (empty[0] == empty[1]).all()


@pytest.mark.parametrize("scale", [1.06, 1.09])
def test_a_zoomed_copy_is_looked_for_at_its_own_scale(photos, scale):
    looks = [cv2.resize(one, LOOK[::-1]) for one in (photos[0], zoomed(photos[0], scale))]
    assert likeness(looks[0], looks[1], LIMITS.photograph_detail) > 0.9


def test_a_line_of_pixels_is_no_scene():
    with pytest.raises(DataError, match="1x50 pixels is no scene"):
        fingerprint_images([np.zeros((1, 50, 3), np.uint8)])

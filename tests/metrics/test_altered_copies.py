"""Copies that were cropped, turned, framed, flipped or made negative are found, no others."""

import cv2
import numpy as np
import pytest

from augflow.metrics.altered_copies import AlteredCopies
from augflow.metrics.near_duplicates import LIMITS, fingerprint_images
from streetscenes import street_scene

COPIED = 16


@pytest.fixture(scope="module")
def photos():
    """Painted streets of 128 x 192 pixels: sixteen are copied, eight are not."""
    return [street_scene(7, f"aldenburg_{n:06d}_000000", (128, 192)).image for n in range(24)]


def prepared(photo):
    """At the size of the embedded study."""
    return cv2.resize(photo, (48, 32), interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="module")
def known(photos):
    return fingerprint_images(map(prepared, photos[:COPIED]))


@pytest.fixture(scope="module")
def copies(known):
    return AlteredCopies(known)


def cropped(photo, rest=0.8, corner=0.5):
    height, width = photo.shape[:2]
    rows, columns = round(height * rest), round(width * rest)
    top, left = round((height - rows) * corner), round((width - columns) * corner)
    return np.ascontiguousarray(photo[top : top + rows, left : left + columns])


def turned(photo, degrees=8):
    height, width = photo.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    return cv2.warpAffine(photo, turn, (width, height), borderMode=cv2.BORDER_REFLECT)


def framed(photo, share=0.1):
    edge = round(share * photo.shape[0])
    return cv2.copyMakeBorder(photo, edge, edge, edge, edge, cv2.BORDER_CONSTANT, value=(0, 0, 0))


def encoded(photo, quality):
    return cv2.imdecode(cv2.imencode(".jpg", photo, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], 1)


def in_squares(photo, side=8):
    height, width = photo.shape[:2]
    few = cv2.resize(photo, (width // side, height // side), interpolation=cv2.INTER_AREA)
    return cv2.resize(few, (width, height), interpolation=cv2.INTER_NEAREST)


def darker(photo, share):
    return np.clip(photo * share, 0, 255).astype(np.uint8)


def on_ground(photo, share):
    """A smaller picture of it on grey."""
    height, width = photo.shape[:2]
    few = cv2.resize(photo, (round(width * share), round(height * share)))
    ground = np.full_like(photo, 128)
    top, left = (
        (big - small) // 2 for big, small in zip(photo.shape[:2], few.shape[:2], strict=True)
    )
    ground[top : top + few.shape[0], left : left + few.shape[1]] = few
    return ground


def beside_another(photo):
    other = street_scene(9, "bergen_000000_000000", photo.shape[:2]).image
    half = photo.shape[1] // 2
    return np.concatenate([photo[:, :half], other[:, half:]], 1)


ALTERED = {
    "cropped": cropped,
    "cropped at a corner": lambda photo: cropped(photo, corner=0.0),
    "cropped by 30 %": lambda photo: cropped(photo, 0.7),
    "turned": turned,
    "turned by 15 degrees": lambda photo: turned(photo, -15),
    "turned and cropped": lambda photo: cropped(turned(photo)),
    "framed": framed,
    "negative": lambda photo: 255 - photo,
    "upside down": lambda photo: np.ascontiguousarray(photo[::-1]),
    "turned by half": lambda photo: np.ascontiguousarray(photo[::-1, ::-1]),
    "mirrored": lambda photo: np.ascontiguousarray(photo[:, ::-1]),
    "negative, mirrored and cropped": lambda photo: cropped(255 - photo[:, ::-1]),
    "mirrored and turned": lambda photo: turned(np.ascontiguousarray(photo[:, ::-1])),
    "turned by 45 degrees": lambda photo: turned(photo, 45),
    "darker and cropped": lambda photo: cropped(darker(photo, 0.5)),
    "brighter and cropped": lambda photo: cropped(darker(photo, 1.4)),
    "JPEG of quality 10": lambda photo: encoded(photo, 10),
    "JPEG of quality 10, cropped": lambda photo: cropped(encoded(photo, 10)),
    "blurred and cropped": lambda photo: cropped(cv2.GaussianBlur(photo, (0, 0), 2)),
    "in squares": in_squares,
    "smaller by 30 % and back": lambda photo: cv2.resize(cv2.resize(photo, (134, 90)), (192, 128)),
}

MISSED = {
    "turned by a quarter, at the size of the others": lambda photo: np.rot90(photo).copy(),
    "half as large on grey": lambda photo: on_ground(photo, 0.5),
    "half of it": beside_another,
    "stretched": lambda photo: cv2.resize(photo[:, 29:163], (192, 128)),
}
"""What the documentation says is not found."""


@pytest.mark.parametrize("how", ALTERED)
def test_sixteen_of_sixteen_altered_copies_are_found_and_nothing_else(photos, copies, how):
    made = fingerprint_images(prepared(ALTERED[how](photo)) for photo in photos)
    found = copies.found_in(made)
    assert [(copy.first, copy.second) for copy in found] == [(n, n) for n in range(COPIED)]
    assert all(LIMITS.overlap <= copy.likeness <= 1.0001 for copy in found)
    flipped = "mirrored" in how or how == "upside down"
    assert {copy.mirrored for copy in found} == {flipped}


@pytest.mark.parametrize("how", MISSED)
def test_what_is_not_found_accuses_no_other_photograph(photos, copies, how):
    made = fingerprint_images(prepared(MISSED[how](photo)) for photo in photos)
    assert copies.found_in(made) == []


def test_flat_photographs_and_empty_lists_have_no_copies(copies):
    flat, nothing = fingerprint_images([np.full((32, 48, 3), 90, np.uint8)]), fingerprint_images([])
    assert copies.found_in(flat) == copies.found_in(nothing) == []
    for known in (flat, nothing):
        assert AlteredCopies(known).found_in(flat) == []


def test_the_number_of_threads_changes_nothing(photos, known):
    made = fingerprint_images(prepared(turned(photo)) for photo in photos)
    before = cv2.getNumThreads()
    try:
        found = []
        for threads in (1, 2):
            cv2.setNumThreads(threads)
            found.append(AlteredCopies(known).found_in(made))
    finally:
        cv2.setNumThreads(before)
    assert found[0] == found[1]

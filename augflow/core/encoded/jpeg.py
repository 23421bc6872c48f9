"""The structure of JPEG files."""

from __future__ import annotations

import re

from augflow.core.encoded.facts import Encoded, broken, require_pixels

MOST_SCANS = 100
"""Of a progressive JPEG: each costs as much time as a picture, and has some ten bytes at least."""

SIGN = b"\xff\xd8\xff"

_MARKER = re.compile(rb"\xff+([^\x00\x01\xff\xd0-\xd7])", re.DOTALL)
"""The next marker of a JPEG: no stuffed byte and no restart."""


def walked(content: bytes) -> Encoded:
    """Segment after segment up to the end of the image; what comes after it is no part of it.

    References:
        ITU-T T.81, annex B.1.1 (markers) and B.2.2 (frame header).
    """
    place, found, scans = 2, None, 0
    while True:
        marker = _MARKER.search(content, place)
        if marker is None:
            raise broken(f"it ends within the image, after {len(content)} bytes")
        code, place = marker[1][0], marker.end()
        if code == 0xD9:
            break
        length = int.from_bytes(content[place : place + 2], "big")
        if code in range(0xC0, 0xD0) and code not in (0xC4, 0xC8, 0xCC) and length >= 8:
            height, width = (
                int.from_bytes(content[n : n + 2], "big") for n in (place + 3, place + 5)
            )
            require_pixels(height, width)
            found = height, width, content[place + 2]
        scans += code == 0xDA
        if scans > MOST_SCANS:
            raise broken(f"more than {MOST_SCANS} scans")
        place += length
    if found is None or not scans:
        raise broken("a JPEG without an image")
    return Encoded("JPEG", content, *found)

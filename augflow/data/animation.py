"""Pictures in time: an MP4 video and an animated PNG, whole or absent."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from augflow.core.errors import DataError
from augflow.core.io import atomic_write

RATE = 8.0
"""Pictures a second."""

SMALLEST = 256
"""Pixels of a video's shorter side at least: what is smaller, MPEG-4 blurs at its blocks of 16."""


def write_frames(stem: Path, pictures: Sequence[np.ndarray]) -> tuple[Path, Path]:
    """Writes `stem`.mp4 and, without loss and round and round, `stem`.png.

    Shapes:
        pictures: (H, W, 3) uint8, RGB, all of one size.

    Raises:
        DataError: the video cannot be written.
    """
    video, animation = stem.with_name(f"{stem.name}.mp4"), stem.with_name(f"{stem.name}.png")
    write_video(video, pictures)
    write_animation(animation, pictures)
    return video, animation


def write_video(path: Path, pictures: Sequence[np.ndarray]) -> None:
    """Writes an MP4, each pixel drawn so large that the shorter side has `SMALLEST` pixels.

    MPEG-4 has even sides only: an odd one gets its last line twice.

    Shapes:
        pictures: (H, W, 3) uint8, RGB, all of one size.

    Raises:
        DataError: OpenCV has no encoder here, or what it wrote is not all there.
    """
    frames = [_enlarged(picture) for picture in _checked(pictures)]
    height, width = frames[0].shape[:2]
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.stem}.{os.getpid()}.part.mp4")
    try:
        code = cv2.VideoWriter.fourcc(*"mp4v")
        writer = cv2.VideoWriter(str(aside), code, RATE, (width, height))
        for frame in frames:
            writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
        writer.release()
        if _count(aside) != len(frames):
            raise DataError(
                f"{path}: this OpenCV cannot write MP4 (mp4v); install opencv-python as the lock "
                "names it, or do without --frames"
            )
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def write_animation(path: Path, pictures: Sequence[np.ndarray]) -> None:
    """Writes an animated PNG that goes round and round.

    Shapes:
        pictures: (H, W, 3) uint8, RGB, all of one size.
    """
    from PIL import Image

    first, *others = [Image.fromarray(picture) for picture in _checked(pictures)]
    stream = io.BytesIO()
    first.save(
        stream, "PNG", save_all=True, append_images=others, duration=1000 / RATE, loop=0,
        compress_level=6,
    )  # fmt: skip
    atomic_write(path, stream.getvalue(), synced=False)


def _checked(pictures: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
    shapes = {picture.shape for picture in pictures}
    if len(shapes) != 1 or any(picture.dtype != np.uint8 for picture in pictures):
        raise ValueError(f"expected uint8 pictures of one size, got {sorted(shapes)}")
    return pictures


def _enlarged(picture: np.ndarray) -> np.ndarray:
    factor = -(-SMALLEST // min(picture.shape[:2]))
    large = picture.repeat(factor, 0).repeat(factor, 1)
    odd = [(0, length % 2) for length in large.shape[:2]]
    return np.pad(large, (*odd, (0, 0)), mode="edge")


def _count(path: Path) -> int:
    """How many pictures of a video can be read."""
    if not path.exists():
        return 0
    video, count = cv2.VideoCapture(str(path)), 0
    while video.grab():
        count += 1
    video.release()
    return count

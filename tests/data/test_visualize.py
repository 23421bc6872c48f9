"""Animated pictures: what is written is read back."""

import numpy as np
import pytest
from PIL import Image

from augflow.data.visualize import write_animation


def pictures(count=5, size=(24, 36)):
    """A grey that gets lighter, with a red bar that moves to the right."""
    made = []
    for number in range(count):
        picture = np.full((*size, 3), 40 + 30 * number, np.uint8)
        picture[:, 6 * number : 6 * number + 6] = (250, 10, 10)
        made.append(picture)
    return made


def test_an_animated_picture_loses_nothing(tmp_path):
    write_animation(tmp_path / "a.png", pictures())
    with Image.open(tmp_path / "a.png") as image:
        assert image.n_frames == 5
        assert image.info["loop"] == 0
        for number, given in enumerate(pictures()):
            image.seek(number)
            assert np.array_equal(np.asarray(image.convert("RGB")), given)
            assert image.info["duration"] == 125


@pytest.mark.parametrize(
    "wrong",
    [[], [*pictures(1), *pictures(1, (8, 8))], [pictures(1)[0].astype(np.float32)]],
    ids=["none", "two sizes", "floats"],
)
def test_pictures_of_several_sizes_or_types_are_refused(tmp_path, wrong):
    with pytest.raises(ValueError, match="uint8 pictures of one size"):
        write_animation(tmp_path / "a.png", wrong)
    assert not list(tmp_path.iterdir())

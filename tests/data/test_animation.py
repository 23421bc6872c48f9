"""Videos and animated pictures: what is written is read back."""

import cv2
import numpy as np
import pytest
from PIL import Image

from augflow.data import animation
from augflow.core.errors import DataError


def pictures(count=5, size=(24, 36)):
    """A grey that gets lighter, with a red bar that moves to the right."""
    made = []
    for number in range(count):
        picture = np.full((*size, 3), 40 + 30 * number, np.uint8)
        picture[:, 6 * number : 6 * number + 6] = (250, 10, 10)
        made.append(picture)
    return made


def read_back(path):
    video = cv2.VideoCapture(str(path))
    found = []
    while True:
        more, frame = video.read()
        if not more:
            return found, video.get(cv2.CAP_PROP_FPS)
        found.append(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))


def test_a_video_has_all_pictures_in_their_order_and_colours(tmp_path):
    animation.write_video(tmp_path / "a.mp4", pictures())
    found, rate = read_back(tmp_path / "a.mp4")
    assert len(found) == 5
    assert rate == pytest.approx(animation.RATE)
    # 24 pixels need a factor of 11 to be 256 or more
    assert {frame.shape for frame in found} == {(264, 396, 3)}
    for number, (frame, given) in enumerate(zip(found, pictures(), strict=True)):
        large = given.repeat(11, 0).repeat(11, 1).astype(int)
        assert abs(frame.astype(int) - large).mean() < 6, number
        assert frame[130, 66 * number + 33, 0] > 200
        assert frame[130, 66 * number + 33, 1] < 60


def test_odd_sides_get_a_line_more(tmp_path):
    animation.write_video(tmp_path / "a.mp4", pictures(size=(257, 301)))
    found, _ = read_back(tmp_path / "a.mp4")
    assert found[0].shape == (258, 302, 3)


def test_an_animated_picture_loses_nothing(tmp_path):
    animation.write_animation(tmp_path / "a.png", pictures())
    with Image.open(tmp_path / "a.png") as image:
        assert image.n_frames == 5
        assert image.info["loop"] == 0
        for number, given in enumerate(pictures()):
            image.seek(number)
            assert np.array_equal(np.asarray(image.convert("RGB")), given)
            assert image.info["duration"] == 125


def test_equal_pictures_stay_as_many_frames_of_a_video(tmp_path):
    animation.write_video(tmp_path / "a.mp4", pictures(1) * 4)
    assert len(read_back(tmp_path / "a.mp4")[0]) == 4


def test_both_are_written_beside_each_other_and_equal_when_made_twice(tmp_path):
    for name in ("a.b", "c"):
        made = animation.write_frames(tmp_path / name, pictures())
        assert [path.name for path in made] == [f"{name}.mp4", f"{name}.png"]
    for kind in ("mp4", "png"):
        one, two = (tmp_path / f"{name}.{kind}" for name in ("a.b", "c"))
        assert one.read_bytes() == two.read_bytes()
    assert len(list(tmp_path.iterdir())) == 4


def test_a_video_that_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(cv2.VideoWriter, "fourcc", lambda *_: 0x21212121)
    with pytest.raises(DataError, match="cannot write MP4"):
        animation.write_video(tmp_path / "a.mp4", pictures())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "wrong",
    [[], [*pictures(1), *pictures(1, (8, 8))], [pictures(1)[0].astype(np.float32)]],
    ids=["none", "two sizes", "floats"],
)
def test_pictures_of_several_sizes_or_types_are_refused(tmp_path, wrong):
    for write in (animation.write_video, animation.write_animation):
        with pytest.raises(ValueError, match="uint8 pictures of one size"):
            write(tmp_path / "a", wrong)

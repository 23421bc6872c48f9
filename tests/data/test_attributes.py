"""Attributes of scenes: light from luminance, much of a class from areas."""

import pytest
import torch

from augflow.data.attributes import Attributes, areas, brightness, light, terciles
from augflow.data.scenes import Layout, Scene


def grey(*levels):
    return torch.tensor(levels, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 4, 6)


def layouts(*maps):
    classes = torch.tensor(maps, dtype=torch.uint8).reshape(len(maps), 1, -1)
    return Layout(classes, torch.zeros(classes.shape))


def test_brightness_weighs_green_most_and_takes_bytes_or_fractions():
    pure = torch.zeros(3, 3, 2, 2, dtype=torch.uint8)
    for channel in range(3):
        pure[channel, channel] = 255
    assert brightness(pure).tolist() == pytest.approx([0.2126, 0.7152, 0.0722])
    torch.testing.assert_close(brightness(pure), brightness(pure.double() / 255))


def test_a_third_of_the_photographs_is_dark_and_a_third_bright():
    image = grey(*range(0, 180, 20))
    states = light(image, terciles(image))
    assert states.sum(0).tolist() == [3, 3]
    assert states[:3, 0].tolist() == [1, 1, 1]
    assert states[-3:, 1].tolist() == [1, 1, 1]


def test_areas_leave_unknown_pixels_out():
    shares = areas(layouts([0, 0, 1, 255], [2, 2, 2, 1]), 3)
    assert shares.tolist() == [[0.5, 0.25, 0.0], [0.0, 0.25, 0.75]]


def test_much_of_a_class_is_more_than_the_median_and_constant_classes_have_no_attribute():
    layout = layouts([0, 0, 1, 3], [0, 1, 1, 3], [1, 1, 2, 3])
    scene = Scene(grey(10, 100, 200)[:, :, :1, :4], layout)
    found = Attributes.measure(scene, ["road", "car", "sky", "tree"])
    # medians: road 1/4, car 2/4, sky 0, tree 1/4; no layout has more than 1/2 of car
    assert found.names == ("dark", "bright", "much road", "much sky")
    assert found.of(scene).tolist() == [[1, 0, 1, 0], [0, 0, 0, 0], [0, 1, 0, 1]]

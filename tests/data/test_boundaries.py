from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from augflow.core.errors import DataError
from augflow.data.boundaries import boundary_map, guessed_instances, pyramid, resize_boundary

id_maps = arrays(
    np.int32, array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.integers(0, 2)
)
bit_maps = arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=4, max_side=40))


@given(id_maps)
def test_a_pixel_is_marked_when_and_only_when_a_neighbour_carries_another_id(ids):
    marked = boundary_map(ids)
    for y, x in np.ndindex(ids.shape):
        around = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
        inside = [p for p in around if 0 <= p[0] < ids.shape[0] and 0 <= p[1] < ids.shape[1]]
        assert marked[y, x] == any(ids[p] != ids[y, x] for p in inside)


@given(id_maps, st.permutations([5, 700, 26001]))
def test_the_boundary_does_not_depend_on_the_numbers(ids, numbers):
    assert (boundary_map(np.array(numbers)[ids]) == boundary_map(ids)).all()


def test_ids_that_are_no_integers_or_no_map_are_refused():
    with pytest.raises(DataError, match="float64"):
        boundary_map(np.zeros((3, 3)))
    with pytest.raises(DataError, match=r"\(3, 3, 3\)"):
        boundary_map(np.zeros((3, 3, 3), np.uint8))


def test_components_of_a_thing_class_are_told_apart_and_stuff_is_not():
    classes = np.zeros((3, 7), np.uint8)
    classes[1, [1, 2, 4, 5]] = 1
    classes[0, 6] = 255
    guessed = guessed_instances(classes, things=[1])
    assert guessed[1, 1] == guessed[1, 2] != guessed[1, 4] == guessed[1, 5]
    assert (guessed[classes == 0] == 0).all()
    assert guessed[0, 6] == 255
    assert (guessed_instances(classes, things=[]) == classes).all()


def test_thousands_of_components_never_run_into_the_next_class():
    classes = np.zeros((90, 90), np.uint8)
    classes[::2, ::2] = 1
    classes[1::2, 1::2] = 2
    guessed = guessed_instances(classes, things=[1, 2])
    assert not set(guessed[classes == 1].tolist()) & set(guessed[classes == 2].tolist())
    assert len(set(guessed[classes == 1].tolist())) == 45 * 45


@given(bit_maps)
def test_a_boundary_at_its_own_size_stays_what_it_is(bits):
    assert (resize_boundary(bits, bits.shape) == 255 * bits.astype(int)).all()


@given(st.integers(0, 299))
def test_every_pixel_that_a_line_reaches_stays_above_zero(position):
    bits = np.zeros((300, 4), bool)
    bits[position] = True
    # of 4 pixels of height 75, pixel n reaches 75 to both sides of its centre
    reached = [abs(position + 0.5 - 75 * (n + 0.5)) < 75 for n in range(4)]
    assert (resize_boundary(bits, (4, 4)) > 0).all(axis=1).tolist() == reached


def test_halving_spreads_a_line_over_its_triangle():
    bits = np.zeros((16, 16), bool)
    bits[:, 5] = True
    # column n weighs pixels 2n-1 .. 2n+2 with 1/8, 3/8, 3/8, 1/8: pixel 5 is in columns 2 and 3
    assert resize_boundary(bits, (8, 8))[4].tolist() == [0, 0, 96, 32, 0, 0, 0, 0]


def test_the_pyramid_has_the_size_of_every_level():
    maps = pyramid(torch.rand(2, 32, 48), 3, "v1")
    assert [tuple(m.shape) for m in maps] == [(2, 1, 16, 24), (2, 1, 8, 12), (2, 1, 4, 6)]
    assert all(m.min() >= 0 and m.max() <= 1 for m in maps)


def test_version_two_is_one_wherever_version_one_is_above_zero():
    boundary = (torch.rand(1, 32, 32) > 0.97).float()
    for v1, v2 in zip(pyramid(boundary, 3, "v1"), pyramid(boundary, 3, "v2"), strict=True):
        assert (v2 == (v1 > 1e-6)).all()
        assert v2.dtype == boundary.dtype


def test_an_unknown_version_is_refused():
    with pytest.raises(ValueError, match="v3"):
        pyramid(torch.rand(1, 8, 8), 1, "v3")

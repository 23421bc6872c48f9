"""Edits of layouts: worked out by hand on a small street."""

import numpy as np
import pytest
import torch

from augflow.core.errors import DataError
from augflow.data import boundaries
from augflow.data.classes import table
from augflow.data.scenes import Layout
from augflow.editing import objects
from augflow.editing.apply import apply_edit, apply_edits, rasterise, redraw_boundary
from augflow.editing.edit_schema import Edit, Shape, Target

CITY = table("cityscapes")
ROAD, BUILDING, VEGETATION, SKY, CAR, TRUCK = 0, 2, 8, 10, 13, 14
SIZE = (10, 20)


def street():
    """Sky over building over road; two cars that touch, one that stands alone; a corner ignored."""
    classes = np.full(SIZE, ROAD, np.uint8)
    classes[:2], classes[2:5] = SKY, BUILDING
    ids = CITY.raw_ids[classes].astype(np.int32)
    classes[5:8, 2:8] = CAR
    ids[5:8, 2:5], ids[5:8, 5:8] = 26000, 26001
    classes[6:8, 14:16], ids[6:8, 14:16] = CAR, 26005
    classes[9, 18:], ids[9, 18:] = 255, 1
    return classes, ids


@pytest.fixture
def picture():
    return objects.with_ids(*street(), CITY)


def edit(**action):
    return Edit.model_validate(action)


def at(row, column):
    """The place of a pixel's centre."""
    return [(row + 0.5) / SIZE[0], (column + 0.5) / SIZE[1]]


def box(top, left, bottom, right):
    centre = [(top + bottom) / 2 / SIZE[0], (left + right) / 2 / SIZE[1]]
    size = [(bottom - top) / SIZE[0], (right - left) / SIZE[1]]
    return {"rectangle": {"centre": centre, "size": size}}


def test_a_rectangle_is_the_pixels_whose_centres_it_holds():
    expected = np.zeros(SIZE, bool)
    expected[3:6, 4:9] = True
    found = rasterise(Shape.model_validate(box(3, 4, 6, 9)), SIZE)
    assert np.array_equal(found, expected)
    corners = [[0.3, 0.2], [0.3, 0.45], [0.6, 0.45], [0.6, 0.2]]
    assert np.array_equal(rasterise(Shape.model_validate({"polygon": corners}), SIZE), expected)


def test_an_ellipse_covers_pi_quarters_of_its_box_and_a_triangle_half():
    round_ = {"ellipse": {"centre": [0.5, 0.5], "size": [0.8, 0.4]}}
    share = rasterise(Shape.model_validate(round_), (400, 300)).mean() / (0.8 * 0.4)
    assert share == pytest.approx(np.pi / 4, abs=0.005)
    half = {"polygon": [[0.1, 0.1], [0.9, 0.1], [0.9, 0.5]]}
    share = rasterise(Shape.model_validate(half), (400, 300)).mean() / (0.8 * 0.4)
    assert share == pytest.approx(0.5, abs=0.01)


def test_a_new_object_is_told_from_one_of_its_class_that_it_touches(picture):
    after = apply_edit(picture, edit(add={"class": "car", "shape": box(5, 8, 8, 11)}))
    assert (after.classes[5:8, 2:11] == CAR).all()
    new = np.unique(after.ids[5:8, 8:11])
    assert len(new) == 1
    assert new[0] not in picture.ids
    assert new[0] // 1000 == 26
    edges = boundaries.boundary_map(after.ids)
    assert edges[6, [7, 8]].all()
    assert not edges[6, 9]
    outside = np.ones(SIZE, bool)
    outside[5:8, 8:11] = False
    assert np.array_equal(after.ids[outside], picture.ids[outside])


def test_new_stuff_joins_the_stuff_of_its_class(picture):
    after = apply_edit(picture, edit(add={"class": "building", "shape": box(5, 10, 7, 13)}))
    edges = boundaries.boundary_map(after.ids)
    assert not edges[4, 11]
    assert edges[6, 11]


def test_a_thing_is_its_instance_and_stuff_a_connected_segment(picture):
    mask = objects.find_objects(picture, Target.model_validate({"at": at(6, 3)}))
    assert np.argwhere(mask).tolist() == [[r, c] for r in range(5, 8) for c in range(2, 5)]
    cut = apply_edit(picture, edit(add={"class": "sky", "shape": box(2, 9, 5, 11)}))
    mask = objects.find_objects(cut, Target.model_validate({"at": at(3, 1)}))
    assert np.array_equal(mask[2:5], np.arange(20)[None].repeat(3, 0) < 9)
    assert mask.sum() == 27


def test_groups_that_carry_the_class_alone_are_segments(picture):
    picture.ids[5:8, 2:5] = picture.ids[6:8, 14:16] = 26
    mask = objects.find_objects(picture, Target.model_validate({"at": at(6, 3)}))
    assert mask.sum() == 9


def test_without_ids_a_component_is_an_object():
    picture = objects.guess_objects(street()[0], CITY)
    mask = objects.find_objects(picture, Target.model_validate({"class": "car", "largest": True}))
    assert mask.sum() == 18
    guess = boundaries.guessed_instances(picture.classes, CITY.things)
    expected = boundaries.boundary_map(guess)
    assert np.array_equal(boundaries.boundary_map(picture.ids), expected)


def test_a_hole_becomes_what_is_nearest_and_neighbours_do_not_grow(picture):
    after = apply_edit(picture, edit(remove={"object": {"at": at(6, 3)}}))
    assert (after.classes[5, 2:5] == BUILDING).all()
    assert (after.classes[7, 2:5] == ROAD).all()
    assert np.array_equal(after.ids == 26001, picture.ids == 26001)
    assert after.ids[7, 3] == 7
    assert 26000 not in after.ids


def test_nearest_is_the_least_distance_on_any_picture():
    classes = np.random.default_rng(3).choice([ROAD, BUILDING, CAR, 255], SIZE).astype(np.uint8)
    classes[3:8, 5:15] = CAR
    picture = objects.guess_objects(classes, CITY)
    after = apply_edit(picture, edit(remove={"object": {"class": "car"}}))
    donors = np.argwhere((classes == ROAD) | (classes == BUILDING))
    for row, column in np.argwhere(classes == CAR):
        distances = np.hypot(*(donors - [row, column]).T)
        # OpenCV's distances with labels are exact to a few hundredths of a pixel
        near = donors[distances <= distances.min() + 0.15]
        assert after.classes[row, column] in classes[near[:, 0], near[:, 1]]


def test_a_hole_is_filled_with_a_class_where_one_is_named(picture):
    after = apply_edit(picture, edit(remove={"object": {"class": "car"}, "fill": "road"}))
    assert (after.classes[5:] == np.where(street()[0][5:] == 255, 255, ROAD)).all()
    assert (after.ids[5:8] == 7).all()


def test_a_moved_object_keeps_its_outline_and_leaves_no_trace(picture):
    after = apply_edit(picture, edit(move={"object": {"at": at(6, 14)}, "by": [0.1, -0.2]}))
    expected = np.zeros(SIZE, bool)
    expected[7:9, 10:12] = True
    assert np.array_equal(after.ids == 26005, expected)
    assert (after.classes[6:8, 14:16] == ROAD).all()


def test_what_moves_over_the_edge_is_lost(picture):
    after = apply_edit(picture, edit(move={"object": {"at": at(6, 14)}, "by": [0, 0.25]}))
    assert np.argwhere(after.ids == 26005).tolist() == [[6, 19], [7, 19]]


def test_a_pasted_object_is_a_new_one_of_the_same_form(picture):
    paste = {"object": {"at": at(6, 14)}, "at": [0.9, 0.45]}
    after = apply_edit(picture, edit(paste=paste))
    new = after.ids[8, 9]
    assert np.argwhere(after.ids == new).tolist() == [[8, 8], [8, 9], [9, 8], [9, 9]]
    assert new not in picture.ids
    assert (after.ids == 26005).sum() == 4


def test_an_object_of_a_larger_layout_takes_the_same_share_of_the_height(picture):
    classes, ids = (array.repeat(3, 0).repeat(3, 1) for array in street())
    other = objects.with_ids(classes, ids, CITY)
    paste = {"object": {"at": at(6, 14)}, "from": "big.png", "at": [0.9, 0.45], "class": "truck"}
    after = apply_edit(picture, edit(paste=paste), {("big.png", None): other})
    assert np.argwhere(after.classes == TRUCK).tolist() == [[8, 8], [8, 9], [9, 8], [9, 9]]
    double = apply_edit(
        picture, edit(paste={**paste, "at": [0.8, 0.5], "scale": 2}), {("big.png", None): other}
    )
    assert (double.classes == TRUCK).sum() == 16


def test_objects_that_are_pasted_together_stay_apart(picture):
    paste = {"object": {"class": "car"}, "at": [0.2, 0.45]}
    after = apply_edit(picture, edit(paste=paste))
    assert len(set(np.unique(after.ids)) - set(np.unique(picture.ids))) == 3


def test_recolouring_a_class_keeps_its_objects_apart(picture):
    after = apply_edit(picture, edit(recolour={"object": {"class": "car"}, "to": "truck"}))
    assert np.array_equal(after.classes == TRUCK, picture.classes == CAR)
    assert set(np.unique(after.ids[after.classes == TRUCK]) // 1000) == {27}
    same = boundaries.boundary_map(after.ids) == boundaries.boundary_map(picture.ids)
    assert same.all()


def test_recoloured_stuff_joins_its_neighbours(picture):
    after = apply_edit(picture, edit(recolour={"object": {"class": "building"}, "to": "sky"}))
    assert (after.classes[:5] == SKY).all()
    assert not boundaries.boundary_map(after.ids)[:4].any()


def test_kitti_ids_stay_kitti_ids():
    classes, ids = street()
    coded = np.where(ids >= 1000, 26 * 256 + ids % 1000 + 1, ids * 256)
    picture = objects.with_ids(classes, coded, CITY)
    after = apply_edit(picture, edit(add={"class": "truck", "shape": box(5, 8, 8, 11)}))
    assert set(np.unique(after.ids[after.classes == TRUCK]) // 256) == {27}
    after = apply_edit(picture, edit(remove={"object": {"class": "car"}, "fill": "road"}))
    assert (after.ids[5:8] == 7 * 256).all()


def test_ids_of_a_full_class_come_from_elsewhere():
    used = set(range(26000, 27000))
    assert objects.free_id(used, 26000) == 65535
    assert objects.free_id(used, 25000) == 25000
    with pytest.raises(DataError, match="16-bit"):
        objects.free_id(set(range(65536)), 0)


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ({"move": {"object": {"at": at(9, 19)}, "by": [0, 0.1]}}, "row 9, column 19 is ignored"),
        ({"remove": {"object": {"class": "train"}}}, "there is no train; the layout holds road,"),
        ({"move": {"object": {"at": at(6, 14)}, "by": [0, 0.5]}}, "outside of the picture"),
        ({"paste": {"object": {"at": at(6, 14)}, "at": [0.5, 1.2]}}, "outside of the picture"),
        ({"add": {"class": "car", "shape": box(-4, 0, -1, 5)}}, "outside of the picture"),
        ({"add": {"class": "car", "shape": box(5.6, 3.6, 5.9, 3.9)}}, "is empty"),
        ({"move": {"object": {"at": at(6, 14)}, "by": [0.01, 0]}}, "changes nothing"),
        ({"recolour": {"object": {"class": "car"}, "to": "car"}}, "changes nothing"),
        ({"add": {"class": "road", "shape": box(8, 3, 9, 6)}}, "changes nothing"),
        ({"paste": {"object": {"at": at(6, 14)}}}, "changes nothing"),
    ],
)
def test_what_cannot_be_done_says_why(picture, action, words):
    with pytest.raises(DataError, match=words.replace("(", r"\(")):
        apply_edit(picture, edit(**action))


def test_a_layout_without_surroundings_wants_a_fill():
    picture = objects.guess_objects(np.full(SIZE, CAR, np.uint8), CITY)
    with pytest.raises(DataError, match="name a class with fill"):
        apply_edit(picture, edit(remove={"object": {"class": "car"}}))


def test_an_edit_leaves_what_it_was_given(picture):
    for action in (
        {"move": {"object": {"at": at(6, 14)}, "by": [0.1, 0]}},
        {"remove": {"object": {"class": "car"}}},
        {"recolour": {"object": {"class": "car"}, "to": "road"}},
    ):
        apply_edit(picture, edit(**action))
    assert np.array_equal(picture.classes, street()[0])
    assert np.array_equal(picture.ids, street()[1])


def test_a_boundary_map_is_drawn_anew_around_a_change_alone(picture):
    boundary = boundaries.boundary_map(picture.ids).astype(np.float32) * 0.5
    boundary[0, 0] = 0.25
    bare = objects.guess_objects(picture.classes, CITY)
    after = apply_edit(bare, edit(remove={"object": {"at": at(6, 14)}, "fill": "road"}))
    found = redraw_boundary(boundary, bare, after)
    assert found[6, [4, 5]].tolist() == [0.5, 0.5]
    assert found[0, 0] == 0.25
    assert not found[5:9, 12:18][1:].any()
    assert np.array_equal(found[:, :11], boundary[:, :11])
    back = apply_edit(after, edit(add={"class": "car", "shape": box(6, 14, 8, 16)}))
    assert np.array_equal(redraw_boundary(found, after, back), boundary)


def test_layouts_after_each_edit_build_upon_one_another():
    classes, ids = street()
    edges = boundaries.boundary_map(ids).astype(np.float32)
    layout = Layout(torch.from_numpy(classes)[None], torch.from_numpy(edges)[None])
    edits = [
        edit(add={"class": "car", "shape": box(5, 8, 8, 11)}),
        edit(remove={"object": {"at": at(6, 14)}}),
        edit(recolour={"object": {"class": "building"}, "to": "vegetation"}),
    ]
    first, second, third = apply_edits(layout, CITY, edits)
    assert (first.classes[0, 5:8, 8:11] == CAR).all()
    assert first.boundary[0, 6, [4, 5, 7, 8]].tolist() == [1, 1, 1, 1]
    assert (second.classes[0, 6:8, 14:16] == ROAD).all()
    assert not second.boundary[0, 6:9, 13:17].any()
    assert torch.equal(third.classes[0, 2:5] == VEGETATION, torch.ones(3, 20, dtype=torch.bool))
    assert third.boundary.dtype == layout.boundary.dtype
    assert torch.equal(layout.classes[0], torch.from_numpy(street()[0]))
    with pytest.raises(DataError, match="edit 2: changes nothing"):
        apply_edits(layout, CITY, [edits[0], edits[0]])
    with pytest.raises(ValueError, match="batch of one"):
        apply_edits(
            Layout(layout.classes.repeat(2, 1, 1), layout.boundary.repeat(2, 1, 1)), CITY, edits
        )

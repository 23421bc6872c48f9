"""Copy-paste: objects and labels move together, from the pool alone, row by row."""

import numpy as np
import pytest
import torch

from augflow.core.errors import DataError, ParamsError
from augflow.data.boundaries import boundary_map
from augflow.data.scenes import Layout, Scene
from augflow.editing.cutouts import ObjectPool, split_instances
from augflow.segmentation import augment
from augflow.segmentation.augment import CopyPastePolicy

H, W = 48, 64
ROAD, WALL, CAR, MAN = 0, 1, 2, 3
THINGS = (CAR, MAN)


def street(cars=(), men=(), colours=None):
    """Wall above road from row 20 on; boxes (top, left, bottom, right) of things upon it."""
    classes = np.full((H, W), WALL, np.uint8)
    classes[20:] = ROAD
    for index, boxes in ((CAR, cars), (MAN, men)):
        for top, left, bottom, right in boxes:
            classes[top:bottom, left:right] = index
    paint = np.array(colours or [[90, 90, 90], [150, 120, 90], [250, 0, 0], [0, 250, 0]], np.uint8)
    return paint[classes], classes


def pool_of(*streets, edges=None):
    image = torch.from_numpy(np.stack([photo for photo, _ in streets])).permute(0, 3, 1, 2)
    classes = torch.from_numpy(np.stack([classes for _, classes in streets]))
    lines = torch.zeros(classes.shape) if edges is None else torch.from_numpy(edges).float()
    return Scene(image.contiguous(), Layout(classes, lines))


DONOR = street(cars=[(24, 10, 34, 26)], men=[(16, 40, 30, 45)])
EMPTY = street()


@pytest.fixture(scope="module")
def policy():
    return CopyPastePolicy(ObjectPool(pool_of(DONOR, EMPTY), THINGS))


def varied(policy, *streets, seed=0):
    scenes = pool_of(*streets)
    return policy(scenes.image, scenes.layout.classes, np.random.default_rng(seed))


def still(policy, monkeypatch):
    """The policy without what it does to the whole scene."""
    monkeypatch.setattr(augment, "_vary_scene", lambda photo, classes, _: (photo, classes))
    return policy


def test_objects_come_with_their_labels(policy):
    pasted = 0
    for seed in range(20):
        images, labels = varied(policy, EMPTY, seed=seed)
        photo = images[0].permute(1, 2, 0).float()
        for index, channel in ((CAR, 0), (MAN, 1)):
            where = labels[0] == index
            pasted += bool(where.any())
            if where.any():
                assert photo[where][:, channel].mean() > 150
        plain = (labels[0] == ROAD) | (labels[0] == WALL)
        # away from edges nothing of an object is left in the photograph
        assert (photo[plain][:, :2].max(1).values > 200).float().mean() < 0.01
    assert pasted > 10


def test_objects_stand_on_the_row_where_they_stood(policy, monkeypatch):
    ours, columns = still(policy, monkeypatch), set()
    for seed in range(30):
        _, labels = varied(ours, EMPTY, seed=seed)
        for index, bottom in ((CAR, 33), (MAN, 29)):
            rows, places = torch.nonzero(labels[0] == index, as_tuple=True)
            # the car stands nearer and may hide the man's feet
            if len(rows) and (index == CAR or not (labels[0] == CAR).any()):
                assert rows.max() == bottom
                columns.add((index, int(places.min())))
    assert len(columns) > 10


def test_nothing_is_pasted_from_outside_the_pool(monkeypatch):
    """Rows of a batch are no donors: only the pool's one car is ever seen, in its colour."""
    blue = [[90, 90, 90], [150, 120, 90], [0, 0, 250], [0, 250, 0]]
    donor = street(cars=[(24, 10, 34, 26)], colours=blue)
    ours = still(CopyPastePolicy(ObjectPool(pool_of(donor), THINGS)), monkeypatch)
    other = street(men=[(18, 30, 28, 34)])
    for seed in range(10):
        images, labels = varied(ours, EMPTY, other, seed=seed)
        assert not (labels[0] == MAN).any()
        assert images[0, 0].max() <= 150
        cars = images.permute(0, 2, 3, 1)[labels == CAR]
        assert len(cars)
        assert cars[:, 2].float().mean() > 150


def test_a_scene_gets_nothing_of_itself(monkeypatch):
    ours = still(CopyPastePolicy(ObjectPool(pool_of(DONOR), THINGS)), monkeypatch)
    for seed in range(5):
        images, labels = varied(ours, DONOR, seed=seed)
        assert torch.equal(labels[0], torch.from_numpy(DONOR[1]))
        assert torch.equal(images[0], torch.from_numpy(DONOR[0]).permute(2, 0, 1))


def test_what_stands_nearer_stays_in_front(monkeypatch):
    near = street(men=[(10, 30, 44, 36)])
    donor = street(cars=[(24, 4, 34, 24)])
    ours = still(CopyPastePolicy(ObjectPool(pool_of(donor), THINGS)), monkeypatch)
    met = 0
    for seed in range(30):
        images, labels = varied(ours, near, seed=seed)
        assert torch.equal(labels[0] == MAN, torch.from_numpy(near[1] == MAN))
        columns = torch.nonzero((labels[0] == CAR).any(0)).flatten()
        met += len(columns) > 0 and columns.min() < 30 <= columns.max()
        green = images[0, 1][labels[0] == MAN]
        assert (green == 250).all()
    assert met > 3


def test_what_hides_a_bicycle_hides_its_rider_and_not_one_alone(monkeypatch):
    rider = street(cars=[(30, 28, 46, 44)], men=[(16, 32, 30, 38)])
    donor = street(cars=[(22, 4, 34, 24)])
    ours = still(CopyPastePolicy(ObjectPool(pool_of(donor), THINGS)), monkeypatch)
    pasted = 0
    for seed in range(20):
        _, labels = varied(ours, rider, seed=seed)
        pasted += int((labels[0] == CAR).sum()) > int((rider[1] == CAR).sum())
        assert torch.equal(labels[0] == MAN, torch.from_numpy(rider[1] == MAN))
    assert pasted > 5


def test_objects_stand_on_what_they_stood_on(monkeypatch):
    photo, classes = street()
    classes[:, :40] = WALL
    ours = still(CopyPastePolicy(ObjectPool(pool_of(DONOR), THINGS)), monkeypatch)
    pasted = 0
    for seed in range(30):
        _, labels = varied(ours, (photo, classes), seed=seed)
        columns = torch.nonzero((labels[0] == CAR).any(0)).flatten()
        if len(columns):
            pasted += 1
            # at least half of the car is above the road
            assert columns.float().mean() >= 39
    assert pasted > 3


def test_touching_instances_are_cut_at_their_seam():
    _, classes = street(cars=[(24, 10, 34, 34)])
    ids = classes.astype(int)
    ids[(classes == CAR) & (np.arange(W) < 21)] = 100
    ids[(classes == CAR) & (np.arange(W) >= 21)] = 101
    found = split_instances(classes, boundary_map(ids).astype(np.float32), THINGS)
    left, right = found[30, 12], found[30, 30]
    assert left != right
    assert set(np.unique(found[classes == CAR])) == {left, right}
    wrong = (found == left) & (ids == 101) | (found == right) & (ids == 100)
    assert wrong.sum() <= 10
    # edges that the classes show cut nothing
    outline = boundary_map(classes.astype(int)).astype(np.float32)
    assert len(np.unique(split_instances(classes, outline, THINGS)[classes == CAR])) == 1


def test_riders_come_with_what_carries_them(monkeypatch):
    rider = street(cars=[(26, 20, 34, 40)], men=[(14, 28, 26, 32)])
    pool = ObjectPool(pool_of(rider), THINGS)
    [[one]] = pool.objects.values()
    assert set(np.unique(one.classes[one.numbers > 0])) == {CAR, MAN}
    ours, pasted = still(CopyPastePolicy(pool), monkeypatch), 0
    for seed in range(10):
        _, labels = varied(ours, EMPTY, seed=seed)
        found = [bool((labels[0] == index).any()) for index in (CAR, MAN)]
        assert found[0] == found[1]
        pasted += found[0]
    assert pasted > 5


def test_what_is_cut_off_or_has_its_feet_hidden_is_left_out():
    cut = street(cars=[(24, 0, 34, 16)])
    with pytest.raises(DataError, match="copy_paste finds nothing to paste: none of 1 training"):
        ObjectPool(pool_of(cut), THINGS)
    behind = street(cars=[(21, 20, 42, 40)])
    ids = np.where(behind[1] == CAR, np.where(np.arange(H)[:, None] < 30, 100, 101), 0)
    edges = boundary_map(ids)[None]
    [[one]] = ObjectPool(pool_of(behind, edges=edges), THINGS).objects.values()
    assert one.corner[0] > 25


def test_data_without_things_is_refused_in_one_line():
    with pytest.raises(ParamsError, match=r"has none; mark some as things") as fault:
        ObjectPool(pool_of(DONOR), ())
    assert "\n" not in str(fault.value)


def test_scenes_of_another_size_are_the_callers_fault(policy):
    with pytest.raises(ValueError, match=r"scenes are \(24, 64\), those of the pool \(48, 64\)"):
        policy(
            torch.zeros(1, 3, 24, 64, dtype=torch.uint8),
            torch.zeros(1, 24, 64, dtype=torch.uint8),
            np.random.default_rng(0),
        )


def test_what_comes_in_from_outside_is_grey_and_not_learned_from(policy):
    shares = []
    for seed in range(20):
        images, labels = varied(policy, EMPTY, seed=seed)
        outside = labels[0] == 255
        shares.append(float(outside.float().mean()))
        if outside.any():
            grey = images[0].permute(1, 2, 0)[outside].float().mean(0)
            assert grey.tolist() == pytest.approx([124, 116, 104], abs=12)
    assert 0 < np.mean(shares) < 0.3
    assert min(shares) == 0

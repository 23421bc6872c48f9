"""Supervised learning: it learns, resumes bit-equal, and follows its schedule."""

import itertools

import numpy as np
import pytest
import torch

from augflow.core import seeding
from augflow.core.errors import ParamsError
from augflow.editing.cutouts import ObjectPool
from augflow.metrics import confusion_matrix, scores
from augflow.segmentation.learner import STEP_COLUMNS, SupervisedLearner
from augflow.segmentation.mmseg_config import read_config
from augflow.segmentation.mmseg_model import MmsegSegmenter
from augflow.segmentation.params import SegmenterParams
from augflow.training import loop
from augflow.training.learner import NotFiniteError


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    seeding.deterministic(0, 1)
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)


def settings(**changes):
    given = {"steps": 60, "batch_size": 4, "learning_rate": 0.01, "warmup_steps": 5}
    return SegmenterParams(**{**given, **changes})


def learner(mini, augment="none", pool=None, **changes):
    segmenter = MmsegSegmenter(read_config(mini, 3), ("ground", "wall", "sky"), seed=1)
    return SupervisedLearner(segmenter, settings(**changes), augment, pool)


def fit(learner, scenes, steps, **given):
    names = [str(row) for row in range(len(scenes))]
    return loop.fit(
        learner,
        scenes,
        steps=steps,
        batch_size=4,
        seed=3,
        columns=STEP_COLUMNS,
        names=names,
        **given,
    )


def test_network_learns_what_colour_tells(mini, scenes):
    ours = learner(mini)
    history = fit(ours, scenes, 60)
    assert history[-1]["loss"] < history[0]["loss"] / 2
    predicted = ours.segmenter.predict(scenes.image.float() / 255)
    matrix = confusion_matrix(scenes.layout.classes.numpy(), predicted.numpy(), 3)
    assert scores(matrix).class_iou > 0.8


@pytest.mark.parametrize("augment", ["none", "classic"])
def test_interrupted_training_ends_with_equal_weights(mini, scenes, tmp_path, augment):
    whole = learner(mini, augment)
    fit(whole, scenes, 7)
    fit(learner(mini, augment), scenes, 4, run=tmp_path)
    resumed = learner(mini, augment)
    torch.manual_seed(77)
    fit(resumed, scenes, 7, run=tmp_path)
    assert resumed.segmenter.digest() == whole.segmenter.digest()
    state, expected = resumed.state(), whole.state()
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[name], expected[name]) for name in state)


def test_learning_rate_climbs_then_falls_to_nothing(mini):
    ours = learner(mini)
    rates = [ours.learning_rate(step) for step in range(61)]
    assert rates[0] == pytest.approx(0.01 / 5)
    assert rates[4] == pytest.approx(0.01 * (1 - 4 / 60) ** 0.9)
    assert all(a > b for a, b in itertools.pairwise(rates[4:]))
    assert rates[60] == 0


def test_biases_and_norms_are_not_decayed(mini):
    ours = learner(mini, weight_decay=0.5)
    decayed, kept = ours.optimizers["network"].param_groups
    assert (decayed["weight_decay"], kept["weight_decay"]) == (0.5, 0)
    assert all(p.ndim > 1 for p in decayed["params"])
    assert all(p.ndim <= 1 for p in kept["params"])
    count = len(list(ours.segmenter.network.parameters()))
    assert len(decayed["params"]) + len(kept["params"]) == count


def test_mirroring_can_be_switched_off(mini, scenes):
    rng = np.random.default_rng(0)
    plain = learner(mini, flip=False)._augment(scenes, rng)[0]
    assert torch.equal(plain, scenes.image)
    mirrored = learner(mini, flip=True)._augment(scenes, rng)[0]
    rows = [torch.equal(a, b.flip(2)) for a, b in zip(mirrored, scenes.image, strict=True)]
    assert 0 < sum(rows) < len(rows)


def test_loss_that_is_not_finite_leaves_the_weights(mini, scenes):
    ours = learner(mini)
    with torch.no_grad():
        ours.segmenter.network.decode_head.conv_seg.bias[0] = torch.nan
    before = {name: p.clone() for name, p in ours.segmenter.network.named_parameters()}
    with pytest.raises(NotFiniteError, match="step 3: the loss of segmenter config"):
        ours.step(scenes, np.random.default_rng(0), 3)
    for name, p in ours.segmenter.network.named_parameters():
        assert torch.equal(p.nan_to_num(), before[name].nan_to_num())


def test_copy_paste_needs_a_pool_and_uses_it(mini, scenes):
    with pytest.raises(ParamsError, match="copy_paste needs training scenes to take objects from"):
        learner(mini, "copy_paste")
    ours = learner(mini, "copy_paste", ObjectPool(scenes, (1,)))
    images, labels = ours._augment(scenes, np.random.default_rng(0))
    assert images.shape == scenes.image.shape
    assert not torch.equal(labels, scenes.layout.classes)
    assert np.isfinite(ours.step(scenes, np.random.default_rng(0), 0)["loss"])

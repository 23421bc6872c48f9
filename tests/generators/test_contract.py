"""What every row of the generator table keeps to, likelihood or not."""

import numpy as np
import pytest
import torch

from augflow.core.errors import DataError
from augflow.core.seeding import Noise
from augflow.generators import SYSTEMS, load, save
from augflow.generators.sampling import sampled
from augflow.training import loop
from augflow.training.learners import LEARNERS, learner_of
from augflow.training.likelihood import LikelihoodLearner
from augflow.training.params import TrainingParams
from tests.generators.conftest import VARIANTS, built, fitted, scenes

NAMES = [str(n) for n in range(8)]


def learner(variant, **changes):
    torch.set_num_threads(1)
    generator = built(variant)
    params = TrainingParams(
        steps=12, batch_size=2, learning_rate=1e-3, ema=0.9, clip_norm=5.0, flip=True, **changes
    )
    made = learner_of(generator, params)
    scene = fitted(scenes(8), generator.size)
    made.attend(scene)
    made.initialise(scene)
    return made, scene


def trained(variant, run=None, steps=12):
    made, scene = learner(variant)
    history = loop.fit(
        made, scene, steps=steps, batch_size=2, seed=3, columns=made.columns, names=NAMES,
        run=run, save_every=5, log_every=4, watch=lambda step: {},
    )  # fmt: skip
    return made, history


@pytest.fixture(scope="module", params=VARIANTS.keys())
def fit(request):
    """Each variant after a dozen steps: its learner, its history, and the variant."""
    return *trained(VARIANTS[request.param]), VARIANTS[request.param]


def test_every_system_has_a_variant():
    assert {name for name, _ in VARIANTS.values()} == set(SYSTEMS)


def test_samples_have_shape_and_range_and_follow_their_seeds(fit):
    made, _, _ = fit
    scene = fitted(scenes(3), made.generator.size)
    with made.averaged() as generator:
        conditions = generator.condition(scene.layout)
        first, again, other = (
            generator.sample(conditions, Noise(s), 1.0) for s in ([1, 2, 3], [1, 2, 3], [4, 5, 6])
        )
        assert len(conditions) == 3
    assert first.shape == (3, 3, *made.generator.size)
    assert first.min() >= 0
    assert first.max() <= 1
    assert torch.equal(first, again)
    if made.generator.latent_shapes():
        assert (first - other).abs().max() > 1e-4


def test_rows_of_a_batch_do_not_influence_each_other(fit):
    made, _, _ = fit
    scene = fitted(scenes(4), made.generator.size)
    with made.averaged() as generator:
        conditions = generator.condition(scene.layout)
        whole = generator.sample(conditions, Noise([1, 2, 3, 4]), 0.7)
        for n in range(4):
            alone = generator.sample(generator.condition(scene[[n]].layout), Noise([n + 1]), 0.7)
            torch.testing.assert_close(whole[[n]], alone, atol=2e-3, rtol=0)
            row = generator.sample(conditions.rows([n]), Noise([n + 1]), 0.7)
            torch.testing.assert_close(whole[[n]], row, atol=2e-3, rtol=0)


def test_a_photograph_is_the_same_bytes_whatever_is_made_beside_it(fit):
    made, _, _ = fit
    layout = fitted(scenes(1), made.generator.size).layout
    with made.averaged() as generator:
        several = sampled(generator, layout, [3, 4, 5], 0.8)
        alone = sampled(generator, layout, [4], 0.8)
    np.testing.assert_array_equal(several[1].image, alone[0].image)
    assert several[1].log_p_bpd == alone[0].log_p_bpd
    assert (alone[0].log_p_bpd is None) == (made.generator.likelihood == "none")


def test_saved_and_loaded_generators_make_the_same_photographs(fit, tmp_path):
    made, _, (name, _) = fit
    layout = fitted(scenes(1), made.generator.size).layout
    with made.averaged() as generator:
        save(tmp_path, name, generator, {})
        before = sampled(generator, layout, [1], 0.8)[0]
    after = sampled(load(tmp_path), layout, [1], 0.8)[0]
    np.testing.assert_array_equal(before.image, after.image)


def test_layouts_of_another_size_are_refused_with_the_right_one(fit):
    made, _, _ = fit
    layout = scenes(1).layout
    small = type(layout)(layout.classes[:, :8, :8], layout.boundary[:, :8, :8])
    height, width = made.generator.size
    with pytest.raises(DataError, match=f"{height}x{width}"):
        made.generator.condition(small)


def test_a_run_that_was_stopped_ends_as_an_undisturbed_one(fit, tmp_path):
    whole, history, variant = fit
    trained(variant, tmp_path / "run", steps=7)
    resumed, again = trained(variant, tmp_path / "run")
    ours, theirs = whole.state(), resumed.state()
    assert ours.keys() == theirs.keys()
    different = [key for key in ours if not torch.equal(ours[key], theirs[key])]
    assert not different
    assert again[-1] == history[-1]


def test_histories_hold_what_the_learner_says(fit):
    made, history, _ = fit
    assert set(history[-1]) == {"step", *made.columns}
    assert np.isfinite(history[-1]["loss"])


def test_held_out_numbers_are_columns_of_the_history(fit):
    made, _, _ = fit
    scene = fitted(scenes(3, seed=1), made.generator.size)
    measured = made.measured(scene)
    assert measured
    assert set(measured) <= set(made.columns)
    assert measured == made.measured(scene)


def test_likelihood_and_learner_agree(variant):
    generator = built(variant)
    likely = issubclass(LEARNERS[SYSTEMS[variant[0]].maker.learner], LikelihoodLearner)
    assert not likely or generator.likelihood != "none"

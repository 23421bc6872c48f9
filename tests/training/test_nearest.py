"""Conditional IMLE's algorithm 1: sets, candidates, choices, masks, and going on after a stop."""

import numpy as np
import pytest
import torch

from augflow import generators
from augflow.core import seeding
from augflow.data.classes import table
from augflow.data.scenes import Layout, Scene
from augflow.generators.imle import ImleConfig
from augflow.training import loop
from augflow.training.learner import NotFiniteError
from augflow.training.nearest import NearestLearner
from augflow.training.params import TrainingParams
from tests.generators.conftest import SIZE, scenes

CONFIG = {
    "size": SIZE, "widths": (8, 8), "style": 3, "noise": 1, "noise_grid": (1, 2),
    "encoder_width": 6, "features": ("pixels",), "set_size": 6, "candidates": 5, "outer": 4,
}  # fmt: skip


def learner(scene=None, steps=12, flip=False, **changes):
    torch.set_num_threads(1)
    generator = generators.build("imle", ImleConfig(**{**CONFIG, **changes}), table("idd_lite"))
    params = TrainingParams(steps=steps, batch_size=2, learning_rate=3e-3, ema=0.9, flip=flip)
    made = NearestLearner(generator, params)
    made.on_fit_start(scenes(8) if scene is None else scene)
    return made


def fitted(made, steps, run=None):
    return loop.fit(
        made, scenes(8), steps=steps, batch_size=2, seed=3, columns=made.columns,
        names=[str(n) for n in range(8)], run=run, save_every=1,
    )  # fmt: skip


def uneven(count=30):
    """Scenes of one class, all blue but the last two, which are red."""
    classes = torch.full((count, *SIZE), 3, dtype=torch.uint8)
    image = torch.zeros(count, 3, *SIZE, dtype=torch.uint8)
    image[:, 2] = torch.arange(190, 190 + count)[:, None, None]
    image[-2:] = torch.tensor([220, 10, 10])[:, None, None]
    return Scene(image, Layout(classes, torch.zeros(count, *SIZE)))


def test_the_chosen_candidate_is_the_nearest():
    made = learner(rebalance_loss=False)
    made.choose(2)
    members = made.members(2)
    for place in range(CONFIG["set_size"]):
        one, apart = members.scene[[place]], []
        for number in range(CONFIG["candidates"]):
            name = seeding.derive(0, "candidate", 2, place, number)
            sample = made.generator.decode_latents(
                made.generator.draw(seeding.Noise([name])), made.generator.condition(one.layout)
            )
            with torch.no_grad():
                apart.append(float(made.measure(sample, one.image / 255)))
        assert made.choices[place] == int(np.argmin(apart))


def test_an_update_goes_along_the_gradient_of_the_chosen_candidates_distance():
    made = learner(rebalance_loss=False)
    made.choose(0)
    places = [1, 4]
    nearest = [float(made.distances(0, place).min()) for place in places]
    assert float(made.loss(0, places).detach()) == pytest.approx(np.mean(nearest), rel=1e-4)


def test_the_measure_counts_unrelated_photographs_as_one_apart():
    made = learner(features=("pixels", "scattering"))
    images = scenes(8).image / 255
    assert float(made.measure(images, images.roll(1, 0)).mean()) == pytest.approx(1, rel=1e-3)


def test_noise_and_set_depend_on_the_outer_epoch_alone():
    made, other = learner(flip=True), learner(flip=True)
    other.members(7)
    np.testing.assert_array_equal(made.members(1).rows, other.members(1).rows)
    assert torch.equal(made.members(1).scene.image, other.members(1).scene.image)
    assert not np.array_equal(made.members(1).rows, made.members(2).rows)
    assert torch.equal(made.distances(1, 0), other.distances(1, 0))
    assert not torch.equal(made.distances(1, 0), made.distances(2, 0))


def test_rebalanced_sets_prefer_rare_looks():
    scene = uneven()
    shares = []
    for rebalanced in (True, False):
        made = learner(scene, set_size=60, rebalance_data=rebalanced)
        rows = np.concatenate([made.members(epoch).rows for epoch in range(10)])
        shares.append(float((rows >= 28).mean()))
    assert shares[1] == pytest.approx(2 / 30, abs=0.02)
    assert shares[0] > 3 * shares[1]


def test_sets_without_rebalancing_hold_every_scene_equally_often():
    made = learner(set_size=16, rebalance_data=False)
    assert np.bincount(made.members(0).rows).tolist() == [2] * 8


def test_rare_classes_weigh_more_in_the_loss():
    made, plain = learner(), learner(rebalance_loss=False)
    members = made.members(0)
    rarest = [int(members.masks[place].argmax()) for place in range(6)]
    assert float(members.masks.max()) == 1
    assert float(members.masks.min()) < 1
    assert members.masks.flatten(1)[range(6), rarest].tolist() == [1] * 6
    assert plain.members(0).masks is None
    made.choices, plain.choices = torch.zeros(2, 6, dtype=torch.int64)
    assert float(made.loss(0, [0, 1]).detach()) < float(plain.loss(0, [0, 1]).detach())


def test_what_the_mask_hides_does_not_pull_at_the_weights():
    made = learner()
    members = made.members(0)
    members.masks.zero_()
    made.loss(0, [0]).backward()
    assert all(not p.grad.any() for p in made.generator.parameters())


@pytest.mark.parametrize("stop", [4, 6])
def test_a_run_stopped_at_or_within_an_outer_epoch_ends_with_the_same_bits(stop, tmp_path):
    whole = learner(flip=True)
    fitted(whole, 12)
    fitted(learner(flip=True), stop, tmp_path)
    resumed = learner(flip=True)
    fitted(resumed, 12, tmp_path)
    ours, theirs = whole.state(), resumed.state()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_choices_are_made_once_per_outer_epoch():
    made, chosen = learner(), []
    made.choose = lambda epoch: chosen.append(epoch)
    fitted(made, 10)
    assert chosen == [0, 1, 2]


def test_the_noise_encoder_starts_anew_where_it_is_asked_to():
    made = learner(restart_encoder=0.5)
    fitted(made, 6)
    trained = [p.detach().clone() for p in made.generator.encoder.parameters()]
    refined = [p.detach().clone() for p in made.generator.cascade.parameters()]
    made.optimizer_step = lambda *_: {}
    made.step(scenes(2), seeding.generator(0), 6)
    assert all(
        not torch.equal(a, b)
        for a, b in zip(trained[::3], list(made.generator.encoder.parameters())[::3], strict=True)
    )
    assert all(
        torch.equal(a, b) for a, b in zip(refined, made.generator.cascade.parameters(), strict=True)
    )


def test_a_loss_that_is_not_finite_names_layer_and_the_scenes_it_picked():
    made = learner()
    made.choose(0)
    with torch.no_grad():
        made.generator.cascade.refine[1][0].weight.fill_(float("nan"))
    with pytest.raises(NotFiniteError, match=r"first seen in cascade\.refine\.1\.0$") as caught:
        made.step(scenes(2), seeding.generator(0), 1)
    assert set(caught.value.rows) <= set(made.members(0).rows.tolist())
    assert len(caught.value.rows) == 2

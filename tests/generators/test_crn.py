"""CRN: one photograph per layout, or a choice of several."""

import pytest
import torch

from augflow import generators
from augflow.core import seeding
from augflow.core.seeding import Noise
from augflow.data.classes import table
from augflow.data.scenes import Scene
from augflow.generators.crn import CrnConfig
from augflow.training.params import TrainingParams
from augflow.training.perceptual import RegressionLearner
from tests.generators.conftest import SIZE, scenes

CONFIG = {"size": SIZE, "widths": (8, 8), "features": ("pixels",)}


def learner(scene, **changes):
    torch.set_num_threads(1)
    generator = generators.build("crn", CrnConfig(**CONFIG, **changes), table("idd_lite"))
    made = RegressionLearner(generator, TrainingParams(steps=100, batch_size=8, learning_rate=1e-2))
    made.on_fit_start(scene)
    return made


def test_samples_are_the_outputs_and_each_is_picked():
    generator = learner(scenes(4), outputs=3).generator
    one = generator.condition(scenes(1).layout)
    outputs = generator.outputs(one)[0].clamp(0, 1)
    made = generator.sample(one.rows([0] * 30), Noise(range(30)))
    same = (made[:, None] - outputs[None]).abs().amax((2, 3, 4)) < 1e-5
    assert same.any(1).all()
    assert same.any(0).all()


def test_with_one_output_the_loss_is_the_distance():
    scene = scenes(4)
    made = learner(scene)
    painted = made.generator.decode_latents((), made.generator.condition(scene.layout))
    expected = made.measure(painted, scene.image / 255).mean()
    torch.testing.assert_close(made.loss(scene), expected, rtol=1e-5, atol=1e-6)


def test_the_loss_takes_the_nearest_output_of_each_class():
    scene = scenes(2)
    made = learner(scene, outputs=2, mean_weight=0.25)
    classes, photo = scene.layout.classes, scene.image / 255
    is_three = (classes == 3)[:, None]
    halves = torch.stack(
        [torch.where(is_three, photo, 0.0), torch.where(is_three, 1.0, photo)], dim=1
    )  # the first output is right in class 3, the second elsewhere
    made.generator.outputs = lambda conditions: halves
    made.measure = type(made.measure)(made.measure.features, ((1.0, 0.0, 0.0),))
    wrong = (halves - photo[:, None]).abs().mean((2, 3, 4))  # (N, outputs)
    assert float(made.loss(scene)) == pytest.approx(0.25 * float(wrong.mean()), rel=1e-4)


def test_outputs_part_where_a_layout_has_two_looks():
    drawn = scenes(1)
    layout = drawn.layout[[0] * 8]
    light = torch.where(torch.arange(8) % 2 == 0, 200, 40).byte()
    scene = Scene(light[:, None, None, None].expand(8, 3, *SIZE).contiguous(), layout)
    made = learner(scene, outputs=2)
    for step in range(100):
        made.step(scene, seeding.generator(0, step), step)
    outputs = made.generator.outputs(made.generator.condition(layout[[0]]))[0]
    levels = sorted(outputs.detach().mean((1, 2, 3)).tolist())
    assert levels == pytest.approx([40 / 255, 200 / 255], abs=0.05)


def test_held_out_numbers_tell_several_outputs_from_one():
    scene = scenes(6)
    one, several = (learner(scene, outputs=k).measure_held_out(scene) for k in (1, 4))
    assert one["val_nearest"] == one["val_distance"]
    assert several["val_nearest"] < several["val_distance"]

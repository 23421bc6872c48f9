"""C-Glow's own use: class maps from photographs as the mean of samples."""

import numpy as np
import pytest
import torch

from augflow import generators
from augflow.core import io
from augflow.core.errors import DataError, ModelError
from augflow.core.seeding import Noise, derive
from augflow.data.classes import ClassRow, ClassTable, table
from augflow.data.scenes import Layout, Scene
from augflow.generators.c_glow_predictor import (
    C_GLOW_PREDICTOR,
    NAME,
    CGlowPredictor,
    CGlowPredictorConfig,
    load,
)
from augflow.generators.presets import GlowConfig, make_config
from augflow.metrics import confusion_matrix, scores
from augflow.training import loop
from augflow.training.params import TrainingParams
from augflow.training.prediction import PredictionLearner, pixels
from tests.generators.conftest import RAW, SIZE, scenes

CONFIG = CGlowPredictorConfig(
    **{key: value for key, value in RAW.items() if key not in ("source", "boundary")},
    conv_channels=8, linear_width=8, features=8, samples=4,
)  # fmt: skip
THREE = ClassTable("three", tuple(
    ClassRow(name, 10 + n, n, False, (80 * n, 40, 200 - 60 * n))
    for n, name in enumerate(("ground", "block", "top"))
))  # fmt: skip
TWO = ClassTable("two", THREE.rows[:2])


def coloured(count, seed=0):
    """Scenes of three classes with a colour each."""
    found = scenes(count, seed)
    classes = torch.zeros_like(found.layout.classes)
    classes[found.layout.classes == 3] = 1
    classes[found.layout.classes == 6] = 2
    colours = torch.tensor([[40, 40, 200], [200, 60, 40], [60, 200, 60]], dtype=torch.float32)
    image = colours[classes.long()].permute(0, 3, 1, 2)
    noise = torch.from_numpy(np.random.default_rng(seed).normal(0, 8, image.shape)).float()
    image = (image + noise).clamp(0, 255).byte()
    return Scene(image, Layout(classes, found.layout.boundary))


def trained(run=None, steps=150):
    torch.set_num_threads(1)
    params = TrainingParams(
        steps=steps, batch_size=8, learning_rate=3e-3, warmup_steps=10, clip_norm=10.0, ema=0.9
    )
    learner = PredictionLearner(CGlowPredictor(CONFIG, THREE), params)
    scene = coloured(16)
    learner.initialise(scene)
    loop.fit(
        learner, scene, steps=steps, batch_size=8, seed=1, columns=learner.columns,
        names=[str(n) for n in range(16)], run=run, save_every=5,
    )  # fmt: skip
    return learner


@pytest.fixture(scope="module")
def predictor():
    """After 150 steps on scenes whose colours give the class away."""
    learner = trained()
    with learner.ema_weights() as averaged:
        yield averaged


def iou(predicted, truth):
    return scores(confusion_matrix(truth.numpy(), predicted.numpy(), 3)).class_iou


def test_learns_to_predict_scenes_it_has_not_seen(predictor):
    scene = coloured(6, seed=9)
    found = iou(predictor.predict(pixels(scene.image)), scene.layout.classes)
    blind = iou(torch.zeros(6, *SIZE, dtype=torch.long), scene.layout.classes)
    assert found > blind + 0.2


def test_a_prediction_depends_on_its_photograph_alone(predictor):
    image = pixels(coloured(3, seed=5).image)
    whole = predictor.predict(image)
    for n in range(3):
        assert torch.equal(predictor.predict(image[[n]]), whole[[n]])


def test_a_prediction_is_the_rounded_mean_of_its_samples(predictor):
    image = pixels(coloured(1, seed=5).image)
    seed = derive(0, "predict", io.digest_array(coloured(1, seed=5).image.numpy()))
    conditions = predictor.condition(image).rows([0, 0, 0])
    drawn = predictor.sample(conditions, Noise([derive(seed, n) for n in range(3)]))
    assert (drawn[0] - drawn[1]).abs().max() > 1e-3
    assert torch.equal(predictor.predict(image, 3), drawn.mean(0).argmax(0)[None])
    assert not torch.equal(predictor.predict(image, 1), predictor.predict(image, 3))


def test_samples_are_inverses_of_their_latents(predictor):
    image = pixels(coloured(2).image)
    conditions = predictor.condition(image)
    planes = predictor.sample(conditions, Noise([1, 2]))
    encoding = predictor.raw.tower.encode(planes, conditions.levels)
    drawn = Noise([1, 2])
    for noise, shape in zip(encoding.noise, predictor.raw.tower.shape.latents(SIZE), strict=True):
        expected = torch.from_numpy(drawn.normal(*shape))
        torch.testing.assert_close(noise, expected, atol=1e-2, rtol=0)


def test_the_density_follows_from_the_jacobian():
    double = CGlowPredictor(CONFIG, TWO).double()
    scene = coloured(2)
    image = scene.image.double() / 255
    small = (scene.layout.classes == 1).to(torch.uint8)
    planes = double.planes(small) + 0.3
    double.initialise(planes, image)
    one, photo = planes[:1], image[:1]
    levels, _ = double.raw.plan(photo).params()

    def flat(x):
        return torch.cat([part.flatten() for part in double.raw.tower.encode(x, levels).noise])

    square = torch.autograd.functional.jacobian(flat, one, vectorize=False)
    noise = flat(one)
    normal = -0.5 * (noise @ noise + one.numel() * np.log(2 * np.pi))
    expected = normal + torch.linalg.slogdet(square.reshape(one.numel(), -1))[1]
    torch.testing.assert_close(double.log_prob(one, photo)[0], expected, rtol=1e-8, atol=1e-6)


def test_rounding_undoes_writing_as_planes():
    classes = coloured(2).layout.classes
    three = CGlowPredictor(CONFIG, THREE)
    assert three.planes(classes).shape == (2, 3, *SIZE)
    assert torch.equal(three.round_planes(three.planes(classes) + 0.4), classes.long())
    two = CGlowPredictor(CONFIG, TWO)
    binary = (classes == 1).to(torch.uint8)
    tiled = two.planes(binary)
    assert tiled.shape == (2, 3, *SIZE)
    assert torch.equal(tiled[:, 0], tiled[:, 2])
    assert torch.equal(two.round_planes(tiled + 0.4), binary.long())


def test_unknown_pixels_are_in_no_plane_and_not_scored(predictor):
    scene = coloured(2)
    scene.layout.classes[:, :4] = 255
    assert (predictor.planes(scene.layout.classes)[:, :, :4] == 0).all()
    measured = PredictionLearner.evaluate(predictor, scene)
    assert 0 <= measured["val_iou"] <= 1
    assert measured == PredictionLearner.evaluate(predictor, scene)


def test_a_run_that_was_stopped_ends_as_an_undisturbed_one(tmp_path):
    trained(tmp_path / "run", steps=7)
    ours, theirs = trained(steps=12).state(), trained(tmp_path / "run", steps=12).state()
    assert not [key for key in ours if not torch.equal(ours[key], theirs[key])]


def test_saved_and_loaded_predictors_predict_the_same(predictor, tmp_path):
    generators.save(tmp_path, NAME, predictor, {})
    image = pixels(coloured(1).image)
    assert torch.equal(load(tmp_path).predict(image), predictor.predict(image))


def test_folders_of_something_else_are_refused(tmp_path):
    with pytest.raises(ModelError, match="no predictor here"):
        load(tmp_path)
    glow = generators.build("glow", GlowConfig(size=SIZE, steps=(1, 1), width=4), THREE)
    generators.save(tmp_path, "glow", glow, {})
    with pytest.raises(ModelError, match="holds 'glow', expected 'c_glow_predictor'"):
        load(tmp_path)


def test_photographs_of_another_size_are_refused_with_the_right_one(predictor):
    with pytest.raises(DataError, match=r"8x8; this predictor reads 16x24"):
        predictor.predict(torch.rand(1, 3, 8, 8))


@pytest.mark.parametrize("preset", C_GLOW_PREDICTOR)
def test_every_preset_can_be_built(preset):
    config = make_config(CGlowPredictorConfig, C_GLOW_PREDICTOR, preset, {})
    with torch.device("meta"):
        predictor = CGlowPredictor(config, table("cityscapes"))
    assert predictor.size == config.size

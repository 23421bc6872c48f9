"""Learners and generators compute where the generator is, told by fake GPUs: shapes, no numbers."""

from collections import defaultdict

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from augflow.core import seeding
from augflow.core.seeding import Noise
from augflow.data.attributes import Attributes
from augflow.data.classes import table
from augflow.generators import caflow, two_towers
from augflow.generators.c_glow_predictor import CGlowPredictor
from augflow.generators.caglow import CAGlow
from augflow.generators.likelihood import LikelihoodGenerator
from augflow.training import latent_adversarial, likelihood
from augflow.training.attribute_reader import AttributeLearner, AttributeReader
from augflow.training.learners import learner_of
from augflow.training.params import TrainingParams
from augflow.training.prediction import PredictionLearner
from tests.generators.conftest import ONE_OF_EACH, VARIANTS, built, scenes
from tests.generators.test_c_glow_predictor import CONFIG

PARAMS = TrainingParams(steps=6, batch_size=2, ema=0.9, flip=True)
PARTED = PARAMS.model_copy(update={"micro_batch": 1})


@pytest.fixture(autouse=True)
def numbers_are_given(monkeypatch):
    """What reads the numbers of tensors, of which fake ones have none."""
    for module in (likelihood, latent_adversarial):
        monkeypatch.setattr(module, "known_fraction", lambda *_: 0.5)
    for module in (two_towers, caflow):
        monkeypatch.setattr(module, "content_noise", drawn_on_the_processor)
    monkeypatch.setattr(CAGlow, "_shares", lambda self, wanted: self.shares)


def drawn_on_the_processor(layout, planes):
    return torch.zeros(len(layout), planes, *layout.size)


def onto_gpu(*modules):
    """Puts fake tensors of a GPU in the place of all weights."""
    for module in {id(module): module for module in modules}.values():
        for inner in module.modules():
            for store in (inner._parameters, inner._buffers):
                for name, value in store.items():
                    if value is not None:
                        fake = torch.empty(value.shape, dtype=value.dtype, device="cuda")
                        weight = isinstance(value, torch.nn.Parameter)
                        store[name] = torch.nn.Parameter(fake) if weight else fake


def learned_on_gpu(learner, batch, step=1):
    """Which networks learn from a batch at a step, and on what their losses are computed."""
    asked, found = [], set()

    def descend(network, parts, step, losses, blame=None):
        asked.extend((network, part, losses) for part in parts)
        return defaultdict(float)

    learner.optimizer_step, learner.update_ema = descend, lambda step: None
    learner.step(batch, seeding.generator(0, "step"), step)
    with FakeTensorMode(allow_non_fake_inputs=True):
        features = learner.measure.features if hasattr(learner, "measure") else ()
        onto_gpu(learner.generator, *learner.networks.values(), *features)
        for network, part, losses in asked:
            found |= {(network, value.device.type) for value in losses(part).values()}
    return found


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_every_system_learns_on_the_gpu_from_scenes_of_the_processor(name):
    parted = PARAMS if "batch" in name else PARTED
    learner = learner_of(built(VARIANTS[name]), parted)
    learner.on_fit_start(scenes(4))
    if name.startswith("imle"):
        learner.members(0)
        learner.choices = [0] * learner.config.set_size
    assert {device for _, device in learned_on_gpu(learner, scenes(2))} == {"cuda"}


def test_an_encoder_learns_beside_its_judge_on_the_gpu():
    learner = learner_of(built(VARIANTS["caglow"]), PARTED)
    learner.on_fit_start(scenes(4))
    found = learned_on_gpu(learner, scenes(2), learner.border)
    assert found == {("block", "cuda"), ("encoder", "cuda")}


def test_predictors_and_readers_learn_on_the_gpu_too():
    idd = table("idd_lite")
    names = Attributes.measure(scenes(8), idd.names)
    reader = AttributeLearner(AttributeReader(names, idd.count, 0), names, PARTED)
    predictor = PredictionLearner(CGlowPredictor(CONFIG, idd), PARTED)
    for learner in (predictor, reader):
        assert learned_on_gpu(learner, scenes(2)) == {("generator", "cuda")}


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_every_system_paints_and_measures_on_the_gpu(name):
    generator, scene = built(VARIANTS[name]).eval(), scenes(2)
    with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
        onto_gpu(generator)
        conditions = generator.condition(scene.layout.to("cuda"))
        made = [generator.sample(conditions, Noise([1, 2]), 0.5)]
        if isinstance(generator, LikelihoodGenerator):
            image = scene.image.to("cuda").float() / 256
            made += [generator.bits_per_dim(image, conditions)]
            made += generator.encode_noise(image, conditions)
        assert {tensor.device.type for tensor in made} == {"cuda"}

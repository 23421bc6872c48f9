"""What a GPU computes is what the processor computes, and twice the same."""

import pytest
import torch

from augflow import generators
from augflow.core import seeding
from augflow.core.distributed import Devices, start
from augflow.core.seeding import Noise
from augflow.data.classes import table
from augflow.generators.likelihood import LikelihoodGenerator
from augflow.segmentation.params import SegmenterParams
from augflow.stages.retrain import train_segmenter
from augflow.training import loop
from augflow.training.learners import learner_of
from augflow.training.params import TrainingParams
from tests.generators.conftest import ONE_OF_EACH, VARIANTS, built, scenes

pytestmark = pytest.mark.gpu

PARAMS = TrainingParams(steps=6, batch_size=2, ema=0.9, flip=True, learning_rate=1e-4)
FLOWS = tuple(
    name for name in ONE_OF_EACH
    if issubclass(generators.system(VARIANTS[name][0]).generator, LikelihoodGenerator)
)  # fmt: skip
LIMIT = 1e-3
"""Relative: float32 sums in another order, through some tens of layers."""


@pytest.fixture(autouse=True)
def exact(monkeypatch):
    monkeypatch.setenv("AUGFLOW_ACCELERATOR", "cuda")
    seeding.deterministic(0, 1)


def learned(name, where, params=PARAMS, steps=3, run=None):
    """The history of some steps, and the generator."""
    ranks = start(Devices(where), params.precision)
    generator = built(VARIANTS[name]).to(ranks.device)
    learner = learner_of(generator, params)
    learner.join(ranks)
    seen = scenes(4)
    learner.on_fit_start(seen)
    if run is None or not run.exists():
        learner.initialise(seen)
    history = loop.fit(
        learner, seen, steps=steps, batch_size=2, seed=0, columns=learner.columns,
        names=[str(number) for number in range(4)], run=run, log_every=1, save_every=2,
    )  # fmt: skip
    return history, {name: p.detach().cpu() for name, p in generator.state_dict().items()}


def losses(history):
    return [row["loss"] for row in history]


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_a_gpu_learns_what_the_processor_learns(name):
    (here, _), (there, _) = learned(name, "cpu"), learned(name, "cuda")
    assert losses(there) == pytest.approx(losses(here), rel=LIMIT, abs=LIMIT)


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_a_gpu_learns_the_same_twice_and_goes_on_where_it_stopped(name, tmp_path):
    (history, weights) = learned(name, "cuda", steps=4)
    learned(name, "cuda", steps=2, run=tmp_path / "run")
    (again, resumed) = learned(name, "cuda", steps=4, run=tmp_path / "run")
    assert losses(again) == losses(history)
    assert all(torch.equal(resumed[key], weight) for key, weight in weights.items())


@pytest.mark.parametrize("name", FLOWS)
def test_likelihood_and_way_back_on_a_gpu(name):
    generator, scene = built(VARIANTS[name]).eval(), scenes(2)
    image = scene.image.float() / 256
    found = {}
    for where in ("cpu", "cuda"):
        generator.to(where)
        with torch.no_grad():
            conditions = generator.condition(scene.layout.to(where))
            bits = generator.bits_per_dim(image.to(where), conditions)
            noise = generator.encode_noise(image.to(where), conditions)
            back = generator.decode_latents(noise, conditions)
            made = generator.sample(conditions, Noise([1, 2]), 0.5)
        found[where] = (bits.cpu(), made.cpu())
        assert (back.cpu() - image).abs().max() < 0.5 / 256
    assert torch.allclose(found["cuda"][0], found["cpu"][0], rtol=LIMIT, atol=LIMIT)
    assert torch.allclose(found["cuda"][1], found["cpu"][1], atol=0.5 / 256)


def test_reversible_memory_gives_the_gradients_of_stored_activations():
    stored, reversible = (
        learned("full_glow ours", "cuda", PARAMS.model_copy(update={"memory": memory}))
        for memory in ("store", "reversible")
    )
    assert losses(reversible[0]) == pytest.approx(losses(stored[0]), rel=LIMIT, abs=LIMIT)


@pytest.mark.parametrize("name", ["full_glow ours", "crn"])
def test_bfloat16_learns_about_the_same(name):
    half = PARAMS.model_copy(update={"precision": "bfloat16"})
    (exact, _), (rough, _) = learned(name, "cuda"), learned(name, "cuda", half)
    assert losses(rough) == pytest.approx(losses(exact), rel=0.05, abs=0.05)


@pytest.mark.parametrize("augment", ["none", "classic"])
def test_a_segmentation_network_learns_the_same_twice(augment):
    params, seen = SegmenterParams(config="pspnet_small", steps=4, batch_size=2), scenes(4)
    found = [
        train_segmenter(
            [str(n) for n in range(4)], seen, table("idd_lite"), params, 0, augment=augment
        )
        for _ in range(2)
    ]
    assert found[0][0].device.type == "cuda"
    assert found[0][0].digest() == found[1][0].digest()


def test_a_segmentation_network_says_the_same_on_a_gpu():
    params, seen = SegmenterParams(config="pspnet_small", steps=4, batch_size=2), scenes(4)
    segmenter, _ = train_segmenter([str(n) for n in range(4)], seen, table("idd_lite"), params, 0)
    images = seen.image.float() / 255
    there, here = segmenter.predict(images), segmenter.to("cpu").predict(images)
    assert (there == here).float().mean() > 0.999

"""Batches worked through in parts give the gradients and numbers of whole ones."""

import pytest
import torch

from augflow.core import seeding
from augflow.core.distributed import Ranks
from augflow.core.errors import ParamsError
from augflow.data.attributes import Attributes
from augflow.data.classes import table
from augflow.generators.c_glow_predictor import CGlowPredictor
from augflow.training.attribute_reader import AttributeLearner, AttributeReader
from augflow.training.learner import GeneratorLearner
from augflow.training.learners import learner_of
from augflow.training.params import TrainingParams
from augflow.training.prediction import PredictionLearner
from tests.generators.conftest import VARIANTS, built, scenes
from tests.generators.test_c_glow_predictor import CONFIG

SYSTEMS = ("full_glow ours", "caflow variational", "cglow", "caglow", "crn", "imle", "pix2pix")
BATCH = 5
DEAD = ("unet.up.1.bias", "unet.up.2.bias", "unet.down.1.bias", "layers.2.bias", "layers.5.bias")
"""Biases before instance norms, which take them away again: their gradients are rounding."""


def few_known(count):
    """Scenes of which the first ones have half of their pixels unknown."""
    scene = scenes(count)
    scene.layout.classes[: count // 2, :8] = 255
    return scene


def learner(name, micro_batch):
    torch.set_num_threads(1)
    params = TrainingParams(
        steps=6, batch_size=BATCH, learning_rate=1e-3, flip=True, micro_batch=micro_batch
    )
    idd = table("idd_lite")
    if name == "predictor":
        return PredictionLearner(CGlowPredictor(CONFIG, idd), params)
    if name == "reader":
        names = Attributes.measure(scenes(8), idd.names)
        return AttributeLearner(AttributeReader(names, idd.count, 0), names, params)
    return learner_of(built(VARIANTS[name]), params)


def stepped(name, micro_batch, step):
    """A learner after one step, and what the step said."""
    made = learner(name, micro_batch)
    made.on_fit_start(few_known(8))
    made.initialise(scenes(8))
    return made, made.step(few_known(BATCH), seeding.generator(0, "step"), step)


def same(name, ours, theirs, tolerance):
    """Whether two tensors are the same but for rounding, as measured by their largest value."""
    if name.endswith(DEAD):
        return True
    error = float((ours - theirs).abs().max())
    return error <= tolerance * max(float(theirs.abs().max()), 1e-6)


@pytest.mark.parametrize("name", [*SYSTEMS, "caglow, encoder", "predictor", "reader"])
def test_a_step_in_parts_is_that_of_the_whole_batch(name):
    system, _, encoder = name.partition(",")
    step = 3 if encoder else 0
    (whole, expected), (parted, numbers) = (stepped(system, rows, step) for rows in (None, 2))
    assert len(parted.parts(BATCH)) == 3
    assert numbers == pytest.approx(expected, rel=1e-5, abs=1e-7)
    ours, theirs = parted.state(), whole.state()
    gradients = [key for key in ours if key.startswith("adam.exp_avg.")]  # a tenth of them
    assert gradients
    wrong = [key for key in gradients if not same(key, ours[key], theirs[key], 1e-4)]
    assert not wrong
    buffers = [key for key in ours if key.startswith("buffers.") and ours[key].is_floating_point()]
    assert all(same(key, ours[key], theirs[key], 1e-5) for key in buffers)


def test_held_out_scenes_are_looked_at_in_parts_too(monkeypatch):
    sizes = []

    def evaluate(generator, scene, batch):
        sizes.append(batch)
        return {}

    for micro_batch in (None, 2, 64):
        made = learner("full_glow ours", micro_batch)
        monkeypatch.setattr(made, "evaluate", evaluate)
        made.measure_held_out(scenes(2))
    assert sizes == [16, 2, 16]


def test_held_out_numbers_do_not_depend_on_parts():
    made = learner("cglow", None)
    scene = few_known(5)
    found = [made.evaluate(made.generator, scene, batch) for batch in (16, 1)]
    assert found[0] == pytest.approx(found[1], rel=1e-4)


def test_batch_norm_does_not_see_a_part_for_the_whole():
    with pytest.raises(ParamsError, match=r"micro_batch is 2, but batch norm looks at the whole"):
        learner("pix2pix batch", 2)
    assert learner("pix2pix batch", BATCH).parts(BATCH) == [*Ranks().parts(BATCH)]


def test_parts_are_this_ranks_rows_and_no_others():
    ranks = [Ranks() for _ in range(3)]
    for number, one in enumerate(ranks):
        one.rank, one.count = number, 3
    parts = [one.parts(8, 2) for one in ranks]
    assert [[(p.start, p.stop) for p in own] for own in parts] == [
        [(0, 2)], [(2, 4), (4, 5)], [(5, 7), (7, 8)]
    ]  # fmt: skip
    assert sum(part.share for own in parts for part in own) == pytest.approx(1)
    assert [len(one.parts(2)) for one in ranks] == [0, 1, 1]


def test_an_update_without_rows_changes_nothing_but_is_one(monkeypatch):
    """What a rank does that has no row of a batch: another one's rows count."""
    made = GeneratorLearner(torch.nn.Linear(2, 1), TrainingParams(steps=1))
    own = made.generator.weight.detach().clone()

    class Two(Ranks):
        def __init__(self):
            super().__init__()
            self.rank, self.count = 0, 2

        def all_gather(self, value):
            return [value, ({"loss": 2.0}, [True, False])]

        def sum(self, tensors):
            assert len(tensors) == 1
            tensors[0] += 1

    made.join(Two())
    numbers = made.optimizer_step("generator", [], 0, lambda part: {}, lambda part: "")
    assert numbers["loss"] == 2
    assert numbers["grad_norm"] == pytest.approx(2**0.5)
    assert not torch.equal(made.generator.weight, own)
    assert made.generator.bias.grad is None

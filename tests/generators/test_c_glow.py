"""C-Glow: the sizes the papers give it, conditioning networks that learn, and those that cannot."""

import pytest
import torch
import torch.nn.functional as F

from augflow.core import seeding
from augflow.data.classes import table
from augflow.flows.conditioners import RawConditioner, RawShape
from augflow.generators.c_glow import C_GLOW, CondGlow, CondGlowConfig
from augflow.generators.presets import make_config
from augflow.generators.raw_glow import RELEASED
from augflow.training.likelihood import LikelihoodLearner
from augflow.training.params import TrainingParams
from tests.generators.conftest import RAW, SIZE, scenes

FEW = TrainingParams(steps=6, batch_size=8, learning_rate=2e-3)
V2 = {"steps": (16,) * 4, "width": 512, "conv_channels": 20, "linear_width": 10}


def built(**changes):
    config = CondGlowConfig(**{**RAW, "conv_channels": 8, "linear_width": 8, **changes})
    return CondGlow(config, table("idd_lite"))


def released():
    config = CondGlowConfig(
        size=SIZE, steps=(2, 2), width=16, conv_channels=8, linear_width=8, **RELEASED
    )
    return CondGlow(config, table("idd_lite"))


def after_steps(generator):
    """The names of the conditioning weights, and of those that six steps moved."""
    learner = LikelihoodLearner(generator, FEW)
    learner.initialise(scenes(8))
    before = {name: p.detach().clone() for name, p in generator.named_parameters()}
    for step in range(FEW.steps):
        learner.step(scenes(8), seeding.generator(0, step), step)
    names = [name for name in before if "conditioners" in name]
    now = dict(generator.named_parameters())
    return names, [name for name in names if not torch.equal(before[name], now[name])]


@pytest.mark.parametrize(
    ("side", "overrides", "millions"),
    [(64, {}, 7.8), (128, {}, 20.3), (256, {}, 70.2), (64, V2, 51.9), (128, V2, 56.8),
     (256, V2, 76.5)],
)  # fmt: skip
def test_released_versions_1_and_2_have_as_many_parameters_as_the_code(side, overrides, millions):
    config = make_config(CondGlowConfig, C_GLOW, "released", {**overrides, "size": (side, side)})
    with torch.device("meta"):
        generator = CondGlow(config, table("cityscapes"))
    count = sum(p.numel() for p in generator.parameters()) / 1e6
    assert count == pytest.approx(millions, rel=0.005)


def test_every_conditioning_weight_learns():
    names, moved = after_steps(built())
    assert moved == names


def test_conditioning_networks_of_the_released_code_never_learn():
    names, moved = after_steps(released())
    heads = [name for name in names if ".actnorm." in name or ".conv." in name]
    alive = [name for name in moved if name in heads]
    assert {name.rpartition(".")[2] for name in alive} == {"bias"}
    assert all(".convs." not in name and ".linears." not in name for name in alive)
    assert [name for name in moved if ".coupling.last" in name]


def test_unknown_pixels_show_in_no_plane_and_boundaries_in_one_of_their_own():
    generator = built()
    layout = scenes(1).layout
    layout.classes[0, :2] = 255
    planes = generator.plan(layout).maps[0]
    assert planes.shape == (1, 8, *SIZE)
    assert (planes[0, :7, :2] == 0).all()
    assert (planes[0, :7, 2:].sum(0) == 1).all()
    assert torch.equal(planes[:, 7], layout.boundary)


def conditioner(steps=2, size=SIZE, **shape):
    rng = torch.Generator().manual_seed(1)
    return RawConditioner(RawShape("log", 0.02, **shape), steps, 12, 4, 3, size, 2, rng)


@pytest.mark.parametrize("padding", [0, 1])
def test_kernels_of_downscaling_convolutions_are_twice_the_padding_and_the_stride(padding):
    made = conditioner(size=(20, 28), convs=4, hidden=3, padding=padding)
    assert [conv.weight.shape[-1] for conv in made.conv.convs] == [2 * padding + 2] * 3
    assert made.coupling.down.weight.shape[-1] == 2 * padding + 2
    steps = made(None, torch.rand(3, 3, 20, 28)).steps
    assert [step.conv.weight.shape for step in steps] == [(3, 12, 12)] * 2
    assert [step.features.shape for step in steps] == [(3, 4, 10, 14)] * 2


def test_stacked_networks_are_those_of_the_single_steps():
    torch.manual_seed(0)
    head = conditioner(steps=3, convs=5, hidden=6).actnorm
    torch.nn.init.normal_(head.last)
    planes = torch.rand(2, 3, *SIZE)
    stacked = head(planes)
    for k in range(3):
        maps = planes
        for conv in head.convs:
            maps = F.relu(F.conv2d(maps, conv.weight[k], conv.bias[k], stride=2, padding=1))
        hidden = maps.flatten(1)
        for linear in head.linears:
            hidden = F.relu(hidden @ linear.weight[k] + linear.bias[k])
        single = hidden @ head.last[k] + head.bias[k]
        torch.testing.assert_close(stacked[k], single, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("matrix", ["lu", "free"])
def test_log_determinants_are_those_of_the_matrices(matrix):
    generator = built(matrix=matrix)
    after_steps(generator)
    for level in generator.condition(scenes(4).layout).levels:
        for step in level.steps:
            expected = torch.linalg.slogdet(step.conv.weight.double())[1]
            torch.testing.assert_close(step.conv.log_det.double(), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("matrix", ["lu", "free"])
def test_matrices_start_as_rotations(matrix):
    made = conditioner(convs=4, hidden=4, matrix=matrix)
    weight = made.matrices(torch.rand(1, 3, *SIZE)).weight
    square = weight @ weight.transpose(-1, -2)
    torch.testing.assert_close(square, torch.eye(12).expand_as(square), atol=1e-5, rtol=0)


def test_initialisation_makes_the_first_actnorm_standardise():
    generator = built()
    learner = LikelihoodLearner(generator, FEW)
    learner.initialise(scenes(8))
    image = (scenes(8).image.float() + 0.5) / 256
    params, _ = generator.plan(scenes(8).layout).params()
    first = generator.target.encode(image, params, traced=True).traces[0].actnorm[0]
    std, mean = torch.std_mean(first, dim=(0, 2, 3))
    assert mean.abs().max() < 0.05
    assert (std - 1).abs().max() < 0.05


def test_a_tanh_over_everything_goes_with_no_initialisation_from_data():
    with pytest.raises(ValueError, match="squashed: needs data_init false"):
        CondGlowConfig(size=SIZE, steps=(2, 2), squashed=True)

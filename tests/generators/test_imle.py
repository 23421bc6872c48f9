"""Conditional IMLE: what noise does to a photograph."""

import numpy as np
import pytest
import torch

from augflow import generators
from augflow.core.errors import ParamsError
from augflow.core.seeding import Noise
from augflow.data.classes import table
from augflow.data.rarity import class_colours
from augflow.data.scenes import Layout, Scene
from augflow.generators.imle import IMLE, ImleConfig, NoiseEncoder
from augflow.generators.presets import make_config
from augflow.training import loop
from augflow.training.learners import learner_of
from augflow.training.params import TrainingParams
from tests.generators.conftest import SIZE, scenes

CONFIG = ImleConfig(
    size=SIZE, widths=(24, 16), style=3, noise=0, encoder_width=8, features=("pixels",),
    set_size=24, candidates=10, outer=25, rebalance_data=False, rebalance_loss=False,
)  # fmt: skip


def two_moods(count):
    """Day scenes and night scenes: the same classes, all bright or all dark."""
    drawn = scenes(count)
    classes = drawn.layout.classes.long()
    shades = torch.zeros(7, 3)
    shades[0], shades[3], shades[6] = (
        torch.tensor(c) for c in ((0.7, 0.6, 0.5), (0.9, 0.5, 0.5), (0.6, 0.7, 1.0))
    )
    light = torch.where(torch.arange(count) % 2 == 0, 1.0, 0.3)[:, None, None, None]
    image = shades[classes].permute(0, 3, 1, 2) * light
    return Scene((image * 255).byte(), drawn.layout)


@pytest.fixture(scope="module")
def trained():
    torch.set_num_threads(1)
    generator = generators.build("imle", CONFIG, table("idd_lite"))
    scene = two_moods(24)
    params = TrainingParams(steps=150, batch_size=4, learning_rate=3e-3, clip_norm=5.0)
    learner = learner_of(generator, params)
    learner.on_fit_start(scene)
    loop.fit(
        learner, scene, steps=150, batch_size=4, seed=1, columns=("loss",),
        names=[str(n) for n in range(24)],
    )  # fmt: skip
    return generator.eval(), scene


def samples(generator, layout, names):
    """A sample of the first layout for each name."""
    conditions = generator.condition(layout[[0]]).rows([0] * len(names))
    return generator.sample(conditions, Noise(names))


def test_samples_come_near_both_moods_of_a_layout(trained):
    generator, scene = trained
    made = samples(generator, scene.layout, range(40))
    day = two_moods(2).image[[0]] / 255
    for mood in (day, day * 0.3):
        assert float((made - mood).abs().mean((1, 2, 3)).min()) < 0.08


def test_one_latent_gives_all_layouts_one_style(trained):
    generator, scene = trained
    colours = []
    for row in (1, 2):
        made = samples(generator, scene.layout[[row]], range(40))
        layout = scene.layout[[row] * 40]
        colours.append(class_colours(Scene((made * 255).byte(), layout), 7)[:, [0, 3]])
    one, other = (c.reshape(40, -1).mean(1) for c in colours)
    assert np.corrcoef(one, other)[0, 1] > 0.9


def test_latents_of_every_kind_have_their_shapes():
    def shapes(**changes):
        config = ImleConfig(**{**CONFIG.model_dump(), **changes})
        return generators.build("imle", config, table("idd_lite")).latent_shapes()

    assert shapes() == ((3,),)
    assert shapes(style=0, noise=10) == ((10, *SIZE),)
    assert shapes(noise=2, noise_grid=(2, 3)) == ((3,), (2, 2, 3))


def test_style_is_the_same_everywhere_and_grids_are_interpolated():
    config = ImleConfig(**{**CONFIG.model_dump(), "noise": 1, "noise_grid": (2, 2)})
    generator = generators.build("imle", config, table("idd_lite"))
    seen = []
    generator.encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    grid = torch.tensor([[[[0.0, 1.0], [2.0, 3.0]]]])
    conditions = generator.condition(scenes(1).layout)
    generator.decode_latents([torch.tensor([[1.0, 2.0, 3.0]]), grid], conditions)
    style, noise = seen[0][0, -4:-1], seen[0][0, -1]
    assert torch.equal(style, torch.tensor([1.0, 2.0, 3.0])[:, None, None].expand(3, *SIZE))
    rows, columns = torch.linspace(0, 2, SIZE[0]), torch.linspace(0, 1, SIZE[1])
    torch.testing.assert_close(noise, rows[:, None] + columns)


def test_encoded_noise_keeps_its_size_at_every_width():
    for width in (16, 100):
        encoder = NoiseEncoder(12, width, 10)
        planes = torch.from_numpy(Noise([1]).normal(12, 32, 32))
        assert 0.5 < float(encoder(planes).std()) < 2


def test_boundary_maps_reach_the_photograph():
    config = ImleConfig(**{**CONFIG.model_dump(), "boundary": True})
    generator = generators.build("imle", config, table("idd_lite"))
    layout = scenes(1).layout
    blank = Layout(layout.classes, torch.zeros_like(layout.boundary))
    made = [generator.sample(generator.condition(one), Noise([1])) for one in (layout, blank)]
    assert (made[0] - made[1]).abs().max() > 1e-3


def test_pixels_without_a_class_are_seen_as_such():
    generator = generators.build("imle", CONFIG, table("idd_lite"))
    layout = scenes(1).layout
    classes = layout.classes.clone()
    classes[:, :4] = 255
    planes = generator.condition(Layout(classes, layout.boundary)).values
    assert torch.equal(planes.sum(1), torch.ones(1, *SIZE))
    assert torch.equal(planes[:, 7], (classes == 255).float())


def test_a_model_without_noise_is_refused():
    with pytest.raises(ParamsError, match="give one of them channels"):
        make_config(ImleConfig, IMLE, "tiny", {"style": 0, "noise": 0})


@pytest.mark.parametrize(("row", "width"), [(4, 8), (64, 128), (256, 512)])
def test_the_papers_modules_start_at_four_rows(row, width):
    config = make_config(ImleConfig, IMLE, "paper", {})
    channels = dict(zip(config.sizes, config.widths, strict=True))
    assert channels[row, width] == (1024 if row < 128 else 512)
    assert config.sizes[0] == (4, 8)

"""pix2pix: the published network, dropout as noise, sizes, norms."""

import pytest
import torch
from pydantic import ValidationError

from augflow import generators
from augflow.core.seeding import Noise
from augflow.data.classes import table
from augflow.generators.pix2pix import PATCHES, PIX2PIX, Norm, Pix2PixConfig, dropout
from augflow.generators.presets import make_config
from augflow.training.adversarial import PatchGAN
from tests.generators.conftest import SIZE, scenes

SMALL = {
    "size": SIZE, "downs": 3, "width": 8, "dropout": (0, 1), "patch": 16, "source": "one_hot",
    "norm": "instance",
}  # fmt: skip


def built(**changes):
    torch.set_num_threads(1)
    config = Pix2PixConfig(**{**SMALL, **changes})
    return generators.build("pix2pix", config, table("idd_lite"), 1).eval()


def preset(name, classes="cityscapes"):
    with torch.device("meta"):
        config = make_config(Pix2PixConfig, PIX2PIX, name, {})
        return generators.build("pix2pix", config, table(classes))


def test_the_papers_generator_has_the_published_number_of_parameters():
    generator = preset("unet_256")
    assert generator.planes_count == 3
    count = sum(p.numel() for p in generator.parameters())
    assert count / 1e6 == pytest.approx(54.414, abs=0.0005)
    assert generator.latent_shapes() == ((512, 4, 4), (512, 8, 8), (512, 16, 16))


@pytest.mark.parametrize("patch", [16, 34, 70])
def test_a_judgement_sees_exactly_its_patch(patch):
    """The gradient of one judgement reaches a square of that side, and nothing beyond it."""
    torch.set_num_threads(1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        judge = PatchGAN(1, patch, 2, batch_norm=True).eval()
    for module in judge.modules():  # batch statistics would couple all pixels
        if isinstance(module, Norm):
            module.forward = lambda x, *_: x
    side = 3 * patch
    pixels = torch.rand(1, 1, side, side, requires_grad=True)
    logits = judge(pixels)
    middle = logits.shape[-1] // 2
    logits[0, 0, middle, middle].backward()
    rows = pixels.grad[0, 0].abs().sum(1).nonzero().flatten()
    assert int(rows.max() - rows.min()) + 1 == patch
    assert patch in PATCHES


def test_painting_the_draws_is_sampling_at_temperature_one():
    generator = built()
    conditions = generator.condition(scenes(2).layout)
    draws = generator.draw(Noise([5, 6]))
    assert all(part.min() >= 0 and part.max() < 1 for part in draws)
    painted = generator.decode_latents(draws, conditions)
    torch.testing.assert_close(painted, generator.sample(conditions, Noise([5, 6]), 1.0))


@pytest.mark.parametrize(("share", "expected"), [
    (0.0, [1.0, 1.0, 1.0, 1.0]), (0.5, [0.0, 0.0, 2.0, 2.0]), (0.75, [0.0, 0.0, 0.0, 4.0]),
    (1.0, [0.0, 0.0, 0.0, 0.0]),
])  # fmt: skip
def test_dropout_drops_what_is_below_its_share_and_scales_the_rest(share, expected):
    uniforms = torch.tensor([0.1, 0.4, 0.6, 0.9])
    torch.testing.assert_close(dropout(torch.ones(4), uniforms, share), torch.tensor(expected))


def test_image_statistics_are_those_of_a_batch_of_one():
    norm = Norm(3, batch_norm=True)
    with torch.no_grad():
        norm.weight.normal_()
        norm.bias.normal_()
    x = torch.randn(4, 3, 5, 6)
    rows = torch.cat([norm(x[[n]], "batch") for n in range(4)])
    torch.testing.assert_close(norm(x, "image"), rows)


def test_only_learning_moves_running_statistics():
    generator = built(norm="batch", test_statistics="running", dropout=(1,))
    conditions = generator.condition(scenes(2).layout)
    coins = generator.draw(Noise([1, 2]))
    running = generator.unet.down_norms[1].running_mean
    before = running.clone()
    generator.train()
    generator.sample(conditions, Noise([1, 2]), 1.0)
    generator.decode_latents(coins, conditions)
    assert torch.equal(running, before)
    generator.paint_together(coins, conditions)
    assert not torch.equal(running, before)


def test_statistics_of_the_image_and_running_ones_make_other_pictures():
    image, running = (
        built(norm="batch", test_statistics=kind, dropout=()) for kind in ("image", "running")
    )
    layout = scenes(1).layout
    first, second = (g.sample(g.condition(layout), Noise([1]), 1.0) for g in (image, running))
    assert (first - second).abs().max() > 1e-4


def test_conditions_are_colours_or_classes_and_the_boundary():
    layout = scenes(2).layout
    planes = built(boundary="v1").condition(layout).values
    assert planes.shape == (2, 8, *SIZE)
    assert torch.equal(planes[:, :7].argmax(1), layout.classes.long())
    assert torch.equal(planes[:, 7], layout.boundary)
    colours = built(source="palette").condition(layout).values
    expected = table("idd_lite").palette[layout.classes.numpy()].transpose(0, 3, 1, 2)
    torch.testing.assert_close((colours + 1) * 127.5, torch.from_numpy(expected).float())


@pytest.mark.parametrize(("changes", "message"), [
    ({"patch": 34}, "patch 34 is larger.*fitting: 16"),
    ({"dropout": (2,)}, r"expected different blocks of 0\.\.1"),
    ({"dropout": (1, 1)}, "different blocks"),
    ({"test_statistics": "running"}, "instance norm keeps no running"),
])  # fmt: skip
def test_configurations_that_contradict_themselves_are_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        built(**changes)

"""The plain implementation is Full-Glow: with its weights, ours makes the same."""

import math

import pytest
import torch

from augflow.core.seeding import Noise
from augflow.data.classes import table
from augflow.data.scenes import Layout
from augflow.tools.checkpoints import read_glow2
from benchmarks.plain import PlainFullGlow

SIZE, STEPS = (20, 24), (2, 2)
CLASSES = table("cityscapes")


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The plain model, its weights moved from their start, and ours that has read them."""
    torch.manual_seed(0)
    plain = PlainFullGlow(SIZE, STEPS, width=8, condition_width=6)
    plain.loss(torch.rand(1, 3, *SIZE), torch.rand(1, 3, *SIZE))
    with torch.no_grad():
        for parameter in plain.parameters():
            parameter += 0.02 * torch.randn_like(parameter)
    path = tmp_path_factory.mktemp("plain") / "plain.pt"
    torch.save(plain.state_dict(), path)
    return plain, read_glow2(path, CLASSES, SIZE)


@pytest.fixture(scope="module")
def layout():
    torch.manual_seed(1)
    return Layout(torch.randint(0, 19, (1, *SIZE), dtype=torch.uint8), torch.zeros(1, *SIZE))


@pytest.fixture(scope="module")
def colours(layout):
    return torch.from_numpy(CLASSES.palette[layout.classes.numpy()]).permute(0, 3, 1, 2) / 255


def test_samples_are_equal(both, layout, colours):
    plain, ours = both
    noise = ours.draw(Noise([3]))
    found = ours.decode_latents(noise, ours.condition(layout)) * 256 / 255
    torch.testing.assert_close(plain.sample(colours, noise), found, atol=2e-4, rtol=1e-3)


def test_log_probabilities_are_equal(both, layout, colours):
    plain, ours = both
    image = torch.rand(1, 3, *SIZE)
    _, log_p, _ = plain.right_glow(image, plain.left_glow(colours)[2])
    found = ours.log_prob(image * 255 / 256, ours.condition(layout))
    expected = float(log_p) - ours.dims * math.log(255)
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_content_in_its_own_layout_is_itself(both, colours):
    plain, _ = both
    image = torch.rand(1, 3, *SIZE)
    torch.testing.assert_close(plain.transfer(image, colours, colours), image, atol=1e-4, rtol=0)


def test_a_few_steps_of_training_make_it_likelier():
    torch.manual_seed(2)
    plain = PlainFullGlow(SIZE, (1, 1), width=8, condition_width=6)
    optimizer = torch.optim.Adam(plain.parameters(), lr=1e-2)
    colours, image = torch.rand(1, 3, *SIZE), torch.rand(1, 3, *SIZE)
    losses = []
    for _ in range(8):
        optimizer.zero_grad()
        loss = plain.loss(colours, image)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]

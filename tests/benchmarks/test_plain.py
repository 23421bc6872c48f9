"""The plain implementation transfers and learns; that ours makes the same: `test_glow2.py`."""

import torch

from benchmarks.plain import PlainFullGlow
from tests.tools.checkpoints.test_glow2 import SIZE, published


def test_content_in_its_own_layout_is_itself():
    colours, image = torch.rand(1, 3, *SIZE), torch.rand(1, 3, *SIZE)
    moved = published().transfer(image, colours, colours)
    torch.testing.assert_close(moved, image, atol=1e-4, rtol=0)


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

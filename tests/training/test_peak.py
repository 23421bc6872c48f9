"""The most bytes at once, on paper; and on the meta device as where there are numbers."""

import pytest
import torch

from augflow.flows.density import dequantized
from augflow.training.peak import PeakBytes
from tests.generators.conftest import VARIANTS, built, scenes

META, CPU = torch.device("meta"), torch.device("cpu")
DEVICES = pytest.mark.parametrize("device", [META, CPU], ids=str)


@DEVICES
def test_what_is_dropped_does_not_count_beside_what_comes_after(device):
    with PeakBytes(device) as held:
        for _ in range(5):
            x = torch.zeros(100, device=device)
            y = x + 1
            del x
            z = y + 1
            del y, z
    assert (held.most, held.now) == (800, 0)


@DEVICES
def test_views_and_what_is_written_in_place_are_one(device):
    with PeakBytes(device) as held:
        x = torch.zeros(10, 10, device=device)
        parts = [x[0], x.t(), x.view(100), *x.unbind()]
        x.add_(1)
        torch.add(x, 1, out=x)
    assert held.most == held.now == 400
    del x, parts
    assert held.now == 0


@DEVICES
def test_a_graph_holds_what_it_has_saved(device):
    """Of a chain of squares every input is kept; going back, a gradient takes turns with it."""
    x = torch.zeros(100, device=device, requires_grad=True)
    x.grad = torch.zeros(100, device=device)
    with PeakBytes(device, [x, x.grad]) as held:
        y = x
        for _ in range(4):
            y = y.square()
        assert held.now == 4 * 400
        loss = y.sum()
        assert held.now == 4 * 400 + 4
        del y  # the last square is kept by nothing
        assert held.now == 3 * 400 + 4
        loss.backward()
    assert held.now == 4
    # three squares, the loss and its gradient, and a factor and two gradients on the way
    assert 5 * 400 + 8 <= held.most <= 6 * 400 + 8


@DEVICES
def test_what_was_there_before_counts_once_it_is_read(device):
    before, apart = torch.zeros(50, device=device), torch.zeros(70, device=device)
    with PeakBytes(device, [apart]) as held:
        assert held.now == 0
        torch.stack([before, apart[:50]])
        assert held.now == 200
        torch.cat([before, apart])
    assert held.most == 200 + 480


def test_other_devices_do_not_count():
    with PeakBytes(META) as held:
        kept = torch.zeros(100) + 1
    assert held.most == 0
    assert kept.sum() == 100


FLOWS = ["full_glow ours", "c_glow v2", "caflow variational", "cglow"]


@pytest.mark.parametrize("mode", ["store", "checkpoint", "reversible"])
@pytest.mark.parametrize("name", FLOWS)
def test_steps_without_numbers_take_what_steps_with_numbers_do(name, mode):
    taken = []
    for device in (META, CPU):
        flow = built(VARIANTS[name]).to(device)
        flow.memory = mode
        scene = _fitting(flow, device)
        planes = torch.zeros(2, flow.planes_count, *flow.size, device=device)
        for p in flow.parameters():
            p.grad = torch.zeros_like(p)
        own = [part for p in flow.parameters() for part in (p, p.grad)]
        with PeakBytes(device, [*own, *flow.buffers()]) as held:
            image = dequantized(scene.image, torch.full(scene.image.shape, 0.5, device=device))
            terms = flow.terms(image, scene.layout, planes)
            loss = terms.target.sum() + sum(terms.extra.values())
            (loss if terms.source is None else loss + terms.source.sum()).backward()
        taken.append(held.most)
    # scalars that are looked at, and a few kernels that put in a map of their own, are the rest
    assert taken[0] == pytest.approx(taken[1], rel=0.02)


def _fitting(flow, device):
    """Two scenes of the flow's size."""
    scene = scenes(2)
    height, width = flow.size
    layout = type(scene.layout)(
        torch.zeros(2, height, width, dtype=torch.uint8), torch.zeros(2, height, width)
    )
    return type(scene)(torch.zeros(2, 3, height, width, dtype=torch.uint8), layout).to(device)

"""The couplings' networks: their own backward pass, borders of ones, small maps."""

import pytest
import torch
import torch.nn.functional as F

from augflow.flows.coupling import CouplingNets, NetWeights
from augflow.flows.networks import SMALL, conv3x3, conv3x3_backward, is_small


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def weights(inputs=5, width=7, outputs=4):
    shapes = ((width, inputs, 3, 3), (width,), (width, width, 1, 1), (width,),
              (outputs, width, 3, 3), (outputs,))  # fmt: skip
    return [randn(*shape, seed=n).requires_grad_() for n, shape in enumerate(shapes)]


def plainly(x, share, first, first_bias, second, second_bias, last, last_bias, ones):
    """The same network from torch's own layers."""
    hidden = F.conv2d(x, first, None if share is not None else first_bias, padding=1)
    hidden = F.relu(hidden if share is None else hidden + share)
    hidden = F.relu(F.conv2d(hidden, second, second_bias))
    return F.conv2d(F.pad(hidden, (1, 1, 1, 1), value=float(ones)), last, last_bias)


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("ones", [True, False])
@pytest.mark.parametrize("shared", [True, False])
def test_network_and_its_gradients_are_those_of_plain_layers(rows, ones, shared):
    x = randn(rows, 5, 6, 8, seed=10).requires_grad_()
    share = randn(rows, 7, 6, 8, seed=11).requires_grad_() if shared else None
    given = weights()
    wanted = [x, *([share] if shared else []), *(w for n, w in enumerate(given) if n != 1)]
    found = NetWeights(*given).through(x, share, ones=ones)
    expected = plainly(x, share, *given, ones)
    torch.testing.assert_close(found, expected)
    way = randn(*expected.shape, seed=12)
    for mine, theirs in zip(
        torch.autograd.grad(found, wanted, way), torch.autograd.grad(expected, wanted, way),
        strict=True,
    ):  # fmt: skip
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("shape", [(1, 3, 5, 7), (1, 20, 32, 32), (1, 21, 32, 32), (2, 3, 5, 7)])
def test_small_maps_are_convolved_alike(shape):
    x = randn(*shape).requires_grad_()
    weight, bias = randn(4, shape[1], 3, 3, seed=1).requires_grad_(), randn(4, seed=2)
    bias.requires_grad_()
    assert is_small(x) == (shape[0] == 1 and x.numel() <= SMALL)
    expected = F.conv2d(x, weight, bias, padding=1)
    torch.testing.assert_close(conv3x3(x, weight, bias), expected)
    way = randn(*expected.shape, seed=3)
    ways = torch.autograd.grad(expected, (x, weight, bias), way)
    for mine, theirs in zip(conv3x3_backward(way, x, weight), ways, strict=True):
        torch.testing.assert_close(mine, theirs)
    assert conv3x3_backward(way, x, weight, wanted=False)[0] is None


def test_under_autocast_the_network_and_its_gradients_are_those_of_plain_layers_in_its_type():
    x = randn(2, 5, 6, 8, seed=10).float().requires_grad_()
    given = [w.detach().float().requires_grad_() for w in weights()]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = NetWeights(*given).through(x, ones=True)
        expected = plainly(x, None, *given, True)
    assert found.dtype == expected.dtype == torch.bfloat16
    exact = plainly(x, None, *given, True)
    assert 1e-4 < error_of(found, exact) < 2e-2
    for mine, theirs in zip(
        torch.autograd.grad(found.sum(), [x, *given]),
        torch.autograd.grad(expected.sum(), [x, *given]),
        strict=True,
    ):
        assert mine.dtype == torch.float32
        assert error_of(mine, theirs) < 2e-2


def error_of(found, expected):
    return (found.float() - expected.float()).norm() / expected.float().norm()


def test_under_autocast_what_leaves_a_step_is_in_single_precision():
    net = CouplingNets(1, 6, 0, 16, "ones").per_step()[0]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        raw_scale, shift = net(randn(2, 3, 6, 8).float())
    assert raw_scale.dtype == shift.dtype == torch.float32


def test_a_bound_keeps_raw_scale_and_shift_within_it_and_leaves_small_ones():
    free, bounded = (CouplingNets(1, 6, 0, 16, "ones", bound).double() for bound in (None, 0.5))
    for size in (1e-4, 10.0):
        with torch.no_grad():
            free.last.copy_(size * randn(*free.last.shape))
        bounded.load_state_dict(free.state_dict())
        half = randn(2, 3, 6, 8)
        raw = torch.cat(free.per_step()[0](half))
        kept = torch.cat(bounded.per_step()[0](half))
        torch.testing.assert_close(kept, 0.5 * torch.tanh(2 * raw))
        assert kept.abs().max() <= 0.5

"""Operations and the most bytes at once, on paper; and on the meta device as with numbers."""

import pytest
import torch
import torch.nn.functional as F

from augflow.flows.density import dequantize
from augflow.training.meta_modes import META, Operations, PeakBytes
from tests.generators.conftest import VARIANTS, built, scenes

CPU = torch.device("cpu")
DEVICES = pytest.mark.parametrize("device", [META, CPU], ids=str)


def made(*shape):
    return torch.zeros(*shape, device="meta", requires_grad=True)


def test_a_product_and_its_two_gradients():
    a, b = made(3, 5), made(5, 7)
    with Operations() as done:
        out = a @ b
        assert done.total == 2 * 3 * 5 * 7
        out.sum().backward()
    assert done.total == 3 * 2 * 3 * 5 * 7


def test_a_grouped_convolution_costs_what_its_groups_do_and_twice_that_going_back():
    x, weight = made(2, 12, 6, 8), made(9, 4, 3, 3)
    with Operations() as done:
        out = F.conv2d(x, weight, padding=1, groups=3)
        one = 2 * (2 * 6 * 8) * 9 * (9 * 4)
        assert done.total == one
        out.sum().backward()
    assert done.total == 3 * one


def test_a_gradient_that_nobody_wants_costs_nothing():
    x, weight = torch.zeros(1, 4, 6, 8, device="meta"), made(5, 4, 1, 1)
    with Operations() as done:
        F.conv2d(x, weight).sum().backward()
    assert done.total == 2 * 2 * (6 * 8) * 5 * 4


def test_gradients_taken_inside_of_a_backward_pass_count():
    class Again(torch.autograd.Function):
        @staticmethod
        def forward(ctx, a, b):
            ctx.save_for_backward(a, b)
            return a @ b

        @staticmethod
        def backward(ctx, d_out):
            a, b = (value.detach().requires_grad_() for value in ctx.saved_tensors)
            with torch.enable_grad():
                out = a @ b
            return torch.autograd.grad(out, [a, b], d_out)

    a, b = made(3, 5), made(5, 7)
    with Operations() as done:
        Again.apply(a, b).sum().backward()
    assert done.total == 4 * 2 * 3 * 5 * 7


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


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("full_glow ours", "reversible"),
        ("c_glow v1", "reversible"),
        ("caflow variational", "checkpoint"),
        ("cglow", "store"),
    ],
)
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
            image = dequantize(scene.image, torch.full(scene.image.shape, 0.5, device=device))
            terms = flow.terms(image, scene.layout, planes)
            loss = terms.target.sum() + sum(terms.extra.values())
            (loss if terms.source is None else loss + terms.source.sum()).backward()
        taken.append(held.most)
    # scalars that are looked at, and a few kernels that put in a map of their own, are the rest
    assert taken[0] == pytest.approx(taken[1], rel=0.02)


def test_what_was_worked_out_before_counts_as_much_as_what_was_not():
    """The shapes of the second and third pass are those that the first has worked out."""
    taken = []
    for _ in range(3):
        x, weight, matrix = made(2, 12, 6, 8), made(9, 4, 3, 3), made(8, 8)
        with PeakBytes(META) as held:
            out = F.conv2d(x, weight, padding=1, groups=3) @ matrix
            parts = torch.nn.functional.logsigmoid(out).split([4, 5], 1)
            sum(part.square().sum() for part in parts).backward()
        taken.append((held.total, held.most, x.grad.shape, x.grad.stride(), matrix.grad.shape))
    assert len(set(taken)) == 1


def test_a_view_that_does_not_say_that_it_is_one_takes_nothing_the_second_time_either():
    with PeakBytes(META) as held:
        x = torch.zeros(10, 10, device=META)
        kept = [torch.ops.aten._unsafe_view(x, [100]) for _ in range(3)]
    assert (held.most, len(kept)) == (400, 3)


def test_shapes_that_differ_in_nothing_but_strides_or_type_are_worked_out_apart():
    x = torch.zeros(4, 6, device=META)
    with Operations():
        for given in (x, x.t().contiguous().t(), x.double()):
            real = torch.zeros_like(given, device=CPU)
            made, expected = given + 1, real + 1
            assert (made.stride(), made.dtype) == (expected.stride(), expected.dtype)
            assert (given.argmax(1).dtype, given.sum(1).shape) == (torch.int64, (4,))


def _fitting(flow, device):
    """Two scenes of the flow's size."""
    scene = scenes(2)
    height, width = flow.size
    layout = type(scene.layout)(
        torch.zeros(2, height, width, dtype=torch.uint8), torch.zeros(2, height, width)
    )
    return type(scene)(torch.zeros(2, 3, height, width, dtype=torch.uint8), layout).to(device)

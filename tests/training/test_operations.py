"""Operations, worked out on paper."""

import torch
import torch.nn.functional as F

from augflow.training.operations import Operations


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

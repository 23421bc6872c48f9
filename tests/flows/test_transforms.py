"""Each transform undoes itself and knows its own log-determinant."""

import pytest
import torch

from augflow.flows import transforms as T

SHAPE = (3, 6, 4, 5)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=rng(seed), dtype=torch.float64)


def lu(channels=6):
    return [factor.double()[0] for factor in T.random_lu(1, channels, rng())]


def actnorm():
    params = T.ActNormParams(normal(3, 6).exp() * normal(3, 6, seed=1).sign(), normal(3, 6))
    return lambda x: (params(x), params.log_det(20)), params.inverse


def conv():
    permutation, sign, lower, upper, log_s = lu()
    noise = 0.1 * normal(3, 6, 6)
    params = T.LU(permutation, sign).matrix(lower + noise, upper + noise, log_s + noise[:, 0])
    return lambda x: (params(x), 20 * params.log_det), params.inverse


def affine(transform):
    params = T.CouplingParams(normal(*SHAPE), normal(*SHAPE, seed=1))
    return lambda x: transform(x, params), lambda z: transform.inverse(z, params)


CASES = {
    "actnorm": actnorm,
    "conv": conv,
    "coupling": lambda: affine(T.AffineCoupling()),
    "coupling with floor": lambda: affine(T.AffineCoupling(0.1)),
    "soft clamped": lambda: affine(T.SoftClampedAffine()),
}


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def case(request):
    return request.param()


def test_inverse_undoes_forward(case):
    forward, inverse = case
    x = normal(*SHAPE, seed=7)
    torch.testing.assert_close(inverse(forward(x)[0]), x)


def test_log_det_is_that_of_the_jacobian_per_sample(case):
    forward, _ = case
    x = normal(*SHAPE, seed=7)
    _, log_det = forward(x)
    jacobian = torch.autograd.functional.jacobian(lambda v: forward(v)[0], x)
    for n in range(len(x)):
        square = jacobian[n, :, :, :, n].reshape(120, 120)
        torch.testing.assert_close(log_det[n], torch.linalg.slogdet(square)[1])


def test_actnorm_and_matrix_in_one_product_are_those_one_after_the_other():
    permutation, sign, lower, upper, log_s = lu()
    params = T.LU(permutation, sign).matrix(lower[None], upper[None], log_s[None])
    act, x = T.ActNormParams(normal(3, 6).exp(), normal(3, 6, seed=1)), normal(*SHAPE, seed=7)
    z = params(act(x))
    torch.testing.assert_close(act.before(params.weight)(x), z)
    torch.testing.assert_close(act.inverse_after(T.inverses(params.weight))(z), x)


def test_random_lu_is_a_rotation():
    permutation, sign, lower, upper, log_s = lu(5)
    params = T.LU(permutation, sign).matrix(lower, upper, log_s)
    torch.testing.assert_close(
        params.weight @ params.weight.T, torch.eye(5, dtype=torch.float64), atol=1e-5, rtol=0
    )
    torch.testing.assert_close(
        params.log_det, torch.zeros((), dtype=torch.float64), atol=1e-5, rtol=0
    )


def test_entries_outside_the_triangles_are_not_read():
    permutation, sign, lower, upper, log_s = lu(4)
    made = T.LU(permutation, sign)
    packed = lower + upper + torch.diag_embed(log_s)
    assert torch.equal(
        made.matrix(packed, packed, log_s).weight, made.matrix(lower, upper, log_s).weight
    )


def test_floor_bounds_the_gain_of_the_inverse():
    transform = T.AffineCoupling(0.05)
    raw = torch.tensor([-1e4, 0.0, 1e4]).reshape(1, 1, 1, 3)
    gain = (-transform.log_scale(raw)).exp()
    assert gain.max() <= 1 / 0.05 + 1e-3
    assert torch.isfinite(transform.log_scale(raw)).all()


def test_without_floor_the_scale_is_the_papers_sigmoid():
    raw = torch.linspace(-5, 5, 11)
    expected = torch.sigmoid(raw + 2)
    torch.testing.assert_close(T.AffineCoupling(0.0).log_scale(raw).exp(), expected)


def test_squeeze_orders_channels_then_rows_then_columns():
    x = torch.arange(2 * 2 * 4).reshape(1, 2, 2, 4).float()
    out = T.squeeze(x)
    assert out.shape == (1, 8, 1, 2)
    assert out[0, :, 0, 0].tolist() == [0, 1, 4, 5, 8, 9, 12, 13]
    assert torch.equal(T.unsqueeze(out), x)


def test_many_large_matrices_are_inverted_on_several_threads(free_threads):
    torch.set_num_threads(2)
    rotations = torch.linalg.qr(normal(2, 160, 160))[0].float()
    one = T.inverses(rotations) @ rotations
    torch.testing.assert_close(one, torch.eye(160).expand(2, -1, -1), atol=1e-4, rtol=0)
    torch.testing.assert_close(T.log_determinants(rotations), torch.zeros(2), atol=1e-4, rtol=0)


@pytest.mark.parametrize("floor", [0.0, 0.05, 0.5])
def test_a_couplings_scale_lies_between_its_floor_and_one(floor):
    raw = torch.tensor([-1000.0, -2.0, 0.0, 1000.0], dtype=torch.float64)
    scale = T.AffineCoupling(floor).log_scale(raw).exp()
    assert scale[0] == pytest.approx(floor)
    assert scale[1] == pytest.approx((1 + floor) / 2)
    assert scale[2] < scale[3] == pytest.approx(1)


def test_matrices_are_inverted_in_double_precision():
    weights = torch.randn(3, 24, 24, generator=rng())
    weights[:, 0] = weights[:, 1] + 1e-4 * weights[:, 0]
    expected = torch.stack([torch.linalg.inv(one.double()) for one in weights]).float()
    assert torch.equal(T.inverses(weights), expected)
    assert not torch.equal(torch.linalg.inv(weights[0]), expected[0])

"""Densities against torch.distributions and numbers worked out on paper."""

import torch

from augflow.flows import density


def test_gaussian_log_prob_is_that_of_torch():
    z, mean, log_sd = torch.randn(
        3, 2, 4, 5, 6, generator=torch.Generator().manual_seed(0)
    ).double()
    expected = torch.distributions.Normal(mean, log_sd.exp()).log_prob(z).sum((1, 2, 3))
    torch.testing.assert_close(density.gaussian_log_prob(z, mean, log_sd), expected)


def test_a_uniform_density_costs_eight_bits():
    dims = 12
    log_prob = density.discrete_log_prob(torch.zeros(1), dims)
    torch.testing.assert_close(density.bits_per_dim(log_prob, dims), torch.tensor([8.0]))


def test_quantized_undoes_dequantized():
    pixels = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    for noise in (0.0, 0.5, 1 - 2**-15):
        spread = density.dequantize(pixels, torch.full((1, 1, 16, 16), noise))
        assert spread.max() < 1
        assert torch.equal(density.quantize(spread), pixels)


def test_values_outside_the_range_fall_in_the_nearest_bin():
    image = torch.tensor([-3.0, 0.0, 0.999999, 1.0, 7.0]).reshape(1, 1, 1, 5)
    assert density.quantize(image).flatten().tolist() == [0, 0, 255, 255, 255]


def test_the_brightest_pixel_with_the_most_noise_stays_below_one():
    most = torch.nextafter(torch.tensor(1.0), torch.tensor(0.0)).reshape(1, 1, 1, 1)
    spread = density.dequantize(torch.full((1, 1, 1, 1), 255, dtype=torch.uint8), most)
    assert spread.item() < 1
    assert density.quantize(spread).item() == 255

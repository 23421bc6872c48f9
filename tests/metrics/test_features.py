"""Named features and the distances measured in them."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from augflow.core.errors import ModelError, ParamsError
from augflow.metrics import vgg
from augflow.metrics.features import ROWS, Features, features
from augflow.metrics.perceptual import balanced_weights, difference_maps, distance, lpips_like, unit

LOCAL = ("pixels", "scattering", "random_vgg")


@pytest.fixture(scope="module", params=LOCAL)
def look(request):
    return features(request.param)


def photos(count, size=(24, 32), seed=0):
    """Smooth colours under a stripe pattern, each of its own."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: size[0], : size[1]]
    images = []
    for _ in range(count):
        base, slope = rng.uniform(0.2, 0.7, (3, 1, 1)), rng.uniform(-0.2, 0.2, (3, 1, 1))
        stripes = 0.1 * np.sin(rng.uniform(0.3, 2) * x + rng.uniform(0.3, 2) * y)
        images.append(np.clip(base + slope * y / size[0] + stripes, 0, 1))
    return torch.from_numpy(np.stack(images)).float()


@pytest.mark.parametrize("size", [(16, 24), (17, 19)])
def test_every_layer_is_named_and_holds_the_batch(look, size):
    found = look(photos(2, size))
    assert len(found) == len(look.layers) == len(set(look.layers))
    assert all(layer.ndim == 4 and len(layer) == 2 for layer in found)
    assert all(torch.isfinite(layer).all() for layer in found)
    assert not look.state_dict()


def test_what_cannot_be_looked_at_or_with_is_refused(look, tmp_path):
    with pytest.raises(ValueError, match="from 16"):
        look(torch.zeros(1, 3, 15, 32))
    with pytest.raises(ValueError, match="must differ"):
        balanced_weights(look, photos(2), photos(2))
    with pytest.raises(ValueError, match=f"expected {len(look.layers)} weights"):
        distance(look, photos(1), photos(1), (1,))
    with pytest.raises(ParamsError, match="only vgg19"):
        features(look.name, tmp_path / "x.pth")
    with pytest.raises(ParamsError, match=r"pixels, random_vgg, scattering, vgg19.*'scattering'"):
        features("scatering")
    assert set(ROWS) == {*LOCAL, "vgg19"}


def test_equal_names_make_equal_features():
    image = photos(1)
    for name in LOCAL:
        torch.manual_seed(len(name))
        one, other = features(name)(image), features(name)(image)
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_gradient_is_that_of_finite_differences_and_finite_on_flat_ground(look):
    sharp = look.double()
    a, b = photos(1, (16, 17)).double().requires_grad_(), photos(1, (16, 17), seed=1).double()
    (gradient,) = torch.autograd.grad(distance(sharp, a, b).sum(), a)
    step = torch.randn(a.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ahead, behind = (distance(sharp, a + sign * 1e-6 * step, b) for sign in (1, -1))
    assert (gradient * step).sum() == pytest.approx(float(ahead - behind) / 2e-6, rel=1e-3)
    look.float()
    flat = torch.full((1, 3, 16, 24), 0.5, requires_grad=True)
    (gradient,) = torch.autograd.grad(distance(look, flat, photos(1, (16, 24))).sum(), flat)
    assert torch.isfinite(gradient).all()


def test_rows_do_not_influence_each_other(look):
    batch = photos(3)
    alone = [look(batch[row : row + 1]) for row in range(3)]
    for number, layer in enumerate(look(batch)):
        assert torch.allclose(layer, torch.cat([one[number] for one in alone]), atol=1e-5)


def test_pixels_are_means_over_squares():
    image = torch.arange(256.0).reshape(1, 1, 16, 16).expand(1, 3, 16, 16)
    one, two, four = features("pixels")(image)
    assert torch.equal(one, image)
    assert two[0, 0, 0, 0] == (0 + 1 + 16 + 17) / 4
    assert four[0, 2, 3, 3] == sum(16 * y + x for y in range(12, 16) for x in range(12, 16)) / 16


def test_scattering_of_a_flat_image_is_its_colour_alone():
    look = features("scattering")
    colour = torch.tensor([0.2, 0.5, 0.7])
    for name, layer in zip(look.layers, look(colour.reshape(1, 3, 1, 1).expand(1, 3, 24, 40)),
                           strict=True):  # fmt: skip
        if name.startswith("low"):
            expected = torch.cat([colour, 1 - colour]).reshape(1, 6, 1, 1).expand_as(layer)
            assert torch.allclose(layer, expected, atol=1e-5), name
        else:
            assert layer.abs().max() < 1e-5, name


def test_scattering_follows_its_formula_at_one_place():
    """The modulus at an inner pixel, by a double loop over the filter."""
    look, image = features("scattering"), photos(1, (16, 16))
    bank = look.network.bank.double().numpy()
    light = image[0].double().numpy().sum(0) / math.sqrt(3)

    def modulus(row, column, k):
        parts = [
            sum(bank[part, 0, i, j] * light[min(row + i - 3, 15), min(column + j - 3, 15)]
                for i in range(7) for j in range(7))
            for part in (k, k + 4)
        ]  # fmt: skip
        return math.sqrt(parts[0] ** 2 + parts[1] ** 2 + 1e-6) - 1e-3

    side = (1 / 8, 3 / 8, 3 / 8, 1 / 8)
    for k in range(4):
        expected = sum(
            side[i] * side[j] * modulus(7 + i, 5 + j, k) for i in range(4) for j in range(4)
        )
        found = look(image)[look.layers.index("first_1")][0, k, 4, 3]
        assert float(found) == pytest.approx(expected, abs=1e-6)


def test_random_filters_are_orthogonal_and_sum_to_zero_after_the_first():
    convolutions = [one for one in vgg.random_vgg().network if isinstance(one, torch.nn.Conv2d)]
    for number, convolution in enumerate(convolutions):
        rows = convolution.weight.flatten(1).double()
        norms = rows.norm(dim=1)
        assert torch.allclose(norms, norms[:1].expand_as(norms))
        crossed = rows @ rows.T / norms[0] ** 2
        assert torch.allclose(crossed, torch.eye(len(rows), dtype=torch.float64), atol=1e-5)
        if number:
            assert rows.sum(1).abs().max() < 1e-5


def small_vgg19(monkeypatch):
    """VGG-19 a sixteenth as wide, with weights as torchvision names them."""
    monkeypatch.setattr(vgg, "_WIDTHS", (4, 8, 16, 32, 32))
    draw = torch.Generator().manual_seed(0)
    shapes = vgg._network(vgg._WIDTHS, vgg._DEPTHS).state_dict()
    return {
        f"features.{name}": 0.1 * torch.randn(one.shape, generator=draw)
        for name, one in shapes.items()
    }


@pytest.mark.parametrize("kind", ["pth", "safetensors", "bare.pth"])
def test_vgg19_is_torchvisions_network(monkeypatch, tmp_path, kind):
    from safetensors.torch import save_file
    from torchvision.models.vgg import cfgs, make_layers

    state, path = small_vgg19(monkeypatch), tmp_path / f"vgg19.{kind}"
    bare = {key.removeprefix("features."): value for key, value in state.items()}
    if kind == "safetensors":
        save_file(state, path)
    else:
        torch.save(bare if kind.startswith("bare") else state, path)
    plan = [step if step == "M" else step // 16 for step in cfgs["E"]]
    theirs = make_layers(plan)[:32].eval()
    theirs.load_state_dict(bare)
    image = photos(2, (32, 48))
    x = (image - torch.tensor([0.485, 0.456, 0.406]).reshape(3, 1, 1)) / torch.tensor(
        [0.229, 0.224, 0.225]
    ).reshape(3, 1, 1)
    expected = []
    for number, step in enumerate(theirs):
        x = step(x)
        if number in (3, 8, 13, 22, 31):
            expected.append(x)
    for ours, other in zip(features("vgg19", path)(image), expected, strict=True):
        assert torch.allclose(ours, other, atol=1e-5)


def test_weights_of_another_network_or_of_no_numbers_are_refused(monkeypatch, tmp_path):
    state = small_vgg19(monkeypatch)
    state["features.5.weight"] = state["features.5.weight"][:2]
    torch.save(state, tmp_path / "vgg.pth")
    with pytest.raises(ModelError, match=r"features\.5\.weight: expected \(8, 4, 3, 3\), got \(2"):
        features("vgg19", tmp_path / "vgg.pth")
    state = small_vgg19(monkeypatch)
    state["features.0.weight"][0] = float("nan")
    torch.save(state, tmp_path / "vgg.pth")
    with pytest.raises(ModelError, match=r"features\.0\.weight: not finite"):
        features("vgg19", tmp_path / "vgg.pth")


@pytest.mark.parametrize(("path", "said"), [
    ("none.pth", r"none\.pth: no such file"),
    (None, r"nothing is downloaded unasked.*`hub`.*pixels, scattering and random_vgg"),
    ("hub", r"cannot be downloaded.*give a file.*pixels, scattering and random_vgg"),
])  # fmt: skip
def test_weights_that_are_not_there_are_asked_for_in_one_line(path, said, monkeypatch):
    from torchvision.models import VGG19_Weights

    def offline(self, *words, **options):
        raise OSError("name or service\nnot known")

    monkeypatch.setattr(VGG19_Weights, "get_state_dict", offline)
    with pytest.raises(ModelError, match=said) as fault:
        features("vgg19", path and Path(path))
    assert "\n" not in str(fault.value)


def test_the_hub_is_asked_where_it_is_named(monkeypatch):
    from torchvision.models import VGG19_Weights

    asked, state = [], small_vgg19(monkeypatch)

    def hub(self, **options):
        asked.append(options)
        return state

    monkeypatch.setattr(VGG19_Weights, "get_state_dict", hub)
    look = features("vgg19", Path("hub"))
    assert torch.equal(look.network.network[0].weight, state["features.0.weight"])
    assert [options["weights_only"] and options["check_hash"] for options in asked] == [True]


def test_distance_is_the_weighted_mean_of_differences():
    a, b = torch.zeros(1, 3, 16, 16), torch.zeros(1, 3, 16, 16)
    b[..., :8] = 0.5
    # half of all pixels differ by 0.5, at each of the three scales
    look = features("pixels")
    assert distance(look, a, b).item() == pytest.approx(3 * 0.25)
    assert distance(look, a, b, (1, 2, 3)).item() == pytest.approx(6 * 0.25)
    mask = torch.full((1, 1, 16, 16), 0.1)
    mask[..., 8:] = 1
    assert distance(look, a, b, mask=mask).item() == pytest.approx(3 * 0.025)
    assert distance(look, a, b, mask=torch.ones(1, 1, 16, 16)).item() == pytest.approx(0.75)


def test_distance_is_that_of_loops(look):
    a, b = photos(2), photos(2, seed=1)
    mask = torch.rand(2, 1, 24, 32, generator=torch.Generator().manual_seed(0))
    weights = [0.5 + n for n in range(len(look.layers))]
    expected = np.zeros(2)
    for weight, one, other in zip(weights, look(a), look(b), strict=True):
        small = torch.nn.functional.adaptive_avg_pool2d(mask, one.shape[2:]).numpy()
        expected += weight * (small * np.abs(one.numpy() - other.numpy())).mean((1, 2, 3))
    assert distance(look, a, b, weights, mask).numpy() == pytest.approx(expected, rel=1e-4)
    alone = [distance(look, a[:1], b[row : row + 1]).item() for row in range(2)]
    assert distance(look, a[:1], b).tolist() == pytest.approx(alone, rel=1e-4)


def test_balanced_layers_contribute_the_same(look):
    a, b = photos(4), photos(4, seed=1)
    weights = balanced_weights(look, a, b)
    shares = [w * float(m.mean()) for w, m in zip(weights, difference_maps(look, a, b),
                                                  strict=True)]  # fmt: skip
    assert shares == pytest.approx([1 / len(shares)] * len(shares))
    assert distance(look, a, b, weights).mean().item() == pytest.approx(1, rel=1e-4)


class Two(torch.nn.Module):
    """One layer of two channels: a photograph's red and green."""

    layers = ("two",)

    def forward(self, image):
        return [image[:, :2]]


def test_lpips_compares_directions():
    look = Features("two", Two())
    red, green, half = (torch.zeros(1, 3, 16, 16) for _ in range(3))
    red[:, 0], green[:, 1], half[:, 0] = 1, 1, 0.5
    # unit vectors at right angles are 2 apart, squared; a half as long one is the same direction
    assert lpips_like(look, red, green).item() == pytest.approx(2, rel=1e-3)
    assert lpips_like(look, red, half).item() == pytest.approx(0, abs=1e-6)
    assert lpips_like(look, red, red).item() == 0
    # but faint ones stay short
    assert unit(torch.full((1, 1, 1, 1), 1e-4)).item() == pytest.approx(0.01, rel=1e-3)

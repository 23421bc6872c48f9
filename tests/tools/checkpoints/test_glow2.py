"""Checkpoints of the authors' Full-Glow code, against its plain implementation from the paper."""

import math

import numpy as np
import pytest
import torch
from PIL import Image

from augflow.core.errors import ModelError
from augflow.core.seeding import Noise
from augflow.data.classes import table
from augflow.data.scenes import Layout
from augflow.tools.checkpoints import read_glow2
from benchmarks.plain import PlainFullGlow

SIZE, STEPS, WIDTH = (20, 24), (2, 2), 8
CLASSES = table("cityscapes")


def published(maps=0):
    """A network under the published names, its weights moved from their start.

    With boundary maps, what a step of the target is told has so many planes more.
    """
    with torch.random.fork_rng():
        torch.manual_seed(maps)
        plain = PlainFullGlow(SIZE, STEPS, width=WIDTH, condition_width=6)
        for block in plain.right_glow.blocks:
            for step in block.flows:
                for part in (step.act_norm, step.inv_conv, step.coupling):
                    net = part.cond_net.conv_net
                    net = getattr(net, "conv_net", net)
                    shape = (net[0].in_channels + maps, net[0].out_channels, net[0].kernel_size)
                    net[0] = torch.nn.Conv2d(*shape, padding=net[0].padding)
        edges = [torch.rand(1, maps, SIZE[0] >> n, SIZE[1] >> n) for n in (1, 2)]
        traces = beside(plain.left_glow(torch.rand(1, 3, *SIZE))[2], edges)
        plain.right_glow(torch.rand(1, 3, *SIZE), traces)  # sets the actnorms
        with torch.no_grad():
            for parameter in plain.parameters():
                parameter += 0.03 * torch.randn_like(parameter)
    return plain


def beside(traces, maps):
    """What the source's steps put out, with the boundary maps of their level beside it."""
    return [
        [tuple(torch.cat([part, edges], 1) for part in parts) for parts in level]
        for level, edges in zip(traces, maps, strict=True)
    ]


def state_dict(maps=0):
    return published(maps).state_dict()


def checkpoint(tmp_path, state):
    path = tmp_path / "optim_step=1.pt"
    optimizer = {"state": {}, "param_groups": [{"lr": 1e-4}]}
    content = {"loss": torch.tensor(5.0), "lr": 1e-4, "model_state_dict": state,
               "optimizer_state_dict": optimizer}  # fmt: skip
    torch.save(content, path)
    return path


def scene(seed=0):
    """A class map, its boundary, and 8-bit pixels with their place inside the bins."""
    rng = np.random.default_rng(seed)
    classes = np.kron(rng.integers(0, 19, (5, 6)), np.ones((4, 4))).astype(np.uint8)[None]
    edges = np.zeros((1, *SIZE), np.float32)
    edges[:] = rng.random(edges.shape) < 0.3
    layout = Layout(torch.from_numpy(classes), torch.from_numpy(edges))
    return layout, torch.from_numpy(rng.integers(0, 256, (1, 3, *SIZE)) + rng.random((1, 3, *SIZE)))


def coloured(layout):
    """Palette colours as k / 255."""
    colours = CLASSES.palette[layout.classes.numpy()].transpose(0, 3, 1, 2)
    return torch.from_numpy(colours).double() / 255


def smaller(layout, count):
    """The `count` equal boundary planes of both levels, resized by Pillow in bytes."""
    whole = Image.fromarray((layout.boundary[0].numpy() * 255 + 0.5).astype(np.uint8))
    maps = []
    for level in (1, 2):
        image = whole.resize((SIZE[1] >> level, SIZE[0] >> level))
        plane = torch.from_numpy(np.array(image)).double() / 255
        maps.append(plane.expand(1, count, -1, -1))
    return maps


@pytest.fixture(params=[0, 3], ids=["no maps", "boundary maps"])
def both(request, tmp_path):
    torch.set_num_threads(1)
    plain = published(request.param)
    ours = read_glow2(checkpoint(tmp_path, plain.state_dict()), CLASSES, SIZE).double()
    layout, pixels = scene()
    _, log_p, traces = plain.double().left_glow(coloured(layout))
    return ours, plain, layout, pixels, log_p, beside(traces, smaller(layout, request.param))


def test_the_configuration_is_that_of_the_file(both):
    ours = both[0]
    assert ours.config.steps == STEPS
    assert ours.config.widths == (WIDTH, WIDTH)
    assert ours.config.source_width == WIDTH
    assert ours.config.condition_width == 6
    assert ours.config.boundary in ("none", "v1")


def test_the_source_reads_a_layout_as_theirs_did(both):
    ours, plain, layout, _, log_p, _ = both
    _, found = ours.plan(layout).params()
    for one, other in zip(found.latents, plain.left_glow(coloured(layout))[0], strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)
    assert float(found.log_prob) == pytest.approx(float(log_p), rel=1e-5)


def test_latents_are_theirs(both):
    ours, plain, layout, pixels, _, traces = both
    expected, _, _ = plain.right_glow(pixels / 255, traces)
    found = ours.encode(pixels / 256, ours.condition(layout))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_log_probabilities_are_theirs_in_bins_of_a_255th(both):
    ours, plain, layout, pixels, _, traces = both
    _, log_p, _ = plain.right_glow(pixels / 255, traces)
    found = ours.log_prob(pixels / 256, ours.condition(layout))
    expected = float(log_p) - ours.dims * math.log(255)
    assert float(found) == pytest.approx(expected, rel=1e-6)


def test_samples_are_theirs(both):
    ours, plain, layout, _, _, traces = both
    draws = [0.7 * part for part in ours.draw(Noise([4]))]
    expected = plain.right_glow.inverse(traces, noise=[part.double() for part in draws])
    found = ours.decode_latents(draws, ours.condition(layout))
    torch.testing.assert_close(found * 256 / 255, expected, atol=1e-5, rtol=1e-5)
    assert expected.isfinite().all()


def test_the_bare_state_dict_is_read_too(tmp_path):
    path = tmp_path / "state.pt"
    torch.save(state_dict(), path)
    assert read_glow2(path, CLASSES, SIZE).config.steps == STEPS


def test_names_and_shapes_that_do_not_fit_are_listed(tmp_path):
    state = state_dict()
    del state["right_glow.blocks.1.flows.0.coupling.net.2.bias"]
    state["left_glow.blocks.0.flows.0.extra"] = torch.zeros(1)
    state["left_glow.blocks.1.flows.1.inv_conv.w_l"] = torch.zeros(24, 23)
    state["left_glow.blocks.1.gaussian.scale"][0, 0] = float("nan")
    with pytest.raises(ModelError) as fault:
        read_glow2(checkpoint(tmp_path, state), CLASSES, SIZE)
    message = str(fault.value)
    assert "missing: right_glow.blocks.1.flows.0.coupling.net.2.bias" in message
    assert "not known: left_glow.blocks.0.flows.0.extra" in message
    assert "left_glow.blocks.1.flows.1.inv_conv.w_l is 24x23 (expected 24x24)" in message
    assert "not finite: left_glow.blocks.1.gaussian.scale" in message


def test_another_size_is_refused_with_what_is_known_of_the_right_one(tmp_path):
    path = checkpoint(tmp_path, state_dict())
    with pytest.raises(ModelError, match=r"\(height / 2 - 4\) \* \(width / 2 - 4\) is 48"):
        read_glow2(path, CLASSES, (24, 24))
    with pytest.raises(ModelError, match="too small"):
        read_glow2(path, CLASSES, (8, 8))


def test_matrices_without_lu_are_refused_by_the_option_that_they_lack(tmp_path):
    state = {name: value for name, value in state_dict().items() if not name.endswith(".w_p")}
    with pytest.raises(ModelError, match="--do_lu"):
        read_glow2(checkpoint(tmp_path, state), CLASSES, SIZE)


def test_another_network_is_refused(tmp_path):
    with pytest.raises(ModelError, match="none of the Full-Glow code"):
        read_glow2(checkpoint(tmp_path, {"layer.weight": torch.zeros(3)}), CLASSES, SIZE)

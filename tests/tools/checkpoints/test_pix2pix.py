"""Generators of the public pix2pix code, against an evaluation layer by layer."""

from collections import OrderedDict

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from augflow.core.errors import AugflowError, ModelError
from augflow.core.seeding import Noise
from augflow.data.classes import table
from augflow.data.scenes import Layout
from augflow.tools.checkpoints import read_pix2pix

CLASSES = table("idd_lite")
SIZE, DOWNS, WIDTH = (64, 128), 6, 2


def numbers(level):
    """Where a level's two convolutions stand in its row of layers."""
    if level == 0:
        return 0, 3
    return 1, 3 if level == DOWNS - 1 else 5


def state_dict(norm, inputs=3, seed=0):
    """Random weights under the published names: each level inside the one before, 3 in its row."""
    rng = np.random.default_rng(seed)
    state = OrderedDict()

    def draw(name, *shape, mean=0.0):
        state[name] = torch.from_numpy(rng.normal(mean, 0.2, shape).astype(np.float32))

    def normed(name, c):
        if norm == "batch":
            draw(f"{name}.weight", c, mean=1)
            draw(f"{name}.bias", c)
            draw(f"{name}.running_mean", c)
            state[f"{name}.running_var"] = torch.rand(c) + 0.5
            state[f"{name}.num_batches_tracked"] = torch.tensor(7)

    place, before, outputs = "model.model", inputs, 3
    for level in range(DOWNS):
        c = WIDTH * min(2**level, 8)
        innermost = level == DOWNS - 1
        down, up = numbers(level)
        draw(f"{place}.{down}.weight", c, before, 4, 4)
        draw(f"{place}.{up}.weight", c if innermost else 2 * c, outputs, 4, 4)
        counts = {down: c, up: outputs} if norm == "instance" else {3: 3} if level == 0 else {}
        for number, count in counts.items():
            draw(f"{place}.{number}.bias", count)
        if level:
            normed(f"{place}.{up + 1}", outputs)
        if level and not innermost:
            normed(f"{place}.2", c)
        place += ".3.model" if level else ".1.model"
        before = outputs = c
    return state


def plain(state, x, coins, norm, level=0, place="model.model"):
    """What the level at `place` makes of its input, in the published order of layers."""
    innermost = level == DOWNS - 1
    down, up = numbers(level)

    def normed(name, values):
        if norm == "instance":
            return F.instance_norm(values)
        mean, var = (
            values.mean((2, 3), keepdim=True),
            values.var((2, 3), keepdim=True, correction=0),
        )
        gain, offset = (state[f"{name}.{n}"][:, None, None] for n in ("weight", "bias"))
        return (values - mean) / (var + 1e-5).sqrt() * gain + offset

    inner = F.leaky_relu(x, 0.2) if level else x
    inner = F.conv2d(
        inner, state[f"{place}.{down}.weight"], state.get(f"{place}.{down}.bias"), 2, 1
    )
    if level and not innermost:
        inner = normed(f"{place}.2", inner)
    below = f"{place}.3.model" if level else f"{place}.1.model"
    if not innermost:
        inner = torch.cat([inner, plain(state, inner, coins, norm, level + 1, below)], 1)
    weight, bias = state[f"{place}.{up}.weight"], state.get(f"{place}.{up}.bias")
    out = F.conv_transpose2d(inner.relu(), weight, bias, 2, 1)
    if level == 0:
        return out.tanh()
    out = normed(f"{place}.{up + 1}", out)
    return out * (coins >= 0.5) * 2 if level == DOWNS - 2 else out


def saved(tmp_path, state):
    path = tmp_path / "latest_net_G.pth"
    torch.save(state, path)
    return path


def layout_of(size, seed=0):
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 7, (1, *size)).astype(np.uint8)
    return Layout(torch.from_numpy(classes), torch.zeros(1, *size))


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_photographs_are_theirs(norm, tmp_path):
    torch.set_num_threads(1)
    state = state_dict(norm)
    ours = read_pix2pix(saved(tmp_path, state), CLASSES, SIZE)
    layout = layout_of(SIZE)
    coins = ours.draw(Noise([3]))
    assert len(coins) == 1
    colours = CLASSES.palette[layout.classes.numpy()].transpose(0, 3, 1, 2)
    expected = plain(state, torch.from_numpy(colours) / 127.5 - 1, coins[0], norm)
    found = ours.decode_latents(coins, ours.condition(layout))
    torch.testing.assert_close(2 * found - 1, expected, atol=2e-5, rtol=1e-4)
    assert expected.std() > 0.05


def test_the_configuration_is_that_of_the_file(tmp_path):
    ours = read_pix2pix(saved(tmp_path, state_dict("batch", inputs=7)), CLASSES, SIZE)
    config = ours.config
    assert (config.downs, config.width, config.norm) == (DOWNS, WIDTH, "batch")
    assert (config.source, config.test_statistics, config.dropout) == ("one_hot", "image", (1,))
    assert not torch.equal(ours.unet.up_norms[1].running_mean, torch.zeros(WIDTH))


def test_running_statistics_of_old_instance_norms_are_not_needed(tmp_path):
    state = state_dict("instance")
    state["model.model.1.model.2.running_mean"] = torch.zeros(4)
    assert read_pix2pix(saved(tmp_path, state), CLASSES, SIZE).config.norm == "instance"


def test_names_and_shapes_that_do_not_fit_are_listed(tmp_path):
    state = state_dict("batch")
    del state["model.model.1.model.2.running_var"]
    state["model.model.9.weight"] = torch.zeros(2)
    state["model.model.3.bias"] = torch.zeros(1)
    with pytest.raises(ModelError) as fault:
        read_pix2pix(saved(tmp_path, state), CLASSES, SIZE)
    message = str(fault.value)
    assert "missing: model.model.1.model.2.running_var" in message
    assert "not known: model.model.9.weight" in message
    assert "model.model.3.bias is 1 (expected 3)" in message


def test_another_network_another_input_and_another_size_are_refused(tmp_path):
    with pytest.raises(ModelError, match="no U-Net"):
        read_pix2pix(saved(tmp_path, {"model.1.weight": torch.zeros(64, 3, 7, 7)}), CLASSES, SIZE)
    path = saved(tmp_path, state_dict("batch", inputs=5))
    with pytest.raises(ModelError, match=r"reads 5 channels; expected 3 .* or 7"):
        read_pix2pix(path, CLASSES, SIZE)
    with pytest.raises(AugflowError, match="64x64 and 64x128"):
        read_pix2pix(saved(tmp_path, state_dict("batch")), CLASSES, (64, 100))

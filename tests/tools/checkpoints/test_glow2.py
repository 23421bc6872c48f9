"""Checkpoints of the authors' Full-Glow code, against an evaluation step by step from the paper."""

import math
from collections import OrderedDict

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from augflow.core.errors import ModelError
from augflow.core.seeding import Noise
from augflow.data.classes import table
from augflow.data.scenes import Layout
from augflow.flows.transforms import squeeze
from augflow.tools.checkpoints import read_glow2

SIZE, STEPS, WIDTH = (20, 24), (2, 2), 8
CLASSES = table("cityscapes")


class Published:
    """Random weights under the published names, in the published shapes, few channels inside."""

    def __init__(self, maps, seed):
        self.maps, self.rng = maps, np.random.default_rng(seed)
        self.state = OrderedDict()

    def draw(self, name, *shape, mean=0.0, std=0.1):
        values = self.rng.normal(mean, std, shape)
        self.state[name] = torch.from_numpy(values.astype(np.float32))

    def layer(self, name, *shape, std=0.1):
        self.draw(f"{name}.weight", *shape, std=std)
        self.draw(f"{name}.bias", shape[0], std=std)

    def flag(self, name):
        self.state[f"{name}.initialized"] = torch.tensor(1, dtype=torch.uint8)

    def lu(self, name, c):
        signs = self.rng.choice([-1.0, 1.0], c).astype(np.float32)
        self.state[f"{name}.w_p"] = torch.eye(c)[torch.from_numpy(self.rng.permutation(c))]
        self.state[f"{name}.s_sign"] = torch.from_numpy(signs)
        self.state[f"{name}.u_mask"] = torch.ones(c, c).triu(1)
        self.state[f"{name}.l_mask"] = torch.ones(c, c).tril(-1)
        self.state[f"{name}.l_eye"] = torch.eye(c)

    def head(self, name, inputs, cells, outputs):
        for number, (a, b, k) in enumerate([(inputs, 8, 1), (8, 4, 3), (4, 2, 3)]):
            self.layer(f"{name}.conv_net.conv_net.{2 * number}", b, a, k, k, std=0.3)
        for number, (a, b) in enumerate([(2 * cells, 32), (32, 64), (64, 48)]):
            self.layer(f"{name}.linear_net.linear_net.{2 * number}", b, a, std=0.2)
        self.layer(f"{name}.linear_net.linear_net.6.linear", outputs, 48, std=0.02)

    def coupling(self, flow, c, inputs):
        self.layer(f"{flow}.coupling.net.0", WIDTH, inputs, 3, 3)
        self.layer(f"{flow}.coupling.net.2", WIDTH, WIDTH, 1, 1)
        self.layer(f"{flow}.coupling.net.4.conv", c, WIDTH, 3, 3, std=0.03)
        self.draw(f"{flow}.coupling.net.4.scale", 1, c, 1, 1)

    def constant(self, flow, c):
        """A step of the source."""
        self.draw(f"{flow}.act_norm.loc", 1, c, 1, 1)
        self.draw(f"{flow}.act_norm.scale", 1, c, 1, 1, mean=1)
        self.flag(f"{flow}.act_norm")
        self.draw(f"{flow}.inv_conv.w_l", c, c)
        self.draw(f"{flow}.inv_conv.w_u", c, c)
        self.draw(f"{flow}.inv_conv.w_s", c)
        self.coupling(flow, c, c // 2)

    def conditional(self, flow, c, cells):
        """A step of the target."""
        last = f"{flow}.act_norm.cond_net.linear_net.linear_net.6"
        self.head(f"{flow}.act_norm.cond_net", c + self.maps, cells, 2 * c)
        self.state[f"{last}.linear.bias"][:c] += 1
        self.flag(last)
        self.head(f"{flow}.inv_conv.cond_net", c + self.maps, cells, 2 * c * c + c)
        self.layer(f"{flow}.coupling.cond_net.conv_net.0", 6, c + self.maps, 3, 3)
        self.layer(f"{flow}.coupling.cond_net.conv_net.2", c, 6, 3, 3)
        self.coupling(flow, c, c // 2 + c)

    def block(self, side, level, c, cells):
        place = f"{side}.blocks.{level}"
        half = c // 2 if level == 0 else c
        self.layer(f"{place}.gaussian.conv", 2 * half, half, 3, 3, std=0.05)
        self.draw(f"{place}.gaussian.scale", 1, 2 * half, 1, 1)
        for step in range(STEPS[level]):
            flow = f"{place}.flows.{step}"
            self.lu(f"{flow}.inv_conv", c)
            if side == "left_glow":
                self.constant(flow, c)
            else:
                self.conditional(flow, c, cells)


def state_dict(maps=0, seed=0):
    made = Published(maps, seed)
    for level, c in enumerate((12, 24)):
        cells = ((SIZE[0] >> level + 1) - 4) * ((SIZE[1] >> level + 1) - 4)
        made.block("left_glow", level, c, cells)
        made.block("right_glow", level, c, cells)
    return made.state


def checkpoint(tmp_path, state):
    path = tmp_path / "optim_step=1.pt"
    optimizer = {"state": {}, "param_groups": [{"lr": 1e-4}]}
    content = {"loss": torch.tensor(5.0), "lr": 1e-4, "model_state_dict": state,
               "optimizer_state_dict": optimizer}  # fmt: skip
    torch.save(content, path)
    return path


class Plain:
    """Full-Glow, section 4 and appendix D, one image and one step after the other."""

    def __init__(self, state):
        self.state = {name: value.double() for name, value in state.items()}

    def conv(self, name, x, pad=0):
        return F.conv2d(x, self.state[f"{name}.weight"], self.state[f"{name}.bias"], padding=pad)

    def zero_conv(self, name, x):
        scale = self.state[f"{name}.scale"]
        return self.conv(f"{name}.conv", F.pad(x, (1, 1, 1, 1), value=1.0)) * (3 * scale).exp()

    def head(self, name, condition):
        for number in (0, 2, 4):
            condition = self.conv(f"{name}.conv_net.conv_net.{number}", condition).relu()
        x = condition.flatten()
        for number in (0, 2, 4):
            linear = f"{name}.linear_net.linear_net.{number}"
            x = (self.state[f"{linear}.weight"] @ x + self.state[f"{linear}.bias"]).relu()
        last = f"{name}.linear_net.linear_net.6.linear"
        return self.state[f"{last}.weight"] @ x + self.state[f"{last}.bias"]

    def parameters(self, flow, conditions):
        """Scale, shift, matrix and its log-determinant per pixel, features of the coupling."""
        of = self.state
        conv = f"{flow}.inv_conv"
        if conditions is None:
            scale, shift = (of[f"{flow}.act_norm.{n}"].flatten() for n in ("scale", "loc"))
            lower, upper, log_s = (of[f"{conv}.{n}"] for n in ("w_l", "w_u", "w_s"))
            features = None
        else:
            scale, shift = self.head(f"{flow}.act_norm.cond_net", conditions[0]).chunk(2)
            c = len(scale)
            out = self.head(f"{conv}.cond_net", conditions[1])
            lower, upper = out[: c * c].reshape(c, c), out[c * c : 2 * c * c].reshape(c, c)
            log_s = out[2 * c * c :]
            features = conditions[2]
            for number in (0, 2):
                net = f"{flow}.coupling.cond_net.conv_net.{number}"
                features = self.conv(net, features, 1).relu()
        left = lower.tril(-1) + torch.eye(len(scale)).double()
        right = upper.triu(1) + torch.diag(of[f"{conv}.s_sign"] * log_s.exp())
        return scale, shift, of[f"{conv}.w_p"] @ left @ right, log_s.sum(), features

    def coupling(self, flow, half, features):
        x = half if features is None else torch.cat([half, features], 1)
        x = self.conv(f"{flow}.coupling.net.0", x, 1).relu()
        x = self.conv(f"{flow}.coupling.net.2", x).relu()
        raw, shift = self.zero_conv(f"{flow}.coupling.net.4", x).chunk(2, 1)
        return torch.sigmoid(raw + 2), shift

    def forward(self, side, x, conditions=None):
        """Latents, log-determinant, log-density, and what the steps put out."""
        latents, outs, log_det, log_p = [], [], 0.0, 0.0
        for level, steps in enumerate(STEPS):
            n, c, h, w = x.shape
            x = x.reshape(n, c, h // 2, 2, w // 2, 2).permute(0, 1, 3, 5, 2, 4)
            x = x.reshape(n, 4 * c, h // 2, w // 2)
            area = h * w // 4
            for step in range(steps):
                flow = f"{side}.blocks.{level}.flows.{step}"
                given = None if conditions is None else conditions[level][step]
                scale, shift, matrix, log_w, features = self.parameters(flow, given)
                act = scale[:, None, None] * (x + shift[:, None, None])
                mixed = torch.einsum("ij,njhw->nihw", matrix, act)
                half, other = mixed.chunk(2, 1)
                s, t = self.coupling(flow, half, features)
                x = torch.cat([half, (other + t) * s], 1)
                outs.append((level, act, mixed, x))
                log_det += area * (scale.abs().log().sum() + log_w) + s.log().sum()
            kept, latent = x.chunk(2, 1) if level == 0 else (torch.zeros_like(x), x)
            mean, log_sd = self.zero_conv(f"{side}.blocks.{level}.gaussian", kept).chunk(2, 1)
            log_p += torch.distributions.Normal(mean, log_sd.exp()).log_prob(latent).sum()
            latents.append(latent)
            x = kept
        return latents, log_det, log_p, outs

    def conditions(self, x, maps=None):
        """The source's outputs for every step, with the boundary map of the level beside them."""
        rows = [[], []]
        for level, *parts in self.forward("left_glow", x)[3]:
            if maps is not None:
                parts = [torch.cat([part, maps[level]], 1) for part in parts]
            rows[level].append(parts)
        return rows

    def reverse(self, noise, conditions):
        x = torch.zeros_like(noise[1])
        for level in (1, 0):
            gaussian = f"right_glow.blocks.{level}.gaussian"
            mean, log_sd = self.zero_conv(gaussian, x).chunk(2, 1)
            z = mean + log_sd.exp() * noise[level]
            x = z if level == 1 else torch.cat([x, z], 1)
            for step in reversed(range(STEPS[level])):
                flow = f"right_glow.blocks.{level}.flows.{step}"
                scale, shift, matrix, _, features = self.parameters(flow, conditions[level][step])
                half, other = x.chunk(2, 1)
                s, t = self.coupling(flow, half, features)
                mixed = torch.cat([half, other / s - t], 1)
                act = torch.einsum("ij,njhw->nihw", matrix.inverse(), mixed)
                x = act / scale[:, None, None] - shift[:, None, None]
            n, c, h, w = x.shape
            x = x.reshape(n, c // 4, 2, 2, h, w).permute(0, 1, 4, 2, 5, 3)
            x = x.reshape(n, c // 4, 2 * h, 2 * w)
        return x


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


def smaller(layout):
    """The three equal boundary planes of both levels, resized by Pillow in bytes."""
    whole = Image.fromarray((layout.boundary[0].numpy() * 255 + 0.5).astype(np.uint8))
    maps = []
    for level in (1, 2):
        image = whole.resize((SIZE[1] >> level, SIZE[0] >> level))
        plane = torch.from_numpy(np.array(image)).double() / 255
        maps.append(plane.expand(1, 3, -1, -1))
    return maps


@pytest.fixture(params=[0, 3], ids=["no maps", "boundary maps"])
def both(request, tmp_path):
    torch.set_num_threads(1)
    state = state_dict(request.param)
    ours = read_glow2(checkpoint(tmp_path, state), CLASSES, SIZE).double()
    layout, pixels = scene()
    plain = Plain(state)
    conditions = plain.conditions(coloured(layout), smaller(layout) if request.param else None)
    return ours, plain, layout, pixels, conditions


def test_the_configuration_is_that_of_the_file(both):
    ours = both[0]
    assert ours.config.steps == STEPS
    assert ours.config.widths == (WIDTH, WIDTH)
    assert ours.config.source_width == WIDTH
    assert ours.config.condition_width == 6
    assert ours.config.boundary in ("none", "v1")


def test_the_source_reads_a_layout_as_theirs_did(both):
    ours, plain, layout, _, _ = both
    latents, log_det, log_p, _ = plain.forward("left_glow", coloured(layout))
    _, found = ours.plan(layout).params()
    for one, other in zip(found.latents, latents, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)
    assert float(found.log_prob) == pytest.approx(float(log_det + log_p), rel=1e-5)


def test_latents_are_theirs(both):
    ours, plain, layout, pixels, conditions = both
    expected = plain.forward("right_glow", pixels / 255, conditions)[0]
    found = ours.encode(pixels / 256, ours.condition(layout))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_log_determinants_are_theirs(both):
    ours, plain, layout, pixels, conditions = both
    expected = plain.forward("right_glow", pixels / 255, conditions)[1]
    levels, x, found = ours.condition(layout).levels, pixels / 255, 0.0
    for level, params in zip(ours.target.levels, levels, strict=True):
        z, log_det, _ = level(squeeze(x), params)
        found, x = found + float(log_det), z.chunk(2, 1)[0]
    assert found == pytest.approx(float(expected), rel=1e-5)


def test_log_probabilities_are_theirs_in_bins_of_a_255th(both):
    ours, plain, layout, pixels, conditions = both
    _, log_det, log_p, _ = plain.forward("right_glow", pixels / 255, conditions)
    found = ours.log_prob(pixels / 256, ours.condition(layout))
    expected = float(log_det + log_p) - ours.dims * math.log(255)
    assert float(found) == pytest.approx(expected, rel=1e-6)


def test_samples_are_theirs(both):
    ours, plain, layout, _, conditions = both
    draws = [0.7 * part for part in ours.draw(Noise([4]))]
    expected = plain.reverse([part.double() for part in draws], conditions)
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

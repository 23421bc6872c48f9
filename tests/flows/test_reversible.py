"""Training that keeps little: the gradients of training that keeps all, whatever the depth."""

from dataclasses import replace

import pytest
import torch

from augflow.core.errors import ParamsError
from augflow.flows import reversible
from augflow.generators.full_glow import FullGlow
from augflow.generators.presets import FullGlowConfig
from augflow.training.learner import GeneratorLearner
from augflow.training.meta_modes import PeakBytes
from augflow.training.params import TrainingParams
from tests.generators.conftest import FLOWS, OURS, VARIANTS, built, fitted, scenes

MODES = ("checkpoint", "reversible")


def moved(generator, size=0.05, seed=1):
    """The generator away from its initial weights, where all of them have gradients."""
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in generator.parameters():
            p.add_(size * torch.randn(p.shape, generator=rng).to(p))
    return generator


def gradients(generator, memory, rows=2):
    """The loss of a few scenes under a mode, and all gradients by name."""
    scene = fitted(scenes(rows), generator.size)
    kind = next(generator.parameters()).dtype
    rng = torch.Generator().manual_seed(0)
    image = (scene.image.to(kind) + torch.rand(scene.image.shape, generator=rng).to(kind)) / 256
    planes = torch.rand(rows, generator.planes_count, *generator.size, generator=rng).to(kind)
    generator.memory = memory
    generator.zero_grad()
    terms = generator.terms(image, scene.layout, planes)
    loss = terms.target.sum() + sum(terms.extra.values())
    if terms.source is not None:
        loss = loss + 0.05 * terms.source.sum()
    loss.backward()
    found = {n: p.grad.clone() for n, p in generator.named_parameters() if p.grad is not None}
    return loss.detach(), found


def assert_same(found, expected, tolerance):
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        error = (found[name] - gradient).norm() / gradient.norm().clamp(min=1e-9)
        assert error <= tolerance, f"{name}: {error}"


@pytest.mark.parametrize("memory", MODES)
@pytest.mark.parametrize("name", FLOWS)
def test_gradients_are_those_of_storing_everything(name, memory):
    generator = moved(built(VARIANTS[name]).double())
    loss, expected = gradients(generator, "store")
    again, found = gradients(generator, memory)
    torch.testing.assert_close(again, loss, rtol=1e-10, atol=0)
    assert_same(found, expected, 1e-7)


def deep(steps, **changes):
    config = FullGlowConfig(**{**OURS, "steps": steps, "floor": 0.3, **changes})
    return moved(FullGlow(config, built(VARIANTS["full_glow ours"]).table), 0.01)


def kept_bytes(generator, memory):
    """Bytes that the forward pass keeps beside the weights, each storage once."""
    own = {p.untyped_storage().data_ptr() for p in generator.parameters()}
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = (storage.nbytes(), tensor)
        return tensor

    generator.memory = memory
    scene = fitted(scenes(1), generator.size)
    image = (scene.image.float() + 0.5) / 256
    planes = torch.full((1, generator.planes_count, *generator.size), 0.5)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        generator.terms(image, scene.layout, planes)
    return sum(size for size, _ in kept.values())


def peak_bytes(generator, memory):
    """The most that a forward and backward pass holds beside weights and their gradients."""
    weights = list(generator.parameters())
    with PeakBytes(torch.device("cpu"), weights) as held:
        gradients(generator, memory, rows=4)
    return held.most - sum(p.numel() * p.element_size() for p in weights)


def test_activations_of_a_reversible_step_do_not_grow_with_depth():
    """Through the backward pass too, of networks whose weights are small beside their maps."""
    size = {"size": (32, 48), "width": (16, 16), "source_width": 16, "condition_width": 4}
    shallow, high = deep((8, 8), **size), deep((32, 32), **size)
    assert peak_bytes(high, "reversible") <= 1.1 * peak_bytes(shallow, "reversible")
    assert peak_bytes(high, "store") > 2.5 * peak_bytes(shallow, "store")


def test_a_mode_keeps_less_the_less_it_stores_and_inputs_where_scales_have_no_floor():
    bounded, free = deep((6, 6)), deep((6, 6), floor=0.0)
    kept = [
        kept_bytes(bounded, "reversible"),
        kept_bytes(free, "reversible"),
        kept_bytes(free, "checkpoint"),
        kept_bytes(bounded, "store") / 2,
    ]
    assert kept == sorted(kept)
    assert len(set(kept)) == 4


def test_a_flow_that_cannot_be_undone_falls_back_on_its_input(monkeypatch):
    """Scales that single precision takes for zero: what was rebuilt is wrong, and is noticed."""
    generator = deep((4, 4), floor=0.0, prior="glow")
    with torch.no_grad():
        for tower in (generator.source, generator.target):
            tower.levels[1].nets.last_bias[2, : 6 * 4] = -120.0  # raw scales of a step: exp(-118)
    _, expected = gradients(generator, "store")
    noticed = []
    asked = reversible.has_drifted

    def told(*args):
        noticed.append(asked(*args))
        return noticed[-1]

    monkeypatch.setattr(reversible, "has_drifted", told)
    _, found = gradients(generator, "reversible")
    assert any(noticed)
    assert not all(noticed)
    assert_same(found, expected, 2e-3)


@pytest.mark.parametrize("memory", MODES)
def test_networks_in_bfloat16_learn_from_the_same_gradients(memory):
    generator = deep((4, 4))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        _, expected = gradients(generator, "store")
        _, found = gradients(generator, memory)
    whole = torch.cat([g.flatten() for g in expected.values()])
    other = torch.cat([found[name].flatten() for name in expected])
    assert (whole - other).norm() / whole.norm() < 0.05


def test_memory_is_refused_where_no_flow_learns():
    params = TrainingParams(steps=1, memory="reversible")
    with pytest.raises(ParamsError, match=r"training\.memory is reversible, which only flows know"):
        GeneratorLearner(built(VARIANTS["crn"]), params)


def test_steps_that_go_back_together_are_few_where_maps_are_large():
    level = deep((9, 9)).target.levels[0]
    tower = reversible.TowerLevel(level, torch.nn.Module())
    joint = reversible.JointLevel(tower, replace(tower))
    small, large = torch.zeros(1, 12, 8, 8), torch.zeros(1, 12, 1, 1).expand(1, 12, 2048, 2048)
    assert [len(chunk) for chunk in joint.chunks(small)] == [8, 1]
    assert [len(chunk) for chunk in joint.chunks(large)] == [1] * 9

from __future__ import annotations

import json
from functools import partial

import pytest

from augflow import generators
from augflow.core import hardware
from augflow.core.errors import ParamsError
from augflow.data.classes import table
from augflow.generators.presets import make_config
from augflow.training.profile import (
    describe,
    fitting_rows,
    modes,
    on_meta,
    parameters_by_part,
    step_memory,
)
from tests import commands

CITYSCAPES = table("cityscapes")


run = partial(commands.run, "describe")


def cells(result):
    """The rows of the tables, by their first cell."""
    lines = [line for line in result.stdout.splitlines() if line.startswith("│")]
    parts = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]
    return {first: rest for first, *rest in parts}


@pytest.fixture(scope="module")
def config_a():
    return describe("full_glow", "config_a", CITYSCAPES, (256, 256))


@pytest.fixture(scope="module")
def tiny():
    return describe("full_glow", "tiny", CITYSCAPES)


# millions of parameters, Full-Glow, table 3
TABLE_3 = {
    "config_a": 155.3, "config_b": 155.5, "config_c": 155.5, "config_d": 431, "config_e": 348,
    "config_f": 290, "config_h": 248,
}  # fmt: skip


@pytest.mark.parametrize(("preset", "millions"), TABLE_3.items())
def test_parameter_counts_are_those_of_table_3(preset, millions):
    generator = on_meta("full_glow", preset, CITYSCAPES, (256, 256))
    assert all(p.is_meta for p in generator.parameters())
    count = sum(p.numel() for p in generator.parameters())
    assert count == pytest.approx(millions * 1e6, rel=0.005)


def test_costs_are_those_measured_on_the_authors_code(config_a):
    """Of the public code at 256x256: operations forward, parameters by part."""
    assert config_a.flops_forward == pytest.approx(609e9, rel=0.01)
    millions = {name: count / 1e6 for name, count in config_a.parts.items()}
    assert millions["source flow"] == pytest.approx(37.3, abs=0.05)
    assert millions["target coupling networks"] == pytest.approx(50.0, abs=0.05)
    assert millions["conditioners of couplings"] == pytest.approx(6.6, abs=0.05)
    assert millions["conditioners of 1x1"] == pytest.approx(40.1, abs=0.05)
    assert millions["conditioners of actnorm"] == pytest.approx(21.0, abs=0.05)
    assert millions["priors"] == pytest.approx(0.2, abs=0.05)


@pytest.mark.parametrize("mode", ["store", "checkpoint", "reversible"])
def test_operations_of_one_step_are_those_worked_out_on_paper(mode, monkeypatch):
    """A Glow of one level and one step on 8x12 pixels: 12 channels, hidden width 5."""
    preset = {"size": (8, 12), "steps": (1,), "width": 5}
    monkeypatch.setitem(generators.SYSTEMS["glow"].presets, "one", preset)
    found = describe("glow", "one", CITYSCAPES, mode=mode)
    area, c, width = 4 * 6, 12, 5
    coupling = area * (9 * (c // 2) * width + width * width + 9 * width * c)
    ones = area * 9 * c  # the border of the coupling's last convolution
    matrix = area * c * c
    factors = 2 * c**3  # P (L + I), and that times the upper factor
    shift = c * c  # actnorm's, passed through the matrix
    prior = area * 9 * c * 2 * c
    prior_ones = area * 9 * 2 * c
    forward = coupling + ones + matrix + factors + shift + prior + prior_ones
    assert found.flops_forward == 2 * forward
    # a product has two gradients; but the photograph, P, what the prior reads and what marks the
    # border have none
    backward = 2 * coupling + ones + matrix + 3 * c**3 + 2 * shift + prior + prior_ones
    if mode != "store":
        # the parameters and the network once more; the matrix's input and output, from the other
        # end or as they were, and then the step again, whose input has a gradient now
        backward += coupling + ones + 3 * matrix + factors + shift
    assert found.flops == 2 * (forward + backward)


def glow(monkeypatch, steps, width=64):
    """A Glow of one level on 32x48 pixels."""
    preset = {"size": (32, 48), "steps": (steps,), "width": width}
    monkeypatch.setitem(generators.SYSTEMS["glow"].presets, "made", preset)
    return on_meta("glow", "made", CITYSCAPES)


def test_stored_activations_grow_by_two_hidden_maps_a_step(monkeypatch):
    four, eight, twelve = (step_memory(glow(monkeypatch, n), 1, "store") for n in (4, 8, 12))
    growth = eight.activations - four.activations
    assert twelve.activations - eight.activations == growth
    hidden = 4 * 2 * 64 * (16 * 24) * 4
    assert hidden < growth < 1.6 * hidden


def test_reversible_activations_grow_by_the_gradients_of_a_level_alone(monkeypatch):
    """Gradients of a level's weights are made beside those of the rows before."""
    four, twelve = (step_memory(glow(monkeypatch, n), 1, "reversible") for n in (4, 12))
    weights = twelve.weights - four.weights
    assert weights <= twelve.activations - four.activations < 1.06 * weights


def test_the_mode_is_the_generators_unless_one_is_asked_for(monkeypatch):
    flow = glow(monkeypatch, 4)
    stored = step_memory(flow, 1)
    assert stored == step_memory(flow, 1, "store")
    flow.memory = "reversible"
    assert step_memory(flow, 1) == step_memory(flow, 1, "reversible")
    assert step_memory(flow, 1, "store") == stored
    assert step_memory(flow, 1).activations < stored.activations
    assert flow.memory == "reversible"
    assert all(p.grad is None for p in flow.parameters())


@pytest.mark.parametrize("mode", ["store", "reversible"])
def test_one_row_more_than_fits_does_not(mode, monkeypatch):
    flow, free = glow(monkeypatch, 4), 64 * 2**20
    rows = fitting_rows(flow, mode, free)
    assert rows > 1
    assert step_memory(flow, rows, mode).total <= 0.8 * free
    assert step_memory(flow, rows + 1, mode).total > 0.8 * free
    assert fitting_rows(flow, mode, 2**20) == 0


@pytest.mark.parametrize("system", ["full_glow", "glow"])
def test_parts_and_latents_leave_nothing_out(system):
    row = generators.SYSTEMS[system]
    config = make_config(row.config, row.presets, "tiny", {})
    real = generators.build(system, config, CITYSCAPES)
    found = describe(system, "tiny", CITYSCAPES)
    assert found.parameters == sum(p.numel() for p in real.parameters())
    assert found.parts == parameters_by_part(real)
    assert sum(found.parts.values()) == found.parameters
    # beside the levels' latents, which are as many as pixels, stands the style
    levels, style = found.latents[:3], found.latents[3:]
    assert sum(c * h * w for c, h, w in levels) == 3 * 48 * 72
    assert style == (((6,),) if system == "full_glow" else ())


def test_json_is_one_object_with_exact_numbers(tiny):
    result = run("full_glow", "--preset", "tiny", "--size", "48x72", "--json")
    assert result.exit_code == 0
    content = json.loads(result.stdout)
    assert content["parameters"] == tiny.parameters
    assert content["size"] == [48, 72]
    assert content["latents"] == [[6, 24, 36], [12, 12, 18], [48, 6, 9], [6]]
    assert content["flops"] == tiny.flops
    assert content["memory"] == sum(content["memory_parts"].values()) == tiny.memory.total
    assert (content["batch"], content["memory_mode"]) == (1, "store")
    by_mode = content["memory_by_mode"]
    assert list(by_mode) == ["store", "checkpoint", "reversible"]
    assert by_mode["store"] == {
        "activations": tiny.memory.activations, "total": tiny.memory.total,
    }  # fmt: skip
    assert "fit" not in content


def test_a_batch_a_mode_and_a_size_to_fit_in_can_be_asked_for_of_any_machine(monkeypatch):
    def unknown(device):
        raise AssertionError("the machine was asked")

    monkeypatch.setattr(hardware, "free_memory", unknown)
    flow = glow(monkeypatch, 1)
    words = ("--batch", 2, "--memory", "checkpoint", "--fit", "0.25GiB", "--json")
    content = json.loads(run("glow", "--preset", "made", *words).stdout)
    found = describe("glow", "made", CITYSCAPES, batch=2, mode="checkpoint")
    assert (content["batch"], content["memory_mode"]) == (2, "checkpoint")
    assert content["memory"] == content["memory_by_mode"]["checkpoint"]["total"]
    assert content["memory"] == found.memory.total
    assert content["flops"] == found.flops
    assert content["fit"]["bytes"] == 2**28
    assert content["fit"]["rows"] == {m: fitting_rows(flow, m, 2**28) for m in modes(flow)}


def test_the_table_has_units_and_a_row_for_every_mode(monkeypatch):
    flow = glow(monkeypatch, 1)
    result = run("glow", "--preset", "made", "--batch", 3, "--fit", "128MiB", "--memory", "store")
    assert result.exit_code == 0
    rows, found = cells(result), describe("glow", "made", CITYSCAPES, batch=3)
    assert rows["parameters"][0] == f"{found.parameters / 1e3:.4g} k"
    assert rows["operations of a training step"][0] == f"{found.flops / 1e6:.4g} MFLOP"
    assert rows["memory of a training step"][0] == f"{found.memory.total / 2**20:.4g} MiB"
    assert rows["latents of level 1"][0] == "12 x 16 x 24"
    assert "a training step at batch 3 in float32, training.memory: store" in result.stdout
    assert "rows in 128MiB" in result.stdout
    for mode in ("store", "checkpoint", "reversible"):
        needed = step_memory(flow, 3, mode)
        assert rows[mode] == [
            f"{needed.activations / 2**20:.4g} MiB", f"{needed.total / 2**20:.4g} MiB",
            str(fitting_rows(flow, mode, 2**27)),
        ]  # fmt: skip


def test_of_a_system_without_likelihood_it_is_said_what_is_not_counted_and_it_has_one_mode():
    result = run("pix2pix", "--preset", "tiny", "--fit", "1GiB")
    assert "without the networks that only judge photographs" in result.stdout
    assert "training.memory │" not in result.stdout
    assert list(cells(result))[-1] == "store"
    networks = on_meta("pix2pix", "tiny", CITYSCAPES)
    assert modes(networks) == ("store",)
    with pytest.raises(ParamsError, match="no 'reversible' for this system; known: store"):
        step_memory(networks, 1, "reversible")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["ful_glow", "--preset", "tiny"], "did you mean 'full_glow'?"),
        (["full_glow", "--preset", "config_g"], "no preset 'config_g'; known: config_a"),
        (["glow", "--preset", "tiny", "--classes", "camvd"], "did you mean 'camvid'?"),
        (["full_glow", "--preset", "config_a", "--size", "250x256"], "240x256 and 256x256"),
        (["full_glow", "--preset", "config_a", "--size", "64x64"], "take a larger size"),
        (["full_glow", "--preset", "tiny", "--size", "256"], "expected height x width"),
        (["glow", "--preset", "tiny", "--memory", "revers"], "did you mean 'reversible'?"),
        (["glow", "--preset", "tiny", "--fit", "11"], "expected a size as 11GiB"),
        (["glow", "--preset", "tiny", "--fit", "9" * 400 + "GiB"], "expected a size as 11GiB"),
    ],
)
def test_faults_are_one_line(words, message):
    assert message in commands.refused("describe", *words)

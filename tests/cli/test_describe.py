from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from augflow import generators
from augflow.classes import table
from augflow.cli import app
from augflow.describing import describe, on_meta, parameters_by_part
from augflow.generators.presets import FULL_GLOW, configured

CITYSCAPES = table("cityscapes")


def run(*words):
    return CliRunner().invoke(app, ["describe", *(str(word) for word in words)])


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
    """Of the public code at 256x256: operations forward, parameters by part, kept activations."""
    assert config_a.flops_forward == pytest.approx(609e9, rel=0.01)
    millions = {name: count / 1e6 for name, count in config_a.parts.items()}
    assert millions["source flow"] == pytest.approx(37.3, abs=0.05)
    assert millions["target coupling networks"] == pytest.approx(50.0, abs=0.05)
    assert millions["conditioners of couplings"] == pytest.approx(6.6, abs=0.05)
    assert millions["conditioners of 1x1"] == pytest.approx(40.1, abs=0.05)
    assert millions["conditioners of actnorm"] == pytest.approx(21.0, abs=0.05)
    assert millions["priors"] == pytest.approx(0.2, abs=0.05)
    # three hidden maps of 512 channels a network are 4.5 GiB; the rest is small
    assert 4.5 * 2**30 < config_a.memory.activations < 5 * 2**30


def test_backward_costs_twice_forward(config_a):
    assert config_a.flops == pytest.approx(3 * config_a.flops_forward, rel=0.001)


def test_memory_holds_weights_gradients_and_two_moments(config_a):
    bytes_of_weights = 4 * config_a.parameters
    memory = config_a.memory
    assert (memory.weights, memory.gradients) == (bytes_of_weights, bytes_of_weights)
    assert memory.moments == 2 * bytes_of_weights
    assert memory.total == 4 * bytes_of_weights + memory.activations


def test_operations_of_one_step_are_those_worked_out_on_paper(monkeypatch):
    """A Glow of one level and one step on 8x12 pixels: 12 channels, hidden width 5."""
    preset = {"size": (8, 12), "steps": (1,), "width": 5}
    monkeypatch.setitem(generators.SYSTEMS["glow"].presets, "one", preset)
    found = describe("glow", "one", CITYSCAPES)
    area, c, width = 4 * 6, 12, 5
    coupling = area * (9 * (c // 2) * width + width * width + 9 * width * c)
    matrix = area * c * c
    factors = 2 * c**3  # P (L + I), and that times the upper factor
    prior = area * 9 * c * 2 * c
    assert found.flops_forward == 2 * (coupling + matrix + factors + prior)


def test_costs_are_a_constant_and_a_share_of_the_area(monkeypatch):
    small = {**FULL_GLOW["tiny"], "steps": (1, 2), "width": (8, 8)}
    monkeypatch.setitem(FULL_GLOW, "smaller", small)
    third, second, first = (
        describe("full_glow", "smaller", CITYSCAPES, (height, 72)) for height in (144, 96, 48)
    )
    assert third.parameters == second.parameters == first.parameters
    for costs in (lambda d: d.flops, lambda d: d.memory.activations):
        assert costs(third) - costs(second) == costs(second) - costs(first) > 0


@pytest.mark.parametrize("system", ["full_glow", "glow"])
def test_parts_and_latents_leave_nothing_out(system):
    row = generators.SYSTEMS[system]
    config = configured(row.config, row.presets, "tiny", {})
    real = generators.built(system, config, CITYSCAPES)
    found = describe(system, "tiny", CITYSCAPES)
    assert found.parameters == sum(p.numel() for p in real.parameters())
    assert found.parts == parameters_by_part(real)
    assert sum(found.parts.values()) == found.parameters
    assert sum(c * h * w for c, h, w in found.latents) == 3 * 48 * 72


def test_json_is_one_object_with_exact_numbers(tiny):
    result = run("full_glow", "--preset", "tiny", "--size", "48x72", "--json")
    assert result.exit_code == 0
    content = json.loads(result.stdout)
    assert content["parameters"] == tiny.parameters
    assert content["size"] == [48, 72]
    assert content["latents"] == [[6, 24, 36], [12, 12, 18], [48, 6, 9]]
    assert content["flops"] == tiny.flops
    assert content["memory"] == sum(content["memory_parts"].values()) == tiny.memory.total


def test_size_replaces_that_of_the_preset():
    generator = on_meta("full_glow", "tiny", CITYSCAPES, (32, 48))
    assert generator.size == (32, 48)


def test_the_table_has_units():
    result = run("glow", "--preset", "tiny", "--classes", "streets")
    assert result.exit_code == 0
    rows = dict(line.strip("│ ").split("│") for line in result.stdout.splitlines() if "│" in line)
    rows = {name.strip(): value.strip() for name, value in rows.items()}
    found = describe("glow", "tiny", table("streets"))
    assert rows["parameters"] == f"{found.parameters / 1e3:.4g} k"
    assert rows["operations of a training step"] == f"{found.flops / 1e6:.4g} MFLOP"
    assert rows["memory of a training step"] == f"{found.memory.total / 2**20:.4g} MiB"
    assert rows["latents of level 1"] == "6 x 24 x 36"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["ful_glow", "--preset", "tiny"], "did you mean 'full_glow'?"),
        (["full_glow", "--preset", "config_g"], "no preset 'config_g'; known: config_a"),
        (["glow", "--preset", "tiny", "--classes", "camvd"], "did you mean 'camvid'?"),
        (["full_glow", "--preset", "config_a", "--size", "250x256"], "240x256 and 256x256"),
        (["full_glow", "--preset", "config_a", "--size", "64x64"], "take a larger size"),
        (["full_glow", "--preset", "tiny", "--size", "256"], "expected height x width"),
        (["full_glow", "--preset", "tiny", "--size", "0x64"], "expected height x width"),
    ],
)
def test_faults_are_one_line(words, message):
    result = run(*words)
    assert result.exit_code == 2
    [line] = result.stderr.splitlines()
    assert message in line


def test_every_preset_builds_at_its_own_size():
    for preset in ("tiny", "small", "high_res"):
        generator = on_meta("full_glow", preset, CITYSCAPES)
        assert generator.size == tuple(FULL_GLOW[preset]["size"])

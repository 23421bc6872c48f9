"""Checkpoints that are well formed and meant to harm: odd tensors and names, sizes past reach."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch

from augflow.core.errors import AugflowError
from augflow.data.classes import table
from augflow.tools.checkpoints import read_glow2, read_pix2pix
from augflow.tools.checkpoints.checkpoints import list_names, tensors_of
from tests.tools.checkpoints import test_glow2, test_pix2pix

FIRST = "model.model.0.weight"
BLOCK = "right_glow.blocks.0.flows.0"
HEAD = f"{BLOCK}.act_norm.cond_net.conv_net.conv_net"


def refused(act, *named):
    """Runs what has to be refused, soon and in one line."""
    start = time.process_time()
    with pytest.raises(AugflowError) as fault:
        act()
    assert time.process_time() - start < 20
    (line,) = str(fault.value).splitlines()
    assert all(str(name) in line for name in named)


def told(path):
    """What is said of a file; nothing if it can be read."""
    try:
        tensors_of(path)
    except AugflowError as fault:
        return str(fault)
    return ""


def stored(folder, state):
    torch.save(state, folder / "x.pth")
    return folder / "x.pth"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("make", [
    lambda x: x.to_sparse(), lambda x: torch.quantize_per_tensor(x, 0.1, 0, torch.qint8),
    lambda x: x.to("meta"), lambda x: x.to(torch.complex64),
    lambda x: torch.nested.nested_tensor([x[0], x[0, :1]]),
    lambda x: torch.ones(1).expand(10**6, 10**6),
], ids=["sparse", "quantized", "meta", "complex", "nested", "more_than_is_stored"])  # fmt: skip
def test_tensors_that_are_not_dense_real_numbers_are_refused(tmp_path, make):
    path = stored(tmp_path, {"fine": torch.ones(2), "odd": make(torch.ones(2, 3))})
    refused(lambda: tensors_of(path), path, "odd")


@pytest.mark.parametrize("change", [
    {FIRST: torch.ones(0, 3, 4, 4)}, {FIRST: torch.tensor(1.0)},
    {"model.model.1.model" + ".3.model" * 500 + ".x": torch.ones(1)},
    {"a\nb": torch.ones(1)}, {3: torch.ones(1)}, {"x" * 10**5: torch.ones(1)},
    {FIRST: torch.full((2, 3, 4, 4), float("nan"))},
])  # fmt: skip
def test_a_pix2pix_of_nonsense_is_refused(tmp_path, change):
    path = stored(tmp_path, {**test_pix2pix.state_dict("batch"), **change})
    refused(lambda: read_pix2pix(path, table("idd_lite"), test_pix2pix.SIZE), path)


def test_a_pix2pix_for_photographs_of_nothing_is_refused(tmp_path):
    path = stored(tmp_path, test_pix2pix.state_dict("batch"))
    refused(lambda: read_pix2pix(path, table("idd_lite"), (1, 1)))


@pytest.mark.parametrize("change", [
    {f"{HEAD}.0.weight": torch.ones(5)}, {f"{HEAD}.0.bias": torch.tensor(1.0)},
    {f"{HEAD}.0.bias": torch.ones(0)}, {f"{BLOCK}.coupling.net.0.bias": torch.ones(10**6)},
    {"left_glow.blocks.0.flows.0.coupling.net.0.bias": torch.ones(10**6)},
    {f"{BLOCK}.act_norm.cond_net.linear_net.linear_net.0.weight": torch.ones(5)},
    {"right_glow.blocks.0.flows.9999.x": torch.ones(1)},
    {"right_glow.blocks." + "9" * 5000 + ".flows.0.x": torch.ones(1)},
    {f"right_glow.blocks.{n}.flows.0.x": torch.ones(1) for n in range(60)},
])  # fmt: skip
def test_a_full_glow_of_nonsense_is_refused_before_it_is_built(tmp_path, change):
    """A width of a million channels would take terabytes."""
    path = stored(tmp_path, {"model_state_dict": {**test_glow2.state_dict(maps=3), **change}})
    refused(lambda: read_glow2(path, test_glow2.CLASSES, test_glow2.SIZE))


@pytest.mark.parametrize("legacy", [False, True])
def test_damage_anywhere_is_one_line_or_another_number(tmp_path, legacy):
    path = tmp_path / "x.pth"
    state = {"a": torch.arange(64.0), "b": torch.ones(3, dtype=torch.int64)}
    torch.save(state, path, _use_new_zipfile_serialization=not legacy)
    raw, draw = path.read_bytes(), np.random.default_rng(0)
    for _ in range(150):
        spoiled = bytearray(raw)
        for place in draw.integers(0, len(raw), 3):
            spoiled[place] = int(draw.integers(256))
        path.write_bytes(spoiled)
        assert len(told(path).splitlines()) <= 1


def test_names_are_told_on_one_line_and_not_in_full_length():
    assert list_names(["a\nb", "x" * 1000]) == "'a\\nb', " + "x" * 120

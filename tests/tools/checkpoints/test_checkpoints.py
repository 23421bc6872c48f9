"""Files of other people: tensors and nothing else; odd tensors and names, sizes past reach."""

from __future__ import annotations

import os
import time
import zipfile

import numpy as np
import pytest
import torch

from augflow.core.errors import AugflowError, ModelError
from augflow.data.classes import table
from augflow.tools.checkpoints import read_glow2, read_pix2pix
from augflow.tools.checkpoints.checkpoints import check_fit, list_names, tensors_of
from tests.tools.checkpoints import test_glow2, test_pix2pix

FIRST = "model.model.0.weight"
BLOCK = "right_glow.blocks.0.flows.0"
HEAD = f"{BLOCK}.act_norm.cond_net.conv_net.conv_net"


class Command:
    """Runs a command when it is unpickled the common way."""

    def __init__(self, text):
        self.text = text

    def __reduce__(self):
        return os.system, (self.text,)


def test_tensors_are_read_by_name_as_floats(tmp_path):
    torch.save({"a": torch.ones(2, dtype=torch.float64)}, tmp_path / "x.pt")
    found = tensors_of(tmp_path / "x.pt")
    assert list(found) == ["a"]
    assert found["a"].dtype == torch.float32


@pytest.mark.parametrize("legacy", [False, True])
def test_a_file_that_would_run_a_command_is_refused_and_runs_none(tmp_path, legacy):
    path, trace = tmp_path / "x.pt", tmp_path / "ran"
    content = {"a": torch.ones(2), "b": Command(f"touch {trace}")}
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(ModelError, match="tensors and plain numbers alone") as fault:
        tensors_of(path)
    assert "\n" not in str(fault.value)
    assert "posix.system" in str(fault.value)
    assert "weights_only" not in str(fault.value)
    assert not trace.exists()


def test_text_other_archives_cut_empty_and_no_files_are_refused_in_one_line(tmp_path):
    (tmp_path / "text.pt").write_text("not a model")
    with zipfile.ZipFile(tmp_path / "other.pt", "w") as archive:
        archive.writestr("hello", "world")
    torch.save({"a": torch.randn(64)}, tmp_path / "cut.pt")
    whole = (tmp_path / "cut.pt").read_bytes()
    (tmp_path / "cut.pt").write_bytes(whole[:300])
    (tmp_path / "empty.pt").write_bytes(b"")
    for name in ("text.pt", "other.pt", "cut.pt", "empty.pt", "none.pt"):
        with pytest.raises(ModelError, match=name) as fault:
            tensors_of(tmp_path / name)
        assert "\n" not in str(fault.value)


@pytest.mark.parametrize(("content", "message"), [
    ({"a": torch.ones(1), "epoch": 3}, "not tensors: epoch"), ([torch.ones(1)], "got list"),
    ({}, "got dict"),
])  # fmt: skip
def test_anything_but_a_state_dict_is_refused(tmp_path, content, message):
    torch.save(content, tmp_path / "x.pt")
    with pytest.raises(ModelError, match=message):
        tensors_of(tmp_path / "x.pt")


def test_of_many_faults_the_first_and_their_number_are_told(tmp_path):
    expected = {f"layer{n}": (1,) for n in range(10)}
    with pytest.raises(ModelError, match=r"missing: layer0, .*layer5 and 4 more"):
        check_fit(tmp_path, {}, expected, ())


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

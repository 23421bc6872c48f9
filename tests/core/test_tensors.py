"""Weights are read from whole safetensors files of plain, finite numbers, and from nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from augflow.core.errors import ModelError
from augflow.core.tensors import PLAIN, read_weights
from tests.security import attacks

GOOD = save({"layer.weight": torch.arange(6.0).view(2, 3), "layer.count": torch.tensor(3)})


def test_tensors_come_back_by_name_with_type_and_shape(tmp_path):
    path = tmp_path / "weights.safetensors"
    given = {str(kind): torch.ones(2, 3).to(kind) for kind in PLAIN}
    path.write_bytes(save(given))
    found = read_weights(path)
    assert set(found) == set(given)
    assert all(found[name].dtype == given[name].dtype for name in given)
    assert all(torch.equal(found[name], given[name]) for name in given)


@pytest.mark.parametrize("lie", attacks.lies(GOOD))
def test_a_lie_is_refused_in_one_line(tmp_path, lie):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(attacks.lies(GOOD)[lie])
    with pytest.raises(ModelError, match=r"weights\.safetensors: .*; ") as fault:
        read_weights(path)
    assert len(str(fault.value).splitlines()) == 1


def test_a_program_is_refused_and_not_run(tmp_path):
    path, trace = tmp_path / "weights.safetensors", tmp_path / "ran"
    for program in attacks.programs(trace).values():
        path.write_bytes(program)
        with pytest.raises(ModelError, match="not a whole safetensors file"):
            read_weights(path)
    assert not trace.exists()


def test_a_folder_and_no_file_are_refused(tmp_path):
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(ModelError, match="no such file; "):
            read_weights(path)


def test_a_file_larger_than_its_head_says_is_refused_before_it_is_read(tmp_path, monkeypatch):
    """Read as a whole, one with a hole of a tebibyte would take as much memory."""
    path = tmp_path / "weights.safetensors"
    with path.open("wb") as stream:
        stream.write(GOOD)
        stream.truncate(2**40)
    monkeypatch.setattr(Path, "read_bytes", None)
    with pytest.raises(ModelError, match="not a whole safetensors file"):
        read_weights(path)

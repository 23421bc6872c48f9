"""Files of other people: tensors and nothing else."""

import os
import pickle
import zipfile

import pytest
import torch

from augflow.core.errors import ModelError
from augflow.tools.checkpoints.checkpoints import check_fit, tensors_of


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


def test_a_bare_pickle_is_refused_and_runs_nothing(tmp_path):
    path, trace = tmp_path / "x.pt", tmp_path / "ran"
    path.write_bytes(pickle.dumps(Command(f"touch {trace}")))
    with pytest.raises(ModelError):
        tensors_of(path)
    assert not trace.exists()


@pytest.mark.parametrize("kept", [0, 10, 300, -40])
def test_a_truncated_file_is_refused(tmp_path, kept):
    path = tmp_path / "x.pt"
    torch.save({"a": torch.randn(64)}, path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ModelError, match=r"x\.pt: ") as fault:
        tensors_of(path)
    assert "\n" not in str(fault.value)


def test_text_other_archives_and_no_file_are_refused(tmp_path):
    (tmp_path / "text.pt").write_text("not a model")
    with zipfile.ZipFile(tmp_path / "other.pt", "w") as archive:
        archive.writestr("hello", "world")
    for name in ("text.pt", "other.pt", "none.pt"):
        with pytest.raises(ModelError, match=name):
            tensors_of(tmp_path / name)


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

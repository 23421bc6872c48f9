"""Records beside weights: a `config.json` or a resume state may spoil a run, not take it over."""

from __future__ import annotations

import copy
import json
import os

import pytest
import torch
from safetensors.torch import load, save

from augflow import generators
from augflow.core import io
from augflow.core.errors import AugflowError
from augflow.segmentation.learner import SupervisedLearner
from augflow.segmentation.mmseg_config import read_config
from augflow.segmentation.mmseg_model import MmsegSegmenter, load_segmenter
from augflow.segmentation.params import SegmenterParams
from augflow.training import loop
from tests import small_makers
from tests.generators.conftest import VARIANTS
from tests.generators.test_contract import NAMES, learner
from tests.mini_network import MINI
from tests.security import attacks

TAKEOVERS = {
    "calls_at_the_top": ((), {"type": "subprocess.getoutput", "cmd": "touch TRACE"}),
    "calls_for_a_loss": (("decode_head", "loss_decode"),
                         {"type": "subprocess.getoutput", "cmd": "touch TRACE"}),
    "calls_for_a_backbone": (("backbone",), {"type": "os.system", "command": "touch TRACE"}),
    "opens_a_pickle": (("backbone", "init_cfg"), {"type": "Pretrained", "checkpoint": "PICKLE"}),
    "opens_an_old_pickle": (("pretrained",), "PICKLE"),
    "opens_weights_of_classes": (("decode_head", "loss_decode", "class_weight"), "PICKLE"),
    "opens_a_pickle_of_a_plain_name": (("decode_head", "loss_decode", "class_weight"), "pkl"),
    "imports_a_module": (("decode_head", "loss_decode"), {"type": "module_beside"}),
    "imports_a_registry": (("decode_head", "_scope_"), "package_beside"),
    "names_one_in_a_list": (("decode_head", "in_index"), [["module_beside.py"]]),
}  # fmt: skip


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    """A saved segmenter; its record is read only."""
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("judge")
    (root / "mini.json").write_text(MINI)
    MmsegSegmenter(read_config(str(root / "mini.json"), 3), ("a", "b", "c")).save(root / "judge")
    return root / "judge"


def refused(act, *named):
    with pytest.raises(AugflowError) as fault:
        act()
    (line,) = str(fault.value).splitlines()
    assert all(str(name) in line for name in named)
    assert "; " in line or ": train" in line


@pytest.mark.parametrize("what", TAKEOVERS)
def test_the_record_of_a_judge_runs_nothing(judge, tmp_path, monkeypatch, what):
    trace, bomb = tmp_path / "ran", tmp_path / "bomb.pkl"
    for path in (bomb, tmp_path / "pkl"):
        path.write_bytes(attacks.programs(trace)["pickle"])
    (tmp_path / "package_beside").mkdir()
    for name in ("module_beside.py", "package_beside/__init__.py", "package_beside/registry.py"):
        (tmp_path / name).write_text(f"open({str(trace)!r}, 'w')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    place, value = TAKEOVERS[what]
    told = json.dumps(value).replace("TRACE", str(trace)).replace("PICKLE", str(bomb))
    record = copy.deepcopy(io.read_json(judge / "config.json"))
    *above, last = ("config", "model", *place)
    section = record
    for name in above:
        section = section[name]
    section[last] = json.loads(told)
    (tmp_path / "config.json").write_text(json.dumps(record))
    (tmp_path / "weights.safetensors").write_bytes((judge / "weights.safetensors").read_bytes())
    refused(lambda: load_segmenter(tmp_path), "--trust-config")
    assert not trace.exists()


def test_a_judge_without_numbers_to_normalise_with_is_refused(judge, tmp_path):
    for numbers in (
        {"mean": [1.0, 2.0]}, {"std": [1.0, 0.0, 1.0]}, {"mean": ["a", "b", "c"]}, {"mean": 3},
        {"mean": [10**400, 0, 0]}, {"std": [[1], [2], [3]]},
    ):  # fmt: skip
        record = copy.deepcopy(io.read_json(judge / "config.json"))
        record["config"]["normalisation"] |= numbers
        (tmp_path / "config.json").write_text(json.dumps(record))
        with pytest.raises(AugflowError, match=r"config.json: .*normalisation"):
            load_segmenter(tmp_path)


def test_a_record_without_sense_is_refused(tmp_path):
    folder = small_makers.save("plain", tmp_path)
    record = io.read_json(folder / "config.json")
    rows = [{**row, "train_id": []} for row in record["classes"]["rows"]]
    for spoiled in (
        [], {**record, "system": ["imle"]}, {**record, "classes": 3},
        {**record, "classes": {**record["classes"], "rows": rows}},
        {**record, "classes": {"rows": [{}]}},
        *({k: v for k, v in record.items() if k != key}
          for key in ("system", "config", "classes", "weights")),
    ):  # fmt: skip
        (folder / "config.json").write_text(json.dumps(spoiled))
        refused(lambda: generators.load_unchecked(folder), folder / "config.json")


def fit(run, steps):
    made, scene = learner(VARIANTS["imle"])
    return loop.fit(
        made, scene, steps=steps, batch_size=2, seed=3, columns=made.columns, names=NAMES, run=run,
        save_every=1, watch=lambda step: {},
    )  # fmt: skip


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    """The bytes of a resume state after one step, and what they say of it."""
    torch.set_num_threads(1)
    run = tmp_path_factory.mktemp("run")
    fit(run, 1)
    raw = (run / "state.safetensors").read_bytes()
    return raw, attacks.opened(raw)[0]["__metadata__"]


def test_a_spoiled_state_is_refused_and_a_program_in_its_place_does_not_run(tmp_path, state):
    trace, path = tmp_path / "ran", tmp_path / "run" / "state.safetensors"
    path.parent.mkdir()
    lies = attacks.lies(save(load(state[0])))
    spoiled = [lies[lie] for lie in ("empty", "text", "truncated", "huge_shape", "unknown_type")]
    for raw in (*spoiled, *attacks.programs(trace).values()):
        path.write_bytes(raw)
        refused(lambda: fit(path.parent, 2), path, "delete it")
    assert not trace.exists()


def test_a_pipe_in_the_place_of_a_state_is_not_waited_for(tmp_path):
    path = tmp_path / "run" / "state.safetensors"
    path.parent.mkdir()
    os.mkfifo(path)
    refused(lambda: fit(path.parent, 2), path, "delete it")


@pytest.mark.parametrize("spoil", [
    lambda tensors, facts: (tensors, None), lambda tensors, facts: (tensors, {"step": "1"}),
    lambda tensors, facts: (tensors, {**facts, "step": "first"}),
    lambda tensors, facts: (tensors, {**facts, "history": "{"}),
    lambda tensors, facts: ({}, facts),
    lambda tensors, facts: ({name: value.flatten()[:1] for name, value in tensors.items()
                             if not name.startswith("adam.")}, facts),
])  # fmt: skip
def test_a_state_of_something_else_is_refused(tmp_path, state, spoil):
    raw, facts = state
    tensors, told = spoil(load(raw), facts)
    content = {name: value.contiguous() for name, value in tensors.items()}
    path = tmp_path / "state.safetensors"
    path.write_bytes(save(content, metadata=told))
    refused(lambda: fit(tmp_path, 2), path, "delete it")


def test_moments_of_another_shape_are_refused_before_they_are_used(judge):
    """The optimizer believes their shape: it would read and write beyond their memory."""
    generator, _ = learner(VARIANTS["imle"])
    segmenter = SupervisedLearner(load_segmenter(judge), SegmenterParams(steps=1))
    moments = {"step": torch.tensor(1.0), "exp_avg": torch.zeros(1), "exp_avg_sq": torch.zeros(1)}
    for made, part, network in (
        (generator, "generator", generator.networks["generator"]),
        (segmenter, "network", segmenter.segmenter.network),
    ):
        name, _ = next(iter(network.named_parameters()))
        state = made.state() | {f"adam.{key}.{part}.{name}": one for key, one in moments.items()}
        with pytest.raises(ValueError, match="exp_avg"):
            made.restore(state)

"""`environment.json`: which machine made what."""

import shutil
from pathlib import Path

import pytest
import torch

from augflow.core import hardware, io
from augflow.core.distributed import SEVERAL, Used, read_note, write_note
from augflow.core.errors import DataError
from augflow.stages.runner import record, recorded_machines, run_stage
from augflow.study.environment import ENVIRONMENT_FILE as FILE
from augflow.training.likelihood import LikelihoodLearner
from augflow.verify import Sample
from augflow.verify.records import check_environment
from augflow.verify.replay import replay_trainings
from augflow.verify.workspace import Workspace


@pytest.fixture
def elsewhere(monkeypatch):
    """Puts the test on another machine."""
    facts = {**hardware.fingerprint(1), "processor": "another"}
    monkeypatch.setattr(hardware, "fingerprint", lambda *_: facts)


def test_what_is_unchanged_keeps_its_machine(study, elsewhere):
    before = io.read_json(Path(FILE))
    with study.score("t05").open("a") as stream:
        stream.write("\n")
    record(study)
    after = io.read_json(Path(FILE))
    other = {key for key in after["made"] if after["made"][key] != before["made"][key]}
    assert other == {"data/mini/scores/t05.json"}
    assert len(after["machines"]) == 2
    machines = recorded_machines(study)
    assert machines.here(study.score("t05"))
    assert not machines.here(study.prepared_folder)


def facts_of(artefact):
    record_of = io.read_json(Path(FILE))
    return record_of["machines"][record_of["made"][artefact]["machine"]]


@pytest.fixture
def card(monkeypatch):
    """A GPU that nobody has asked for yet; nothing is computed on it."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda: "a card")


def test_what_has_just_been_made_is_of_the_devices_that_made_it(study, card, monkeypatch):
    flow, name = study.generator("flow"), "data/mini/generators/flow"
    others = {key: entry for key, entry in io.read_json(Path(FILE))["made"].items() if key != name}
    record(study, flow, used=Used("a card", 2))
    assert facts_of(name)["device"] == "a card"
    assert facts_of(name)["processes"] == "2"
    made = io.read_json(Path(FILE))["made"]
    assert {key: entry for key, entry in made.items() if key != name} == others
    record(study)  # as stage report does, of all that is there
    assert facts_of(name)["processes"] == "2"
    assert not recorded_machines(study).here(flow)
    monkeypatch.setenv("AUGFLOW_ACCELERATOR", "cuda")
    assert not recorded_machines(study).here(flow)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setenv("AUGFLOW_DEVICES", "2")
    assert recorded_machines(study).here(flow)
    monkeypatch.setattr(Workspace, "draw", lambda *_: [0])
    check = replay_trainings(Workspace(study, Sample(trainings=1)))
    assert check.state == "holds within tolerance"
    assert "by several processes" in check.notes[0]


def test_each_stage_is_held_to_what_it_uses(study, card, monkeypatch):
    """Sets are painted on the processor, segmentation networks know no other process."""
    learned, alone = study.generator("flow"), [study.judge_folder, study.score("arms")]
    painted = [study.prepared_folder, study.synthetic("t05"), study.score("diversity/flow")]
    machines = recorded_machines(study)
    assert all(map(machines.here, [learned, *alone, *painted]))
    monkeypatch.setenv("AUGFLOW_ACCELERATOR", "auto")
    machines = recorded_machines(study)
    assert all(map(machines.here, painted))
    assert not any(map(machines.here, [learned, *alone]))
    for path in alone:
        record(study, path)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setenv("AUGFLOW_DEVICES", "2")
    assert all(map(recorded_machines(study).here, alone))
    assert facts_of("data/mini/scores/arms.json")["device"] == "a card"
    assert "processes" not in facts_of("data/mini/scores/arms.json")


def test_a_record_of_a_time_when_a_card_was_told_though_unused_is_of_another(study, card):
    old = io.read_json(Path(FILE))
    for facts in old["machines"].values():
        facts["device"] = "a card"
    io.write_json(Path(FILE), old)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUGFLOW_ACCELERATOR", "cuda")
        assert not recorded_machines(study).here(study.generator("flow"))
    assert not recorded_machines(study).here(study.generator("flow"))


def test_a_trained_generator_is_recorded_at_once(study):
    name = "data/mini/generators/flow"
    Path(FILE).unlink()
    run_stage(study, "train", "flow")
    assert list(io.read_json(Path(FILE))["made"]) == [name]
    assert facts_of(name)["device"] == "cpu"
    assert recorded_machines(study).here(study.generator("flow"))


def test_every_stage_records_what_it_makes(study):
    """A study whose stages ran under several environments has a record of each."""
    Path(FILE).unlink()
    run_stage(study, "prepare")
    run_stage(study, "retrain", "both")
    run_stage(study, "synthesize", "t05")
    run_stage(study, "score", "t05")
    run_stage(study, "select", "strict")
    assert sorted(io.read_json(Path(FILE))["made"]) == [
        "data/mini/prepared",
        "data/mini/scores/t05.json",
        "data/mini/segmenters/both/0",
        "data/mini/segmenters/both/1",
        "data/mini/selected/strict",
        "data/mini/synthetic/t05",
    ]


def test_a_training_that_is_taken_up_on_another_device_is_of_neither(tmp_path, study, monkeypatch):
    here, there = torch.zeros(1), torch.zeros(1, device="meta")
    monkeypatch.setattr(torch.Tensor, "is_cuda", property(lambda one: one.is_meta))
    monkeypatch.setattr("torch.cuda.get_device_name", lambda name: f"card {name}")
    assert read_note(tmp_path) == Used(SEVERAL)
    for _ in range(2):
        write_note(tmp_path, [here, here], 1)
        assert read_note(tmp_path) == Used("cpu", 1)
    for tensor in (there, there, here):
        write_note(tmp_path, [here, tensor], 1)
        assert read_note(tmp_path) == Used(SEVERAL)
    (tmp_path / "devices.json").unlink()
    write_note(tmp_path, [here, there], 2)
    assert read_note(tmp_path) == Used("card meta", 2)
    write_note(tmp_path / "fold", [here, there], 2)
    assert read_note(tmp_path) == Used("card meta", 2)
    write_note(tmp_path / "all", [here], 1)
    assert read_note(tmp_path) == Used(SEVERAL)
    shutil.rmtree(tmp_path / "all")
    (tmp_path / "devices.json").write_text('{"x": 1}')
    assert read_note(tmp_path) == Used(SEVERAL)
    record(study, study.generator("flow"), used=Used(SEVERAL))
    assert not recorded_machines(study).here(study.generator("flow"))


def test_where_it_cannot_be_recorded_the_training_is_not_lost(study, monkeypatch):
    Path(FILE).write_text("[]")
    with pytest.raises(DataError, match="no record of machines; restore it, or delete it"):
        run_stage(study, "train", "flow")
    Path(FILE).unlink()
    (state,) = Path(".augflow").rglob("state.safetensors")
    monkeypatch.setattr(LikelihoodLearner, "step", None)  # none is left to take
    run_stage(study, "train", "flow")
    assert not state.exists()
    assert facts_of("data/mini/generators/flow")["device"] == "cpu"


def test_a_record_says_the_same_of_what_is_unchanged_and_nothing_of_what_is_new(study):
    before = Path(FILE).read_bytes()
    record(study)
    assert Path(FILE).read_bytes() == before
    assert check_environment(study).state == "holds"
    with study.score("t05").open("a") as stream:
        stream.write("\n")
    check = check_environment(study)
    assert [violation.where for violation in check.violations] == [
        "data/mini/scores/t05.json, in environment.json"
    ]


def test_another_machine_is_not_here_and_no_record_is_none(study, elsewhere):
    machines = recorded_machines(study)
    assert not machines.here(study.prepared_folder)
    assert machines.same_device(study.prepared_folder)
    assert machines.unknown() == []
    assert check_environment(study).state == "holds"
    Path(FILE).unlink()
    machines = recorded_machines(study)
    assert not machines.here(study.prepared_folder)
    assert study.prepared_folder in machines.unknown()
    assert check_environment(study).state == "cannot be checked"


@pytest.mark.parametrize("known", [["processor"], ["python", "torch"], []])
def test_a_machine_of_which_not_all_is_recorded_is_unknown(study, known):
    record_of = io.read_json(Path(FILE))
    (facts,) = record_of["machines"].values()
    part = {name: "another" for name in known}
    key = io.digest_bytes(io.json_bytes(part))
    made = {name: {**one, "machine": key} for name, one in record_of["made"].items()}
    io.write_json(Path(FILE), {"machines": {key: part}, "made": made})
    assert recorded_machines(study).unknown()
    assert check_environment(study).state == "cannot be checked"
    io.write_json(Path(FILE), {"machines": {key: {**facts, **part}}, "made": made})
    assert recorded_machines(study).unknown() == []


def test_a_machine_without_facts_is_one_line(study):
    io.write_json(Path(FILE), {"machines": {"x": ["y"]}, "made": {}})
    with pytest.raises(DataError, match=r"^environment\.json: machine x: no facts; restore"):
        recorded_machines(study)


def test_facts_of_another_machine_under_the_same_name_are_found(study):
    record_of = io.read_json(Path(FILE))
    for facts in record_of["machines"].values():
        facts["torch"] = "another"
    io.write_json(Path(FILE), record_of)
    (found,) = check_environment(study).violations
    assert "digest of its facts" in found.where


def test_all_of_a_study_was_made_here_where_it_is_gone_too(study):
    shutil.rmtree("data")
    assert recorded_machines(study).all_here()
    Path(FILE).unlink()
    assert not recorded_machines(study).all_here()

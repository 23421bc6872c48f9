"""`environment.json`: which machine made what."""

import shutil
from pathlib import Path

import pytest

from augflow import files, machine
from augflow.verifying import record
from augflow.verifying.environment import FILE, Machines, check_environment


@pytest.fixture
def elsewhere(monkeypatch):
    """Puts the test on another machine."""
    facts = {**machine.fingerprint(1), "processor": "another"}
    monkeypatch.setattr(machine, "fingerprint", lambda threads: facts)


def test_what_is_unchanged_keeps_its_machine(study, elsewhere):
    before = files.read_json(Path(FILE))
    with study.score("t05").open("a") as stream:
        stream.write("\n")
    record(study)
    after = files.read_json(Path(FILE))
    other = {key for key in after["made"] if after["made"][key] != before["made"][key]}
    assert other == {"data/mini/scores/t05.json"}
    assert len(after["machines"]) == 2
    machines = Machines(study)
    assert machines.here(study.score("t05"))
    assert not machines.here(study.prepared)


def test_record_of_an_unchanged_study_is_equal(study):
    before = Path(FILE).read_bytes()
    record(study)
    assert Path(FILE).read_bytes() == before


def test_artefact_made_anew_without_a_record_is_named(study):
    assert check_environment(study).state == "holds"
    with study.score("t05").open("a") as stream:
        stream.write("\n")
    check = check_environment(study)
    assert [violation.where for violation in check.violations] == [
        "data/mini/scores/t05.json, in environment.json"
    ]


def test_other_machine_and_no_record_mean_tolerance(study, elsewhere):
    assert not Machines(study).here(study.prepared)
    Path(FILE).unlink()
    assert not Machines(study).here(study.prepared)
    assert check_environment(study).state == "holds"


def test_facts_of_another_machine_under_the_same_name_are_found(study):
    record_of = files.read_json(Path(FILE))
    for facts in record_of["machines"].values():
        facts["torch"] = "another"
    files.write_json(Path(FILE), record_of)
    (found,) = check_environment(study).violations
    assert "digest of its facts" in found.where


def test_all_of_a_study_was_made_here_where_it_is_gone_too(study):
    shutil.rmtree("data")
    assert Machines(study).all_here(study)
    Path(FILE).unlink()
    assert not Machines(study).all_here(study)

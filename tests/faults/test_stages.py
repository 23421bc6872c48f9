"""Every stage is killed, stopped and refused the disk: no half result, and a rerun ends alike."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.faults.moments import few, many
from tests.faults.round import disturb
from tests.faults.study import HOME, STAGES, UNKNOWN_TO_DVC, lay
from tests.faults.trials import hit


def test_all_stages_of_the_pipeline_are_here(tmp_path, monkeypatch):
    from dvc.repo import Repo

    root = tmp_path / "study"
    lay(root)
    shutil.copy(HOME / "dvc.yaml", root)
    monkeypatch.chdir(root)
    with Repo.init(str(root), no_scm=True) as repo:
        found = {
            stage.addressing: (stage.cmd, {Path(out.fs_path).relative_to(root).as_posix()
                                           for out in stage.outs})
            for stage in repo.index.stages
        }  # fmt: skip
    assert found == {
        stage: (f"python pipelines/{words}", set(outs) - UNKNOWN_TO_DVC)
        for stage, (words, outs) in STAGES.items()
    }


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_comes_through_a_few_faults(study, stage):
    nothing, old = (study.undisturbed(stage, before) for before in ("nothing", "old"))
    for before, faults in few(stage, nothing, old):
        ends = study.disturb(stage, before, faults)
        assert hit(faults[0], ends[0])


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_comes_through_twenty_kills_and_ten_other_faults(study, stage):
    nothing, old = (study.undisturbed(stage, before) for before in ("nothing", "old"))
    counts, failures = disturb(study, stage, many(stage, nothing, old))
    assert not failures, "\n\n".join(failures)
    assert counts.total() >= 20

"""Stages that write much ask for room before they begin."""

from __future__ import annotations

import pytest

from augflow.core import hardware
from augflow.core.errors import DataError
from augflow.data.params import NewLayoutsParams
from augflow.stages.runner import run_stage
from augflow.study import disk_usage
from tests.verify.conftest import study

__all__ = ["study"]


def listing(root):
    """All that is below a folder, with sizes, locks of runs left out."""
    return {path.relative_to(root).as_posix(): path.stat().st_size if path.is_file() else None
            for path in sorted(root.rglob("*"))}  # fmt: skip


def test_files_take_whole_blocks(tmp_path):
    unit = hardware.disk_block_size(tmp_path)
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "b").write_bytes(b"x" * (unit + 1))
    found = disk_usage.tree(tmp_path)
    assert found == hardware.DiskUsage(3 * unit, 2 * unit, 3 * unit)
    assert found.times(4, 2) == hardware.DiskUsage(12 * unit, 2 * unit, 6 * unit)
    assert disk_usage.tree(tmp_path / "nowhere") == hardware.DiskUsage()


def test_a_state_that_is_there_counts_as_room(tmp_path):
    state = hardware.DiskUsage(1000, 1000, 1000)
    later = (tmp_path / "2", tmp_path / "3")
    assert disk_usage.resume_states(state, tmp_path).size == 3000
    (tmp_path / "state.safetensors").write_bytes(b"x" * 900)
    assert disk_usage.resume_states(state, tmp_path).size == 2100
    assert disk_usage.resume_states(state, tmp_path, *later).size == 6100
    for folder in later:
        folder.mkdir()
        (folder / "state.safetensors").write_bytes(b"x" * 2500)
    assert disk_usage.resume_states(state, tmp_path, *later).size == 2100


STAGES = (
    "prepare", "train flow", "predict maps", "judge", "judges own", "synthesize more",
    "synthesize new", "transfer moved", "choose best", "select chosen", "explore flow",
    "retrain both",
)  # fmt: skip


def test_nothing_is_written_where_the_disk_is_full(study, tmp_path, monkeypatch):
    from augflow.tools.export import export
    from augflow.tools.new_layouts import layouts_of_scenes
    from augflow.tools.synth import synth

    before = listing(study.root)
    monkeypatch.setattr(hardware, "free_disk_bytes", lambda folder: 100)
    for stage in STAGES:
        with pytest.raises(DataError, match=r"takes about .*, but 100 B are free on its disk"):
            run_stage(study, *stage.split())
        assert listing(study.root) == before
    out = tmp_path / "out"
    maps = study.synthetic("more") / "gtFine"
    new = NewLayoutsParams(boost=("car",))
    for work in (
        lambda: export("more", "cityscapes", out),
        lambda: layouts_of_scenes(study.prepared_folder, new, out),
        lambda: synth(maps, study.generator("flow"), out, temperature=0.5),
    ):
        with pytest.raises(DataError, match="100 B are free"):
            work()
        assert not out.exists()
    room = {study.root / study.params.data.root: 2**40}
    monkeypatch.setattr(hardware, "free_disk_bytes", lambda folder: room.get(folder, 100))
    monkeypatch.setattr("augflow.stages.prepare._make_streets", lambda root, params: None)
    with pytest.raises(DataError, match="preparing the scenes takes about"):
        run_stage(study, "prepare")
    assert listing(study.root) == before


def test_states_and_weights_are_as_large_as_said(study, monkeypatch):
    """Of a generator and of a segmentation network, at the last step of their trainings."""
    from augflow.stages import runner

    asked, kept = [], []

    def require(needs, what):
        asked.append(sum(need.size for need in needs.values()))

    monkeypatch.setattr("augflow.stages.train.check_disk_spaces", require)
    monkeypatch.setattr("augflow.stages.retrain.check_disk_space",
                        lambda folder, need, what: asked.append(need.size))  # fmt: skip

    def keep(run):
        kept.append((disk_usage.tree(run).size, len(list(run.glob("*.safetensors")))))

    monkeypatch.setattr(runner, "rmtree", keep)
    run_stage(study, "train", "flow")
    run_stage(study, "judge")
    unit = hardware.disk_block_size(study.root)
    for need, (run, states), out in zip(
        asked, kept, (study.generator("flow"), study.judge_folder), strict=True
    ):
        weights = disk_usage.one_file((out / "weights.safetensors").stat().st_size, out).size
        # a third state is written beside the last two; a lock and pages of samples are small
        real = 3 * (run - unit) / states + weights
        assert real / 1.5 < need < 1.1 * real + 4 * unit

"""Stages that write much ask for room before they begin."""

from __future__ import annotations

import shutil

import pytest

from augflow.core import disk, io
from augflow.core.disk import Need, require_room, require_rooms
from augflow.core.errors import DataError
from augflow.data.params import NewLayoutsParams
from augflow.stages.runner import run_stage
from augflow.study import sizes
from tests.verify.conftest import study, whole_study

__all__ = ["study", "whole_study"]


def listing(root):
    """All that is below a folder, with sizes, locks of runs left out."""
    return {path.relative_to(root).as_posix(): path.stat().st_size if path.is_file() else None
            for path in sorted(root.rglob("*"))}  # fmt: skip


def test_a_folder_that_is_not_there_is_on_the_disk_of_the_one_above(tmp_path):
    assert disk.standing(tmp_path / "a" / "b") == tmp_path
    assert disk.disk_of(tmp_path / "a") == tmp_path.stat().st_dev
    assert 0 < disk.free(tmp_path / "a" / "b") <= shutil.disk_usage(tmp_path).total


def test_what_fits_passes_and_what_does_not_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(disk, "free", lambda folder: 5 * 2**20)
    require_room(tmp_path / "out", Need(5 * 2**20), "set x")
    with pytest.raises(DataError) as caught:
        require_room(tmp_path / "out", Need(6 * 2**20), "set x")
    [line] = str(caught.value).splitlines()
    assert line.startswith(f"{tmp_path / 'out'}: set x takes about 6 MiB, but 5 MiB are free")
    assert "make room" in line


def test_folders_of_one_disk_share_its_room(tmp_path, monkeypatch):
    monkeypatch.setattr(disk, "free", lambda folder: 10)
    needs = {tmp_path / "a": Need(6), tmp_path / "b": Need(6)}
    for folder, need in needs.items():
        require_room(folder, need, "one")
    with pytest.raises(DataError, match="takes about 12 B, but 10 B are free"):
        require_rooms(needs, "both")
    monkeypatch.setattr(disk, "disk_of", lambda folder: 1 if folder.name == "a" else 2)
    require_rooms(needs, "on two disks")


def test_a_file_that_may_not_be_as_large_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(disk, "largest_file", lambda: 1024)
    require_room(tmp_path, Need(4096, largest=1024), "files")
    with pytest.raises(DataError, match=r"a file of about 2 KiB, .* larger than 1 KiB .*ulimit -f"):
        require_room(tmp_path, Need(4096, largest=2048), "files")


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (3 * 2**40, "3 TiB")]
)
def test_sizes_have_binary_units(size, text):
    assert disk.binary(size) == text


def test_files_take_whole_blocks(tmp_path):
    unit = disk.block(tmp_path)
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "b").write_bytes(b"x" * (unit + 1))
    found = sizes.tree(tmp_path)
    assert (found.size, found.largest, found.files) == (3 * unit, 2 * unit, 2)
    assert found.times(4, 2) == sizes.Amount(12 * unit, 6 * unit, 2 * unit, 8)
    assert sizes.tree(tmp_path / "nowhere") == sizes.NOTHING


STAGES = {
    "prepare": lambda project: run_stage(project, "prepare"),
    "train": lambda project: run_stage(project, "train", "flow"),
    "predict": lambda project: run_stage(project, "predict", "maps"),
    "judge": lambda project: run_stage(project, "judge"),
    "judges": lambda project: run_stage(project, "judges", "own"),
    "synthesize": lambda project: run_stage(project, "synthesize", "more"),
    "synthesize new layouts": lambda project: run_stage(project, "synthesize", "new"),
    "transfer": lambda project: run_stage(project, "transfer", "moved"),
    "choose": lambda project: run_stage(project, "choose", "best"),
    "select": lambda project: run_stage(project, "select", "chosen"),
    "explore": lambda project: run_stage(project, "explore", "flow"),
    "retrain": lambda project: run_stage(project, "retrain", "both"),
}  # fmt: skip


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_writes_nothing_where_the_disk_is_full(study, stage, monkeypatch):
    before = listing(study.root)
    monkeypatch.setattr(disk, "free", lambda folder: 100)
    with pytest.raises(DataError, match=r"takes about .*, but 100 B are free on its disk"):
        STAGES[stage](study)
    assert listing(study.root) == before


def test_scenes_that_are_there_are_not_prepared_without_room(study, monkeypatch):
    before = listing(study.root)
    needed = []

    def free(folder):
        needed.append(folder)
        return 2**40 if folder == study.root / study.params.data.root else 100

    monkeypatch.setattr(disk, "free", free)
    monkeypatch.setattr("augflow.stages.prepare._make_streets", lambda root, params: None)
    with pytest.raises(DataError, match="preparing the scenes takes about"):
        run_stage(study, "prepare")
    assert listing(study.root) == before


def test_exports_layouts_and_sets_of_a_user_need_room_too(study, tmp_path, monkeypatch):
    from augflow.tools.export import export
    from augflow.tools.new_layouts import layouts_of_scenes
    from augflow.tools.synth import synth

    maps = tmp_path / "maps"
    name = io.read_csv(study.prepared / "scenes.csv")[0]["name"]
    shutil.copytree(study.prepared / "train" / "classes", maps)
    assert (maps / f"{name}.png").exists()
    monkeypatch.setattr(disk, "free", lambda folder: 100)
    out = tmp_path / "out"
    new = NewLayoutsParams(boost=("car",))
    for work in (
        lambda: export("more", "cityscapes", out),
        lambda: layouts_of_scenes(study.prepared, new, out),
        lambda: synth(maps, study.generator("flow"), out, temperature=0.5, labels="train_ids"),
    ):
        with pytest.raises(DataError, match="100 B are free"):
            work()
        assert not out.exists()


def test_states_and_weights_are_as_large_as_said(study, monkeypatch):
    """Of a generator and of a segmentation network, at the last step of their trainings."""
    from augflow.study import project as projects

    asked, kept = [], []

    def require(needs, what):
        asked.append(sum(need.size for need in needs.values()))

    monkeypatch.setattr("augflow.stages.train.require_rooms", require)
    monkeypatch.setattr("augflow.stages.retrain.require_room",
                        lambda folder, need, what: asked.append(need.size))  # fmt: skip

    def keep(run):
        kept.append((sizes.tree(run).size, len(list(run.glob("*.safetensors")))))

    monkeypatch.setattr(projects, "rmtree", keep)
    run_stage(study, "train", "flow")
    run_stage(study, "judge")
    unit = disk.block(study.root)
    for need, (run, states), out in zip(
        asked, kept, (study.generator("flow"), study.judge_folder), strict=True
    ):
        weights = sizes.one_file((out / "weights.safetensors").stat().st_size, out).size
        # a third state is written beside the last two; a lock and pages of samples are small
        real = 3 * (run - unit) / states + weights
        assert real / 1.5 < need < 1.1 * real + 4 * unit


def test_a_state_that_is_there_counts_as_room(tmp_path):
    state = sizes.Amount(1000, 1000, 1000, 1)
    assert sizes.resumed(state, tmp_path).size == 3000
    (tmp_path / "state.safetensors").write_bytes(b"x" * 900)
    assert sizes.resumed(state, tmp_path).size == 2100
    assert sizes.resumed(state, tmp_path, tmp_path / "2", tmp_path / "3").size == 6100
    for later in ("2", "3"):
        (tmp_path / later).mkdir()
        (tmp_path / later / "state.safetensors").write_bytes(b"x" * 2500)
    assert sizes.resumed(state, tmp_path, tmp_path / "2", tmp_path / "3").size == 2100

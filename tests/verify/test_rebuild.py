"""Level 2: everything again in a clean copy; bands are measured, and what leaves them is named."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from augflow.core import io
from augflow.core.errors import DataError, ModelError
from augflow.study.project import Project
from augflow.verify import tolerances
from augflow.verify.lock import md5
from augflow.verify.rebuild import _side_by_side, clean_copy, run_all
from augflow.verify.tolerances import CALIBRATION_FILE, check_bands, check_rebuilt
from tests.verify import test_lies
from tests.verify.forging import made_elsewhere, params_with
from tests.verify.level_1_lies import TRAINED

# stands for a whole pipeline: what it makes was made before, and depends a little on the machine
SCRIPT = """
import gzip, json, os, pathlib, shutil
for kind in ("data", "reports"):
    shutil.copytree(f"made/{kind}/mini", f"{kind}/mini")
if "shift" in os.environ or os.environ.get("ATEN_CPU_CAPABILITY"):
    path = pathlib.Path("reports/mini/scores/arms.json.gz")
    content = json.loads(gzip.decompress(path.read_bytes()))
    shift = int(os.environ.get("shift", 1))
    for run in content["runs"].values():
        for item in run["items"]:
            row = item["confusion"][0]
            moved = min(shift, row[0])
            row[0], row[1] = row[0] - moved, row[1] + moved
    path.write_bytes(gzip.compress(json.dumps(content).encode()))
"""


@pytest.fixture
def quick(study):
    """The study behind a pipeline of one stage that has its results at hand."""
    root = study.root.resolve()
    for kind in ("data", "reports"):
        shutil.copytree(root / kind / "mini", root / "made" / kind / "mini")
    (root / "all.py").write_text(SCRIPT)
    stage = {
        "cmd": "python all.py",
        "deps": ["all.py"],
        "outs": ["data/mini", {"reports/mini": {"cache": False}}],
    }
    (root / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"all": stage}}))
    lock = {
        "cmd": "python all.py",
        "outs": [{"path": "data/mini", "md5": "x"}, {"path": "reports/mini", "md5": "y"}],
    }
    (root / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": {"all": lock}}))
    return Project()


def test_a_study_made_again_on_its_machine_is_equal_file_by_file(quick):
    check = check_rebuilt(quick)
    assert check.state == "holds", check.violations
    assert check.compared > 100
    assert not list(Path.cwd().parent.glob(".*-again-*"))


def recorded_as_it_is(project):
    """`dvc.lock` has the digests of what is there."""
    path = project.root / "dvc.lock"
    lock = yaml.safe_load(path.read_text())
    for out in lock["stages"]["all"]["outs"]:
        out["md5"] = md5(project.root / out["path"])
    path.write_text(yaml.safe_dump(lock))


def test_where_data_is_gone_the_lock_says_what_it_was(quick):
    recorded_as_it_is(quick)
    (quick.root / "data").rename(quick.root / "aside")
    check = check_rebuilt(quick)
    assert check.state == "holds", check.violations
    assert "what is not here was compared with its digest in dvc.lock" in check.notes
    assert check.compared > 50
    (quick.root / "aside").rename(quick.root / "data")
    edited = quick.score("arms")
    edited.write_text(edited.read_text().replace("[[", "[[1", 1))
    recorded_as_it_is(quick)
    shutil.rmtree("data")
    (found,) = check_rebuilt(quick).violations
    assert found.where == "data/mini (dvc.lock)"
    assert found.got.startswith("md5 ")


def test_outputs_of_stages_that_are_no_more_are_not_missed_and_such_as_were_never_recorded_are(
    quick,
):
    path = quick.root / "dvc.lock"
    lock = yaml.safe_load(path.read_text())
    lock["stages"]["all"]["outs"] = lock["stages"]["all"]["outs"][:1]
    gone = {"cmd": "x", "outs": [{"path": "data/mini/synthetic/t99", "md5": "x"}]}
    lock["stages"]["before"] = gone
    path.write_text(yaml.safe_dump(lock))
    check = check_rebuilt(quick)
    assert [found.where for found in check.violations] == ["reports/mini in dvc.lock"]
    assert "dvc.lock has 1 outputs that no stage makes: not compared" in check.notes


@pytest.mark.slow
def test_a_judge_trained_on_validation_is_found_by_a_clone_without_data(study):
    """The real pipeline, from nothing: the network, and all that comes from it, and no more."""
    test_lies.trained(study, TRAINED[:1])
    test_lies.without_data(study)
    check = check_rebuilt(Project())
    found = [violation.where for violation in check.violations]
    assert "data/mini/segmenters/judge (dvc.lock)" in found
    assert "data/mini/scores/t05.json (dvc.lock)" in found
    assert "reports/mini/scores/t05.json.gz" in found
    for name in ("prepared", "generators/flow", "segmenters/real", "synthetic/t05"):
        assert f"data/mini/{name} (dvc.lock)" not in found


def test_one_pixel_that_every_record_agrees_on_is_found(quick):
    path = next(quick.synthetic("t05").rglob("*_leftImg8bit.png"))
    pixels = io.read_photo(path).copy()
    pixels[0, 0, 0] ^= 1
    io.write_png(path, pixels)
    (found,) = check_rebuilt(quick).violations
    assert found.where == path.as_posix()


def test_a_stage_that_fails_is_a_finding_with_its_log_and_ends_a_calibration(quick):
    (quick.root / "all.py").write_text("raise SystemExit(3)\n")
    (found,) = check_rebuilt(quick).violations
    assert "dvc repro ended with exit code" in found.got
    log = Path(found.got.rpartition("see ")[2])
    assert "all.py" in log.read_text()
    with pytest.raises(
        ModelError, match=r"calibration 1, threads 1, instruction set avx2: .* ended with exit code"
    ):
        tolerances.calibrate(quick, 1)
    assert not (quick.root / CALIBRATION_FILE).exists()


def test_elsewhere_it_needs_bands_of_this_report(quick):
    made_elsewhere(quick)
    bands = {"mini": {"claims": "other", "bands": {}, "runs": []}}
    io.write_json(quick.root / CALIBRATION_FILE, bands)
    shutil.rmtree("data")
    check = check_rebuilt(quick)
    assert check.state == "cannot be checked"
    assert "augflow verify --calibrate" in check.absent[0]


def test_bands_are_measured_and_hold_what_other_machines_do(quick, monkeypatch):
    made_elsewhere(quick)
    path = tolerances.calibrate(quick, 2)
    record = io.read_json(path)["mini"]
    assert [run["capability"] for run in record["runs"]] == ["avx2", "default"]
    assert record["bands"]["runs.class_iou"] > 0
    # what does not move has no band to hide in
    assert record["bands"]["runs.steps"] == 0
    monkeypatch.setenv("shift", "1")
    check = check_rebuilt(quick)
    assert check.state == "holds within tolerance", check.violations
    monkeypatch.setenv("shift", "40")
    check = check_rebuilt(quick)
    assert check.state == "does not hold"
    assert any(".class_iou" in found.where for found in check.violations)


def with_bands(project, **widths):
    """A calibration of this report, which says of every column what it may move by."""
    measured = dict.fromkeys(map(".".join, tolerances.numbers(project.reports)[1].values()), 0.0)
    measured = {column: widths.get(column, widths.get("others", 0.0)) for column in measured}
    claims = tolerances._digest(tolerances.numbers(project.reports)[0])
    content = {"mini": {"claims": claims, "bands": measured, "runs": []}}
    (project.root / CALIBRATION_FILE).write_text(json.dumps(content))


@pytest.mark.parametrize("width", [1.0, -1.0, float("inf"), float("nan"), "1"])
def test_bands_that_let_anything_pass_decide_nothing(quick, monkeypatch, width):
    made_elsewhere(quick)
    with_bands(quick, others=width)
    monkeypatch.setattr(tolerances, "run_all", None)
    check = check_rebuilt(quick)
    assert check.state in ("cannot be checked", "does not hold")
    if width == 1.0:
        lacking = "a band of arms.class_iou.mean in calibration.json of 0.04 at most"
        assert lacking in check.absent
        wide, *turned = check_bands(quick).notes
        assert wide.startswith("too wide to tell anything at level 2 elsewhere: arms.class_acc")
        turn = "2 of 2 verdicts of comparisons may be others within bands at level 2 elsewhere"
        assert turned == [turn]


def test_what_has_too_wide_a_band_beside_the_verdict_is_named_and_not_compared(quick, monkeypatch):
    made_elsewhere(quick)
    decisive = {name: 0.04 for name in ("arms.class_iou.mean", "arms.pixel_accuracy.mean")}
    with_bands(quick, others=0.03, **{"arms_per_class.iou.mean": 0.5, "runs.seed": 1}, **decisive)
    monkeypatch.setattr(
        tolerances,
        "run_all",
        lambda copy, *_, **__: shutil.copytree("made/reports/mini", copy / "reports/mini") and None,
    )
    check = check_rebuilt(quick)
    [note] = [note for note in check.notes if "too wide" in note]
    assert "arms_per_class.iou.mean" in note
    assert "runs.seed" in note
    assert "arms.class_iou.mean" not in note
    assert check.state == "holds", (check.violations, check.absent)


def judged(project, *ends):
    """Gives the first comparison of a report an interval, and what that says."""
    path = project.reports / "tables" / "comparisons.csv"
    first, *others = rows = io.read_csv(path)
    first |= {"low": str(ends[0]), "high": str(ends[1]), "outcome": ends[2]}
    others[0] |= {"low": "", "high": "", "outcome": "cannot be told"}
    io.write_csv(path, [first, others[0]], list(rows[0]))
    return f"{first['arm']} against {first['against']}"


def test_verdicts_that_bands_may_turn_are_named_at_level_0(quick):
    with_bands(quick, **{"comparisons.low": 0.03, "comparisons.high": 0.03})
    name = judged(quick, 0.02, 0.05, "gain")
    [note] = check_bands(quick).notes
    assert note == (
        "1 of 2 verdicts of comparisons may be others within bands at level 2 elsewhere: "
        f"{name} (gain)"
    )
    judged(quick, -0.02, 0.05, "cannot be told")
    [note] = check_bands(quick).notes
    assert note.startswith("1 of 2 verdicts")
    assert name not in note
    judged(quick, 0.031, 0.05, "gain")
    assert check_bands(quick).notes == []


def test_a_verdict_that_comes_out_otherwise_within_bands_is_named(quick, monkeypatch):
    made_elsewhere(quick)
    with_bands(quick, others=0.03)
    monkeypatch.setattr(
        tolerances,
        "run_all",
        lambda copy, *_, **__: shutil.copytree("made/reports/mini", copy / "reports/mini") and None,
    )
    name = judged(quick, 0.02, 0.05, "gain")
    notes = check_rebuilt(quick).notes
    assert f"another verdict here, {name}: cannot be told, recorded: gain" in notes


def test_without_a_known_machine_nothing_is_made_again(quick, monkeypatch):
    monkeypatch.setattr(tolerances, "run_all", None)
    Path("environment.json").unlink()
    check = check_rebuilt(quick)
    assert check.state == "cannot be checked"
    assert "the machine of reports/mini in environment.json" in check.absent


def test_bands_that_are_none_are_a_finding_in_one_line(quick):
    made_elsewhere(quick)
    for content in ("[]", '{"mini": 3}', '{"mini": {"claims": "x"}}', "no JSON"):
        (quick.root / CALIBRATION_FILE).write_text(content)
        (found,) = check_rebuilt(quick).violations
        assert CALIBRATION_FILE in found.where
        with pytest.raises(DataError, match=r"calibration\.json: "):
            tolerances.calibrate(quick, 1)
        assert (quick.root / CALIBRATION_FILE).read_text() == content


def test_no_pipeline_and_no_folder_beside_the_project_are_refused(quick, tmp_path, monkeypatch):
    with (
        pytest.raises(DataError, match=r"dvc\.yaml: no such file"),
        clean_copy(tmp_path / "nothing"),
    ):
        pass

    def denied(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryDirectory", denied)
    with pytest.raises(DataError, match="no folder can be made in it"), clean_copy(quick.root):
        pass


def test_a_clean_copy_has_no_results_and_finds_photographs(study):
    root = study.root.resolve()
    (root / "data" / "mine").mkdir()
    (root / "data" / "mine" / "photo.png").write_bytes(b"x")
    with clean_copy(root) as copy:
        assert (copy / "params.yaml").exists()
        assert (copy / "augflow" / "study" / "params.py").exists()
        assert not (copy / "reports").exists()
        assert not (copy / "data" / "mini" / "generators").exists()
        assert not (copy / "dvc.lock").exists()
        assert copy.parent == root.parent
    assert not copy.exists()


def test_a_clean_copy_finds_photographs_that_git_ignores(study):
    root = study.root.resolve()
    place = {"reader": "cityscapes", "root": "data/mine"}
    params_with(data={**place, "size": [32, 48], "levels": 2})
    (root / "data" / "mine").mkdir()
    (root / ".gitignore").write_text("data/\n")
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    with clean_copy(root) as copy:
        assert (copy / "data" / "mine").resolve() == root / "data" / "mine"
        assert not (copy / "data" / "mini").exists()
    assert (root / "data" / "mine").exists()


# each stage waits for one that runs beside it, and writes when it began and ended
TIMED = """
import pathlib, sys, time
name, least = sys.argv[1], int(sys.argv[2])
pathlib.Path(f"{name}.begun").touch()
end = time.monotonic() + 60
while len(list(pathlib.Path().glob("*.begun"))) < least and time.monotonic() < end:
    time.sleep(0.05)
if name == "bad":
    raise SystemExit(3)
pathlib.Path(f"{name}.out").write_text(str(len(list(pathlib.Path().glob("*.begun")))))
"""


def side_by_side(folder, last="last"):
    """A pipeline of four stages: two that need each other's company, and one after another."""
    (folder / "timed.py").write_text(TIMED)
    deps = {"first": [], "second": [], last: ["first.out", "second.out"], "end": [f"{last}.out"]}
    stages = {
        name: {
            "cmd": f"python timed.py {name} {1 if needed else 2}",
            "deps": needed,
            "outs": [{f"{name}.out": {"cache": False}}],
        }
        for name, needed in deps.items()
    }
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    return folder


def test_stages_run_side_by_side_and_in_their_order(tmp_path):
    folder, log = side_by_side(tmp_path), tmp_path / "log.txt"
    assert run_all(folder, log, jobs=2) is None
    seen = [int((folder / f"{name}.out").read_text()) for name in ("first", "second")]
    assert seen == [2, 2]  # neither has waited in vain
    assert [(folder / f"{name}.out").read_text() for name in ("last", "end")] == ["3", "4"]
    assert "Data and pipelines are up to date" in log.read_text()


def begins(folder, code):
    """Starts a process that runs some code and leaves a file that says so."""

    def start(stage):
        (folder / f"{stage}.begun").touch()
        return subprocess.Popen([sys.executable, "-c", code.get(stage, code[""])])

    return start


def begun(folder):
    return sorted(path.stem for path in folder.glob("*.begun"))


def test_after_a_stage_that_fails_none_is_begun(tmp_path):
    needed = {"a": [], "bad": [], "c": [], "d": []}
    code = {"bad": "raise SystemExit(3)", "": "import time; time.sleep(2)"}
    assert _side_by_side(needed, begins(tmp_path, code), 2) == 3
    assert begun(tmp_path) == ["a", "bad"]  # c and d were ready, and a was waited for


def test_a_stage_waits_for_those_before_it_and_no_more_than_are_asked_for_run(tmp_path):
    needed = {"a": [], "b": ["a"], "c": ["b"], "d": []}
    most = []

    def start(stage):
        assert all(one.poll() == 0 for one in started if one.args[-1] in needed[stage])
        most.append(1 + sum(one.poll() is None for one in started))
        started.append(subprocess.Popen([sys.executable, "-c", "", stage]))
        return started[-1]

    started = []
    assert _side_by_side(needed, start, 2) == 0
    assert sorted(one.args[-1] for one in started) == ["a", "b", "c", "d"]
    assert max(most) == 2


def test_a_signal_ends_what_runs_and_begins_no_more(tmp_path):
    """As `augflow verify` hears it."""
    code = (
        "import subprocess, sys\n"
        "from pathlib import Path\n"
        "from augflow.cli.errors import report_faults\n"
        "from augflow.verify.rebuild import _side_by_side\n"
        "def start(stage):\n"
        "    one = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(120)'])\n"
        "    Path(f'{stage}.begun').write_text(str(one.pid))\n"
        "    return one\n"
        "with report_faults():\n"
        "    _side_by_side({'a': [], 'b': [], 'c': [], 'd': []}, start, 2)\n"
    )
    ran = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stderr=subprocess.PIPE)
    end = time.monotonic() + 60
    while len(begun(tmp_path)) < 2 and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(0.3)
    ran.terminate()
    assert ran.wait(30) == 143
    ran.stderr.close()
    assert begun(tmp_path) == ["a", "b"]
    for path in tmp_path.glob("*.begun"):
        assert not Path(f"/proc/{path.read_text()}").exists()


def test_a_pipeline_that_dvc_cannot_read_is_a_finding_with_its_log(quick):
    text = (quick.root / "dvc.yaml").read_text()
    (quick.root / "dvc.yaml").write_text(text + text.replace("stages:", "").replace("all:", "b:"))
    (found,) = check_rebuilt(quick, jobs=2).violations
    assert "dvc repro ended with exit code" in found.got


def test_a_band_is_at_least_what_was_seen_and_wider_for_few_runs():
    moved = list(np.random.default_rng(0).normal(0, 0.01, 4))
    few, many = tolerances.half_width(moved, 50, 1), tolerances.half_width(moved * 20, 50, 20)
    assert few > many > np.sqrt(np.mean(np.square(moved)))
    assert tolerances.half_width([*moved, 0.5], 2, 5) >= 0.5
    assert tolerances.half_width([0.0, 0.0], 9, 2) == 0

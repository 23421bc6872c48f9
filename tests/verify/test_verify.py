"""`augflow verify` on a real study: what its commands, options and files say beside the lies."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import typer
import yaml
from typer.testing import CliRunner

from augflow import __version__
from augflow.cli.verify import verify as command
from augflow.core import io
from augflow.core.errors import ParamsError
from augflow.data.synthetic import read_rows
from augflow.data.synthetic.manifest import label_path
from augflow.generators.sampling import image_seed, sample_images
from augflow.stages.runner import STAGES
from augflow.verify import EXIT_CODES, Check, Sample, state_of, verify
from augflow.verify.declared import check_declared
from augflow.verify.lock import check_lock
from augflow.verify.records import check_environment, check_models, check_selected
from augflow.verify.replay import REPLAYED, replay_stage
from augflow.verify.replay_items import compare_images, compare_matrices
from augflow.verify.reports import check_claims, check_reports
from augflow.verify.scores import check_scores
from augflow.verify.sets import check_sets
from augflow.verify.workspace import Workspace
from tests import tiny_study
from tests.verify.forging import (
    edit,
    edit_json,
    flip,
    improve,
    made_elsewhere,
    params_with,
    rewrite_manifest,
)

T05, NEW = Path("data/mini/synthetic/t05"), Path("data/mini/synthetic/new")
SCENE = "fennwick_000000_000000"
PHOTO = T05 / f"leftImg8bit/val/fennwick/{SCENE}_r1_leftImg8bit.png"


@pytest.fixture
def run():
    app = typer.Typer()
    app.command()(command)
    return lambda *words: CliRunner().invoke(app, list(words), catch_exceptions=False)


def lines(*checks):
    return [str(violation) for check in checks for violation in check.violations]


def test_every_stage_is_replayed_or_trained_again():
    trained = {"train", "predict", "judge", "judges", "retrain"}
    assert set(REPLAYED) | trained | {"check"} == set(STAGES)


def test_a_flipped_pixel_is_named_for_programs_and_people(study, run, tmp_path):
    before = io.read_photo(PHOTO)[3, 4].tolist()
    after = flip(PHOTO)[3, 4].tolist()
    result = run("--out", str(tmp_path / "found"))
    assert result.exit_code == 1
    line = f"{PHOTO}: row 3, column 4: expected {before}, got {after}"
    assert line in result.output
    assert f"{PHOTO}: expected what was recorded, got pixels have digest" in result.output
    content = io.read_json(tmp_path / "found/level_0.json")
    page = (tmp_path / "found/level_0.md").read_text()
    assert content["state"] == "does not hold"
    assert page.startswith("# Level 0: does not hold\n")
    wheres = [one["where"] for check in content["checks"] for one in check["violations"]]
    assert f"{PHOTO}: row 3, column 4" in wheres
    assert "row 3, column 4" in page


def test_an_image_that_was_not_sampled_or_is_not_at_its_rank_is_named(space):
    folder = Path("data/mini/synthetic/best")
    first, second = read_rows(folder)[:2]
    bits = {first.name: second.log_p_bpd, second.name: first.log_p_bpd}
    seeds = {second.name: image_seed(0, SCENE, 3)}
    rewrite_manifest(
        folder,
        lambda row: {
            **row,
            "log_p_bpd": bits.get(row["name"], row["log_p_bpd"]),
            "seed": seeds.get(row["name"], row["seed"]),
        },
    )
    found = "\n".join(lines(check_sets(space)))
    assert f"{second.name}: seed: expected the seed of one of 3 photographs" in found
    assert f"manifest.csv: {SCENE}, temperature 0.5: bits by rank: expected [" in found
    assert "temperature 0.9" not in found


def test_dvc_shows_the_metrics_and_plots_of_a_study(study):
    from dvc.repo import Repo

    stored = io.read_json(study.reports / "metrics.json")
    with Repo() as repo:
        shown = repo.metrics.show()[""]["data"]
        assert shown == {"reports/mini/metrics.json": {"data": stored}}
        assert stored["arms"].keys() == study.params.arms.keys()
        plots = repo.plots.show()["workspace"]["sources"]["data"]
    assert all("error" not in plot for plot in plots.values())
    drawn = {f"reports/mini/tables/{name}.csv" for name in ("arms", "temperature", "bpd_curve")}
    assert drawn < plots.keys()
    assert "reports/mini/figures/classes.png" in plots


def test_an_edit_that_keeps_size_and_date_is_seen(study):
    path = Path("data/mini/generators/flow/history.csv")
    stat, content = path.stat(), path.read_bytes()
    with path.open("r+b") as stream:
        stream.seek(content.index(b"\n1,") + 1)
        stream.write(b"7")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert path.stat().st_mtime_ns == stat.st_mtime_ns
    assert lines(check_lock(study))[0].startswith(f"{path}: line 2: expected '1,")


def test_a_dropped_image_is_named_with_its_line_or_without(space):
    PHOTO.unlink()
    assert f"{PHOTO}: expected what was recorded, got no such file" in lines(check_sets(space))
    name = PHOTO.name.removesuffix("_leftImg8bit.png")
    rewrite_manifest(T05, lambda row: None if row["name"] == name else row)
    missing = f"{T05}/manifest.csv: {name}: expected a photograph, got none"
    assert lines(check_sets(space)) == [missing]


def test_what_is_recorded_of_networks_scores_and_selections_is_held_to_the_study(study, space):
    """Digests of others, and what was left out or never there."""
    config = study.segmenter("both", 0) / "config.json"
    mute = study.segmenter("picked", 0) / "config.json"
    edit_json(mute, lambda content: content.pop("training"))
    edit_json(config, lambda content: content["training"].update(train_on=["real"]))
    edit_json(study.score("arms"), lambda content: content["runs"].pop("both-0"))
    references, maps = study.score("references"), study.score("predictors/maps")
    edit_json(references, lambda content: content["rows"]["wrong"][0].update(name="nobody"))
    for path in (maps, study.score("diversity/flow")):
        edit_json(path, lambda content: content.update(weights="others"))
    edit_json(study.score("new"), lambda content: content.update(temperatures=[0.6]))
    facts = study.selected_folder("strict") / "selection.json"
    edit_json(facts, lambda content: content.update(judge="feed", set="more"))
    (study.selected_folder("chosen") / "selection.csv").unlink()
    found = "\n".join(lines(check_models(space), check_scores(space), check_selected(space)))
    runs = [f"{arm}-{seed}" for arm in ("both", "picked", "real") for seed in (0, 1)]
    for line in (
        f"{config}: training.train_on: expected",
        f"{mute}: expected readable content, got KeyError: 'training'",
        f"{study.score('arms')}: runs: expected {runs}, got {runs[1:]}",
        f"{references}: wrong: nobody for",
        f"{study.score('new')}: temperatures: expected [0.8], got [0.6]",
        f"{maps}: weights: expected",
        f"{study.score('diversity/flow')}: weights: expected",
        f"{facts}: judge: expected",
        f"{facts}: set: expected most, got more",
        f"{study.selected_folder('chosen')}/selection.csv: expected what was recorded",
    ):
        assert line in found
    assert any("predictors/maps" in line for line in lines(check_reports(space)))
    shutil.rmtree(study.selected_folder("chosen"))
    assert check_selected(space).absent == [study.selected_folder("chosen").as_posix()]


def test_layouts_that_are_not_the_new_ones_are_named(space):
    photo = read_rows(NEW)[1].photo
    paths = [NEW / label_path(photo, kind) for kind in ("labelIds", "instanceIds")]
    for path, kind in zip(paths, (np.uint8, np.uint16), strict=True):
        pixels = io.read_ids(path).astype(kind)
        pixels[-1, 0] = 23
        io.write_png(path, pixels)
    edit_json(NEW / "set.json", lambda content: content["new_layouts"].update(boost=["person"]))
    found = lines(check_sets(space))
    assert len(found) == 3
    assert found[0].startswith(f"{NEW / 'set.json'}: new_layouts: expected")
    for line, path in zip(found[1:], paths, strict=True):
        assert line.startswith(f"{path}: row 31, column 0: expected")


def test_an_image_of_another_new_layout_is_named(space):
    name = read_rows(NEW)[1].layout
    edit(NEW / "manifest.csv", f",{name},", f",{name[:-1]}7,")
    found = "\n".join(lines(check_sets(space)))
    assert f": layout: expected {name}, got {name[:-1]}7" in found


def test_a_clone_without_data_cannot_be_checked_but_its_report_can(study, run):
    shutil.rmtree("data")
    shutil.rmtree(".dvc/cache")
    result = run()
    assert result.exit_code == 2, result.output
    assert "reports: holds" in result.output
    assert "synthetic sets: cannot be checked" in result.output
    edit("reports/mini/tables/temperature.csv", "0.", "1.")
    found = lines(check_reports(Workspace(study)))
    assert any(line.startswith("reports/mini/tables/temperature.csv: row") for line in found)


def test_outputs_are_compared_with_the_lock_where_dvc_has_no_copy(study):
    shutil.rmtree(".dvc/cache")
    flip(PHOTO)
    params_with(arms={"real": tiny_study.PARAMS["arms"]["real"]})
    check = check_lock(study)
    assert T05.as_posix() in [violation.where for violation in check.violations]
    assert check.notes == [
        "dvc.lock has stages that dvc.yaml has not: retrain@both, retrain@picked"
    ]
    Path("dvc.lock").unlink()
    check = check_lock(study)
    assert (check.state, check.absent) == ("cannot be checked", ["dvc.lock"])


def test_what_dvc_cannot_read_cannot_be_checked(study):
    edit("dvc.yaml", "stages:", "stages: {")
    check = check_lock(study)
    assert check.state == "cannot be checked"
    assert check.absent[0].startswith("an answer of dvc status (")


def test_what_a_replay_would_read_is_absent_and_not_wrong(study):
    shutil.rmtree(study.judge_of("own"))
    check = replay_stage(Workspace(study), "select")
    assert (check.state, check.absent) == ("cannot be checked", [study.judge_of("own").as_posix()])


def test_what_cannot_be_read_in_a_replay_is_named_where_it_lies(study):
    path = study.prepared_folder / "train" / "image.npy"
    path.write_bytes(path.read_bytes()[:-30])
    [line] = lines(replay_stage(Workspace(study), "costs"))
    assert line.startswith(f"{path}: expected what was recorded, got ")


def test_an_image_that_was_sampled_but_is_not_the_likeliest_is_found_by_sampling_again(
    study, space
):
    """Rank 1 of 3 gives way to the third: pixels, digest, seed and bits all fit each other."""
    folder = Path("data/mini/synthetic/best")
    rows = read_rows(folder)
    section = space.project.params.sets["best"]
    layout = space.split("val").scenes([space.row_of("val", rows[0].layout)]).layout
    seeds = [image_seed(section.seed, rows[0].layout, number) for number in range(3)]
    for degree in section.temperatures:
        images = sample_images(space.generator("flow"), layout, seeds, degree)
        last = max(range(3), key=lambda place: images[place].log_p_bpd)
        [old] = [row for row in rows if (row.temperature, row.round) == (degree, 1)]
        io.write_png(folder / old.photo, images[last].image)
        forged = {
            "seed": seeds[last],
            "log_p_bpd": images[last].log_p_bpd,
            "digest": io.digest_array(images[last].image),
        }
        rewrite_manifest(
            folder, lambda row, old=old, new=forged: row | new if row["name"] == old.name else row
        )
    assert check_sets(Workspace(study)).state == "holds"
    [line] = lines(replay_stage(Workspace(study), "synthesize"))
    assert "rank 1 of 3" in line


def shifted(greys, count=1):
    """A photograph of which so many pixels are so many grey values lighter or darker."""
    pixels = io.read_photo(PHOTO).astype(int)
    some = pixels.reshape(-1, 3)[:count]
    some += np.where(some < 128, greys, -greys)
    io.write_png(PHOTO, pixels.astype(np.uint8))


@pytest.mark.parametrize(
    ("greys", "count", "state"),
    [
        (0, 1, "holds"),
        (2, 15, "holds within tolerance"),
        (3, 1, "does not hold"),
        (1, 16, "does not hold"),  # of 1536 pixels
    ],
)
def test_elsewhere_few_pixels_of_an_image_may_differ_by_little(study, greys, count, state):
    """Many that differ by little would be a photograph made for its judge."""
    made_elsewhere(study)
    shifted(greys, count)
    check = Check("x")
    space = Workspace(study, Sample(items=None))
    compare_images(check, space, "t05")
    assert check.state == state, lines(check)
    assert any("within 2 grey values" in note for note in check.notes)


def test_what_nobody_knows_the_machine_of_cannot_be_checked(study, run):
    def lose(name):
        def change(content):
            del content["made"][name]

        edit_json("environment.json", change)

    lose(T05.as_posix())
    lacking = f"the machine of {T05} in environment.json"
    assert check_environment(study).absent == [lacking]
    shifted(1)
    check = replay_stage(Workspace(study, Sample(items=None)), "synthesize")
    assert (check.state, check.absent) == ("cannot be checked", [lacking])
    shifted(100)
    assert replay_stage(Workspace(study, Sample(None)), "synthesize").state == "does not hold"
    Path("environment.json").unlink()
    assert check_environment(study).absent == ["environment.json"]
    assert replay_stage(Workspace(study), "select").state == "cannot be checked"
    assert run("--level", "0").exit_code != 0


def test_elsewhere_a_pixel_may_get_another_class_and_more_may_not(study, run):
    made_elsewhere(study)
    path = study.score("t05")
    edit_json(path, lambda content: improve(content["items"][0]))
    check = replay_stage(Workspace(study, Sample(items=None)), "score")
    assert check.state == "holds within tolerance", lines(check)
    edit_json(path, lambda content: improve(content["items"][1]))
    found = "8 images together: pixels of another class: expected at most 2, got 2"
    check = replay_stage(Workspace(study, Sample(items=None)), "score")
    assert check.state == "holds within tolerance", lines(check)
    edit_json(path, lambda content: [improve(item) for item in content["items"][2:]])
    [line] = lines(replay_stage(Workspace(study, Sample(items=None)), "score"))
    assert line == f"{path}: {found[:-1]}8"
    found = Check("x", compared=1, tolerated=1)
    assert EXIT_CODES[state_of([found])] == 3
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("augflow.verify.verify", lambda *_: iter([found]))
        assert run().exit_code == 3
        assert run("--strict").exit_code == 1


def test_elsewhere_pixels_of_a_rare_class_move_no_class_iou():
    """One pixel of a class of three is as much as an arm is worth."""
    made = np.diag([4000, 4000, 3])
    made[2] = [3, 0, 0]
    told = made.copy()
    told[2] = [2, 0, 1]
    check = Check("x")
    compare_matrices(check, "a.json", [({"name": "a", "confusion": told.tolist()}, made)], True)
    [line] = lines(check)
    assert line.startswith("a.json: 1 images together: class IoU: expected 0.66")


def test_an_option_that_would_be_ignored_is_refused(study, run):
    ignored = {
        word: f"{word.split()[0]} would mean nothing; leave it out"
        for word in ("--level 0", "--strict", "--out x", "--json x.json", "--trust-config")
    }
    refused = {f"--calibrate 1 {word}": words for word, words in ignored.items()} | {
        "--trust-config": "--trust-config is for networks that are loaded, which level 0",
        "--level 2 --trust-config": "set trust_config: true in params.yaml",
        "--items 5 --seed 1": "--items, --seed: level 0 draws no sample; leave it out",
        "--level 2 --trainings 1": "--trainings: level 2 draws no sample",
        "--level 1 --items 0": "--items 0: expected a number from 1, or all",
        "--level 1 --items some": "--items some: expected a number from 1, or all",
        "--jobs 2": "--jobs is for stages that run, and level 0 runs none; leave it out",
    }
    for words, message in refused.items():
        with pytest.raises(ParamsError, match=message):
            run(*words.split())
    assert not Path("x").exists()


def test_a_sample_is_drawn_anew_by_each_run_and_again_by_its_seed(study, run, monkeypatch):
    def stand_in(*_):
        yield Check("x", compared=1)

    monkeypatch.setattr("augflow.verify.verify", stand_in)
    asked = []
    for words in ([], [], ["--items", "all", "--trainings", "3", "--seed", "5"]):
        result = run("--level", "1", *words)
        asked.append(io.read_json(Path(".augflow/verify/level_1.json"))["sample"])
        text = "sample: --items {items} --trainings {trainings} --seed {seed}".format(**asked[-1])
        assert text.replace("None", "all") in result.output
        assert text.replace("None", "all").removeprefix("sample: ") in Path(
            ".augflow/verify/level_1.md"
        ).read_text().replace("\\", "")
    assert asked[0].pop("seed") != asked[1].pop("seed")
    assert asked == [{"items": 2, "trainings": 0}] * 2 + [
        {"items": None, "trainings": 3, "seed": 5}
    ]
    drawn = [Workspace(study, Sample(seed=seed)).draw_items(1000, "x") for seed in (5, 5, 6)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_photos_of_one_layout_are_drawn_together_and_all_of_them_where_all_is_asked_for(study):
    rows = read_rows(study.synthetic("most"))
    for seed in range(10):
        drawn = [rows[n] for n in Workspace(study, Sample(1, seed=seed)).draw_rows(rows, "x")]
        assert len(drawn) == 2
        assert len({row.layout for row in drawn}) == 1
    assert Workspace(study, Sample(None)).draw_rows(rows, "x") == list(range(len(rows)))
    [single] = Workspace(study, Sample(1)).draw_rows(read_rows(study.synthetic("more")), "x")
    assert 0 <= single < 4


def test_a_damaged_table_of_scenes_is_no_absent_one(study, space):
    (study.prepared_folder / "scenes.csv").write_bytes(b"\xff\xfe")
    check = check_reports(space)
    assert "data/mini/prepared/scenes.csv: expected what was recorded, got not a table" in str(
        check.violations[0]
    )
    (study.prepared_folder / "scenes.csv").unlink()
    assert check_reports(space).absent == ["data/mini/prepared/scenes.csv"]


def packaged(study, version):
    """The study as one outside of augflow's own tree, made by a version of augflow."""
    (study.root / "augflow.version").write_text(f"{version}\n")
    for name in ("augflow", "streetscenes"):
        shutil.rmtree(name)
    own = yaml.safe_load(Path("dvc.yaml").read_text())
    for stage in own["stages"].values():
        deps = stage.get("do", stage)["deps"]
        deps[:] = ["augflow.version", *(path for path in deps if not path.startswith("augflow/"))]
    own["stages"]["report"]["deps"].remove("augflow.version")  # as an older version had it
    Path("dvc.yaml").write_text(yaml.safe_dump(own))


def test_the_pipeline_of_another_version_of_augflow_is_not_held_against_a_project(study):
    def declared():
        check = Check("pipeline")
        check_declared(check, study, {}, {})
        return check

    packaged(study, f"augflow {__version__}")
    found = "dvc.yaml: report: deps: expected augflow.version, as of augflow's own pipeline"
    assert any(line.startswith(found) for line in lines(declared()))
    Path("augflow.version").write_text("augflow 0.0.9\n")
    check = declared()
    assert (lines(check), check.state) == ([], "cannot be checked")
    assert "the pipeline of augflow 0.0.9" in check.absent[0]
    own = yaml.safe_load(Path("dvc.yaml").read_text())
    own["stages"]["report"]["deps"].append("augflow.version")
    Path("dvc.yaml").write_text(yaml.safe_dump(own))
    assert declared().state == "holds"  # another version, the same pipeline


def test_a_folder_that_cannot_be_written_changes_no_verdict(study, run, tmp_path):
    (tmp_path / "file").write_text("")
    result = run("--level", "3", "--out", str(tmp_path / "file" / "below"))
    assert result.exit_code == 0, result.output
    assert "not written" in result.output


@pytest.mark.parametrize("level", [0, 1, 2, 3])
@pytest.mark.parametrize("place", [
    "data/mini/scores/arms.json", "data/params.json", ".dvc/config", "augflow/api.py",
])  # fmt: skip
def test_a_pipe_in_place_of_a_file_is_named_and_not_waited_for(study, level, place):
    path = study.root / place
    path.unlink()
    os.mkfifo(path)
    [check] = verify(study, level)
    assert [str(one) for one in check.violations] == [
        f"{path}: expected a file, got a pipe, a socket or a device"
    ]


@pytest.mark.parametrize(
    ("machine", "state"),
    [("here", "holds"), ("elsewhere", "holds within tolerance"), ("unknown", "cannot be checked")],
)
def test_elsewhere_a_chart_may_be_another_picture_and_is_told(study, machine, state):
    if machine != "here":
        flip(study.reports / "figures" / "classes.png")
        made_elsewhere(study)
    if machine == "unknown":
        Path("environment.json").unlink()
    [check] = [one for one in check_claims(study) if one.title == "claims: charts"]
    assert (check.state, check.compared > 3) == (state, True)


def test_elsewhere_pictures_of_a_report_may_differ_and_its_files_are_the_same(study):
    made_elsewhere(study)
    flip(study.reports / "figures" / "classes.png")
    (study.reports / "more.html").write_text("99 %")
    (study.reports / "pictures" / "data.webp").unlink()
    check = replay_stage(Workspace(study), "report")
    added, gone = sorted(lines(check))
    assert gone.startswith(f"{study.reports}/pictures/data.webp: expected content ")
    assert added.startswith(f"{study.reports}/more.html: expected no such file, got content ")
    assert check.tolerated == 1

"""`augflow verify` on a real study: it holds, and every way to spoil it is found and named."""

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
from augflow.generators.sampling import photo_seed, sampled
from augflow.study.environment import Machines
from augflow.study.project import Project
from augflow.verify import EXIT_CODES, Check, state_of
from augflow.verify.declared import check_declared
from augflow.verify.lock import check_lock
from augflow.verify.models import check_models
from augflow.verify.remade_numbers import check_matrices, check_training
from augflow.verify.remade_photos import check_photos, check_transfers
from augflow.verify.remade_scenes import check_scenes
from augflow.verify.reports import check_reports
from augflow.verify.scores import check_scores
from augflow.verify.sets import check_sets
from augflow.verify.workspace import Workspace
from tests import tiny_study
from tests.verify.forging import edit, edit_json, flip, params_with, rewrite_manifest

T05 = Path("data/mini/synthetic/t05")
SCENE = "fennwick_000000_000000"
PHOTO = T05 / f"leftImg8bit/val/fennwick/{SCENE}_r1_leftImg8bit.png"


@pytest.fixture
def run():
    app = typer.Typer()
    app.command()(command)
    return lambda *words: CliRunner().invoke(app, list(words), catch_exceptions=False)


def lines(*checks):
    return [str(violation) for check in checks for violation in check.violations]


def test_flipped_pixel_is_named(study, run):
    before = io.read_photo(PHOTO)[3, 4].tolist()
    after = flip(PHOTO)[3, 4].tolist()
    result = run()
    assert result.exit_code == 1
    assert f"{PHOTO}: row 3, column 4: expected {before}, got {after}" in result.output
    assert f"{PHOTO}: expected what was recorded, got pixels have digest" in result.output


def test_swapped_seeds_are_named(study, space):
    names = [f"{SCENE}_r0", f"{SCENE}_r1"]
    seeds = {row.name: row.seed for row in read_rows(T05)}
    swapped = dict(zip(names, [seeds[names[1]], seeds[names[0]]], strict=True))
    rewrite_manifest(T05, lambda row: {**row, "seed": swapped.get(row["name"], row["seed"])})
    found = lines(check_sets(space))
    for number, name in enumerate(names):
        expected, got = photo_seed(0, SCENE, number), swapped[name]
        assert f"{T05}/manifest.csv: {name}: seed: expected {expected}, got {got}" in found
    # and DVC's copy says which line of the file is another
    assert lines(check_lock(study))[0].startswith(f"{T05}/manifest.csv: line 2: expected")


def test_a_photograph_that_is_not_among_the_drawn_or_not_at_its_rank_is_named(space):
    folder = Path("data/mini/synthetic/best")
    assert lines(check_sets(space)) == []
    first, second = read_rows(folder)[:2]
    bits = {first.name: second.log_p_bpd, second.name: first.log_p_bpd}
    seeds = {second.name: photo_seed(0, SCENE, 3)}
    rewrite_manifest(folder, lambda row: {
        **row,
        "log_p_bpd": bits.get(row["name"], row["log_p_bpd"]),
        "seed": seeds.get(row["name"], row["seed"]),
    })  # fmt: skip
    found = "\n".join(lines(check_sets(space)))
    assert f"{second.name}: seed: expected the seed of one of 3 photographs" in found
    assert f"manifest.csv: {SCENE}, temperature 0.5: bits by rank: expected [" in found
    assert "temperature 0.9" not in found


def test_changed_parameter_is_named_with_the_stages_that_ran_without_it(study):
    params_with(sets__t05__temperatures=[0.6])
    assert (
        "params.yaml: sets.t05.temperatures: expected [0.5], with which synthesize@t05, leaks, "
        "costs, report ran, got [0.6]"
    ) in lines(check_lock(study))
    found = lines(check_sets(Workspace(Project())))
    assert f"{T05}/set.json: temperatures: expected (0.6,), got (0.5,)" in found


def test_changed_code_and_stages_not_run_are_named(study):
    with Path("augflow/core/seeding.py").open("a") as stream:
        stream.write("# another line\n")
    section = {**tiny_study.PARAMS["sets"]["t05"], "temperatures": [0.9]}
    params_with(sets__t09=section)
    found = lines(check_lock(study))
    code = [line for line in found if line.startswith("augflow/core/seeding.py: expected what ")]
    assert len(code) == 1
    assert code[0].endswith("got other content")
    assert (
        "dvc.yaml: synthesize@t09: expected to be in dvc.lock, got a stage that was not run"
        in found
    )
    assert any(
        line.startswith("params.yaml: sets.t09.temperatures: expected nothing") for line in found
    )


def test_edit_that_keeps_size_and_date_is_seen(study):
    path = Path("data/mini/generators/flow/history.csv")
    stat, content = path.stat(), path.read_bytes()
    place = content.index(b"\n1,") + 1
    with path.open("r+b") as stream:
        stream.seek(place)
        stream.write(b"7")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert path.stat().st_mtime_ns == stat.st_mtime_ns
    assert lines(check_lock(study))[0].startswith(f"{path}: line 2: expected '1,")


def test_dropped_image_is_named_with_its_line_or_without(study, space):
    PHOTO.unlink()
    assert f"{PHOTO}: expected a file" in lines(check_lock(study))[0]
    assert f"{PHOTO}: expected what was recorded, got no such file" in lines(check_sets(space))
    name = PHOTO.name.removesuffix("_leftImg8bit.png")
    rewrite_manifest(T05, lambda row: None if row["name"] == name else row)
    missing = (
        f"{T05}/manifest.csv: {SCENE}, temperature 0.5, round 1: expected a photograph, got none"
    )
    assert lines(check_sets(space)) == [missing]


def test_labels_of_another_layout_are_named(space):
    path = T05 / label_path(PHOTO.relative_to(T05).as_posix(), "labelIds")
    ids = io.read_ids(path).copy()
    ids[0, 0] = 23 if ids[0, 0] != 23 else 7
    io.write_png(path, ids)
    assert lines(check_sets(space))[0].startswith(f"{path}: row 0, column 0: expected")


def test_weights_of_another_generator_are_named(space):
    from safetensors.numpy import load_file, save_file

    folder = Path("data/mini/generators/flow")
    weights = load_file(folder / "weights.safetensors")
    name = sorted(weights)[0]
    weights[name].flat[0] += 1e-3
    save_file(weights, folder / "weights.safetensors")
    found = lines(check_models(space))
    assert [line.split(": ")[0] for line in found] == [f"{folder}/weights.safetensors"]
    config = Path("data/mini/segmenters/both/0/config.json")
    edit_json(config, lambda content: content["training"].update(train_on=["real"]))
    assert any(
        "both/0/config.json: training.train_on" in line for line in lines(check_models(space))
    )


def test_edited_matrices_are_named(study, space):
    path = study.score("t05")

    def to_another_class(content):
        matrix = np.array(content["items"][0]["confusion"])
        row, column = np.argwhere(matrix > 0)[0]
        matrix[row, column] -= 1
        matrix[(row + 1) % len(matrix), column] += 1
        content["items"][0]["confusion"] = matrix.tolist()

    edit_json(path, to_another_class)
    name = io.read_json(path)["items"][0]["name"]
    assert [line.partition(": expected")[0] for line in lines(check_scores(space))] == [
        f"{path}: {name}: pixels of each class"
    ]
    assert lines(check_lock(study))[0].startswith(f"{path}: line ")


def test_scores_of_other_photographs_and_networks_are_named(study, space):
    edit_json(study.score("t05"), lambda content: content["items"].pop())
    edit_json(study.score("more"), lambda content: content.update(judge="another"))
    edit_json(study.score("arms"), lambda content: content["runs"].pop("both-0"))
    references = study.score("references")
    edit_json(references, lambda content: content["rows"]["wrong"][0].update(name="nobody"))
    found = "\n".join(lines(check_scores(space)))
    assert f"{study.score('t05')}: photographs: expected 8, got 7" in found
    assert f"{study.score('more')}: judge: expected" in found
    runs = [f"{arm}-{seed}" for arm in ("both", "picked", "real") for seed in (0, 1)]
    assert f"{study.score('arms')}: runs: expected {runs}, got {runs[1:]}" in found
    assert f"{references}: wrong: nobody for" in found


def test_forged_predictions_are_named_and_found_by_predicting_again(study, space):
    params_with(verify__items=100)
    path = study.score("predictors/maps")

    def to_another_column(content):
        matrix = content["samples"][0]["items"][0]["confusion"]
        row = next(row for row in matrix if any(row))
        row[0], row[1] = row[1] + 1, row[0] - 1

    edit_json(path, to_another_column)
    assert check_scores(space).state == "holds"
    name = io.read_json(path)["samples"][0]["items"][0]["name"]
    again = lines(check_matrices(Workspace(study), Machines(study)))
    assert again[0].startswith(f"{path}: 1 samples: {name}: confusion, row ")
    edit_json(path, lambda content: content.update(weights="others"))
    assert f"{path}: weights" in lines(check_scores(space))[0]
    copied = [line for line in lines(check_reports(space)) if "predictors/maps" in line]
    assert copied


def test_diversity_of_another_generator_is_named(study, space):
    path = study.score("diversity/flow")
    edit_json(path, lambda content: content.update(weights="others"))
    assert f"{path}: weights" in lines(check_scores(space))[0]


def test_clone_without_data_cannot_be_checked_but_its_report_can(study, run):
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
    assert check_lock(study).state == "holds"
    flip(PHOTO)
    assert [violation.where for violation in check_lock(study).violations] == [T05.as_posix()]


def test_stages_that_are_no_more_are_noted(study):
    params_with(arms={"real": tiny_study.PARAMS["arms"]["real"]})
    [note] = check_lock(study).notes
    assert note == "dvc.lock has stages that dvc.yaml has not: retrain@both, retrain@picked"


def test_project_without_lock_cannot_be_checked(study):
    Path("dvc.lock").unlink()
    check = check_lock(study)
    assert (check.state, check.absent) == ("cannot be checked", ["dvc.lock"])


def test_a_photograph_that_was_drawn_but_is_not_the_likeliest_is_found_by_drawing_again(
    study, space
):
    """Rank 1 of 3 gives way to the third: pixels, digest, seed and bits all fit each other."""
    folder = Path("data/mini/synthetic/best")
    rows = read_rows(folder)
    section = space.project.params.sets["best"]
    layout = space.split("val").scenes([space.row_of("val", rows[0].layout)]).layout
    drawn = [photo_seed(section.seed, rows[0].layout, number) for number in range(3)]
    for degree in section.temperatures:
        photos = sampled(space.generator("flow"), layout, drawn, degree)
        last = max(range(3), key=lambda place: photos[place].log_p_bpd)
        [old] = [row for row in rows if (row.temperature, row.round) == (degree, 1)]
        io.write_png(folder / old.photo, photos[last].image)
        forged = {"seed": drawn[last], "log_p_bpd": photos[last].log_p_bpd,
                  "digest": io.digest_array(photos[last].image)}  # fmt: skip
        rewrite_manifest(
            folder, lambda row, old=old, new=forged: row | new if row["name"] == old.name else row
        )
    assert check_sets(Workspace(study)).state == "holds"
    found = lines(check_photos(Workspace(study), Machines(study)))
    assert [line for line in found if "rank 1 of 3" in line] == found
    assert len(found) == 1


def test_forged_numbers_are_found_by_making_them_again(study):
    params_with(verify__items=100)

    def to_another_column(content):
        matrix = content["items"][0]["confusion"]
        row = next(row for row in matrix if any(row))
        row[0], row[1] = row[1] + 1, row[0] - 1

    edit_json(study.score("t05"), to_another_column)
    config = Path("data/mini/generators/flow/config.json")
    bits = io.read_json(config)["facts"]["val_bpd"]
    edit_json(config, lambda content: content["facts"].update(val_bpd=bits - 1e-4))
    machines, space = Machines(study), Workspace(study)
    assert check_scores(space).state == "holds"
    name = io.read_json(study.score("t05"))["items"][0]["name"]
    assert lines(check_matrices(space, machines))[0].startswith(
        f"{study.score('t05')}: {name}: confusion, row "
    )
    assert [line.partition(": expected")[0] for line in lines(check_training(space, machines))] == [
        f"{config}: val_bpd"
    ]


def test_forged_scenes_and_transfers_are_found_by_making_them_again(study):
    params_with(verify__items=100)
    machines, space = Machines(study), Workspace(study)
    moved = next(Path("data/mini/synthetic/moved/leftImg8bit").rglob("*.png"))
    resized = Path("data/mini/prepared/train/image/aldenburg_000000_000001.png")
    raw = Path("data/mini/raw/leftImg8bit/val/fennwick") / f"{SCENE}_leftImg8bit.png"
    flip(moved)
    assert lines(check_transfers(space, machines))[0].startswith(f"{moved}: row 3, column 4: ")
    for path in (resized, raw):
        flip(path)
    found = "\n".join(lines(check_scenes(space, machines)))
    assert f"{resized}: row 3, column 4: " in found
    assert f"{raw}: row 3, column 4: " in found


def test_elsewhere_photographs_may_differ_by_the_tolerance(study):
    params_with(verify__items=100)
    Path("environment.json").unlink()
    for grey, state in ((0, "holds"), (2, "holds within tolerance"), (3, "does not hold")):
        pixels = io.read_photo(PHOTO).astype(int)
        pixels[5, 6] += grey if pixels[5, 6].max() < 250 else -grey
        original = PHOTO.read_bytes()
        io.write_png(PHOTO, np.clip(pixels, 0, 255).astype(np.uint8))
        check = check_photos(Workspace(study), Machines(study))
        PHOTO.write_bytes(original)
        assert check.state == state
        assert any("within 2 grey values" in note for note in check.notes)


def test_what_holds_within_tolerance_has_a_code_of_its_own_and_is_strictly_no(study, run):
    for name in ("environment.json", "dvc.lock"):
        Path(name).unlink()
    path = study.score("t05")

    def one_pixel_further(content):
        for item in content["items"]:
            row = next(row for row in item["confusion"] if sum(map(bool, row)) > 1)
            first, second = [place for place, count in enumerate(row) if count][:2]
            row[first], row[second] = row[first] - 1, row[second] + 1

    edit_json(path, one_pixel_further)
    space, machines = Workspace(study), Machines(study)
    assert check_matrices(space, machines).state == "holds within tolerance"
    found = Check("x", compared=1, tolerated=1)
    assert EXIT_CODES[state_of([found])] == 3
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("augflow.verify.verify", lambda *_: iter([found]))
        assert run().exit_code == 3
        assert run("--strict").exit_code == 1


def test_findings_are_written_for_programs_and_people(study, run, tmp_path):
    flip(PHOTO)
    result = run("--out", str(tmp_path / "found"))
    assert result.exit_code == 1
    content = io.read_json(tmp_path / "found/level_0.json")
    page = (tmp_path / "found/level_0.md").read_text()
    assert content["state"] == "does not hold"
    assert page.startswith("# Level 0: does not hold\n")
    wheres = [one["where"] for check in content["checks"] for one in check["violations"]]
    assert any(where.startswith(str(PHOTO)) for where in wheres)
    assert "row 3, column 4" in page


@pytest.mark.parametrize(
    "words",
    [["--level", "0"], ["--strict"], ["--out", "x"], ["--json", "x.json"], ["--trust-config"]],
)
def test_a_calibration_takes_no_options_of_a_check(study, run, words):
    """One that would be ignored is refused, before anything is made."""
    with pytest.raises(ParamsError, match=f"{words[0]} would mean nothing; leave it out"):
        run("--calibrate", "1", *words)
    assert not Path("x").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--trust-config"], "--trust-config is for networks that are loaded, which level 0"),
        (["--level", "2", "--trust-config"], "set trust_config: true in params.yaml"),
        (["--level", "3", "--trust-config"], "--trust-config is for networks that are loaded"),
        (["--jobs", "2"], "--jobs is for stages that run, and level 0 runs none; leave it out"),
    ],
)
def test_an_option_that_a_level_has_no_use_for_is_refused(study, run, words, told):
    with pytest.raises(ParamsError, match=told):
        run(*words)


def test_a_damaged_table_of_scenes_is_no_absent_one(study, space):
    (study.prepared / "scenes.csv").write_bytes(b"\xff\xfe")
    check = check_reports(space)
    assert check.state == "does not hold"
    assert "data/mini/prepared/scenes.csv: expected what was recorded, got not a table" in str(
        check.violations[0]
    )
    (study.prepared / "scenes.csv").unlink()
    assert check_reports(space).absent == ["data/mini/prepared/scenes.csv"]


def packaged(study, version):
    """The study as one outside of augflow's own tree, made by a version of augflow."""
    (study.root / "augflow.version").write_text(f"{version}\n")
    shutil.rmtree("augflow")
    own = yaml.safe_load(Path("dvc.yaml").read_text())
    for stage in own["stages"].values():
        deps = stage.get("do", stage)["deps"]
        deps[:] = ["augflow.version", *(path for path in deps if not path.startswith("augflow/"))]
    own["stages"]["report"]["deps"].remove("augflow.version")  # as an older version had it
    Path("dvc.yaml").write_text(yaml.safe_dump(own))


def test_the_pipeline_of_another_version_of_augflow_is_not_held_against_a_project(study):
    found = "dvc.yaml: report: deps: expected augflow.version, as of augflow's own pipeline"
    packaged(study, f"augflow {__version__}")
    check = Check("pipeline")
    check_declared(check, study, {})
    assert any(line.startswith(found) for line in lines(check))
    Path("augflow.version").write_text("augflow 0.0.9\n")
    check = Check("pipeline")
    check_declared(check, study, {})
    assert lines(check) == []
    assert check.state == "cannot be checked"
    assert "the pipeline of augflow 0.0.9" in check.absent[0]
    own = yaml.safe_load(Path("dvc.yaml").read_text())
    own["stages"]["report"]["deps"].append("augflow.version")
    Path("dvc.yaml").write_text(yaml.safe_dump(own))
    check = Check("pipeline")
    check_declared(check, study, {})
    assert check.state == "holds"  # another version, the same pipeline


def test_a_lack_of_memory_says_nothing_of_what_is_checked():
    check = Check("x")
    with check.reading("a.json"):
        raise MemoryError
    assert (check.state, check.absent) == ("cannot be checked", ["memory for a.json"])
    with pytest.raises(RuntimeError, match="ours"), check.reading("a.json"):
        raise RuntimeError("ours")


def test_a_folder_that_cannot_be_written_changes_no_verdict(study, run, tmp_path):
    (tmp_path / "file").write_text("")
    result = run("--level", "3", "--out", str(tmp_path / "file" / "below"))
    assert result.exit_code == 0, result.output
    assert "not written" in result.output

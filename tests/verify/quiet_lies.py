"""Lies whose records agree with them, but not with each other or the parameters: level 0."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from augflow.core import io
from augflow.data.synthetic import read_rows
from augflow.data.synthetic.manifest import label_path
from augflow.generators.sampling import photo_seed
from augflow.report.score_files import Item
from augflow.study.project import Project
from tests.verify.careless_lies import REPORT, SCENE, TRAIN, Lie
from tests.verify.forging import claimed, edit, edit_json, edit_rows, improve, rewrite_manifest


def one_network_under_two_seeds(project: Project) -> None:
    first, second = (project.segmenter("real", seed) for seed in (0, 1))
    shutil.rmtree(second)
    shutil.copytree(first, second)
    edit_json(second / "config.json", lambda content: content["training"].update(seed=1))
    edit_json(project.score("arms"), lambda content: content["runs"].update(
        {"real-1": content["runs"]["real-0"] | {"seed": 1}}
    ))  # fmt: skip


def a_reordered_manifest(project: Project) -> None:
    edit_rows(project.synthetic("more") / "manifest.csv", list.reverse)


def a_dependency_that_nobody_ever_listed(project: Project) -> None:
    edit("dvc.yaml", "      - augflow/metrics/near_duplicates.py\n", "")


def a_parameter_that_nobody_ever_listed(project: Project) -> None:
    edit("dvc.yaml", "params: [arms, retrain, threads]", "params: [arms, threads]")


def a_luckier_draw(project: Project) -> None:
    name = f"{SCENE}_r1"
    seed = photo_seed(0, SCENE, 17)
    rewrite_manifest(
        project.synthetic("t05"), lambda row: row | ({"seed": seed} if row["name"] == name else {})
    )


def a_hard_photograph_left_out(project: Project) -> None:
    edit_json(project.score("most"), lambda content: content["items"].pop())


def a_hard_scene_left_out_of_every_arm(project: Project) -> None:
    edit_json(project.score("references"), lambda content: content["rows"]["real"].pop(0))


def matrices_of_each_other(project: Project) -> None:
    def turn(content):
        items = content["runs"]["picked-0"]["items"]
        matrices = [item["confusion"] for item in items]
        for item, matrix in zip(items, [*matrices[1:], matrices[0]], strict=True):
            item["confusion"] = matrix

    edit_json(project.score("arms"), turn)


def not_the_best_temperature(project: Project) -> None:
    edit_json(project.choice("best"), lambda content: content.update(temperature=0.5))


def scores_of_another_judge(project: Project) -> None:
    edit_json(project.score("new"), lambda content: content.update(judge="0123456789abcdef"))


def another_temperature(project: Project) -> None:
    folder = project.synthetic("new")
    edit_json(folder / "set.json", lambda content: content.update(temperatures=[0.6]))
    rewrite_manifest(folder, lambda row: row | {"temperature": 0.6})


def a_better_label_for_training(project: Project) -> None:
    folder = project.selected("chosen")
    row = read_rows(folder)[0]
    path = folder / label_path(row.photo, "labelIds")
    ids = io.read_ids(path).copy()
    ids[5, 5] = 7 if ids[5, 5] != 7 else 8
    io.write_png(path, ids)


def another_learning_rate(project: Project) -> None:
    edit_json(project.generator("flow") / "config.json", lambda content: (
        content["facts"]["training"].update(learning_rate=0.5)
    ))  # fmt: skip


def a_report_that_tells_of_longer_trainings(project: Project) -> None:
    path = REPORT / "evidence/params.yaml"
    content = yaml.safe_load(path.read_text())
    content["retrain"]["segmenter"]["steps"] = 50
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    claimed(REPORT)


def a_smoother_curve_in_the_report(project: Project) -> None:
    path = REPORT / "evidence/segmenters/real-0.csv"
    edit_rows(path, lambda rows: rows[-1].update(loss="0.1"))
    claimed(REPORT)


def easier_pixels_in_the_report(project: Project) -> None:
    edit_rows(REPORT / "evidence/pixels.csv", lambda rows: rows[-1].update({"0": "1"}))
    claimed(REPORT)


def a_report_of_another_study(project: Project) -> None:
    path = REPORT / "scores/best.json"
    content = io.read_json(path)
    for item in content["items"]:
        improve(item)
        Item.model_validate(item)
    io.write_records(path, content)
    claimed(REPORT)


def a_machine_that_is_not_listed(project: Project) -> None:
    def moved(content):
        content["made"]["data/mini/scores/t05.json"]["machine"] = "0123456789abcdef"

    edit_json(Path("environment.json"), moved)


PIPELINE_ENTRY = "as of augflow's own pipeline"

QUIET = [
    Lie(one_network_under_two_seeds, 0, "segmenters/real/1/config.json: weights"),
    Lie(a_reordered_manifest, 0, "more/manifest.csv: photograph 1"),
    Lie(a_dependency_that_nobody_ever_listed, 0, "leaks: deps: expected augflow/metrics, as of"),
    Lie(a_parameter_that_nobody_ever_listed, 0, "score_arms: params: expected retrain, as of"),
    Lie(a_luckier_draw, 0, f"t05/manifest.csv: {SCENE}_r1: seed"),
    Lie(a_hard_photograph_left_out, 0, "scores/most.json: photographs"),
    Lie(a_hard_scene_left_out_of_every_arm, 0, "scores/references.json: real: photographs"),
    Lie(matrices_of_each_other, 0, f"scores/arms.json: picked-0: {SCENE}: pixels of each class"),
    Lie(not_the_best_temperature, 0, "chosen/best.json: temperature"),
    Lie(scores_of_another_judge, 0, "scores/new.json: judge"),
    Lie(another_temperature, 0, "new/set.json: temperatures"),
    Lie(a_better_label_for_training, 0, f"chosen: labels of {TRAIN}_t1_r0: row 5, column 5"),
    Lie(another_learning_rate, 0, "generators/flow/config.json: training.learning_rate"),
    Lie(a_report_that_tells_of_longer_trainings, 0,
        "evidence/params.yaml: retrain.segmenter.steps: expected 5, got 50"),
    Lie(a_smoother_curve_in_the_report, 0, "evidence/segmenters/real-0.csv, gathered from"),
    Lie(easier_pixels_in_the_report, 0, "evidence/pixels.csv, gathered from"),
    Lie(a_report_of_another_study, 0, "scores/best.json, a copy of"),
    Lie(a_machine_that_is_not_listed, 0, "scores/t05.json: machine: expected one that is listed"),
]  # fmt: skip
"""DVC takes everything for made by its stages, and digests beside the files are those of them."""

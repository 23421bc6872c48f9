"""Lies that all records agree on, the report too: only what is computed again shows them."""

from __future__ import annotations

import shutil
from pathlib import Path

from augflow.core import io
from augflow.data.scenes import SceneFolder
from augflow.data.synthetic import read_rows
from augflow.data.synthetic.manifest import label_path
from augflow.generators.sampling import transferred
from augflow.stages.retrain import retrain
from augflow.study.params import ArmParams
from augflow.study.project import Project
from augflow.verify.workspace import Workspace
from tests.verify.careless_lies import REPORT, SCENE, TRAIN, Lie, photo
from tests.verify.forging import (
    edit_json,
    edit_rows,
    flip,
    improve,
    replace_photo,
    rewrite_manifest,
)


def a_flipped_pixel(project: Project) -> None:
    folder, name = project.synthetic("t05"), f"{SCENE}_r1"
    replace_photo(folder, name, flip(folder / photo(name)))


def a_real_photograph_for_a_made_one(project: Project) -> None:
    real = io.read_photo(project.prepared / "train/image" / f"{TRAIN}.png")
    replace_photo(project.synthetic("new"), f"{TRAIN}_new0_r0", real)


def a_leak_kept_quiet(project: Project) -> None:
    leaked = io.read_photo(project.prepared / "val/image" / f"{SCENE}.png")
    replace_photo(project.synthetic("more"), f"{TRAIN}_r0", leaked)


def a_higher_likelihood(project: Project) -> None:
    name = f"{TRAIN}_new1_r0"
    rewrite_manifest(project.synthetic("new"), lambda row: (
        row | ({"log_p_bpd": row["log_p_bpd"] - 0.5} if row["name"] == name else {})
    ))  # fmt: skip


def pictures_of_another_temperature(project: Project) -> None:
    folder = project.synthetic("best")
    names = [f"{SCENE}_t0_r0", f"{SCENE}_t1_r0"]
    pixels = [io.read_photo(folder / photo(name)) for name in names]
    for name, other in zip(names, reversed(pixels), strict=True):
        replace_photo(folder, name, other)


def the_content_of_another_scene(project: Project) -> None:
    folder, space = project.synthetic("moved"), Workspace(project)
    row = read_rows(folder)[0]
    train, layout = space.split("train"), space.layout_of("moved", row)
    other = next(n for n, name in enumerate(train.names) if name != row.content)
    made = transferred(space.generator("flow"), train.scenes([other]), layout, "z")
    replace_photo(folder, row.name, made.image)
    rewrite_manifest(folder, lambda one: one | (
        {"content": train.names[other], "log_p_bpd": made.log_p_bpd}
        if one["name"] == row.name else {}
    ))  # fmt: skip


def a_better_read_photograph(project: Project) -> None:
    edit_json(project.score("more"), lambda content: improve(content["items"][-1]))


def a_better_network(project: Project) -> None:
    edit_json(project.score("arms"), lambda content: improve(content["runs"]["both-0"]["items"][2]))


def a_lower_floor(project: Project) -> None:
    def worse(content):
        matrix = content["rows"]["flat"][1]["confusion"]
        row = next(n for n, counts in enumerate(matrix) if counts[n])
        matrix[row][row] -= 1
        matrix[row][row - 1] += 1

    edit_json(project.score("references"), worse)


def a_better_predictor(project: Project) -> None:
    path = project.score("predictors/maps")
    edit_json(path, lambda content: improve(content["samples"][0]["items"][1]))


def a_photograph_dropped_from_a_selection(project: Project) -> None:
    folder = project.selected("strict")
    row = read_rows(folder)[0]
    for path in (row.photo, label_path(row.photo, "labelIds")):
        (folder / path).unlink()
    rewrite_manifest(folder, lambda one: None if one["name"] == row.name else one)

    def decided(rows):
        [line] = [line for line in rows if line["name"] == row.name]
        line.update(kept="false", reason="agreement", weight="")

    edit_rows(folder / "selection.csv", decided)


def another_weight(project: Project) -> None:
    def heavier(rows):
        next(row for row in rows if row["kept"] == "true")["weight"] = "2.5"

    edit_rows(project.selected("chosen") / "selection.csv", heavier)


def a_choice_that_was_worth_more(project: Project) -> None:
    edit_json(project.choice("best"), lambda content: content["rows"][1].update(class_iou=[0.5]))


def nothing_near_to_memorised(project: Project) -> None:
    def further(content):
        content["val"]["distances"] = [value + 1 for value in content["val"]["distances"]]

    edit_json(project.score("leaks"), further)


def a_cheaper_judge(project: Project) -> None:
    edit_json(project.score("costs"), lambda content: content["arms"]["picked"].update(judge=1))


def more_diversity(project: Project) -> None:
    def wider(content):
        content["temperatures"][0]["mean"]["clustered"]["overall"] *= 2

    edit_json(project.score("diversity/flow"), wider)


def attributes_that_are_met(project: Project) -> None:
    path = project.score("attributes")
    edit_json(path, lambda content: content["generators"]["flow"].update(accuracy=0.95))


def a_smoother_path(project: Project) -> None:
    flip(project.explored("flow") / "path" / f"{SCENE}_01.png")


def fewer_bits(project: Project) -> None:
    edit_json(project.generator("flow") / "config.json", lambda content: (
        content["facts"].update(val_bpd=content["facts"]["val_bpd"] - 0.5)
    ))  # fmt: skip


def fewer_parameters(project: Project) -> None:
    path = project.predictor("maps") / "config.json"
    edit_json(path, lambda content: content.update(parameters=content["parameters"] // 2))


def a_figure_of_another_set(project: Project) -> None:
    figures = REPORT / "figures"
    shutil.copy(figures / "data.png", figures / "diversity.png")


def a_judge_trained_on_validation(project: Project) -> None:
    """The training split of a copy is the validation split, and the record tells of the other."""
    params, prepared = project.params.judge, Path("peeked")
    shutil.copytree(project.prepared, prepared)
    shutil.rmtree(prepared / "train")
    shutil.copytree(prepared / "val", prepared / "train")

    def peek(rows):
        rows[:] = [row for row in rows if row["split"] == "val"]
        rows += [{**row, "split": "train"} for row in rows]

    edit_rows(prepared / "scenes.csv", peek)
    _trained(project, prepared, project.judge_folder, params.seed, params.steps)
    shutil.rmtree(prepared)
    edit_json(project.judge_folder / "config.json", lambda content: (
        content["training"].update(photographs=len(SceneFolder(project.prepared, "train")))
    ))  # fmt: skip


def longer_trained_than_said(project: Project) -> None:
    folder = project.segmenter("real", 0)
    history = io.read_csv(folder / "history.csv")
    _trained(project, project.prepared, folder, 0, steps=10)
    io.write_csv(folder / "history.csv", history, list(history[0]))
    edit_json(folder / "config.json", lambda content: content["training"].update(steps=5))


def a_luckier_seed(project: Project) -> None:
    folder = project.segmenter("real", 1)
    _trained(project, project.prepared, folder, 7, steps=5)
    edit_json(folder / "config.json", lambda content: content["training"].update(seed=1))


def a_smoother_curve(project: Project) -> None:
    path = project.generator("flow") / "history.csv"
    edit_rows(path, lambda rows: rows[0].update(loss="1.0"))


def losses_that_drop_other_pixels(project: Project) -> None:
    path = project.judge_of("own") / "class_losses.json"
    edit_json(path, lambda content: content["losses"].update(car=9.0))


def drives_that_narrow_the_interval(project: Project) -> None:
    def parted(rows):
        for number, row in enumerate(row for row in rows if row["split"] == "val"):
            row["drive"] = f"drive{number}"

    edit_rows(project.prepared / "scenes.csv", parted)


def boundaries_from_nowhere(project: Project) -> None:
    edit_json(project.prepared / "dataset.json", lambda content: (
        content.update(boundary_source="classes")
    ))  # fmt: skip


def a_painted_scene_retouched(project: Project) -> None:
    path = project.root / project.params.data.root / photo(SCENE)
    flip(path)


def _trained(project: Project, prepared: Path, out: Path, seed: int, steps: int) -> None:
    arm = ArmParams(train_on=("real",), reads="prepared")
    schedule = project.params.retrain.segmenter.model_copy(update={"steps": steps})
    retrain(prepared, {}, arm, schedule, seed, out, Path("state"), threads=1)
    shutil.rmtree("state")


MADE = [
    Lie(a_flipped_pixel, 1, f"t05/{photo(f'{SCENE}_r1')}: row 3, column 4"),
    Lie(a_real_photograph_for_a_made_one, 1, f"new/{photo(f'{TRAIN}_new0_r0', 'train')}: row 0"),
    Lie(a_leak_kept_quiet, 1, "scores/leaks.json: leaks.0"),
    Lie(a_higher_likelihood, 1, f"new/manifest.csv: {TRAIN}_new1_r0: log_p_bpd"),
    Lie(pictures_of_another_temperature, 1, f"best/{photo(f'{SCENE}_t0_r0')}: row"),
    Lie(the_content_of_another_scene, 1, "moved/manifest.csv: fennwick_000000_000000_from"),
    Lie(a_better_read_photograph, 1, "scores/more.json: aldenburg_000000_000005_r0: confusion"),
    Lie(a_better_network, 1, "scores/arms.json: both-0: fennwick_000000_000002: confusion"),
    Lie(a_lower_floor, 1, "scores/references.json: flat: fennwick_000000_000001: confusion"),
    Lie(a_better_predictor, 1, "predictors/maps.json: 1 samples: fennwick_000000_000001: conf"),
    Lie(a_photograph_dropped_from_a_selection, 1, "selected/strict/manifest.csv: expected content"),
    Lie(nothing_near_to_memorised, 1, "scores/leaks.json: val.distances.0"),
    Lie(a_cheaper_judge, 1, "scores/costs.json: arms.picked.judge"),
    Lie(more_diversity, 1, "diversity/flow.json: temperatures.0.mean.clustered.overall"),
    Lie(attributes_that_are_met, 1, "scores/attributes.json: generators.flow.accuracy"),
    Lie(a_smoother_path, 1, f"explored/flow/path/{SCENE}_01.png: expected content"),
    Lie(fewer_bits, 1, "generators/flow/config.json: val_bpd"),
    Lie(fewer_parameters, 1, "predictors/maps/config.json: parameters"),
    Lie(a_figure_of_another_set, 1, f"{REPORT}/figures/diversity.png: expected "),
]
"""Things that were made from others; the figure is changed after the report is made from all."""

TRAINED = [
    Lie(a_judge_trained_on_validation, 1, "segmenters/judge/weights.safetensors: expected content"),
    Lie(longer_trained_than_said, 1, "segmenters/real/0/weights.safetensors: expected content"),
    Lie(a_luckier_seed, 1, "segmenters/real/1/weights.safetensors: expected content"),
    Lie(a_smoother_curve, 1, "generators/flow/history.csv: expected content"),
    Lie(losses_that_drop_other_pixels, 1, "judges/own/class_losses.json: expected content"),
    Lie(another_weight, 1, "selected/chosen/selection.csv: expected content"),
    Lie(a_choice_that_was_worth_more, 1, "chosen/best.json: seed 0: class_iou: 0.9"),
    Lie(drives_that_narrow_the_interval, 1, f"scenes.csv: {SCENE} in val: drive"),
    Lie(boundaries_from_nowhere, 1, "prepared/dataset.json: boundary_source"),
    Lie(a_painted_scene_retouched, 1, f"raw/{photo(SCENE)}: row 3, column 4"),
]
"""Networks, what selects by them, and what they begin with; what they score is scored anew."""

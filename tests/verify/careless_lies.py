"""Lies of people who edit a file and leave what is recorded of it alone; level 0 finds them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

from augflow.core import io
from augflow.data.synthetic import read_rows
from augflow.data.synthetic.manifest import label_path
from augflow.study.project import Project
from tests.verify.forging import edit, edit_json, edit_rows, flip, params_with, rewrite_manifest


@dataclass(frozen=True)
class Lie:
    """What is done to a finished study, the level that has to find it, and what that says."""

    tell: Callable[[Project], None]
    level: int
    found: str

    @property
    def name(self) -> str:
        """What the lie is, in words."""
        return self.tell.__name__


SCENE, TRAIN = "fennwick_000000_000000", "aldenburg_000000_000000"
DATA, REPORT = Path("data/mini"), Path("reports/mini")


def photo(name: str, split: str = "val") -> str:
    """The path of a photograph in its set."""
    return f"leftImg8bit/{split}/{name.partition('_')[0]}/{name}_leftImg8bit.png"


def a_flipped_pixel(project: Project) -> None:
    flip(project.synthetic("t05") / photo(f"{SCENE}_r1"))


def another_label(project: Project) -> None:
    path = project.synthetic("best") / label_path(photo(f"{SCENE}_t0_r0"), "labelIds")
    ids = io.read_ids(path).copy()
    ids[0, 0] = 23 if ids[0, 0] != 23 else 7
    io.write_png(path, ids)


def swapped_seeds(project: Project) -> None:
    folder = project.synthetic("more")
    first, second = read_rows(folder)[:2]
    seeds = {first.name: second.seed, second.name: first.seed}
    rewrite_manifest(folder, lambda row: row | {"seed": seeds.get(row["name"], row["seed"])})


def a_dropped_photograph(project: Project) -> None:
    (project.synthetic("best") / photo(f"{SCENE}_t1_r1")).unlink()


def a_reordered_manifest(project: Project) -> None:
    edit_rows(project.synthetic("new") / "manifest.csv", list.reverse)


def a_matrix_that_does_not_add_up(project: Project) -> None:
    def one_pixel_more(content):
        content["items"][0]["confusion"][0][0] += 1

    edit_json(project.score("t05"), one_pixel_more)


def a_number_in_a_table(project: Project) -> None:
    edit(REPORT / "tables/temperature.csv", "0.", "1.")


def a_number_in_the_page(project: Project) -> None:
    edit(REPORT / "report.html", "</data>", "1</data>")


def a_number_in_the_text(project: Project) -> None:
    edit(REPORT / "report.md", "0.", "1.")


def a_number_in_the_claims(project: Project) -> None:
    edit(REPORT / "claims.json", '"value": 0.', '"value": 1.')


def a_number_in_the_copied_scores(project: Project) -> None:
    edit(REPORT / "scores/more.json", "[[", "[[1")


def a_number_in_the_evidence(project: Project) -> None:
    edit(REPORT / "evidence/generators/flow.csv", ".", "1.")


def a_retouched_figure(project: Project) -> None:
    flip(REPORT / "figures/samples.png")


def more_steps_than_said(project: Project) -> None:
    path = project.segmenter("both", 0) / "history.csv"
    edit_rows(path, lambda rows: rows.append({**rows[-1], "step": "6"}))


def another_judge(project: Project) -> None:
    other = project.segmenter("both", 0) / "weights.safetensors"
    shutil.copy(other, project.judge_folder / "weights.safetensors")


def fewer_leaks(project: Project) -> None:
    edit(project.score("leaks"), '"nearer_than_any_val":', '"nearer_than_any_val":0.0,"was":')


def smaller_costs(project: Project) -> None:
    edit(project.score("costs"), '"judge":', '"judge":0,"was":')


def a_decision_turned_round(project: Project) -> None:
    edit(project.selected("strict") / "selection.csv", "true,,", "false,agreement,")


def a_better_picture_of_latents(project: Project) -> None:
    flip(project.explored("flow") / "style" / f"{SCENE}_1.png")


def another_photograph_to_begin_with(project: Project) -> None:
    flip(project.root / project.params.data.root / photo(SCENE))


def another_machine(project: Project) -> None:
    edit_json("environment.json", lambda content: [
        facts.update(processor="another") for facts in content["machines"].values()
    ])  # fmt: skip


def a_changed_parameter(project: Project) -> None:
    params_with(retrain__segmenter__steps=50)


def stale_code(project: Project) -> None:
    with Path("augflow/stages/selection_rules.py").open("a") as stream:
        stream.write("# another line\n")


def a_dependency_taken_off_the_pipeline(project: Project) -> None:
    edit("dvc.yaml", "      - augflow/metrics/memorization.py\n", "")


def a_stage_taken_out_of_the_lock(project: Project) -> None:
    lock = yaml.safe_load(Path("dvc.lock").read_text())
    del lock["stages"]["costs"]
    Path("dvc.lock").write_text(yaml.safe_dump(lock, sort_keys=False))


def swapped_class_names(project: Project) -> None:
    def swap(content):
        first, second = content["classes"]["rows"][:2]
        first["name"], second["name"] = second["name"], first["name"]

    edit_json(project.prepared / "dataset.json", swap)


def a_validation_scene_in_training(project: Project) -> None:
    for kind in ("image", "classes", "boundary"):
        source = project.prepared / "val" / kind / f"{SCENE}.png"
        shutil.copy(source, project.prepared / "train" / kind / source.name)

    def listed(rows):
        rows.append({**next(row for row in rows if row["name"] == SCENE), "split": "train"})

    edit_rows(project.prepared / "scenes.csv", listed)


CARELESS = [
    Lie(a_flipped_pixel, 0, f"t05/{photo(f'{SCENE}_r1')}: row 3, column 4"),
    Lie(another_label, 0, f"{SCENE}_t0_r0_gtFine_labelIds.png: row 0, column 0"),
    Lie(swapped_seeds, 0, f"more/manifest.csv: {TRAIN}_r0: seed"),
    Lie(a_dropped_photograph, 0, f"best/{photo(f'{SCENE}_t1_r1')}: expected a file"),
    Lie(a_reordered_manifest, 0, "new/manifest.csv: photograph 1"),
    Lie(a_matrix_that_does_not_add_up, 0, f"scores/t05.json: {SCENE}_r0: pixels of each class"),
    Lie(a_number_in_a_table, 0, f"{REPORT}/tables/temperature.csv: row"),
    Lie(a_number_in_the_page, 0, f"{REPORT}/report.html: "),
    Lie(a_number_in_the_text, 0, f"{REPORT}/report.md: expected content"),
    Lie(a_number_in_the_claims, 0, f"{REPORT}/claims.json: "),
    Lie(a_number_in_the_copied_scores, 0, f"{REPORT}/scores/more.json, a copy of"),
    Lie(a_number_in_the_evidence, 0, f"{REPORT}/evidence/generators/flow.csv, gathered from"),
    Lie(a_retouched_figure, 0, f"{REPORT}/figures/samples.png: expected content"),
    Lie(more_steps_than_said, 0, "segmenters/both/0/history.csv: last step"),
    Lie(another_judge, 0, "segmenters/judge/weights.safetensors: expected weights"),
    Lie(fewer_leaks, 0, "scores/leaks.json: line 1"),
    Lie(smaller_costs, 0, "scores/costs.json: line 1"),
    Lie(a_decision_turned_round, 0, "selected/strict: photographs"),
    Lie(a_better_picture_of_latents, 0, f"explored/flow/style/{SCENE}_1.png: row 3, column 4"),
    Lie(another_photograph_to_begin_with, 0, f"raw/{photo(SCENE)}: row 3, column 4"),
    Lie(another_machine, 0, "environment.json: machine"),
]
"""Told together; every one has a file of its own."""

PIPELINE = [
    Lie(a_changed_parameter, 0, "params.yaml: retrain.segmenter.steps: expected 5"),
    Lie(stale_code, 0, "augflow/stages/selection_rules.py: expected what select@"),
    Lie(a_dependency_taken_off_the_pipeline, 0, "dvc.yaml: leaks: deps: expected augflow/memor"),
    Lie(a_stage_taken_out_of_the_lock, 0, "dvc.yaml: costs: expected to be in dvc.lock"),
    Lie(swapped_class_names, 0, "prepared/dataset.json: line"),
    Lie(a_validation_scene_in_training, 0, f"train/image/{SCENE}.png: expected no such file"),
]
"""What stages ran with, and on."""

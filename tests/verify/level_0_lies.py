"""Lies that level 0 finds: edits of a file alone, and such as the records beside it agree with."""

from __future__ import annotations

import base64
import shutil
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from augflow.core import io
from augflow.data.scenes import KINDS, array_path
from augflow.data.synthetic import read_rows
from augflow.data.synthetic.manifest import label_path
from augflow.generators.sampling import image_seed
from augflow.study.project import Project
from tests.prepared_files import scene_row
from tests.verify.forging import (
    add_chunk,
    animate,
    append,
    claimed,
    edit,
    edit_json,
    edit_rows,
    flip,
    improve,
    params_with,
    relabel,
    rewrite_manifest,
)


@dataclass(frozen=True)
class Lie:
    """What is done to a finished study, and what the level that has to find it says."""

    name: str
    found: str
    tell: Callable[[Project], object]


SCENE, TRAIN = "fennwick_000000_000000", "aldenburg_000000_000000"
REPORT = Path("reports/mini")


def photo(name: str, split: str = "val") -> str:
    """The path of an image in its set."""
    return f"leftImg8bit/{split}/{name.partition('_')[0]}/{name}_leftImg8bit.png"


def another_label(project: Project) -> None:
    relabel(project.synthetic("best") / label_path(photo(f"{SCENE}_t0_r0"), "labelIds"), 0, 0)


def swapped_seeds(project: Project) -> None:
    folder = project.synthetic("more")
    first, second = read_rows(folder)[:2]
    seeds = {first.name: second.seed, second.name: first.seed}
    rewrite_manifest(folder, lambda row: row | {"seed": seeds.get(row["name"], row["seed"])})


def a_matrix_that_does_not_add_up(project: Project) -> None:
    def one_pixel_more(content):
        content["items"][0]["confusion"][0][0] += 1

    edit_json(project.score("t05"), one_pixel_more)


def another_judge(project: Project) -> None:
    other = project.segmenter("both", 0) / "weights.safetensors"
    shutil.copy(other, project.judge_folder / "weights.safetensors")


def another_machine(_: Project) -> None:
    edit_json(
        "environment.json",
        lambda content: [
            facts.update(processor="another") for facts in content["machines"].values()
        ],
    )


def more_steps(rows: list[dict[str, str]]) -> None:
    rows.append({**rows[-1], "step": "6"})


CARELESS = [
    Lie("a flipped pixel", f"t05/{photo(f'{SCENE}_r1')}: row 3, column 4",
        lambda project: flip(project.synthetic("t05") / photo(f"{SCENE}_r1"))),
    Lie("another label", f"{SCENE}_t0_r0_gtFine_labelIds.png: row 0, column 0", another_label),
    Lie("swapped seeds", f"more/manifest.csv: {TRAIN}_r0: seed", swapped_seeds),
    Lie("a dropped image", f"best/{photo(f'{SCENE}_t1_r1')}: expected a file",
        lambda project: (project.synthetic("best") / photo(f"{SCENE}_t1_r1")).unlink()),
    Lie("a reordered manifest", "new/manifest.csv: photograph 1",
        lambda project: edit_rows(project.synthetic("new") / "manifest.csv", list.reverse)),
    Lie("a matrix that does not add up", f"scores/t05.json: {SCENE}_r0: pixels of each class",
        a_matrix_that_does_not_add_up),
    Lie("a number in a table", f"{REPORT}/tables/temperature.csv: row",
        lambda _: edit(REPORT / "tables/temperature.csv", "0.", "1.")),
    Lie("a number in the page", f"{REPORT}/report.html: ",
        lambda _: edit(REPORT / "report.html", "</data>", "1</data>")),
    Lie("a number in the text", f"{REPORT}/report.md: expected content",
        lambda _: edit(REPORT / "report.md", "0.", "1.")),
    Lie("a number in the claims", f"{REPORT}/claims.json.gz: ",
        lambda _: edit(REPORT / "claims.json.gz", '"value": 0.', '"value": 1.')),
    Lie("a number in the copied scores", f"{REPORT}/scores/more.json.gz, a copy of",
        lambda _: edit(REPORT / "scores/more.json.gz", "[[", "[[1")),
    Lie("a number in the evidence", f"{REPORT}/evidence/generators/flow.csv, gathered from",
        lambda _: edit(REPORT / "evidence/generators/flow.csv", ".", "1.")),
    Lie("a retouched figure", f"{REPORT}/pictures/samples.webp: expected content",
        lambda _: flip(REPORT / "pictures/samples.webp")),
    Lie("more steps than said", "segmenters/both/0/history.csv: last step",
        lambda project: edit_rows(project.segmenter("both", 0) / "history.csv", more_steps)),
    Lie("another judge", "segmenters/judge/weights.safetensors: expected weights", another_judge),
    Lie("fewer leaks", "scores/leaks.json: line 1",
        lambda project: edit(project.score("leaks"), '"nearer_than_any_val":',
                             '"nearer_than_any_val":0.0,"was":')),
    Lie("smaller costs", "scores/costs.json: line 1",
        lambda project: edit(project.score("costs"), '"judge":', '"judge":0,"was":')),
    Lie("a decision turned round", "selected/strict: photographs",
        lambda project: edit(project.selected_folder("strict") / "selection.csv", "true,,",
                             "false,agreement,")),
    Lie("a better picture of latents", f"explored/flow/style/{SCENE}_1.png: row 3, column 4",
        lambda project: flip(project.explored_folder("flow") / "style" / f"{SCENE}_1.png")),
    Lie("another image to begin with", f"raw/{photo(SCENE)}: row 3, column 4",
        lambda project: flip(Path(project.params.data.root) / photo(SCENE))),
    Lie("a key twice", "scores/predictors/maps.json: expected what was recorded, got not JSON (key",
        lambda project: edit(project.score("predictors/maps"), '"weights":',
                             '"weights":"0123456789abcdef","weights":')),
    Lie("another machine", "environment.json: machine", another_machine),
]  # fmt: skip
"""Told together; every one has a file of its own."""


def stale_code(_: Project) -> None:
    with Path("augflow/stages/selection_rules.py").open("a") as stream:
        stream.write("# another line\n")


def a_stage_taken_out_of_the_lock(_: Project) -> None:
    lock = yaml.safe_load(Path("dvc.lock").read_text())
    del lock["stages"]["costs"]
    Path("dvc.lock").write_text(yaml.safe_dump(lock, sort_keys=False))


def swapped_class_names(project: Project) -> None:
    def swap(content):
        first, second = content["classes"]["rows"][:2]
        first["name"], second["name"] = second["name"], first["name"]

    edit_json(project.prepared_folder / "dataset.json", swap)


def a_validation_scene_in_training(project: Project) -> None:
    root = project.prepared_folder
    for kind in KINDS:
        path = array_path(root, "train", kind)
        row = np.load(array_path(root, "val", kind))[scene_row(root, "val", SCENE)]
        np.save(path, np.concatenate([np.load(path), row[None]]))
    edit_rows(
        project.prepared_folder / "scenes.csv",
        lambda rows: rows.append(
            {**next(row for row in rows if row["name"] == SCENE), "split": "train"}
        ),
    )


PIPELINE = [
    Lie("a changed parameter", "params.yaml: retrain.segmenter.steps: expected 5",
        lambda _: params_with(retrain__segmenter__steps=50)),
    Lie("stale code", "augflow/stages/selection_rules.py: expected what select@", stale_code),
    Lie("a dependency taken off the pipeline", "dvc.yaml: leaks: deps: expected augflow/stages/le",
        lambda _: edit("dvc.yaml", "      - augflow/stages/leaks.py\n", "")),
    Lie("a stage taken off the names", "pipelines/names.yaml: expected the names of params.yaml",
        lambda _: edit("pipelines/names.yaml", "explore: [flow]", "explore: []")),
    Lie("a stage taken out of the lock", "dvc.yaml: costs: expected to be in dvc.lock",
        a_stage_taken_out_of_the_lock),
    Lie("swapped class names", "prepared/dataset.json: line", swapped_class_names),
    Lie("a validation scene in training", "prepared/train/image.npy: expected md5",
        a_validation_scene_in_training),
]  # fmt: skip
"""What stages ran with, and on."""


def one_network_under_two_seeds(project: Project) -> None:
    first, second = (project.segmenter("real", seed) for seed in (0, 1))
    shutil.rmtree(second)
    shutil.copytree(first, second)
    edit_json(second / "config.json", lambda content: content["training"].update(seed=1))
    edit_json(
        project.score("arms"),
        lambda content: content["runs"].update({"real-1": content["runs"]["real-0"] | {"seed": 1}}),
    )


def a_luckier_draw(project: Project) -> None:
    name, seed = f"{SCENE}_r1", image_seed(0, SCENE, 17)
    rewrite_manifest(
        project.synthetic("t05"), lambda row: row | ({"seed": seed} if row["name"] == name else {})
    )


def matrices_of_each_other(project: Project) -> None:
    def turn(content):
        items = content["runs"]["picked-0"]["items"]
        matrices = [item["confusion"] for item in items]
        for item, matrix in zip(items, [*matrices[1:], matrices[0]], strict=True):
            item["confusion"] = matrix

    edit_json(project.score("arms"), turn)


def another_temperature(project: Project) -> None:
    folder = project.synthetic("new")
    edit_json(folder / "set.json", lambda content: content.update(temperatures=[0.6]))
    rewrite_manifest(folder, lambda row: row | {"temperature": 0.6})


def a_better_label_for_training(project: Project) -> None:
    folder = project.selected_folder("chosen")
    relabel(folder / label_path(read_rows(folder)[0].photo, "labelIds"), 5, 5)


def a_report_that_tells_of_longer_trainings(_: Project) -> None:
    path = REPORT / "evidence/params.yaml"
    content = yaml.safe_load(path.read_text())
    content["retrain"]["segmenter"]["steps"] = 50
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    claimed(REPORT)


def a_smoother_curve_in_the_report(_: Project) -> None:
    path = REPORT / "evidence/segmenters/real-0.csv"
    edit_rows(path, lambda rows: rows[-1].update(loss="0.1"))
    claimed(REPORT)


def easier_pixels_in_the_report(_: Project) -> None:
    edit_rows(REPORT / "evidence/pixels.csv", lambda rows: rows[-1].update({"0": "1"}))
    claimed(REPORT)


def a_report_of_another_study(_: Project) -> None:
    path = REPORT / "scores/best.json.gz"
    content = io.read_json(path)
    for item in content["items"]:
        improve(item)
    io.write_records(path, content)
    claimed(REPORT)


def half_as_many_errors(_: Project) -> None:
    """After scoring, by the script that runs the stage, as DVC and a rebuild would."""
    with Path("pipelines/score.py").open("a") as stream:
        stream.write("    import halve\n")


def another_stage_of_the_same_outputs(_: Project) -> None:
    edit("dvc.yaml", "cmd: python pipelines/diversity.py", "cmd: python own/diversity.py")
    edit(
        "dvc.yaml",
        "    cmd: python pipelines/leaks.py\n",
        "    cmd: python pipelines/leaks.py\n    always_changed: false\n    meta: {by: hand}\n",
    )


def modules_that_come_first(_: Project) -> None:
    for name in (
        "pipelines/augflow.py",
        "pipelines/org/python/core.py",
        "pipelines/sitecustomize.py",
        "torch.py",
        "yaml/__init__.py",
    ):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("")


def a_stage_that_adds_scores(project: Project) -> None:
    io.write_json(project.score("better"), {})
    edit(
        "dvc.yaml",
        "stages:\n",
        "stages:\n  better:\n    cmd: python better.py\n    outs: [data/mini/scores/better.json]\n",
    )


def gamma_on_all_photographs(project: Project) -> None:
    for path in project.synthetic("most").rglob("*_leftImg8bit.png"):
        add_chunk(path, b"gAMA", (10_000).to_bytes(4))


def gamma_behind_a_link(project: Project) -> None:
    folder = project.synthetic("moved") / "leftImg8bit"
    link_to(shutil.move(folder, "elsewhere"), folder)
    for path in folder.rglob("*.png"):
        add_chunk(path, b"gAMA", (10_000).to_bytes(4))


def a_script_beside_other_modules(_: Project) -> None:
    """Which Python takes before augflow's."""
    Path("own/augflow").mkdir(parents=True)
    Path("own/augflow/__init__.py").write_text("")
    script = Path("pipelines/explore.py")
    link_to(shutil.move(script, "own"), script)


def link_to(target: str, path: Path) -> None:
    path.symlink_to(Path(target).resolve())


def another_page(_: Project) -> None:
    (REPORT / "index.html").write_text("99 %")
    claimed(REPORT)


def labels_in_other_colours(project: Project) -> None:
    """The ids are indices of a palette, in which all are black."""
    path = project.synthetic("most") / label_path(photo(f"{TRAIN}_t0_r0", "train"), "labelIds")
    image = Image.fromarray(io.read_ids(path)).convert("L").convert("P")
    image.putpalette([0] * 768)
    image.save(path)


def another_picture_in_the_page(_: Project) -> None:
    path = REPORT / "report.html"
    text = path.read_text(encoding="utf-8")
    kind = "data:image/webp;base64,"
    start = text.index(kind) + len(kind)
    end = text.index('"', start)
    extended = base64.b64encode(base64.b64decode(text[start:end]) + b"more").decode()
    path.write_text(text[:start] + extended + text[end:], encoding="utf-8")
    claimed(REPORT)


SCRIPT = "pipelines/score.py: line 7: expected"
PIPELINE_ENTRY = (
    "as of augflow's own pipeline",
    SCRIPT,
    "no module that scripts",
    "no stage of aug",
    "augflow's script",
)

QUIET = [
    Lie("half as many errors", SCRIPT, half_as_many_errors),
    Lie("another stage of the same outputs", "dvc.yaml: diversity: cmd: expected python pipe",
        another_stage_of_the_same_outputs),
    Lie("keys of stages that nobody wrote", "dvc.yaml: leaks: meta: expected none, as of",
        lambda _: None),
    Lie("a module beside the scripts", "pipelines/augflow.py: expected no module",
        modules_that_come_first),
    Lie("a folder beside the scripts", "pipelines/org/python/core.py: expected no module",
        lambda _: None),
    Lie("a module in the project", "torch.py: expected no module", lambda _: None),
    Lie("a package in the project", "yaml/: expected no module", lambda _: None),
    Lie("an animated figure", f"{REPORT}/figures/classes.png: expected nothing but pixels as "
        "augflow writes them, got a chunk acTL", lambda _: animate(REPORT / "figures/classes.png")),
    Lie("a colour profile on a figure", f"{REPORT}/figures/segmenters.png: expected nothing but pi",
        lambda _: add_chunk(REPORT / "figures/segmenters.png", b"iCCP",
                            b"a\0\0" + zlib.compress(b"x"))),
    Lie("an animated picture", f"{REPORT}/pictures/samples.webp: expected nothing but pixels as "
        "augflow writes them, got a chunk VP8X",
        lambda _: animate(REPORT / "pictures/samples.webp")),
    Lie("bytes behind a picture of the report", f"{REPORT}/pictures/data.webp: expected nothing "
        "but pixels as augflow writes them, got 4 bytes behind its end",
        lambda _: append(REPORT / "pictures/data.webp", b"more")),
    Lie("gamma on all photographs", f"most/{photo(f'{TRAIN}_t0_r0', 'train')}: expected nothing",
        gamma_on_all_photographs),
    Lie("labels in other colours", "_t0_r0_gtFine_labelIds.png: expected nothing but pixels",
        labels_in_other_colours),
    Lie("bytes behind a picture", f"raw/{photo(SCENE)}: expected nothing but pixels as augflow "
        "writes them, got 4 bytes behind its end",
        lambda project: append(Path(project.params.data.root) / photo(SCENE), b"more")),
    Lie("a turned picture of latents", f"explored/flow/style/{SCENE}_1.png: expected nothing but",
        lambda project: add_chunk(project.explored_folder("flow") / "style" / f"{SCENE}_1.png",
                                  b"eXIf", b"MM\0*\0\0\0\x08\0\0")),
    Lie("another picture in the page", f"{REPORT}/report.html: picture 1: expected nothing but",
        another_picture_in_the_page),
    Lie("a stage that adds scores", "dvc.yaml: better: outs: expected outputs that no stage",
        a_stage_that_adds_scores),
    Lie("one network under two seeds", "segmenters/real/1/config.json: weights",
        one_network_under_two_seeds),
    Lie("a reordered manifest", "more/manifest.csv: photograph 1",
        lambda project: edit_rows(project.synthetic("more") / "manifest.csv", list.reverse)),
    Lie("a dependency that nobody ever listed", "costs: deps: expected augflow/stages/costs.py, as",
        lambda _: edit("dvc.yaml", "      - augflow/stages/costs.py\n", "")),
    Lie("a parameter that nobody ever listed", "score_arms: params: expected retrain, as of",
        lambda _: edit("dvc.yaml", ": [arms, retrain, threads]", ": [arms, threads]")),
    Lie("a luckier draw", f"t05/manifest.csv: {SCENE}_r1: seed", a_luckier_draw),
    Lie("a hard image left out", "scores/most.json: photographs",
        lambda project: edit_json(project.score("most"), lambda content: content["items"].pop())),
    Lie("a hard scene left out of every arm", "scores/references.json: real: photographs",
        lambda project: edit_json(project.score("references"),
                                  lambda content: content["rows"]["real"].pop(0))),
    Lie("matrices of each other", f"scores/arms.json: picked-0: {SCENE}: pixels of each class",
        matrices_of_each_other),
    Lie("not the best temperature", "chosen/best.json: temperature",
        lambda project: edit_json(project.choice("best"),
                                  lambda content: content.update(temperature=0.5))),
    Lie("scores of another judge", "scores/new.json: judge",
        lambda project: edit_json(project.score("new"),
                                  lambda content: content.update(judge="0123456789abcdef"))),
    Lie("another temperature", "new/set.json: temperatures", another_temperature),
    Lie("a better label for training", f"chosen: labels of {TRAIN}_t1_r0: row 5, column 5",
        a_better_label_for_training),
    Lie("another learning rate", "generators/flow/config.json: training.learning_rate",
        lambda project: edit_json(
            project.generator("flow") / "config.json",
            lambda content: content["facts"]["training"].update(learning_rate=0.5))),
    Lie("a report that tells of longer trainings",
        "evidence/params.yaml: retrain.segmenter.steps: expected 5, got 50",
        a_report_that_tells_of_longer_trainings),
    Lie("a smoother curve in the report", "evidence/segmenters/real-0.csv, gathered from",
        a_smoother_curve_in_the_report),
    Lie("easier pixels in the report", "evidence/pixels.csv, gathered from",
        easier_pixels_in_the_report),
    Lie("a report of another study", "scores/best.json.gz, a copy of", a_report_of_another_study),
    Lie("gamma behind a link", "moved/leftImg8bit/val/fennwick/fennwick_000000_000000",
        gamma_behind_a_link),
    Lie("a script beside other modules", "pipelines/explore.py: expected augflow's script, got a",
        a_script_beside_other_modules),
    Lie("another page", f"{REPORT}/index.html: expected no such file in a report", another_page),
    Lie("a machine that is not listed", "scores/t05.json: machine: expected one that is listed",
        lambda _: edit_json(
            "environment.json",
            lambda content: content["made"]["data/mini/scores/t05.json"].update(
                machine="0123456789abcdef"))),
]  # fmt: skip
"""DVC takes everything for made by its stages, and digests beside the files are those of them."""

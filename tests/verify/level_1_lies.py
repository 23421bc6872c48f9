"""Lies that all records and the report agree on: level 1 finds them by making things again."""

from __future__ import annotations

import shutil
from pathlib import Path

from augflow.core import io
from augflow.data import readers
from augflow.data.scenes import SceneFolder
from augflow.data.synthetic import read_rows
from augflow.data.synthetic.manifest import label_path
from augflow.generators.latents import transfer_image
from augflow.stages.retrain import retrain
from augflow.study.params import ArmParams
from augflow.study.project import Project
from augflow.verify.workspace import Workspace
from tests.prepared_files import read_map
from tests.verify.forging import (
    edit_json,
    edit_rows,
    flip,
    improve,
    replace_photo,
    rewrite_manifest,
)
from tests.verify.level_0_lies import REPORT, SCENE, TRAIN, Lie, photo

OTHER = "fennwick_000000_000003"


def a_higher_likelihood(project: Project) -> None:
    name = f"{TRAIN}_new1_r0"
    rewrite_manifest(
        project.synthetic("new"),
        lambda row: row | ({"log_p_bpd": row["log_p_bpd"] - 0.5} if row["name"] == name else {}),
    )


def images_of_another_temperature(project: Project) -> None:
    folder = project.synthetic("best")
    names = [f"{SCENE}_t0_r0", f"{SCENE}_t1_r0"]
    pixels = [io.read_photo(folder / photo(name)) for name in names]
    for name, other in zip(names, reversed(pixels), strict=True):
        replace_photo(folder, name, other)


def photos_of_a_layout_exchanged(project: Project) -> None:
    """With their digests, under the seeds that they were not drawn from."""
    folder = project.synthetic("t05")
    names = [f"{OTHER}_r0", f"{OTHER}_r1"]
    pixels = [io.read_photo(folder / photo(name)) for name in names]
    bits = [row.log_p_bpd for row in read_rows(folder) if row.name in names]
    for name, other in zip(names, reversed(pixels), strict=True):
        replace_photo(folder, name, other)
    others = dict(zip(names, reversed(bits), strict=True))
    rewrite_manifest(
        folder, lambda row: row | {"log_p_bpd": others.get(row["name"], row["log_p_bpd"])}
    )


def the_content_of_another_scene(project: Project) -> None:
    folder, space = project.synthetic("moved"), Workspace(project)
    row = read_rows(folder)[0]
    train, layout = space.split("train"), space.layout_of("moved", row)
    other = next(n for n, name in enumerate(train.names) if name != row.content)
    made = transfer_image(space.generator("flow"), train.scenes([other]), layout, "z")
    replace_photo(folder, row.name, made.image)
    rewrite_manifest(
        folder,
        lambda one: (
            one
            | (
                {"content": train.names[other], "log_p_bpd": made.log_p_bpd}
                if one["name"] == row.name
                else {}
            )
        ),
    )


def a_lower_floor(project: Project) -> None:
    def worse(content):
        matrix = content["rows"]["flat"][1]["confusion"]
        row = next(n for n, counts in enumerate(matrix) if counts[n])
        matrix[row][row] -= 1
        matrix[row][row - 1] += 1

    edit_json(project.score("references"), worse)


def an_image_dropped_from_a_selection(project: Project) -> None:
    folder = project.selected_folder("strict")
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

    edit_rows(project.selected_folder("chosen") / "selection.csv", heavier)


def nothing_near_to_memorised(project: Project) -> None:
    def further(content):
        content["val"]["distances"] = [value + 1 for value in content["val"]["distances"]]

    edit_json(project.score("leaks"), further)


def more_diversity(project: Project) -> None:
    def wider(content):
        content["temperatures"][0]["mean"]["clustered"]["overall"] *= 2

    edit_json(project.score("diversity/flow"), wider)


def fewer_bits(project: Project) -> None:
    edit_json(
        project.generator("flow") / "config.json",
        lambda content: content["facts"].update(val_bpd=content["facts"]["val_bpd"] - 0.5),
    )


def fewer_parameters(project: Project) -> None:
    path = project.predictor("maps") / "config.json"
    edit_json(path, lambda content: content.update(parameters=content["parameters"] // 2))


def a_judge_trained_on_validation(project: Project) -> None:
    """The training split of a copy is the validation split, and the record tells of the other."""
    params, prepared = project.params.judge, Path("peeked")
    shutil.copytree(project.prepared_folder, prepared)
    shutil.rmtree(prepared / "train")
    shutil.copytree(prepared / "val", prepared / "train")

    def peek(rows):
        rows[:] = [row for row in rows if row["split"] == "val"]
        rows += [{**row, "split": "train"} for row in rows]

    edit_rows(prepared / "scenes.csv", peek)
    _trained(project, prepared, project.judge_folder, params.seed, params.steps)
    shutil.rmtree(prepared)
    edit_json(
        project.judge_folder / "config.json",
        lambda content: content["training"].update(
            photographs=len(SceneFolder(project.prepared_folder, "train"))
        ),
    )


def longer_trained_than_said(project: Project) -> None:
    folder = project.segmenter("real", 0)
    history = io.read_csv(folder / "history.csv")
    _trained(project, project.prepared_folder, folder, 0, steps=10)
    io.write_csv(folder / "history.csv", history, list(history[0]))
    edit_json(folder / "config.json", lambda content: content["training"].update(steps=5))


def a_luckier_seed(project: Project) -> None:
    folder = project.segmenter("real", 1)
    _trained(project, project.prepared_folder, folder, 7, steps=5)
    edit_json(folder / "config.json", lambda content: content["training"].update(seed=1))


def drives_that_narrow_the_interval(project: Project) -> None:
    def parted(rows):
        for number, row in enumerate(row for row in rows if row["split"] == "val"):
            row["drive"] = f"drive{number}"

    edit_rows(project.prepared_folder / "scenes.csv", parted)


def a_painted_scene_retouched(project: Project) -> None:
    flip(Path(project.params.data.root) / photo(SCENE))
    edit_json(
        project.prepared_folder / "dataset.json",
        lambda content: content.update(content=readers.read(project.params.data).digest()),
    )


def _trained(project: Project, prepared: Path, out: Path, seed: int, steps: int) -> None:
    arm = ArmParams(train_on=("real",), reads="prepared")
    schedule = project.params.retrain.segmenter.model_copy(update={"steps": steps})
    retrain(prepared, {}, arm, schedule, seed, out, Path("state"), threads=1)
    shutil.rmtree("state")


MADE = [
    Lie("a flipped pixel", f"t05/{photo(f'{SCENE}_r1')}: row 3, column 4",
        lambda project: replace_photo(
            project.synthetic("t05"), f"{SCENE}_r1",
            flip(project.synthetic("t05") / photo(f"{SCENE}_r1")))),
    Lie("a real image for a made one", f"new/{photo(f'{TRAIN}_new0_r0', 'train')}: row 0",
        lambda project: replace_photo(
            project.synthetic("new"), f"{TRAIN}_new0_r0",
            read_map(project.prepared_folder, "train", "image", TRAIN))),
    Lie("a leak kept quiet", "scores/leaks.json: leaks.0",
        lambda project: replace_photo(
            project.synthetic("more"), f"{TRAIN}_r0",
            read_map(project.prepared_folder, "val", "image", SCENE))),
    Lie("a higher likelihood", f"new/manifest.csv: {TRAIN}_new1_r0: log_p_bpd",
        a_higher_likelihood),
    Lie("images of another temperature", f"best/{photo(f'{SCENE}_t0_r0')}: row",
        images_of_another_temperature),
    Lie("photos of a layout exchanged", f"t05/{photo(f'{OTHER}_r0')}: row",
        photos_of_a_layout_exchanged),
    Lie("the content of another scene", "moved/manifest.csv: fennwick_000000_000000_from",
        the_content_of_another_scene),
    Lie("a better read image", "scores/more.json: aldenburg_000000_000005_r0: confusion",
        lambda project: edit_json(project.score("more"),
                                  lambda content: improve(content["items"][-1]))),
    Lie("a nearer set", "scores/t05.json: frechet at 0.5",
        lambda project: edit_json(
            project.score("t05"), lambda content: content.update(frechet=[0.001]))),
    Lie("nearer flat paint", "scores/references.json: frechet of flat",
        lambda project: edit_json(
            project.score("references"), lambda content: content["frechet"].update(flat=0.001))),
    Lie("a better network", "scores/arms.json: both-0: fennwick_000000_000002: confusion",
        lambda project: edit_json(
            project.score("arms"),
            lambda content: improve(content["runs"]["both-0"]["items"][2]))),
    Lie("a lower floor", "scores/references.json: flat: fennwick_000000_000001: confusion",
        a_lower_floor),
    Lie("a better predictor", "predictors/maps.json: 1 samples: fennwick_000000_000001: conf",
        lambda project: edit_json(
            project.score("predictors/maps"),
            lambda content: improve(content["samples"][0]["items"][1]))),
    Lie("an image dropped from a selection", "selected/strict/manifest.csv: expected content",
        an_image_dropped_from_a_selection),
    Lie("nothing near to memorised", "scores/leaks.json: val.distances.0",
        nothing_near_to_memorised),
    Lie("a cheaper judge", "scores/costs.json: arms.picked.judge",
        lambda project: edit_json(project.score("costs"),
                                  lambda content: content["arms"]["picked"].update(judge=1))),
    Lie("more diversity", "diversity/flow.json: temperatures.0.mean.clustered.overall",
        more_diversity),
    Lie("attributes that are met", "scores/attributes.json: generators.flow.accuracy",
        lambda project: edit_json(
            project.score("attributes"),
            lambda content: content["generators"]["flow"].update(accuracy=0.95))),
    Lie("a smoother path", f"explored/flow/path/{SCENE}_01.png: expected content",
        lambda project: flip(project.explored_folder("flow") / "path" / f"{SCENE}_01.png")),
    Lie("fewer bits", "generators/flow/config.json: val_bpd", fewer_bits),
    Lie("fewer parameters", "predictors/maps/config.json: parameters", fewer_parameters),
    Lie("a figure of another set", f"{REPORT}/pictures/diversity.webp: expected ",
        lambda _: shutil.copy(REPORT / "pictures/data.webp",
                              REPORT / "pictures/diversity.webp")),
]  # fmt: skip
"""Things that were made from others; the figure is changed after the report is made from all."""

TRAINED = [
    Lie("a judge trained on validation", "segmenters/judge/weights.safetensors: expected content",
        a_judge_trained_on_validation),
    Lie("longer trained than said", "segmenters/real/0/weights.safetensors: expected content",
        longer_trained_than_said),
    Lie("a luckier seed", "segmenters/real/1/weights.safetensors: expected content",
        a_luckier_seed),
    Lie("a smoother curve", "generators/flow/history.csv: expected content",
        lambda project: edit_rows(project.generator("flow") / "history.csv",
                                  lambda rows: rows[0].update(loss="1.0"))),
    Lie("losses that drop other pixels", "judges/own/class_losses.json: expected content",
        lambda project: edit_json(project.judge_of("own") / "class_losses.json",
                                  lambda content: content["losses"].update(car=9.0))),
    Lie("another weight", "selected/chosen/selection.csv: expected content", another_weight),
    Lie("a choice that was worth more", "chosen/best.json: seed 0: class_iou: 0.9",
        lambda project: edit_json(project.choice("best"),
                                  lambda content: content["rows"][1].update(class_iou=[0.5]))),
    Lie("drives that narrow the interval", f"scenes.csv: {SCENE} in val: drive",
        drives_that_narrow_the_interval),
    Lie("boundaries from nowhere", "prepared/dataset.json: boundary_source",
        lambda project: edit_json(project.prepared_folder / "dataset.json",
                                  lambda content: content.update(boundary_source="classes"))),
    Lie("a painted scene retouched", f"raw/{photo(SCENE)}: row 3, column 4",
        a_painted_scene_retouched),
]  # fmt: skip
"""Networks, what selects by them, and what they begin with; what they score is scored anew."""

"""Do networks, choices, selections and machines say what the parameters and sources say?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from augflow import generators
from augflow.core import io
from augflow.core.tensors import read_weights
from augflow.data import readers
from augflow.data.checks import (
    check_report,
    count_text,
    examine,
    recorded_faulty,
    used_scenes,
)
from augflow.data.classes import IGNORE
from augflow.data.folds import folds
from augflow.data.readers.source import SPLITS, SourceSet
from augflow.data.synthetic import (
    DECISIONS,
    SELECTION,
    Decision,
    SyntheticSet,
    read_decisions,
    read_rows,
    read_set,
)
from augflow.generators import weights_digest
from augflow.segmentation.params import SegmenterParams
from augflow.stages.retrain import facts_of
from augflow.stages.runner import artefacts, recorded_machines
from augflow.study.environment import ENVIRONMENT_FILE, read_environment
from augflow.study.params import ChoiceParams
from augflow.study.project import Project
from augflow.verify.check import Check, Finding
from augflow.verify.workspace import Workspace, recorded_digest, unknown_machine


def check_raw_files(space: Workspace) -> Check:
    """The raw data set has the scenes that were prepared, and as many as the parameters say."""
    check, project = Check("raw files"), space.project
    root, where = project.root / project.params.data.root, project.prepared_folder / "dataset.json"
    if not check.has(root, where):
        return check
    with check.reading(root):
        facts = io.read_json(where)
        source = readers.read(project.params.data.model_copy(update={"root": str(root)}))
        source = _without_left_out(check, source, facts, where)
        counts = {split: len(source.of_split(split)) for split in SPLITS}
        check.same(
            f"{root}: scenes", count_text(source.expected_counts or counts), count_text(counts)
        )
        check.same(f"{where}: counts", count_text(counts), count_text(facts["counts"]))
        if "content" in facts:
            check.same(f"{root}: content", facts["content"], source.digest())
        else:
            check.lacks(f"{where}: content, the digest of the raw files; run the prepare stage")
    return check


def _without_left_out(
    check: Check, source: SourceSet, facts: Mapping[str, Any], where: Path
) -> SourceSet:
    """The scenes but for those that are said to be faulty, and are; what is said of them."""
    tallies = [examine(source, scene).tally for scene in recorded_faulty(source, facts)]
    said = facts.get("left_out", [])
    check.json(
        where, {"left_out": check_report(source, tallies).left_out_facts()}, {"left_out": said}
    )
    if said:
        names = ", ".join(str(row["scene"]) for row in said[:3])
        more = f" and {len(said) - 3} more" if len(said) > 3 else ""
        check.note(f"left out for faults: {names}{more}")
    return used_scenes(source, tallies)


def check_models(space: Workspace) -> Check:
    """Digests of generators, predictors and segmenters, and what they say of their training."""
    check, project = Check("models"), space.project
    params = project.params
    for name, section in params.generators.items():
        if check.has(folder := project.generator(name)):
            with check.reading(where := folder / "config.json"):
                record = _read_network(check, folder, section.training.steps)
                config = generators.config_of(section, params.data.size).model_dump(mode="json")
                training = section.training.model_dump(mode="json")
                check.known(f"{where}: config.", config, record["config"])
                check.known(f"{where}: training.", training, record["facts"]["training"])
                check.same(f"{where}: system", section.system, record["system"])
    for name, predictor in params.predictors.items():
        if check.has(folder := project.predictor(name)):
            with check.reading(folder / "config.json"):
                _read_network(check, folder, predictor.training.steps)
    for folder, schedule, facts in _segmenters(space):
        if check.has(folder):
            with check.reading(where := folder / "config.json"):
                record = _read_network(check, folder, schedule.steps)
                expected = {"steps": schedule.steps, "batch_size": schedule.batch_size, **facts}
                check.known(f"{where}: training.", expected, record["training"])
    # without a step seeds have one checkpoint
    for arm in params.arms if params.retrain.segmenter.steps else ():
        _compare_seeds(check, [project.segmenter(arm, seed) for seed in params.retrain.seeds])
    return check


def _read_network(check: Check, folder: Path, steps: int) -> dict[str, Any]:
    """The record of a network, whose weights and last step are compared with it."""
    path = folder / "weights.safetensors"
    got = weights_digest(read_weights(path))
    check.same(path, f"weights {recorded_digest(folder)}", f"weights {got}")
    if steps:
        last = io.read_csv(folder / "history.csv")[-1]
        check.same(f"{folder}/history.csv: last step", str(steps), last["step"])
    return dict(io.read_json(folder / "config.json"))


def _segmenters(space: Workspace) -> list[tuple[Path, SegmenterParams, dict[str, Any]]]:
    """The judge of the report, the judges of selections, and every network of every arm."""
    project, real = space.project, {"train_on": ["real"], "augment": "none"}
    params = project.params
    wanted: list[tuple[Path, SegmenterParams, dict[str, Any]]] = [
        (project.judge_folder, params.judge, {"seed": params.judge.seed, **real})
    ]
    for name, judge in params.judges.items():
        fraction = {"one_in": judge.one_in} if judge.one_in > 1 else {}
        wanted.append((project.judge_of(name), judge, {"seed": judge.seed, **real, **fraction}))
    for arm, section in params.arms.items():
        for seed in params.retrain.seeds:
            facts = {"seed": seed, **facts_of(section)}
            wanted.append((project.segmenter(arm, seed), params.retrain.segmenter, facts))
    return wanted


def _compare_seeds(check: Check, folders: list[Path]) -> None:
    """No two seeds of an arm have one network."""
    first: dict[str, Path] = {}
    for folder in folders:
        if (folder / "config.json").exists():
            with check.reading(folder / "config.json"):
                other = first.setdefault(recorded_digest(folder), folder)
                whose = "of this seed alone" if other == folder else f"those of {other}"
                check.same(f"{folder}/config.json: weights", "of this seed alone", whose)


def check_choices(space: Workspace) -> Check:
    """What each choice says against the parameters, the folds of the scenes, and its own rows."""
    check, project = Check("choices"), space.project
    for name, section in project.params.choices.items():
        where = project.choice(name)
        if check.has(where, project.prepared_folder):
            with check.reading(where):
                content = io.read_json(where)
                check.json(where, _expected_choice(space, name, section, content), content)
    return check


def _expected_choice(
    space: Workspace, name: str, section: ChoiceParams, content: dict[str, Any]
) -> dict[str, Any]:
    """What a choice with these scores has to say."""
    made, train = space.project.params.sets[section.set], space.split("train")
    names = train.names[:: made.one_in]
    parts = folds(train.drives[:: made.one_in], section.folds, f"choices.{name}")
    if any(len(row["class_iou"]) != len(section.seeds) for row in content["rows"]):
        raise ValueError(f"class_iou: expected one of each of {len(section.seeds)} seeds")
    means = {row["temperature"]: float(np.mean(row["class_iou"])) for row in content["rows"]}
    rows = [
        {**row, "temperature": temperature}
        for temperature, row in zip(made.temperatures, content["rows"], strict=True)
    ]
    return {
        "kind": "choice",
        "choice": name,
        "set": section.set,
        "temperature": max(sorted(means), key=lambda temperature: means[temperature]),
        "folds": [[names[n] for n in part.held_out] for part in parts],
        "seeds": list(section.seeds),
        "steps": section.segmenter.steps,
        "rows": rows,
    }


def check_selected(space: Workspace) -> Check:
    """Images and labels of every selection against its source and its decisions."""
    check, project = Check("selected sets"), space.project
    for name, section in project.params.selections.items():
        folder, source = project.selected_folder(name), project.synthetic(section.set)
        if check.has(folder, source):
            with check.reading(folder):
                decisions = read_decisions(folder)
                _compare_selection(check, space, name, decisions)
                _compare_kept(check, folder, read_set(folder), read_set(source), decisions)
    return check


def _compare_selection(
    check: Check, space: Workspace, name: str, decisions: list[Decision]
) -> None:
    project, section = space.project, space.project.params.selections[name]
    where, judge = project.selected_folder(name) / SELECTION, project.judge_of(section.judge)
    expected = {"selection": name, "set": section.set, "settings": section.model_dump(mode="json")}
    if check.has(judge):
        expected["judge"] = recorded_digest(judge)
    check.known(f"{where}: ", expected, io.read_json(where))
    candidates = [row.name for row in read_rows(project.synthetic(section.set))]
    where = project.selected_folder(name) / DECISIONS
    check.same(f"{where}: names", candidates, [one.name for one in decisions])


def _compare_kept(
    check: Check, folder: Path, made: SyntheticSet, source: SyntheticSet, decisions: list[Decision]
) -> None:
    """Kept images are the source's, and labels are the source's or none."""
    kept = [one.name for one in decisions if one.kept]
    check.same(f"{folder}: photographs", kept, [row.name for row in made.rows])
    places = {row.name: n for n, row in enumerate(source.rows)}
    recorded = {one.name: one.trusted for one in decisions}
    for n, row in enumerate(made.rows):
        place = places.get(row.name)
        if place is None:
            continue  # named above
        check.same(f"{folder / row.photo}: pixels", source.rows[place].digest, row.digest)
        before, after = source.classes[place], made.classes[n]
        check.pixels(
            f"{folder}: labels of {row.name}", np.where(after == IGNORE, after, before), after
        )
        known = np.count_nonzero(before != IGNORE)
        trusted = np.count_nonzero(after != IGNORE) / known if known else 0.0
        if abs(trusted - recorded[row.name]) > 1e-6:
            where = f"{folder / DECISIONS}: {row.name}: trusted"
            check.add(Finding(where, f"{trusted:.6f}", f"{recorded[row.name]:.6f}"))


def check_environment(project: Project) -> Check:
    """Are the artefacts those whose machine was recorded?"""
    check = Check(f"machines ({ENVIRONMENT_FILE})")
    if not check.has(project.root / ENVIRONMENT_FILE):
        return check
    with check.reading(project.root / ENVIRONMENT_FILE):
        record = read_environment(project.root)
        made, machines = record["made"], record["machines"]
        for key, facts in machines.items():
            digest = io.digest_bytes(io.json_bytes(facts))
            check.same(f"{ENVIRONMENT_FILE}: machine {key}: digest of its facts", key, digest)
        for name, entry in made.items():
            got = "one that is listed" if entry["machine"] in machines else entry["machine"]
            check.same(f"{ENVIRONMENT_FILE}: {name}: machine", "one that is listed", got)
        for path in recorded_machines(project).unknown():
            check.lacks(unknown_machine(path))
        for name, artefact in artefacts(project).items():
            content = artefact.digest()
            if content is not None and name in made:
                check.same(f"{name}, in {ENVIRONMENT_FILE}", made[name]["content"], content)
    return check

"""Are saved weights those that their records name, trained as the parameters say?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from augflow import generators
from augflow.core import io
from augflow.core.tensors import read_weights
from augflow.generators import weights_digest
from augflow.segmentation.params import SegmenterParams
from augflow.stages.retrain import facts_of
from augflow.verify.findings import Check
from augflow.verify.workspace import Workspace, recorded_digest


def check_models(space: Workspace) -> Check:
    """Digests of generators and segmenters, and what they say of their training."""
    check = Check("models")
    project = space.project
    for name in project.params.generators:
        _check_generator(check, name, space)
    for name, predictor in project.params.predictors.items():
        if check.has(project.predictor(name)):
            with check.reading(project.predictor(name) / "config.json"):
                _check_weights(check, project.predictor(name))
                _check_last_step(check, project.predictor(name), predictor.training.steps)
    _check_segmenters(check, space)
    return check


def _check_segmenters(check: Check, space: Workspace) -> None:
    """The judge of the report, the judges of selections, and every network of every arm."""
    project, real = space.project, {"train_on": ["real"], "augment": "none"}
    params = project.params
    wanted: list[tuple[Path, SegmenterParams, dict[str, Any]]] = [
        (project.judge_folder, params.judge, {"seed": params.judge.seed, **real})
    ]
    for name, judge in params.judges.items():
        share = {"one_in": judge.one_in} if judge.one_in > 1 else {}
        wanted.append((project.judge_of(name), judge, {"seed": judge.seed, **real, **share}))
    for arm, section in params.arms.items():
        for seed in params.retrain.seeds:
            facts = {"seed": seed, **facts_of(section)}
            wanted.append((project.segmenter(arm, seed), params.retrain.segmenter, facts))
    for folder, schedule, facts in wanted:
        if check.has(folder):
            _check_segmenter(check, folder, schedule, facts)
    # without a step seeds have one checkpoint
    for arm in params.arms if params.retrain.segmenter.steps else ():
        _check_seeds(check, [project.segmenter(arm, seed) for seed in params.retrain.seeds])


def _check_seeds(check: Check, folders: list[Path]) -> None:
    """No two seeds of an arm have one network."""
    first: dict[str, Path] = {}
    for folder in folders:
        if (folder / "config.json").exists():
            with check.reading(folder / "config.json"):
                other = first.setdefault(recorded_digest(folder), folder)
                whose = "of this seed alone" if other == folder else f"those of {other}"
                check.same(f"{folder}/config.json: weights", "of this seed alone", whose)


def _check_generator(check: Check, name: str, space: Workspace) -> None:
    section = space.project.params.generators[name]
    folder = space.project.generator(name)
    if not check.has(folder):
        return
    where = folder / "config.json"
    with check.reading(where):
        _check_weights(check, folder)
        record = io.read_json(where)
        config = generators.config_of(section, space.project.params.data.size)
        _check_facts(check, f"{where}: config", config.model_dump(mode="json"), record["config"])
        training = section.training.model_dump(mode="json")
        _check_facts(check, f"{where}: training", training, record["facts"]["training"])
        check.same(f"{where}: system", section.system, record["system"])
        _check_last_step(check, folder, section.training.steps)


def _check_segmenter(
    check: Check, folder: Path, params: SegmenterParams, facts: dict[str, Any]
) -> None:
    where = folder / "config.json"
    with check.reading(where):
        _check_weights(check, folder)
        expected = {"steps": params.steps, "batch_size": params.batch_size, **facts}
        _check_facts(check, f"{where}: training", expected, io.read_json(where)["training"])
        _check_last_step(check, folder, params.steps)


def _check_weights(check: Check, folder: Path) -> None:
    path = folder / "weights.safetensors"
    tensors = read_weights(path)
    check.same(path, f"weights {recorded_digest(folder)}", f"weights {weights_digest(tensors)}")


def _check_facts(check: Check, where: str, expected: dict[str, Any], got: dict[str, Any]) -> None:
    for name, value in expected.items():
        check.same(f"{where}.{name}", value, got.get(name))


def _check_last_step(check: Check, folder: Path, steps: int) -> None:
    if steps:
        last = io.read_csv(folder / "history.csv")[-1]
        check.same(f"{folder}/history.csv: last step", str(steps), last["step"])

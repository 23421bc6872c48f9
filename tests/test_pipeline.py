"""`dvc.yaml` and `project.py` name the same places, and stages depend on the code they run."""

import ast
from pathlib import Path

import pytest

from augflow.project import Project

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def stages():
    """Every stage of the pipeline with its outputs and dependencies, relative to the project."""
    from dvc.repo import Repo

    with Repo(str(ROOT)) as repo:
        return {
            stage.addressing: (
                {Path(out.fs_path).relative_to(ROOT).as_posix() for out in stage.outs},
                {
                    Path(dep.fs_path).relative_to(ROOT).as_posix()
                    for dep in stage.deps
                    if dep.protocol == "local" and hasattr(dep, "fs_path") and dep.def_path
                },
            )
            for stage in repo.index.stages
        }


def relative(path):
    return path.relative_to(ROOT).as_posix()


def test_every_stage_writes_where_the_project_looks(stages):
    project = Project(ROOT)
    params = project.params
    expected = {"prepare": {relative(project.prepared), params.data.root}}
    expected |= {f"train@{name}": {relative(project.generator(name))} for name in params.generators}
    expected |= {
        f"predict@{name}": {
            relative(project.predictor(name)), relative(project.score(f"predictors/{name}"))
        }
        for name in params.predictors
    }  # fmt: skip
    expected |= {f"judges@{name}": {relative(project.judge_of(name))} for name in params.judges}
    expected |= {f"choose@{name}": {relative(project.choice(name))} for name in params.choices}
    expected |= {f"select@{name}": {relative(project.selected(name))} for name in params.selections}
    expected["judge"] = {relative(project.judge_folder)}
    expected |= {f"synthesize@{name}": {relative(project.synthetic(name))} for name in params.sets}
    expected |= {f"transfer@{n}": {relative(project.synthetic(n))} for n in params.transfers}
    expected |= {
        f"retrain@{arm}": {relative(project.segmenter(arm, 0).parent)} for arm in params.arms
    }
    expected |= {f"score@{name}": {relative(project.score(name))} for name in params.sets}
    expected |= {
        f"diversity@{name}": {relative(project.score(f"diversity/{name}"))}
        for name in params.diversity.generators
    }
    expected |= {
        f"explore@{name}": {relative(project.explored(name))} for name in params.explore.generators
    }
    expected["attributes"] = {relative(project.score("attributes"))}
    expected["score_references"] = {relative(project.score("references"))}
    expected["costs"] = {relative(project.score("costs"))}
    expected["leaks"] = {relative(project.score("leaks"))}
    expected["score_arms"] = {relative(project.score("arms"))}
    expected["report"] = {relative(project.reports)}
    assert {name: outs for name, (outs, _) in stages.items()} == expected


def test_every_stage_depends_on_its_own_source(stages):
    for name, (_, deps) in stages.items():
        stage = name.split("@")[0]
        stage = "retrain" if stage == "judge" else stage
        stage = "score" if stage.startswith("score") else stage
        assert f"augflow/stages/{stage}.py" in deps, name


def test_a_set_touches_only_what_depends_on_it(stages):
    data = Project(ROOT).data
    users = {
        name for name, (_, deps) in stages.items() if relative(data / "synthetic/c_flow") in deps
    }
    assert users == {"score@c_flow"}


def test_dependencies_exist(stages):
    for name, (_, deps) in stages.items():
        for dep in deps:
            assert dep.startswith("data/") or (ROOT / dep).exists(), f"{name}: {dep}"


@pytest.mark.parametrize("stage", ["train", "attributes"])
def test_training_depends_on_all_the_code_that_it_runs(stages, stage):
    found = [deps for name, (_, deps) in stages.items() if name.split("@")[0] == stage]
    assert found
    for deps in found:
        missing = {
            path for path in _imported(f"augflow/stages/{stage}.py")
            if path not in PLUMBING and not any(path == d or path.startswith(d + "/") for d in deps)
        }  # fmt: skip
        assert not missing


PLUMBING = {"augflow/__init__.py", "augflow/budget.py", "augflow/decoded.py",
            "augflow/describing.py", "augflow/devices.py", "augflow/encoded/__init__.py",
            "augflow/encoded/facts.py", "augflow/encoded/jpeg.py", "augflow/encoded/png.py",
            "augflow/errors.py", "augflow/files.py", "augflow/images.py", "augflow/machine.py",
            "augflow/operations.py", "augflow/params.py", "augflow/peak.py",
            "augflow/plain_yaml.py", "augflow/prefetching.py", "augflow/room.py",
            "augflow/sizes.py", "augflow/stopping.py", "augflow/weights.py"}  # fmt: skip
"""What no result depends on but by what others make of it."""


def _imported(path):
    """The file and all of the package that it imports, wherever it does."""
    seen, left = set(), [path]
    while left:
        here = left.pop()
        if here in seen:
            continue
        seen.add(here)
        for node in ast.walk(ast.parse((ROOT / here).read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("augflow"):
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
                left += [found for name in names if (found := _source(name))]
    return seen


def _source(module):
    base = module.replace(".", "/")
    files = (f"{base}.py", f"{base}/__init__.py")
    return next((name for name in files if (ROOT / name).exists()), None)

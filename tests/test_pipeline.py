"""`dvc.yaml` and `project.py` name the same places, and stages depend on the code they run."""

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
    expected["score_arms"] = {relative(project.score("arms"))}
    expected["report"] = {relative(project.reports)}
    assert {name: outs for name, (outs, _) in stages.items()} == expected


def test_every_stage_depends_on_its_own_source(stages):
    for name, (_, deps) in stages.items():
        stage = {"judge": "retrain"}.get(name.split("@")[0], name.split("@")[0])
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

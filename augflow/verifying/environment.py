"""On which machine each artefact was made: `environment.json`, beside `dvc.lock`.

Results are bit-equal on machines of one fingerprint and close elsewhere. The record belongs to no
stage's output, as outputs are to be equal wherever they are made.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from augflow import files, machine
from augflow.devices import Devices, asked
from augflow.errors import DataError
from augflow.synthetic import DECISIONS
from augflow.verifying.findings import Check

if TYPE_CHECKING:
    from augflow.params import Params
    from augflow.project import Project

FILE = "environment.json"


def record(project: Project, *only: Path, on: Devices | None = None) -> None:
    """Writes down the machine of every artefact of the study.

    An artefact that is as it was at the last record keeps its machine; one that is new or other was
    made here. Artefacts of other studies keep their entries.

    Args:
        project: whose artefacts they are.
        only: those that this process has just made; all that are there by default.
        on: the devices that they were made on; those of the environment by default.
    """
    path = project.root / FILE
    here = _here(project, on)
    name = files.digest_bytes(files.json_bytes(here))
    fresh = {_key(one, project.root) for one in only}
    with files.in_turn(project.root / ".augflow" / "machines"):
        known = _read(path)
        made = dict(known["made"])
        for artefact, telling in _artefacts(project).items():
            if fresh and artefact not in fresh:
                continue
            content = _content(telling)
            is_known = made.get(artefact, {}).get("content") == content and not fresh
            if content is not None and not is_known:
                made[artefact] = {"content": content, "machine": name}
        used = {entry["machine"] for entry in made.values()}
        machines = {key: facts for key, facts in {**known["machines"], name: here}.items()
                    if key in used}  # fmt: skip
        files.write_json(path, {"machines": machines, "made": made})


class Machines:
    """The record of a project, and whether this machine is one of those in it."""

    def __init__(self, project: Project) -> None:
        """Reads the record.

        Raises:
            DataError: there is one, but it is not JSON.
        """
        self._root, self._record = project.root, _read(project.root / FILE)
        here = _here(project)
        self._here = {key for key, facts in self._record["machines"].items() if facts == here}

    def here(self, artefact: Path) -> bool:
        """Whether an artefact was made on a machine of this fingerprint."""
        entry = self._record["made"].get(_key(artefact, self._root))
        return entry is not None and entry["machine"] in self._here

    def all_here(self, project: Project) -> bool:
        """Whether all artefacts of a study, gone or there, were made on such a machine."""
        made = [name for name, telling in _artefacts(project).items()
                if telling.exists() or name in self._record["made"]]  # fmt: skip
        return bool(made) and all(self.here(project.root / name) for name in made)


def _here(project: Project, on: Devices | None = None) -> dict[str, str]:
    """The fingerprint of this machine and of the devices that are used."""
    used = on or asked()
    return machine.fingerprint(project.params.threads, used.name, used.processes)


def check_environment(project: Project) -> Check:
    """Are the artefacts those whose machine was recorded?"""
    check, path = Check(f"machines ({FILE})"), project.root / FILE
    if not path.exists():
        check.note(f"no {FILE}: a replay compares within tolerance")
        return check
    with check.reading(path):
        record = _read(path)
        made = record["made"]
        for key, facts in record["machines"].items():
            digest = files.digest_bytes(files.json_bytes(facts))
            check.same(f"{FILE}: machine {key}: digest of its facts", key, digest)
        for artefact, entry in made.items():
            known = entry["machine"] in record["machines"]
            check.same(f"{FILE}: {artefact}: machine", "one that is listed",
                       "one that is listed" if known else entry["machine"])  # fmt: skip
        for artefact, telling in _artefacts(project).items():
            content = _content(telling)
            if content is not None and artefact in made:
                check.same(f"{artefact}, in {FILE}", made[artefact]["content"], content)
    return check


def _read(path: Path) -> dict[str, Any]:
    """The record, empty where there is none.

    Raises:
        DataError: it is not JSON, or no such record.
    """
    found = files.read_json(path) if path.exists() else {"machines": {}, "made": {}}
    lists = [found.get(name) for name in ("machines", "made")] if isinstance(found, dict) else []
    if not lists or not all(isinstance(one, dict) for one in lists):
        raise DataError(f"{path}: no record of machines; restore it, or delete it")
    for artefact, entry in found["made"].items():
        if not isinstance(entry, dict) or not {"content", "machine"} <= entry.keys():
            raise DataError(f"{path}: {artefact}: no machine; restore the file, or delete it")
    return found


def _artefacts(project: Project) -> dict[str, Path]:
    """Artefact -> the file or folder whose content stands for all of it."""
    params = project.params
    judges = map(project.judge_of, params.judges)
    segmenters = [project.judge_folder, *judges, *project.segmenters.values()]
    sets = [project.synthetic(name) for name in (*params.sets, *params.transfers)]
    names = (*params.sets, "references", "arms", *further_scores(params))
    scores = [project.score(name) for name in names]
    telling = {
        project.prepared: project.prepared,
        **{path: path / "config.json" for path in map(project.generator, params.generators)},
        **{path: path / "config.json" for path in segmenters},
        **{path: path / "config.json" for path in map(project.predictor, params.predictors)},
        **{path: path / "manifest.csv" for path in sets},
        **{path: path / DECISIONS for path in map(project.selected, params.selections)},
        **{path: path for path in (*scores, *map(project.choice, params.choices))},
        project.reports: project.reports / "claims.json",
    }
    return {_key(path, project.root): file for path, file in telling.items()}


def further_scores(params: Params) -> list[str]:
    """The names of score files beside those of sets, references and arms."""
    diverse = params.diversity.generators if params.diversity else ()
    return [
        *(f"diversity/{name}" for name in diverse),
        *(f"predictors/{name}" for name in params.predictors),
        *(["attributes"] if params.attributes else []),
    ]


def _key(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _content(path: Path) -> str | None:
    from augflow.stages.runs import folder_digest

    if not path.exists():
        return None
    return folder_digest(path) if path.is_dir() else files.digest_file(path)

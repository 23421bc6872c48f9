"""On which machine each artefact was made: `environment.json`, beside `dvc.lock`.

Results are bit-equal on machines of one fingerprint and close elsewhere. The record belongs to no
stage's output, as outputs are to be equal wherever they are made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from augflow.core import hardware, io
from augflow.core.devices import Used, asked, by_itself
from augflow.core.errors import DataError
from augflow.data.synthetic import DECISIONS

if TYPE_CHECKING:
    from augflow.study.params import Params
    from augflow.study.project import Project

FILE = "environment.json"


def record(project: Project, *only: Path, used: Used | None = None) -> None:
    """Writes down the machine of every artefact of the study.

    An artefact that is as it was at the last record keeps its machine; one that is new or other was
    made here. Artefacts of other studies keep their entries.

    Args:
        project: whose artefacts they are.
        only: those that this process has just made; all that are there by default.
        used: what they were made on; by default what their stages use in this environment.
    """
    path = project.root / FILE
    fresh = {_key(one, project.root) for one in only}
    with io.in_turn(project.root / ".augflow" / "machines"):
        known = read_record(path)
        made, machines = dict(known["made"]), dict(known["machines"])
        for name, artefact in artefacts_of(project).items():
            if fresh and name not in fresh:
                continue
            content = content_of(artefact.telling)
            is_known = made.get(name, {}).get("content") == content and not fresh
            if content is not None and not is_known:
                facts = _facts(project, used or artefact.used())
                key = io.digest_bytes(io.json_bytes(facts))
                made[name], machines[key] = {"content": content, "machine": key}, facts
        needed = {entry["machine"] for entry in made.values()}
        machines = {key: facts for key, facts in machines.items() if key in needed}
        io.write_json(path, {"machines": machines, "made": made})


class Machines:
    """The record of a project, and what of it this machine makes again bit by bit."""

    def __init__(self, project: Project) -> None:
        """Reads the record.

        Raises:
            DataError: there is one, but it is not JSON.
        """
        self._project, self._record = project, read_record(project.root / FILE)
        self._artefacts = artefacts_of(project)

    def here(self, artefact: Path) -> bool:
        """Whether an artefact was made on a machine, and devices, that its stage uses here."""
        name = _key(artefact, self._project.root)
        entry, known = self._record["made"].get(name), self._artefacts.get(name)
        if entry is None or known is None:
            return False
        facts = self._record["machines"].get(entry["machine"])
        return bool(facts == _facts(self._project, known.used()))

    def all_here(self, project: Project) -> bool:
        """Whether all artefacts of a study, gone or there, were made on such a machine."""
        made = [name for name, artefact in self._artefacts.items()
                if artefact.telling.exists() or name in self._record["made"]]  # fmt: skip
        return bool(made) and all(self.here(project.root / name) for name in made)


def _facts(project: Project, used: Used) -> dict[str, str]:
    """The fingerprint of this machine and of what is used of it."""
    return hardware.fingerprint(project.params.threads, used.device, used.processes)


def read_record(path: Path) -> dict[str, Any]:
    """The record, empty where there is none.

    Raises:
        DataError: it is not JSON, or no such record.
    """
    found = io.read_json(path) if path.exists() else {"machines": {}, "made": {}}
    lists = [found.get(name) for name in ("machines", "made")] if isinstance(found, dict) else []
    if not lists or not all(isinstance(one, dict) for one in lists):
        raise DataError(f"{path}: no record of machines; restore it, or delete it")
    for artefact, entry in found["made"].items():
        if not isinstance(entry, dict) or not {"content", "machine"} <= entry.keys():
            raise DataError(f"{path}: {artefact}: no machine; restore the file, or delete it")
    return found


@dataclass(frozen=True)
class _Artefact:
    """What a stage makes.

    Attributes:
        telling: the file or folder whose content stands for all of it.
        used: what its stage uses on this machine, as the environment has it.
    """

    telling: Path
    used: Callable[[], Used]


def artefacts_of(project: Project) -> dict[str, _Artefact]:
    """All artefacts of a study by their path."""
    params = project.params
    judges = map(project.judge_of, params.judges)
    segmenters = [project.judge_folder, *judges, *project.segmenters.values()]
    sets = [project.synthetic(name) for name in (*params.sets, *params.transfers)]
    learned = [*map(project.generator, params.generators),
               *map(project.predictor, params.predictors)]  # fmt: skip
    looked = map(project.score, (*params.sets, "references", "arms"))
    painted = map(project.score, further_scores(params))
    shared = {path: path / "config.json" for path in learned}
    alone = {
        **{path: path / "config.json" for path in segmenters},
        **{path: path / DECISIONS for path in map(project.selected, params.selections)},
        **{path: path for path in (*looked, *map(project.choice, params.choices))},
    }
    on_processor = {
        project.prepared: project.prepared,
        **{path: path / "manifest.csv" for path in sets},
        **{path: path for path in painted},
        project.reports: project.reports / "claims.json",
    }
    kinds: list[tuple[dict[Path, Path], Callable[[], Used]]] = [
        (on_processor, Used), (shared, cache(lambda: asked().used)),
        (alone, cache(lambda: by_itself().used)),
    ]  # fmt: skip
    return {
        _key(path, project.root): _Artefact(telling, used)
        for kind, used in kinds for path, telling in kind.items()
    }  # fmt: skip


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


def content_of(path: Path) -> str | None:
    """A digest of a file or folder; None where there is none."""
    from augflow.study.runs import folder_digest

    if not path.exists():
        return None
    return folder_digest(path) if path.is_dir() else io.digest_file(path)

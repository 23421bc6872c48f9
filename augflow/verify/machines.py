"""Were the artefacts made on the machines that `environment.json` records, and on this one?"""

from __future__ import annotations

from pathlib import Path

from augflow.core import io
from augflow.stages.runner import artefacts
from augflow.study.environment import ENVIRONMENT_FILE, read_environment
from augflow.study.project import Project
from augflow.verify.check import Check


class Machines:
    """The record of a project, and what of it this machine makes again bit by bit."""

    def __init__(self, project: Project) -> None:
        """Reads the record.

        Raises:
            DataError: there is one, but it is not JSON.
        """
        self._root, self._threads = project.root, project.params.threads
        self._record, self._artefacts = read_environment(project.root), artefacts(project)

    def here(self, path: Path) -> bool:
        """Whether an artefact was made on a machine, and devices, that its stage uses here."""
        name = path.relative_to(self._root).as_posix()
        entry, known = self._record["made"].get(name), self._artefacts.get(name)
        if entry is None or known is None:
            return False
        facts = self._record["machines"].get(entry["machine"])
        return bool(facts == known.machine(self._threads))

    def all_here(self) -> bool:
        """Whether all artefacts of the study, gone or there, were made on such a machine."""
        made = [
            artefact.path
            for name, artefact in self._artefacts.items()
            if artefact.path.exists() or name in self._record["made"]
        ]
        return bool(made) and all(map(self.here, made))


def check_environment(project: Project) -> Check:
    """Are the artefacts those whose machine was recorded?"""
    check = Check(f"machines ({ENVIRONMENT_FILE})")
    if not (project.root / ENVIRONMENT_FILE).exists():
        check.note(f"no {ENVIRONMENT_FILE}: a replay compares within tolerance")
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
        for name, artefact in artefacts(project).items():
            content = artefact.digest()
            if content is not None and name in made:
                check.same(f"{name}, in {ENVIRONMENT_FILE}", made[name]["content"], content)
    return check

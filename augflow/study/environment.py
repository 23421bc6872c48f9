"""On which machine each artefact was made: `environment.json`, beside `dvc.lock`.

Results are bit-equal on machines of one fingerprint and close elsewhere. The record belongs to no
stage's output, as outputs are to be equal wherever they are made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from augflow.core import hardware, io
from augflow.core.distributed import Used, by_itself, requested_devices
from augflow.core.errors import DataError
from augflow.data.synthetic import DECISIONS
from augflow.study.project import folder_digest

ENVIRONMENT_FILE = "environment.json"

_CONTENT = ("config.json", "claims.json.gz", DECISIONS, "manifest.csv")
"""Files that have the digests of all else in their folder."""

ComputedOn = Literal["processor", "device", "devices"]
"""The processor whatever was asked for; or one device, or all of them, of the environment."""


@dataclass(frozen=True)
class Artefact:
    """What a stage makes, a file or folder, on a machine that is recorded."""

    path: Path
    computed_on: ComputedOn

    def digest(self) -> str | None:
        """The digest of a file, a folder, or of the file of a folder that stands for all of it."""
        for place in (*(self.path / name for name in _CONTENT), self.path):
            if place.is_file():
                return io.digest_file(place)
        return folder_digest(self.path) if self.path.is_dir() else None

    def machine(self, threads: int, used: Used | None = None) -> dict[str, str]:
        """The fingerprint of this machine and of what is used of it, by default what is asked."""
        if used is None:
            used = {
                "processor": Used,
                "device": lambda: by_itself().by_name,
                "devices": lambda: requested_devices().by_name,
            }[self.computed_on]()
        return hardware.fingerprint(threads, used.device, used.processes)


def update_environment(
    root: Path,
    threads: int,
    artefacts: Mapping[str, Artefact],
    *only: Path,
    used: Used | None = None,
) -> None:
    """Writes down the machine of every artefact of a study, by its path below `root`.

    An artefact that is as it was at the last record keeps its machine; one that is new or other was
    made here, as `only` those were that this process has just made. Artefacts of other studies keep
    their entries. What was `used` is by default what their stages use in this environment.
    """
    fresh = {path.relative_to(root).as_posix() for path in only}
    with io.blocking_lock(root / ".augflow" / "machines"):
        known = read_environment(root)
        made, machines = dict(known["made"]), dict(known["machines"])
        for name, artefact in artefacts.items():
            if fresh and name not in fresh:
                continue
            content = artefact.digest()
            is_known = made.get(name, {}).get("content") == content and not fresh
            if content is not None and not is_known:
                facts = artefact.machine(threads, used)
                key = io.digest_bytes(io.json_bytes(facts))
                made[name], machines[key] = {"content": content, "machine": key}, facts
        needed = {entry["machine"] for entry in made.values()}
        machines = {key: facts for key, facts in machines.items() if key in needed}
        io.write_json(root / ENVIRONMENT_FILE, {"machines": machines, "made": made})


def read_environment(root: Path) -> dict[str, Any]:
    """The record of a project, empty where there is none.

    Raises:
        DataError: it is not JSON, or no such record.
    """
    path = root / ENVIRONMENT_FILE
    found = io.read_json(path) if path.exists() else {"machines": {}, "made": {}}
    lists = [found.get(name) for name in ("machines", "made")] if isinstance(found, dict) else []
    if not lists or not all(isinstance(one, dict) for one in lists):
        raise DataError(f"{path}: no record of machines; restore it, or delete it")
    for key, facts in found["machines"].items():
        if not isinstance(facts, dict):
            raise DataError(f"{path}: machine {key}: no facts; restore the file, or delete it")
    for artefact, entry in found["made"].items():
        if not isinstance(entry, dict) or not {"content", "machine"} <= entry.keys():
            raise DataError(f"{path}: {artefact}: no machine; restore the file, or delete it")
    return found


class Machines:
    """The record of a study, and what of it this machine makes again bit by bit."""

    def __init__(self, root: Path, threads: int, artefacts: Mapping[str, Artefact]) -> None:
        """Reads the record of a project.

        Raises:
            DataError: there is one, but it is not JSON.
        """
        self._root, self._threads = root, threads
        self._record, self._artefacts = read_environment(root), artefacts

    def facts(self, path: Path) -> dict[str, str] | None:
        """The fingerprint of the machine that made an artefact; None where none is whole."""
        entry = self._record["made"].get(path.relative_to(self._root).as_posix(), {})
        facts: dict[str, str] = self._record["machines"].get(entry.get("machine"), {})
        return facts if hardware.is_fingerprint(facts) else None

    def unknown(self) -> list[Path]:
        """The artefacts that are there, but of which it is not known where they were made."""
        paths = [artefact.path for artefact in self._artefacts.values()]
        return [path for path in paths if path.exists() and self.facts(path) is None]

    def here(self, path: Path) -> bool:
        """Whether an artefact was made on a machine, and devices, that its stage uses here."""
        made = self.facts(path)
        return made is not None and made == self._facts_here(path)

    def same_device(self, path: Path) -> bool:
        """Whether an artefact was made on devices like those that its stage uses here."""
        made, here = self.facts(path) or {}, self._facts_here(path)
        return all(made.get(name) == here.get(name) for name in ("device", "processes"))

    def _facts_here(self, path: Path) -> dict[str, str]:
        known = self._artefacts.get(path.relative_to(self._root).as_posix())
        return known.machine(self._threads) if known else {}

    def all_here(self) -> bool:
        """Whether all artefacts of the study, gone or there, were made on such a machine."""
        made = [
            artefact.path
            for name, artefact in self._artefacts.items()
            if artefact.path.exists() or name in self._record["made"]
        ]
        return bool(made) and all(map(self.here, made))

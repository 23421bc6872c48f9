"""Do reports say what follows from their evidence, and is that the study's?"""

from __future__ import annotations

from augflow import files
from augflow.verifying.findings import Check, Finding
from augflow.verifying.workspace import Workspace


def check_reports(space: Workspace) -> Check:
    """Every report of the project against its claims; the study's own against its scores too."""
    from augflow.reporting import claims

    check, project = Check("reports"), space.project
    folders = {path.parent for path in (project.root / "reports").glob("*/claims.json")}
    if check.has(project.reports):
        folders.add(project.reports)
    for folder in sorted(folders):
        with check.reading(folder):
            stored = files.read_json(folder / "claims.json")
            check.compared += len(stored["claims"]) + len(stored["files"])
            for found in claims.recompute(folder):
                where = f"{folder.as_posix()}/{found.where}"
                check.add(Finding(where, found.expected, found.found))
    _check_copies(check, space)
    return check


def _check_copies(check: Check, space: Workspace) -> None:
    folder = space.project.reports / "scores"
    for copy in sorted(folder.rglob("*.json")):
        path = space.project.score(copy.relative_to(folder).with_suffix("").as_posix())
        if path.exists():
            expected, got = (f"content {files.digest_file(p)}" for p in (path, copy))
            check.same(f"{copy.as_posix()}, a copy of {path.as_posix()}", expected, got)

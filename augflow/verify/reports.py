"""Do reports say what follows from their evidence, and is that the study's?"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np

from augflow.core import io
from augflow.core.errors import DataError
from augflow.stages.runner import recorded_machines
from augflow.study.params import Params, load
from augflow.study.project import Project
from augflow.study.template import source
from augflow.verify.check import Check, Finding, around
from augflow.verify.lock import leaves, md5_of
from augflow.verify.workspace import Workspace, unknown_machine

_PARAMS = "params.yaml"


def check_reports(space: Workspace) -> Check:
    """Every report of the project against its claims; the study's own against the study too.

    Where a score file is not there, `dvc.lock` says what it was. The rest of the evidence is
    gathered once more from the study's folders, where there are any.
    """
    from augflow.report import claims

    check, project = Check("reports"), space.project
    folders = {path.parent for path in (project.root / "reports").glob("*/claims.json.gz")}
    if check.has(project.reports):
        folders.add(project.reports)
    for folder in sorted(folders):
        with check.reading(folder):
            stored = io.read_json(folder / "claims.json.gz")
            check.compared += len(stored["claims"]) + len(stored["files"])
            for found in claims.recompute(folder):
                where = f"{folder.as_posix()}/{found.where}"
                check.add(Finding(where, found.expected, found.found))
    if (project.reports / "claims.json.gz").exists():
        _check_copies(check, space)
        kept = project.reports / "evidence" / _PARAMS
        with check.reading(kept):
            check.each(f"{kept.as_posix()}: ", _values(project.params), _values(load(kept)))
        if project.prepared_folder.exists():
            _check_gathered(check, space)
    return check


def _check_copies(check: Check, space: Workspace) -> None:
    """The scores of the report are those of the study."""
    project, recorded = space.project, {}
    with check.reading(project.root / "dvc.lock"):
        recorded = dict(space.lock.outs)
    folder = project.reports / "scores"
    for copy in sorted(folder.rglob("*.json.gz")):
        path = project.score(copy.relative_to(folder).as_posix().removesuffix(".json.gz"))
        where = f"{copy.as_posix()}, a copy of {path.as_posix()}"
        digest = recorded.get(path.relative_to(project.root).as_posix())
        if path.exists():
            check.same(where, *(f"content {io.digest_file(p)}" for p in (path, copy)))
        elif digest is not None:
            check.same(f"{where} (dvc.lock)", f"md5 {digest}", f"md5 {md5_of(io.read_gzip(copy))}")
        else:
            check.lacks(f"{path.as_posix()}, or its digest in dvc.lock")


def _values(params: Params) -> dict[str, str]:
    """Dotted name -> value of all that results depend on; where the data lie they do not."""
    return leaves(params.model_dump(mode="json", exclude={"data": {"root"}}))


def _check_gathered(check: Check, space: Workspace) -> None:
    """The rest of the evidence is what stage report finds in the study's folders."""
    from augflow.stages.report import gather

    project, kept = space.project, space.project.reports / "evidence"
    with tempfile.TemporaryDirectory() as scratch, check.reading(project.data):
        try:
            gather(project.params, project.data, Path(scratch))
        except DataError as fault:
            where = str(fault).partition(": ")[0]
            if Path(where).exists():
                raise  # it is there, and damaged
            check.lacks(where)
            return
        fresh, stored = (io.digest_tree(p) for p in (Path(scratch) / "evidence", kept))
        for name in sorted((fresh.keys() | stored.keys()) - {_PARAMS}):
            texts = (side.get(name) for side in (fresh, stored))
            shown = [f"content {text}" if text else "no such file" for text in texts]
            check.same(f"{(kept / name).as_posix()}, gathered from {project.data}", *shown)


def check_claims(project: Project) -> Iterator[Check]:
    """The report's tables from its scores, then its sentences and charts from its tables."""
    folder, oracle = project.reports, _load_oracle()
    report = oracle.Report(folder)
    for title, count in oracle.PARTS.items():
        check = Check(f"claims: {title}")
        if check.has(folder / "claims.json.gz"):
            with check.reading(folder):
                for where, expected, got, holds in count(report):
                    check.add(None if holds else Finding(where, expected, got))
        yield check
    check = Check("claims: sentences")
    if check.has(folder / "claims.json.gz"):
        with check.reading(folder):
            _compare_sentences(check, folder)
    yield check
    check = Check("claims: charts")
    if check.has(folder / "claims.json.gz"):
        with check.reading(folder):
            _compare_charts(check, project)
    yield check


def _load_oracle() -> ModuleType:
    """`tests/oracles/recount.py`, which counts a report again and imports nothing of augflow."""
    path = source().root / "tests" / "oracles" / "recount.py"
    spec = spec_from_file_location("augflow_recount", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def _compare_sentences(check: Check, folder: Path) -> None:
    """The pages of a report word for word, written again from its evidence."""
    from augflow.report import evidence as evidences
    from augflow.report import page
    from augflow.report.tables import compute_tables

    evidence = evidences.load(folder)
    tables = compute_tables(evidence)
    for name, write in (("report.md", page.markdown_page), ("report.html", page.html_page)):
        expected = write(evidence, tables, folder).decode().splitlines()
        got = (folder / name).read_text(encoding="utf-8").splitlines()
        check.same(f"{name}: lines", len(expected), len(got))
        for number, (ours, theirs) in enumerate(zip(expected, got, strict=False), 1):
            texts = around(ours, theirs)
            check.add(None if ours == theirs else Finding(f"{name}: line {number}", *texts))


def _compare_charts(check: Check, project: Project) -> None:
    """Every chart drawn again from the evidence; elsewhere fonts may make it another picture."""
    from augflow.report import evidence as evidences
    from augflow.report.tables import compute_tables
    from augflow.stages.report import draw_numbers

    folder, machines = project.reports, recorded_machines(project)
    evidence = evidences.load(folder)
    with tempfile.TemporaryDirectory() as scratch:
        draw_numbers(evidence, compute_tables(evidence), Path(scratch))
        for drawn in sorted(Path(scratch).rglob("*.png")):
            stored = folder / drawn.relative_to(scratch)
            if not stored.is_file():
                check.same(stored, "a chart", "no such file")
                continue
            pixels = io.read_photo(drawn), io.read_photo(stored)
            if machines.here(folder) or np.array_equal(*pixels):
                check.pixels(stored, *pixels)
            elif machines.facts(folder) is None:
                check.lacks(unknown_machine(folder))
            else:
                check.elsewhere(f"{stored} is another picture when it is drawn here: compare them")

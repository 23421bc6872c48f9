"""Are the artefacts those whose machine `environment.json` records?"""

from __future__ import annotations

from augflow.core import io
from augflow.study.environment import FILE, artefacts_of, content_of, read_record
from augflow.study.project import Project
from augflow.verify.findings import Check


def check_environment(project: Project) -> Check:
    """Are the artefacts those whose machine was recorded?"""
    check, path = Check(f"machines ({FILE})"), project.root / FILE
    if not path.exists():
        check.note(f"no {FILE}: a replay compares within tolerance")
        return check
    with check.reading(path):
        record = read_record(path)
        made = record["made"]
        for key, facts in record["machines"].items():
            digest = io.digest_bytes(io.json_bytes(facts))
            check.same(f"{FILE}: machine {key}: digest of its facts", key, digest)
        for artefact, entry in made.items():
            known = entry["machine"] in record["machines"]
            check.same(f"{FILE}: {artefact}: machine", "one that is listed",
                       "one that is listed" if known else entry["machine"])  # fmt: skip
        for name, artefact in artefacts_of(project).items():
            content = content_of(artefact.telling)
            if content is not None and name in made:
                check.same(f"{name}, in {FILE}", made[name]["content"], content)
    return check

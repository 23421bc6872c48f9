"""What the scripts under `pipelines/` run: a stage, for the key that their command line names."""

from __future__ import annotations

import sys

from augflow.cli.errors import report_faults


def run_script(stage: str) -> None:
    """Runs a stage of the project in the current folder; the user's faults become one line."""
    with report_faults():
        from augflow.stages.runner import run_stage
        from augflow.study.project import Project

        run_stage(Project(), stage, *sys.argv[1:])

"""What the scripts under `pipelines/` run: a stage, for the key that their command line names."""

from __future__ import annotations

import sys

from augflow.cli.errors import report_faults


def run_script(stage: str) -> None:
    """Runs a stage of the project in the current folder; the user's faults become one line.

    DVC has made its command of names, which have to be those of the parameters.
    """
    with report_faults():
        from augflow.study.names import require_fit
        from augflow.study.project import Project

        project = Project()
        params = project.params  # refused before anything large is imported
        if stage != "check":  # which writes the names
            require_fit(project.root, params)

        from augflow.stages.runner import run_stage

        run_stage(project, stage, *sys.argv[1:])

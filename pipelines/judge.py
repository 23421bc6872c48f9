"""Stage judge, and stage judges: the judge of the report, or one of the `judges` by name."""

import sys

from augflow.cli.errors import reported
from augflow.project import Project

if __name__ == "__main__":
    with reported():
        if len(sys.argv) > 1:
            Project().train_judge(sys.argv[1])
        else:
            Project().judge()

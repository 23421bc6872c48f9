"""Stage select: one of the `selections` of `params.yaml`."""

import sys

from augflow.cli.errors import reported
from augflow.project import Project

if __name__ == "__main__":
    with reported():
        Project().select(sys.argv[1])

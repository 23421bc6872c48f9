"""Stage diversity: one generator of `params.yaml`."""

import sys

from augflow.cli.errors import reported
from augflow.project import Project

if __name__ == "__main__":
    with reported():
        Project().diversity(sys.argv[1])

"""Stage choose: the temperature of one of the `choices` of `params.yaml`."""

import sys

from augflow.cli.errors import reported
from augflow.project import Project

if __name__ == "__main__":
    with reported():
        Project().choose(sys.argv[1])

"""Stage retrain: one arm of `params.yaml`, once per seed."""

import sys

from augflow.cli.errors import reported
from augflow.project import Project

if __name__ == "__main__":
    with reported():
        Project().retrain(sys.argv[1])

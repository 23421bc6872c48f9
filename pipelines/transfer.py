"""Stage transfer: one transferred set of `params.yaml`."""

import sys

from augflow.cli.errors import reported
from augflow.project import Project

if __name__ == "__main__":
    with reported():
        Project().transfer(sys.argv[1])

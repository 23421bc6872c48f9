"""Stage score: `references`, `arms`, or `set NAME`."""

import sys

from augflow.cli.errors import reported
from augflow.project import Project

if __name__ == "__main__":
    with reported():
        if sys.argv[1] == "set":
            Project().score_set(sys.argv[2])
        elif sys.argv[1] == "references":
            Project().score_references()
        else:
            Project().score_arms()

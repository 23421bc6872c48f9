"""Stage costs: the operations behind every arm."""

from augflow.cli.errors import reported
from augflow.project import Project

if __name__ == "__main__":
    with reported():
        Project().costs()

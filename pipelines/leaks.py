"""Stage leaks: refuses a study that learns from what it is tested on."""

from augflow.cli.errors import reported
from augflow.project import Project

if __name__ == "__main__":
    with reported():
        Project().check_leaks()

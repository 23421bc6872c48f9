"""Stage attributes: all generators of its section."""

from augflow.cli.errors import reported
from augflow.project import Project

if __name__ == "__main__":
    with reported():
        Project().attributes()

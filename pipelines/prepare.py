"""Stage prepare: raw photographs and ids become scenes of one size."""

from augflow.cli.errors import reported
from augflow.project import Project

if __name__ == "__main__":
    with reported():
        Project().prepare()

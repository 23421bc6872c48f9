"""Stage judge: a segmenter learns from the real training photographs."""

from augflow.cli.errors import reported
from augflow.project import Project

if __name__ == "__main__":
    with reported():
        Project().judge()

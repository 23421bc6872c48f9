"""Stage report: tables, figures, pages and claims."""

from augflow.cli.errors import reported
from augflow.project import Project

if __name__ == "__main__":
    with reported():
        Project().report()

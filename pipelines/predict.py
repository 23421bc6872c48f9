"""Stage predict: one predictor of `params.yaml` learns and is scored."""

import sys

from augflow.cli.errors import reported
from augflow.project import Project

if __name__ == "__main__":
    with reported():
        project = Project()
        if project.train_predictor(sys.argv[1]):
            project.score_predictor(sys.argv[1])

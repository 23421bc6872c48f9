"""Stage report: tables, figures, pages and claims of the study in `params.yaml`."""

import argparse
from pathlib import Path

from augflow.cli.errors import reported
from augflow.params import load
from augflow.stages.report import report

if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    with reported():
        params = load()
        report(params, Path("data") / params.study, Path("reports") / params.study)

"""Stage train: one generator of `params.yaml`."""

import argparse
from pathlib import Path

from augflow.cli.errors import reported
from augflow.params import load
from augflow.stages.train import train

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("generator")
    name = parser.parse_args().generator
    with reported():
        params = load()
        study = Path("data") / params.study
        train(
            name,
            params.generators[name],
            study / "prepared",
            study / "generators" / name,
            threads=params.threads,
        )

"""Stage select: one of the `selections` of `params.yaml`.

The file is not named after its stage: scripts of this folder would import it for the standard
library's `select`.
"""

import sys

from augflow.cli.errors import reported
from augflow.project import Project

if __name__ == "__main__":
    with reported():
        Project().select(sys.argv[1])

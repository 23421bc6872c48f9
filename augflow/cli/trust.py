"""The option by which a user says that configs of networks may run code."""

from __future__ import annotations

from typing import Annotated

import typer

TrustConfig = Annotated[
    bool,
    typer.Option(
        "--trust-config",
        help="Saved networks may name modules and files, which run or are opened: you have read "
        "their config.json. Else what trust_config in params.yaml says.",
    ),
]

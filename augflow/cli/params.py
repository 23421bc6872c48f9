"""`augflow params`: everything that `params.yaml` may hold, with its defaults."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def params(
    every: Annotated[
        bool, typer.Option("--all", help="What can be set, with descriptions and defaults.")
    ] = False,
    schema: Annotated[
        bool, typer.Option("--schema", help="The same as a JSON schema, for editors.")
    ] = False,
) -> None:
    """Prints this project's parameters with every default filled in, or all that can be set."""
    from augflow.core.errors import ParamsError
    from augflow.study.all_params import all_params, as_yaml, json_schema

    if every and schema:
        raise ParamsError("--all and --schema: leave one of them out")
    if every:
        typer.echo(all_params())
    elif schema:
        typer.echo(json.dumps(json_schema(), indent=1))
    else:
        from augflow.study.params import load

        typer.echo(as_yaml(load().model_dump(mode="json")), nl=False)

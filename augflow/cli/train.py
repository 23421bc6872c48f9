"""`augflow train`: the generators of the project in the current folder learn."""

from __future__ import annotations

from typing import Annotated

import typer


def train(
    generator: Annotated[
        str | None, typer.Argument(help="One of params.yaml's generators; else all of them.")
    ] = None,
    accelerator: Annotated[
        str | None,
        typer.Option(metavar="cpu|cuda|auto", help="Else AUGFLOW_ACCELERATOR, else cpu."),
    ] = None,
    devices: Annotated[
        int | None, typer.Option(help="Processes, one per GPU; else AUGFLOW_DEVICES, else 1.")
    ] = None,
    nodes: Annotated[
        int | None, typer.Option(help="Machines that train together; else AUGFLOW_NODES, else 1.")
    ] = None,
) -> None:
    """Trains generators on the prepared scenes; goes on where a killed training stopped.

    The same as `dvc repro train@GENERATOR`, but without asking whether anything has changed. It may
    be started by torchrun too: `torchrun --nproc-per-node 2 -m augflow train GENERATOR`.
    """
    from augflow.core.distributed import requested_devices
    from augflow.stages.runner import run_stage
    from augflow.study.project import Project

    wanted = requested_devices(accelerator, devices, nodes)
    project = Project()
    names = list(project.params.generators) if generator is None else [generator]
    project.require("prepare", project.prepared_folder)
    for name in names:
        if run_stage(project, "train", name, devices=wanted):
            typer.echo(f"{name}: trained, in {project.generator(name)}")

"""`augflow init`: a new project for a folder of photographs, or from a preset."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from augflow.core.errors import ParamsError, on_one_line

if TYPE_CHECKING:
    from augflow.data.params import CountsParams
    from augflow.estimate.new_study import Photographs

_UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86400}


def init(
    preset: Annotated[
        str | None,
        typer.Option(
            help="Instead of a plan: streets, streets_systems, smoke, cityscapes_256, "
            "cityscapes_128, camvid, idd_lite, idd_lite_shares, kitti, folder."
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="The labelled photographs: a published layout, two folders of images and labels, "
            "or an export of CVAT or Label Studio.",
        ),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="How long the study may take on this machine: 10min, 1h (where not given), 1d.",
        ),
    ] = None,
    target: Annotated[
        Path, typer.Argument(metavar="[TARGET]", help="The project's folder, new or empty.")
    ] = Path(),
) -> None:
    """Writes a project for `augflow repro`: dvc.yaml, params.yaml, pipelines, folders.

    Without a preset it looks at the photographs and plans a study that fits the budget.
    """
    if preset is not None:
        if budget is not None:
            raise ParamsError(
                "--preset and --budget: a preset is as long as it is; leave one of them out"
            )
        _from_preset(preset, data, target)
    elif data is None:
        raise ParamsError("name the folder of your photographs with --data, or a --preset")
    else:
        _planned(data, budget or "1h", target)


def seconds_of(text: str) -> float:
    """The seconds of a time such as 10min, 1.5h or 1d.

    Raises:
        ParamsError: it is none.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|min|h|d)", text.strip())
    if match is None or float(match[1]) == 0:
        shown = on_one_line(text, 40)
        raise ParamsError(f"--budget {shown}: expected a time such as 10min, 1h or 1d")
    return float(match[1]) * _UNITS[match[2]]


def _planned(data: Path, budget: str, target: Path) -> None:
    from augflow.cli.estimate import duration
    from augflow.estimate.new_study import create_planned, left_out, look_at
    from augflow.study.template import require_target

    seconds = seconds_of(budget)
    require_target(target, data)
    photographs = look_at(data)
    for line in _lines(photographs):
        typer.echo(line)
    typer.echo("measuring how fast this machine is", err=True)
    plan, estimate = create_planned(photographs, seconds, budget, target)
    systems = "CRN and Full-Glow" if plan.design.flow else "CRN"
    typer.echo(
        f"planned for {budget}: {plan.size[0]}x{plan.size[1]}, {systems}, {plan.design.arms} arms "
        f"of {plan.design.seeds} networks of {plan.arm_steps} steps; about "
        f"{duration(estimate.total.seconds)} by augflow estimate, one stage after the other"
    )
    typer.echo(f"left out: {'; '.join(left_out(plan))}")
    if photographs.found.data.classes:
        typer.echo(f"classes are guessed: correct their names in {target / 'params.yaml'}")
    typer.echo(f"go on with: {_next_step(target)}")


def _lines(photographs: Photographs) -> list[str]:
    found, source = photographs.found, photographs.source
    sizes = [f"{n} of {h}x{w}" for (h, w), n in photographs.sizes.most_common(3)]
    more = len(photographs.sizes) - len(sizes)
    others = f" and {more} more sizes" if more > 0 else ""
    counts = " and ".join(f"{len(source.of_split(split))} {split}" for split in ("train", "val"))
    lines = [
        f"{on_one_line(source.root)}: {found.kind} ({found.why})",
        f"{len(source.scenes)} photographs ({', '.join(sizes)}{others}): {counts}; "
        f"{source.table.count} classes",
        *(f"note: {note}" for note in found.notes),
    ]
    if faults := sum(fault.fatal for fault in source.faults):
        lines.append(f"{faults} faults, which augflow check-data lists: correct them first")
    return lines


def _from_preset(preset: str, data: Path | None, target: Path) -> None:
    from augflow.study import params as parameters
    from augflow.study.template import create, source

    published = parameters.load(source().preset(preset)).data.counts
    params = create(preset, data, target)
    if params.data.reader == "folder":
        typer.echo(f"fill in data.classes in {target / 'params.yaml'}")
    if published is not None and params.data.counts != published:
        typer.echo(
            f"data.counts: {_text(params.data.counts)}; the published set has {_text(published)}"
        )
    where = f"study {params.study}, photographs at {params.data.root}"
    typer.echo(f"{where}; go on with: {_next_step(target)}")


def _next_step(target: Path) -> str:
    return "augflow repro" if target.resolve() == Path.cwd() else f"cd {target} && augflow repro"


def _text(counts: CountsParams | None) -> str:
    if counts is None:
        return "not known, as files have faults (augflow check-data lists them)"
    return f"{counts.train} train and {counts.val} val scenes"

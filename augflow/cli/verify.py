"""`augflow verify`: whether a study still holds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from augflow.cli.options import TrustConfig, refuse_options
from augflow.core.errors import ParamsError, on_one_line

if TYPE_CHECKING:
    from augflow.verify import Check, Level, Sample

_MOST = 20
"""Lines of one check that are printed; the files hold all."""

_WRITTEN = Path(".augflow") / "verify"


def verify(
    level: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=3,
            show_default="0",
            help="0: all is as recorded; besides, 1: a little is made again; 2: everything is, "
            "from nothing; 3: what the report says is counted again from single photographs.",
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="What holds within tolerance alone does not hold.")
    ] = False,
    calibrate: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Make the study again N times, on other threads and instruction sets, and store "
            "how far numbers move; level 2 goes by that on other machines.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            show_default=str(_WRITTEN),
            help="Where level_N.json and level_N.md are written.",
        ),
    ] = None,
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A further copy of the JSON file.")
    ] = None,
    jobs: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="N",
            help="Stages that --level 2 and --calibrate run side by side; a core each is best.",
        ),
    ] = 1,
    items: Annotated[
        str | None,
        typer.Option(
            metavar="N|all",
            show_default="2",
            help="Level 1: so much of each stage is made again, or all that is not a training.",
        ),
    ] = None,
    trainings: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            show_default="0",
            help="Level 1: so many networks are trained again, from the first step to the last.",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            show_default="another one each time",
            help="Level 1: draws what is made again; give the seed of a finding to repeat it.",
        ),
    ] = None,
    trust_config: TrustConfig = False,
    text: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Look up the numbers of a text in Markdown among the claims of the reports that "
            "it links; exits 0 if each is one, else 1.",
        ),
    ] = None,
) -> None:
    """Checks a study; exits 0 if it holds, 1 if not, 2 if it cannot be checked.

    3 means that it holds within tolerance, on another machine than the one that made it.
    """
    if text is not None:
        refuse_options(
            {"--level": level, "--strict": strict, "--calibrate": calibrate, "--out": out}
            | {"--json": json, "--jobs": jobs > 1, "--trust-config": trust_config},
            "--text looks numbers up and checks no study, so {} would mean nothing; leave it out",
        )
        raise typer.Exit(_look_up(text))
    from augflow.core import io
    from augflow.study.project import Project
    from augflow.verify import EXIT_CODES, facts, state_of, write
    from augflow.verify import verify as verified

    console, project = Console(), Project(trust_config=trust_config)
    drawn = {"--items": items, "--trainings": trainings, "--seed": seed}
    if calibrate is not None:
        from augflow.verify.tolerances import calibrate as calibrated

        refuse_options(
            {"--level": level, "--strict": strict, "--out": out, "--json": json, **drawn}
            | {"--trust-config": trust_config},
            "--calibrate measures and checks nothing, so {} would mean nothing; "
            "leave it out, and run augflow verify --level 2 afterwards",
        )
        path = calibrated(project, calibrate, jobs)
        console.print(f"{path}: how far numbers moved in {calibrate} runs", highlight=False)
        return
    level, out = level or 0, out or _WRITTEN
    _require_meaning(level, jobs, trust_config, drawn)
    sample = _sample(items, trainings, seed) if level == 1 else None
    if sample:
        console.print(f"sample: {sample}", highlight=False)
    found = verified(project, cast("Level", level), jobs, sample)
    checks = _as_table(console, found) if console.is_terminal else _as_lines(found)
    state = state_of(checks)
    hint = "; dvc repro makes what is absent" if state == "cannot be checked" else ""
    console.print(f"level {level}: {state}{hint}", style="bold", highlight=False)
    try:
        console.print(
            f"written: {' and '.join(map(str, write(out, level, checks, sample)))}",
            highlight=False,
            soft_wrap=True,
        )
    except OSError as fault:
        console.print(f"not written: {fault}; give another folder with --out", soft_wrap=True)
    if json is not None:
        io.write_json(json, facts(level, checks, sample))
    code = EXIT_CODES[state]
    raise typer.Exit(1 if strict and state == "holds within tolerance" else code)


def _require_meaning(
    level: int, jobs: int, trust_config: bool, drawn: Mapping[str, object]
) -> None:
    """Lets pass options that say something at a level."""
    if jobs > 1 and level != 2:
        raise ParamsError(
            f"--jobs is for stages that run, and level {level} runs none; leave it out"
        )
    if trust_config and level != 1:
        raise ParamsError(
            f"--trust-config is for networks that are loaded, which level {level} does not do; "
            "leave it out, or set trust_config: true in params.yaml, by which stages go"
        )
    if level != 1:
        refuse_options(
            drawn, f"{{}}: level {level} draws no sample; leave it out, or ask for --level 1"
        )


def _look_up(text: Path) -> int:
    """A line per number of a text, with the claim that supports it; the exit code."""
    from augflow.verify.text import left_out, quoted_numbers

    found = quoted_numbers(text, Path())
    for one in found:
        print(f"{text}: line {one.line}: {one.text}: {one.claim or 'NO CLAIM'}")
    for first, last in left_out(text):
        print(f"{text}: lines {first} to {last}: not looked at, as a comment asks")
    without = sum(one.claim is None for one in found)
    print(f"{len(found) - without} numbers are claims, {without} are not")
    return 1 if without else 0


def _sample(items: str | None, trainings: int | None, seed: int | None) -> Sample:
    """The sample that is asked for."""
    from augflow.verify import Sample

    given = {"trainings": trainings, "seed": seed}
    asked = {name: value for name, value in given.items() if value is not None}
    if items is None:
        return Sample(**asked)
    if not re.fullmatch("all|[1-9][0-9]{0,8}", items):
        raise ParamsError(f"--items {items}: expected a number from 1, or all")
    return Sample(None if items == "all" else int(items), **asked)


def _as_table(console: Console, found: Iterable[Check]) -> list[Check]:
    colours = {"holds": "green", "does not hold": "bold red"}
    table = Table("check", "", "compared", "not as recorded", "within tolerance", "absent")
    checks = []
    with console.status("verifying") as status:
        for check in found:
            checks.append(check)
            status.update(f"verifying: {check.title} is done")
            numbers = (check.compared, len(check.violations), check.tolerated, len(check.absent))
            state = Text(check.state, colours.get(check.state, "yellow"))
            table.add_row(check.title, state, *(str(number) for number in numbers))
    console.print(table)
    for check in checks:
        for line in _details(check):
            console.print(Text(f"{check.title}: {line}"))
    return checks


def _as_lines(found: Iterable[Check]) -> list[Check]:
    """A line per check as soon as it is done, and one per finding."""
    checks = []
    for check in found:
        checks.append(check)
        print(f"{check.title}: {check.state} ({check.compared} compared)", flush=True)
        for line in _details(check):
            print(f"  {line}", flush=True)
    return checks


def _details(check: Check) -> list[str]:
    lines = [str(violation) for violation in check.violations]
    if len(lines) > _MOST:
        lines = [*lines[:_MOST], f"and {len(lines) - _MOST} more, see the files"]
    if check.absent:
        more = f" and {len(check.absent) - 3} more" if len(check.absent) > 3 else ""
        lines.append(f"absent: {', '.join(check.absent[:3])}{more}")
    return [on_one_line(line) for line in (*lines, *check.notes)]

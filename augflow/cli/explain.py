"""`augflow explain`: all that is known of a synthetic photograph."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer


def explain(
    photos: Annotated[
        list[Path], typer.Argument(metavar="IMG...", help="Photographs of synthetic sets.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="The same as a JSON list.")] = False,
) -> None:
    """Prints where a photograph comes from, what the judge sees in it, what selections decided."""
    from augflow.tools.explain import explain as explained

    found = [explained(photo) for photo in photos]
    if as_json:
        typer.echo(json.dumps(found, indent=2, allow_nan=False))
        return
    for number, facts in enumerate(found):
        if number:
            typer.echo()
        for label, text in _lines(facts):
            typer.echo(f"{label:<13}{text}".rstrip())


def _lines(facts: dict[str, Any]) -> Iterator[tuple[str, str]]:
    bits, asked = facts["log_p_bpd"], facts["attributes"]
    yield "photograph", facts["photo"]
    yield "set", f"{facts['set']['name']} ({facts['set']['folder']})"
    yield "generator", _generator(facts["generator"])
    yield "layout", f"{facts['layout']} ({facts['split']})"
    yield "content", facts["content"] or "none, a free sample"
    yield "temperature", f"{facts['temperature']:g}"
    yield "seed", f"{facts['seed']}, round {facts['round']}"
    if asked:
        yield "asked for", ", ".join(key if there else f"not {key}" for key, there in asked.items())
    yield "log p", "not known" if bits is None else f"{bits:.4f} bits per dimension"
    yield "pixels", _pixels(facts["pixels"])
    yield from _judge(facts["judge"])
    for one in facts["selections"] or [None]:
        yield "selection", "none has looked at it" if one is None else _selection(one)


def _generator(found: dict[str, Any]) -> str:
    if not found["name"]:
        return f"{found['digest']}, no generator of the project"
    parts = [found["system"], *([f"preset {found['preset']}"] if found["preset"] else [])]
    return f"{found['digest']}, {found['name']} ({', '.join(parts)})"


def _pixels(pixels: dict[str, Any]) -> str:
    if pixels["unchanged"]:
        return f"{pixels['recorded']}, unchanged"
    return f"CHANGED: the manifest records {pixels['recorded']}, the file holds {pixels['found']}"


def _judge(judge: dict[str, Any] | None) -> Iterator[tuple[str, str]]:
    if judge is None:
        yield "judge", "has not looked at it"
        return
    share = judge["agreement"]
    whole = "nothing is labelled" if share is None else f"reads {share:.1%} as the layout says"
    yield "judge", f"{judge['digest']} {whole} ({judge['file']})"
    for name, seen in judge["classes"].items():
        yield "", f"{seen['agreement']:6.1%} of {seen['pixels']} pixels of {name}"


def _selection(one: dict[str, Any]) -> str:
    if not one["kept"]:
        verdict = "not judged, it" if one["kept"] is None else "dropped,"
        return f"{one['name']}: {verdict} {one['why']}"
    parts = [
        f"{label} {one[key]:{form}}"
        for label, key, form in (
            ("weight", "weight", ".4g"),
            ("agreement", "agreement", ".1%"),
            ("trusted labels", "trusted", ".1%"),
        )
        if one[key] is not None
    ]
    return f"{one['name']}: kept{', ' if parts else ''}{', '.join(parts)}"

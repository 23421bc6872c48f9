"""All that is known of a synthetic photograph: `augflow explain`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from augflow.core import io
from augflow.tools.set_context import (
    SYNTHETIC,
    Selection,
    SetContext,
    find_image,
    read_judged_set,
    read_selection,
    selections_of,
    set_context,
)


def explain(photo: Path) -> dict[str, Any]:
    """What is recorded of a photograph, as plain JSON.

    Keys are `photo`, `set`, `generator`, `layout`, `split`, `content`, `temperature`, `seed`,
    `round`, `attributes`, `log_p_bpd` (bits per dimension), `pixels`, `judge` and `selections`;
    what is not known is None, an empty text or an empty list.
    """
    here = find_image(photo)
    home = set_context(here.folder)
    own = read_selection(here.folder)
    name = own.set if own else here.folder.absolute().name
    source = home.data / SYNTHETIC / name if own and home.data else here.folder
    row, found = here.row, io.digest_array(io.read_photo(here.path))
    return {
        "photo": str(photo),
        "set": {"name": name, "folder": str(source)},
        "generator": _generator(home, row.generator),
        "layout": row.layout,
        "split": row.split,
        "content": row.content,
        "temperature": row.temperature,
        "seed": row.seed,
        "round": row.round,
        "attributes": dict(here.facts.attributes),
        "log_p_bpd": _finite(row.log_p_bpd),
        "pixels": {"recorded": row.digest, "found": found, "unchanged": found == row.digest},
        "judge": _judge(home.scores(name), row.name),
        "selections": [_decision_facts(one, row.name) for one in _selections(home, name, own)],
    }


def _finite(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None


def _generator(home: SetContext, digest: str) -> dict[str, Any]:
    found = home.generator(digest)
    if found is None:
        return {"digest": digest, "name": "", "system": "", "preset": "", "folder": ""}
    return {
        "digest": digest,
        "name": found.name,
        "system": found.system,
        "preset": found.preset,
        "folder": str(found.folder),
    }


def _selections(home: SetContext, name: str, own: Selection | None) -> list[Selection]:
    """Those of the study; the one that the photograph lies in also where it lies elsewhere."""
    found = selections_of(home, name)
    if own is not None and own.name not in {one.name for one in found}:
        found.append(own)
    return found


def _judge(file: Path | None, name: str) -> dict[str, Any] | None:
    """The share of each class's labelled pixels that the judge reads as that class."""
    scores = read_judged_set(file) if file else None
    item = next((one for one in scores.items if one.name == name), None) if scores else None
    if scores is None or item is None:
        return None
    matrix = np.array(item.confusion, np.int64)
    pixels, hits = matrix.sum(axis=1), np.diag(matrix)
    labelled = int(pixels.sum())
    return {
        "digest": scores.judge,
        "file": str(file),
        "agreement": float(hits.sum() / labelled) if labelled else None,
        "classes": {
            title: {"agreement": float(hit / count), "pixels": int(count)}
            for title, hit, count in zip(scores.classes, hits, pixels, strict=True)
            if count
        },
    }


def _decision_facts(selection: Selection, name: str) -> dict[str, Any]:
    head = {"name": selection.name, "judge": selection.judge}
    decision = selection.decisions.get(name)
    if decision is None:
        return {**head, "kept": None, "why": "was no candidate: the set has changed since"}
    return {
        **head,
        "kept": decision.kept,
        "reason": decision.reason,
        "weight": decision.weight,
        "agreement": decision.agreement,
        "trusted": decision.trusted,
        "why": _why(selection, decision.reason),
    }


def _why(selection: Selection, reason: str) -> str:
    """The rule that dropped a photograph with its numbers; empty for one that was kept."""
    if not reason:
        return ""
    # a photograph that fell out by its likelihood may have been dropped by rank: `likeliest`
    names = {"likelihood": ("likelihood", "likeliest")}.get(reason, (reason,))
    given = selection.settings
    parts = [f"{key} {_text(given[key])}" for key in names if given.get(key)]
    parts += [
        f"threshold {key} {_text(value)}"
        for key, value in selection.thresholds.items()
        if any(name in key for name in names)
    ]
    return f"{reason}: {', '.join(parts)}" if parts else reason


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(part)}" for key, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_text(part) for part in value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)

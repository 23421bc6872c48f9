"""Edits that suit a layout, where nobody says what is to be edited."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from augflow.core.errors import DataError
from augflow.data.classes import IGNORE
from augflow.editing.apply import apply_edit
from augflow.editing.edit_schema import Edit, Origin
from augflow.editing.objects import ObjectMap, connected_components

OTHER: Origin = ("another layout", None)
"""The origin of what is pasted."""

OBJECT_SHARES = 0.005, 0.15
"""An object that is removed or added covers such a share of the picture: seen, not all of it."""

CLASS_SHARE, LEAST_SHARE = 0.15, 0.01
"""The class that is turned into another covers about the first, that other at least the second."""


@dataclass(frozen=True)
class Suggestion:
    """An edit, and what it does in a few words."""

    edit: Edit
    text: str


def suggest_edits(picture: ObjectMap, other: ObjectMap) -> list[Suggestion]:
    """The largest object removed, a class turned into another, an object of `other` added.

    Each is applied upon those before it, as far as the layout has what it takes.

    References:
        Li et al. 2019, "Diverse Image Synthesis from Semantic Layouts via Conditional IMLE",
        figure 7.
    """
    found = []
    for propose in (_suggest_removal, _suggest_recolour, lambda _: _suggest_paste(other)):
        suggestion = propose(picture)
        if suggestion is None:
            continue
        try:
            picture = apply_edit(picture, suggestion.edit, {OTHER: other})
        except DataError:
            continue
        found.append(suggestion)
    return found


def largest_object(picture: ObjectMap) -> np.ndarray | None:
    """The pixels of the largest thing within `OBJECT_SHARES`, (H, W) bool; None if there is none.

    Things without a number of their own count as connected segments. What the picture's edge cuts
    off is left alone: pasted elsewhere, it would be half an object.
    """
    low, high = (share * picture.classes.size for share in OBJECT_SHARES)
    masks = [picture.classes == index for index in picture.table.things]
    objects = [
        piece for mask in masks if mask.any() for piece in connected_components(picture, mask)
    ]
    fit = [p for p in objects if low <= np.count_nonzero(p) <= high and not _is_cut_off(p)]
    return max(fit, key=np.count_nonzero) if fit else None


def _is_cut_off(mask: np.ndarray) -> bool:
    return bool(mask[[0, -1]].any() or mask[:, [0, -1]].any())


def _suggest_removal(picture: ObjectMap) -> Suggestion | None:
    return _with_largest(picture, lambda one: {"remove": {"object": one}}, "removed")


def _suggest_paste(other: ObjectMap) -> Suggestion | None:
    return _with_largest(other, lambda one: {"paste": {"object": one, "from": OTHER[0]}}, "added")


def _with_largest(
    picture: ObjectMap, edit: Callable[[dict[str, Any]], dict[str, Any]], word: str
) -> Suggestion | None:
    mask = largest_object(picture)
    if mask is None:
        return None
    name = picture.table.names[int(picture.classes[mask][0])]
    return Suggestion(Edit.model_validate(edit({"at": _point(mask)})), f"{name} {word}")


def _suggest_recolour(picture: ObjectMap) -> Suggestion | None:
    """Stuff turned into the stuff that is at about its height in the picture."""
    names, things = picture.table.names, set(picture.table.things)
    heights = {}
    for index in np.unique(picture.classes):
        rows = np.nonzero(picture.classes == index)[0]
        if (
            index != IGNORE
            and index not in things
            and len(rows) >= LEAST_SHARE * picture.classes.size
        ):
            heights[int(index)] = float(rows.mean()), len(rows) / picture.classes.size
    if len(heights) < 2:
        return None
    old = min(heights, key=lambda index: abs(heights[index][1] - CLASS_SHARE))
    new = min(set(heights) - {old}, key=lambda index: abs(heights[index][0] - heights[old][0]))
    edit = {"recolour": {"object": {"class": names[old]}, "to": names[new]}}
    return Suggestion(Edit.model_validate(edit), f"{names[old]} to {names[new]}")


def _point(mask: np.ndarray) -> tuple[float, float]:
    """The centre of the pixel of an object that is nearest to the object's own centre."""
    places = np.argwhere(mask)
    nearest = places[((places - places.mean(0)) ** 2).sum(1).argmin()]
    row, column = ((nearest + 0.5) / mask.shape).tolist()
    return row, column

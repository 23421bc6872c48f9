"""Parameters of a study's data: which photographs, and what is made of their layouts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from augflow.core.config import Count, Grey, Section, Seed, Size


class ClassParams(Section):
    """One row of a class table of one's own (reader `folder`)."""

    name: str
    id: int
    train_id: int
    thing: bool = False
    colour: tuple[Grey, Grey, Grey]


class StreetsParams(Section):
    """The embedded scenes, made when `data.reader` is `streets`."""

    train: Count = 200
    val: Count = 48
    size: Size = (128, 192)
    seed: Seed = 0


class DataParams(Section):
    """Which photographs, and what `prepare` makes of them."""

    reader: Literal["streets", "cityscapes", "camvid", "idd_lite", "kitti", "folder"]
    root: str
    labels: Literal["label_ids", "train_ids"] = "label_ids"
    size: Size
    levels: Annotated[int, Field(ge=1, le=8)] = 3
    val_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.15
    seed: Seed = 0
    limit: Count | None = None
    classes: tuple[ClassParams, ...] | None = None
    streets: StreetsParams | None = None


class NewLayoutsParams(Section):
    """Layouts made from a split's own, so that thin classes become thicker.

    For each of a split's layouts `ratio` new ones are made: objects of the classes to `boost` are
    pasted in, and layouts are mirrored, warped, and mixed with those of other scenes.
    """

    boost: Annotated[tuple[str, ...], Field(min_length=1)]
    ratio: Annotated[float, Field(gt=0, le=100)] = 1.0
    seed: Seed = 0

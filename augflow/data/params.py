"""Parameters of a study's data: which photographs, and what is made of their layouts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator

from augflow.core.config import Count, Grey, Section, Seed, Size
from augflow.core.errors import on_one_line


def _inner_folder(name: str) -> str:
    if not name.isprintable() or name.startswith("/") or ".." in name.split("/") or not name:
        raise ValueError(
            f"expected a folder below data.root, without .., got {on_one_line(name, 80)}"
        )
    return name


InnerFolder = Annotated[str, AfterValidator(_inner_folder)]


class ClassParams(Section):
    """One row of a class table of one's own (readers `folder` and `label_studio`).

    `id` is what labels hold, and what they are given back as; labels in colours hold `colour`. Rows
    without a `train_id` are numbered in their order; 255 stands for pixels of no class. Things are
    countable objects.
    """

    name: str
    id: int
    train_id: int | None = None
    thing: bool = False
    colour: tuple[Grey, Grey, Grey]


class StreetsParams(Section):
    """The embedded scenes, made when `data.reader` is `streets`."""

    train: Count = 200
    val: Count = 48
    size: Size = (128, 192)
    seed: Seed = 0


class CountsParams(Section):
    """How many scenes of each split are used: after `limit`, without those left out for faults."""

    train: Count
    val: Count


class FoldersParams(Section):
    """Where reader `folder` looks below the root; each folder may hold `train` and `val`."""

    photos: InnerFolder = "images"
    labels: InnerFolder = "labels"
    instances: InnerFolder = "instances"


class DataParams(Section):
    """Which photographs, and what `prepare` makes of them.

    Labels in colours are read by the colours of the class table, whatever `labels` says of ids.
    Photographs are resized to `size`, height and width, which generators halve `levels` times.
    Where a data set has no validation scenes of its own, `val_fraction` of its drives are held out.
    `limit` is the most scenes that a split keeps. `counts` are compared with what is there by all
    that reads the data set; of embedded scenes `streets` says it. `skip_faulty` leaves scenes with
    faults out, and lists them, instead of refusing the data set.
    """

    reader: Literal[
        "streets", "cityscapes", "camvid", "idd_lite", "kitti", "folder", "label_studio"
    ]
    root: str
    folders: FoldersParams = FoldersParams()
    labels: Literal["label_ids", "train_ids"] = "label_ids"
    size: Size
    levels: Annotated[int, Field(ge=1, le=8)] = 3
    val_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.15
    seed: Seed = 0
    limit: Count | None = None
    classes: tuple[ClassParams, ...] | None = None
    streets: StreetsParams | None = None
    counts: CountsParams | None = None
    skip_faulty: bool = False

    @property
    def expected_counts(self) -> dict[str, int] | None:
        """How many scenes each split is said to have; None where nothing is said."""
        if self.counts is not None:
            return self.counts.model_dump()
        if self.reader != "streets" or self.streets is None:
            return None
        most = self.limit or sum((self.streets.train, self.streets.val))
        return {"train": min(self.streets.train, most), "val": min(self.streets.val, most)}

    @field_validator("root")
    @classmethod
    def _is_a_folder(cls, root: str) -> str:
        """DVC takes what begins with a scheme for an address, and asks the network for it."""
        if not root or not root.isprintable() or "://" in root or "${" in root:
            raise ValueError(
                f"expected the path of a folder, without :// and ${{, got {on_one_line(root, 80)}"
            )
        return root


class NewLayoutsParams(Section):
    """Layouts made from a split's own, so that thin classes become thicker.

    For each of a split's layouts `ratio` new ones are made: objects of the classes to `boost` are
    pasted in, and layouts are mirrored, warped, and mixed with those of other scenes.
    """

    boost: Annotated[tuple[str, ...], Field(min_length=1)]
    ratio: Annotated[float, Field(gt=0, le=100)] = 1.0
    seed: Seed = 0

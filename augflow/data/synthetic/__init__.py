"""Synthetic sets on disk: labelled photographs in the Cityscapes layout, and the list of them.

A set folder holds `set.json`, `manifest.csv` with one line per photograph, and, for photograph NAME
made for a layout of SPLIT,

    leftImg8bit/SPLIT/CITY/NAME_leftImg8bit.png
    gtFine/SPLIT/CITY/NAME_gtFine_labelIds.png       published ids, 8 bits
    gtFine/SPLIT/CITY/NAME_gtFine_instanceIds.png    16 bits, where instances are known
"""

from augflow.data.synthetic.manifest import (
    FACTS,
    MANIFEST,
    MANIFEST_COLUMNS,
    SetFacts,
    SetRow,
    read_facts,
    read_rows,
)
from augflow.data.synthetic.reader import SyntheticSet, read_set
from augflow.data.synthetic.selected import (
    DECISIONS,
    REASONS,
    SELECTION,
    Decision,
    read_decisions,
    read_weights,
    write_decisions,
)
from augflow.data.synthetic.writer import NewPhoto, resume_set, write_set

__all__ = [
    "DECISIONS",
    "FACTS",
    "MANIFEST",
    "MANIFEST_COLUMNS",
    "REASONS",
    "SELECTION",
    "Decision",
    "NewPhoto",
    "SetFacts",
    "SetRow",
    "SyntheticSet",
    "read_decisions",
    "read_facts",
    "read_rows",
    "read_set",
    "read_weights",
    "resume_set",
    "write_decisions",
    "write_set",
]

"""The systems that stand beside the paper's."""

from augflow.report.order import TABLE_1, published_pairs
from augflow.report.table import Row


def row(system, preset="tiny", iou=0.5, bits=3.0):
    cells = {"generator": system, "system": system, "preset": preset, "class_iou.mean": iou,
             "val_bpd": bits, "likelihood": "conditional"}  # fmt: skip
    return Row(f"{system}_{preset}", cells, ())


def test_each_line_of_the_paper_has_its_system():
    rows = [row(line.system, line.preset or "tiny", line.class_iou) for line in TABLE_1]
    assert [(pair[0].key, pair[1]) for pair in published_pairs(rows)] == [
        (one.key, line) for one, line in zip(rows, TABLE_1, strict=True)
    ]


def test_versions_of_c_glow_are_told_by_their_presets_and_others_left_out():
    rows = [row("c_glow", "v2_small"), row("c_glow", "v1_small"), row("cag_low"), row("c_glow")]
    assert [(r.key, line.preset) for r, line in published_pairs(rows)] == [
        ("c_glow_v2_small", "v2"),
        ("c_glow_v1_small", "v1"),
    ]

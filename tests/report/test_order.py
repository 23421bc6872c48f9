"""The order of systems, against the paper's."""

import pytest

from augflow.report.order import TABLE_1, order_sentences, published_pairs, reversed_pairs
from augflow.report.table import Citations, Row
from augflow.report.tables import compute_tables
from tests.fabricated import Study
from tests.report.test_tables import loaded, said


def row(system, preset="tiny", iou=0.5, bits=3.0):
    cells = {"generator": system, "system": system, "preset": preset, "class_iou.mean": iou,
             "val_bpd": bits, "likelihood": "conditional"}  # fmt: skip
    return Row(f"{system}_{preset}", cells, ())


def reversed_keys(rows):
    pairs = reversed_pairs(
        published_pairs(rows), lambda r: r.cells["class_iou.mean"], lambda line: line.class_iou
    )
    return [(high.key, low.key) for (high, _), (low, _) in pairs]


def test_the_papers_order_has_no_reversed_pair():
    rows = [row(line.system, line.preset or "tiny", line.class_iou) for line in TABLE_1]
    assert len(published_pairs(rows)) == 5
    assert reversed_keys(rows) == []


def test_the_papers_order_turned_round_has_every_pair_reversed():
    rows = [row(line.system, line.preset or "tiny", -line.class_iou) for line in TABLE_1]
    assert len(reversed_keys(rows)) == 10
    equal = [row("pix2pix"), row("full_glow")]
    assert reversed_keys(equal) == [("full_glow_tiny", "pix2pix_tiny")]


def test_versions_of_c_glow_are_told_by_their_presets_and_others_left_out():
    rows = [row("c_glow", "v2_small"), row("c_glow", "v1_small"), row("cag_low"), row("c_glow")]
    assert [(r.key, line.preset) for r, line in published_pairs(rows)] == [
        ("c_glow_v2_small", "v2"),
        ("c_glow_v1_small", "v1"),
    ]


@pytest.fixture(scope="module")
def sentences(tmp_path_factory):
    evidence = loaded(tmp_path_factory.mktemp("study"), Study())
    tables = compute_tables(evidence)
    cite = Citations(tables)
    found = [said(cite.resolve(s)) for s in order_sentences(evidence, tables, cite)]
    return found, cite.claims


def test_systems_are_ranked_by_class_iou_and_by_bits(sentences):
    assert sentences[0][0].endswith(
        "the order is pix2pix 80.00 %, full_glow 61.67 % and dual_glow 50.00 %."
    )
    # full_glow ends at 4.25 bits, dual_glow a quarter lower, pix2pix has none
    assert sentences[0][1].endswith("the order is dual_glow 4.000 and full_glow 4.250.")


def test_reversed_pairs_are_told_with_both_numbers(sentences):
    assert "verdict.systems.pix2pix.class_iou.mean" in sentences[1]
    assert "verdict.systems.dual_glow.val_bpd" in sentences[1]
    text = " ".join(sentences[0])
    assert "full_glow 61.67 % does not lie above pix2pix 80.00 % (paper: 23.86 above 16.42" in text
    assert "dual_glow 50.00 % does not lie above pix2pix 80.00 % (paper: 18.96 above 16.42" in text
    assert "full_glow 61.67 % does not lie above dual_glow" not in text
    assert "full_glow 4.250 does not lie below dual_glow 4.000 (paper: 2.345 below 2.585)" in text


def test_one_system_has_no_order(tmp_path):
    study = Study(sweep={"sweep": Study().sweep["sweep"]})
    evidence = loaded(tmp_path, study)
    tables = compute_tables(evidence)
    assert order_sentences(evidence, tables, Citations(tables)) == []

"""Bits that are no more than a bound are named as such wherever they stand."""

import dataclasses

import pytest

from augflow.report.order import order_sentences
from augflow.report.sections import sections
from augflow.report.table import Citations
from augflow.report.tables import compute_tables
from tests.fabricated import Study
from tests.report.test_tables import loaded, said


@pytest.fixture(scope="module")
def exact(tmp_path_factory):
    return loaded(tmp_path_factory.mktemp("study"), Study())


@pytest.fixture(scope="module")
def bounded(exact):
    trained = exact.generators["dual_glow"]
    made = {**exact.generators, "dual_glow": trained.model_copy(update={"bound": True})}
    return dataclasses.replace(exact, generators=made)


def captions(evidence):
    found = sections(evidence, compute_tables(evidence))
    return " ".join(view.caption for section in found for view in section.tables)


def test_tables_say_what_bits_are(bounded):
    tables = compute_tables(bounded)
    for name in ("systems", "generators"):
        cells = {row.key: row.cells["bits_are"] for row in tables[name].rows}
        wanted = {"dual_glow": "bound", "full_glow": "exact", "pix2pix": None}
        assert {key: cells[key] for key in wanted} == wanted


def test_captions_name_bounds_and_are_silent_without(exact, bounded):
    assert captions(bounded).count("Bits of dual_glow are an upper bound") == 2
    assert "upper bound" not in captions(exact)


def test_the_order_by_bits_marks_bounds(bounded):
    tables = compute_tables(bounded)
    cite = Citations(tables)
    told = [said(cite.resolve(s)) for s in order_sentences(bounded, tables, cite)]
    assert any("dual_glow 4.000 (a bound)" in sentence for sentence in told)

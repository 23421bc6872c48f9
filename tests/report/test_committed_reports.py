"""The reports beside the code are what the code makes of their own evidence."""

from pathlib import Path

import pytest

from augflow.report import claims
from augflow.verify.text import quoted_numbers

ROOT = Path(__file__).parents[2]
REPORTS = sorted(path.parent for path in (ROOT / "reports").glob("*/claims.json.gz"))


@pytest.mark.parametrize("folder", REPORTS, ids=lambda folder: folder.name)
def test_a_committed_report_holds_in_todays_form(folder):
    assert claims.recompute(folder) == []


def test_the_embedded_study_has_its_report():
    assert "streets" in {folder.name for folder in REPORTS}


@pytest.mark.parametrize("page", ["README.md", "docs/results.md"])
def test_numbers_of_a_text_are_claims_of_the_reports_that_it_links(page):
    found = quoted_numbers(ROOT / page, ROOT)
    assert [f"line {one.line}: {one.text}" for one in found if one.claim is None] == []


def test_numbers_of_the_results_are_looked_up():
    assert len(quoted_numbers(ROOT / "docs/results.md", ROOT)) > 100

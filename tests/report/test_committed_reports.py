"""The reports beside the code are what the code makes of their own evidence."""

from pathlib import Path

import pytest

from augflow.report import claims
from augflow.verify.text import quoted_numbers

ROOT = Path(__file__).parents[2]
REPORTS = sorted(path.parent for path in (ROOT / "reports").glob("*/claims.json"))


@pytest.mark.parametrize("folder", REPORTS, ids=lambda folder: folder.name)
def test_a_committed_report_holds_in_todays_form(folder):
    assert claims.recompute(folder) == []


def test_the_embedded_study_has_its_report():
    assert "streets" in {folder.name for folder in REPORTS}


def test_numbers_of_the_readme_are_claims_of_the_reports_that_it_links():
    found = quoted_numbers(ROOT / "README.md", ROOT)
    assert len(found) > 100
    assert [f"line {one.line}: {one.text}" for one in found if one.claim is None] == []

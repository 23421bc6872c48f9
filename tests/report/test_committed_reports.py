"""The reports beside the code are what the code makes of their own evidence."""

from pathlib import Path

import pytest

from augflow.report import claims

REPORTS = sorted(
    path.parent for path in (Path(__file__).parents[2] / "reports").glob("*/claims.json")
)


@pytest.mark.parametrize("folder", REPORTS, ids=lambda folder: folder.name)
def test_a_committed_report_holds_in_todays_form(folder):
    assert claims.recompute(folder) == []


def test_the_embedded_study_has_its_report():
    assert "streets" in {folder.name for folder in REPORTS}

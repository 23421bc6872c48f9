"""One starter of runs and one study for all tests of faults."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.runs import Runs
from tests.faults.trials import Study


@pytest.fixture(scope="session")
def runs() -> Runs:
    """What starts stages."""
    return Runs()


@pytest.fixture(scope="session")
def made_study(runs: Runs, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The study, of which all stages have run."""
    return Study(tmp_path_factory.mktemp("faults").resolve() / "study", runs)


@pytest.fixture
def study(made_study: Study) -> Iterator[Study]:
    """The same, set back where a test fails in the midst of something."""
    yield made_study
    if not made_study.is_whole():
        made_study.restore()

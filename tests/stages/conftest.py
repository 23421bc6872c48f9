"""What several stages are tested with."""

import pytest

from tests.mini_network import MINI


@pytest.fixture(scope="package")
def config(tmp_path_factory):
    """The file of a segmentation network that trains in no time."""
    path = tmp_path_factory.mktemp("config") / "mini.json"
    path.write_text(MINI)
    return str(path)

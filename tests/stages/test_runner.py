"""Every stage of a study, run a second time."""

from augflow.core import io
from tests import tiny_study


def test_every_stage_that_is_run_again_writes_the_same_bytes(whole_study, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tiny_study.run_stages(tmp_path)
    for kind in ("data", "reports"):
        first, second = (io.digest_tree(root / kind) for root in (whole_study, tmp_path))
        assert [name for name in first if first[name] != second.get(name)] == []
        assert first.keys() == second.keys()

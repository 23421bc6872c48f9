"""What fuzzing began with and has found is read or refused in words, file by file."""

import shutil

import pytest

from tests.fuzz import guided, readers

FILES = sorted(path.name for path in readers.CORPUS.iterdir())


@pytest.mark.filterwarnings("ignore")  # Pillow's, on metadata
@pytest.mark.parametrize("name", FILES)
def test_a_file_of_the_corpus_is_read_or_refused(name, tmp_path):
    path = tmp_path / f"a{(readers.CORPUS / name).suffix}"
    shutil.copy(readers.CORPUS / name, path)
    for read in readers.READERS[path.suffix]:
        found = readers.outcome(read, path, path.read_bytes(), tmp_path / "kept", longest=300)
        assert found != "failed"


def test_every_ending_has_readers_and_files():
    assert set(guided.ENDINGS) == readers.READERS.keys()
    assert {(readers.CORPUS / name).suffix for name in FILES} == readers.READERS.keys()


@pytest.mark.parametrize("fault", [KeyError, TimeoutError, RecursionError])
def test_what_fails_in_another_way_is_kept_once(fault, tmp_path, capsys):
    def read(_):
        raise fault("x")

    path = tmp_path / "a.csv"
    path.write_bytes(b"x")
    for _ in range(2):
        assert readers.outcome(read, path, b"x", tmp_path / "kept") == "failed"
    (kept,) = (tmp_path / "kept").iterdir()
    assert kept.read_bytes() == b"x"
    assert fault.__name__ in capsys.readouterr().err

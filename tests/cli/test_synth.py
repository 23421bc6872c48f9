"""`augflow synth` into a folder that holds a set, or what a killed call has begun."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from augflow.core import io
from augflow.core.images import read_photo
from augflow.data.synthetic import read_facts, read_rows, read_set
from augflow.data.synthetic.manifest import label_path
from tests.commands import refused, run

HOME = Path(__file__).parent.parent.parent

KILLED = """
import os, signal, sys
from augflow.cli import app
from augflow.tools import synth
make, calls = synth.make_images, []

def killed(*given):
    calls.append(1)
    if len(calls) > 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return make(*given)

synth.make_images = killed
app(sys.argv[1:])
"""


def label_map(seed):
    small = np.random.default_rng(seed).integers(0, 8, (8, 12)).astype(np.uint8)
    return small.repeat(4, 0).repeat(4, 1)


@pytest.fixture
def layouts(tmp_path):
    for name, seed in (("a", 1), ("b", 2), ("c", 3)):
        io.write_png(tmp_path / "maps" / f"{name}.png", label_map(seed))
    return tmp_path / "maps"


@pytest.fixture
def words(makers, layouts, tmp_path):
    """The command without what differs: two photographs of each of three layouts."""
    return ["synth", "--layouts", layouts, "--generator", makers["plain"], "--labels", "train_ids",
            "--out", tmp_path / "out" / "set", "--samples", "2"]  # fmt: skip


def done(*words):
    result = run(*words)
    assert result.exit_code == 0, result.output + result.stderr
    return read_rows(words[words.index("--out") + 1])


def test_the_last_line_says_how_much_was_made_of_what_and_where(words):
    out = words[words.index("--out") + 1]
    result = run(*words)
    assert result.stdout == (
        f"6 photographs of 3 layouts in {out}, with label maps and manifest.csv; "
        f"look at {out / 'contact_sheet.png'}\n"
    )
    assert (result.exit_code, result.stderr) == (0, "")


def files(folder):
    return {path.relative_to(folder): path.read_bytes()
            for path in folder.rglob("*") if path.is_file()}  # fmt: skip


def stopped_after(monkeypatch, count, fault=KeyboardInterrupt):
    """Has a call end at its layout number `count`, counted from 0."""
    from augflow.tools import synth

    make, calls = synth.make_images, []

    def failing(*given):
        calls.append(given[2])
        if len(calls) > count:
            raise fault
        return make(*given)

    monkeypatch.setattr(synth, "make_images", failing)
    return calls


def test_a_set_is_never_lost_unasked_and_the_line_names_what_can_be_done(words, tmp_path):
    done(*words)
    before = files(tmp_path / "out")
    line = refused(*words, "--seed", "5")
    assert "holds what an earlier run wrote" in line
    assert "--overwrite to replace it, --append to add to it" in line
    assert files(tmp_path / "out") == before
    assert "--overwrite and --append" in refused(*words, "--overwrite", "--append")
    rows = done(*words, "--seed", "5", "--overwrite")
    assert {row.name for row in rows} == {f"{name}_s{k}" for name in "abc" for k in range(2)}
    assert files(tmp_path / "out") != before


def test_more_photographs_than_the_disk_holds_are_refused_before_they_are_listed(words, tmp_path):
    assert "a set of 3000000000 photographs" in refused(*words[:-1], 10**9)
    assert not (tmp_path / "out").exists()
    done(*words)
    assert "a set of 3000000000 photographs" in refused(*words[:-1], 10**9, "--append")


def test_append_keeps_what_is_there_and_adds_seeds_temperatures_and_layouts(words, tmp_path):
    out, sheet = tmp_path / "out" / "set", "contact_sheet.png"
    old, before = done(*words), files(out)
    more = done(*words, "--seed", "5", "--append")
    assert more[:6] == old
    assert [row.name for row in more[6:]] == [f"{name}_s{k}" for name in "abc" for k in (2, 3)]
    assert [row.round for row in more[6:]] == [2, 3] * 3
    warm = done(*words, "--temp", "0.5", "--append")
    assert [(row.name, row.round) for row in warm[12:14]] == [("a_s4", 0), ("a_s5", 1)]
    io.write_png(tmp_path / "maps" / "d.png", label_map(4))
    rows = done(*words, "--append")
    assert [row.name for row in rows] == [row.name for row in warm] + ["d_s0", "d_s1"]
    facts = read_facts(out)
    assert (facts.temperatures, facts.rounds) == ((0.8, 0.5), 4)
    kept = {path: content for path, content in before.items() if path.suffix == ".png"}
    assert all(files(out)[path] == content for path, content in kept.items() if path.name != sheet)
    assert len(read_set(out)) == 20
    for row in rows[::5]:
        told = run("replay", out / row.photo, "--generator", words[4])
        assert told.exit_code == 0, told.output
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["set"]


def test_appending_more_of_the_same_is_making_more_at_once(words, tmp_path):
    done(*words)
    done(*words[:-1], "4", "--append")
    at_once = [*words[:-1], "4"]
    at_once[at_once.index("--out") + 1] = tmp_path / "other" / "set"
    rows = done(*at_once)
    added = read_rows(tmp_path / "out" / "set")
    assert sorted(added, key=lambda row: row.name) == sorted(rows, key=lambda row: row.name)


def test_what_cannot_be_one_set_is_not_joined(words, makers, layouts, tmp_path):
    done(*words)
    before = files(tmp_path / "out")
    other = [makers["coins"] if word == makers["plain"] else word for word in words]
    assert "another generator" in refused(*other, "--append")
    io.write_png(tmp_path / "edges" / "b.png", np.zeros((32, 48), np.uint8))
    for name in "ac":
        io.write_png(tmp_path / "edges" / f"{name}.png", np.eye(32, 48).astype(np.uint8))
    line = refused(*words, "--append", "--boundary", tmp_path / "edges")
    assert "another label map of the name a" in line
    io.write_png(layouts / "b.png", label_map(9))
    assert "another label map of the name b" in refused(*words, "--append")
    (tmp_path / "out" / "set" / "origin" / "origin.json").unlink()
    assert "another way or photograph that latents are from" in refused(*words, "--append")
    del before[next(path for path in before if path.name == "origin.json")]
    assert files(tmp_path / "out") == before


def test_a_killed_call_leaves_no_set_and_the_next_one_goes_on_to_equal_bytes(
    words, tmp_path, monkeypatch
):
    done(*words)
    expected = files(tmp_path / "out" / "set")
    words[words.index("--out") + 1] = out = tmp_path / "killed" / "set"
    given = [str(word) for word in words]
    killed = subprocess.run([sys.executable, "-c", KILLED, *given], check=False)
    assert killed.returncode == -9
    assert not out.exists()
    calls = stopped_after(monkeypatch, 1)
    done(*words)
    assert len(calls) == 1
    assert files(out) == expected
    assert [path.name for path in out.parent.iterdir()] == ["set"]


@pytest.mark.parametrize("damage", ["line", "photo", "labels"])
def test_what_is_not_whole_of_a_stopped_call_is_made_again(words, tmp_path, monkeypatch, damage):
    done(*words)
    expected = files(tmp_path / "out" / "set")
    words[words.index("--out") + 1] = out = tmp_path / "stopped" / "set"
    with monkeypatch.context() as patch:
        stopped_after(patch, 2)
        assert run(*words).exit_code == 130
    work = out.parent / ".set.unfinished"
    lines = (work / "lines.jsonl").read_bytes()
    assert lines.count(b"\n") == 4
    ending = {"photo": "b_s0_leftImg8bit.png", "labels": "b_s0_gtFine_labelIds.png"}
    if damage == "line":
        (work / "lines.jsonl").write_bytes(lines[:-9])
    else:
        [path] = work.rglob(ending[damage])
        path.write_bytes(path.read_bytes()[:-20])
    calls = stopped_after(monkeypatch, 9)
    done(*words)
    assert [len(latents) for latents in calls] == [1 if damage == "line" else 2, 2]
    assert files(out) == expected


def test_other_arguments_do_not_go_on_with_a_stopped_call(words, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        stopped_after(patch, 2)
        assert run(*words).exit_code == 130
    before = files(tmp_path / "out")
    line = refused(*words, "--seed", "7", "--temp", "0.5")
    assert "temperature 0.8 then and 0.5 now, seed 0 then and 7 now" in line
    assert "--overwrite to begin anew" in line
    assert files(tmp_path / "out") == before
    rows = done(*words, "--seed", "7", "--overwrite")
    words[words.index("--out") + 1] = tmp_path / "new" / "set"
    assert done(*words, "--seed", "7") == rows


def test_an_append_that_is_stopped_leaves_the_set_and_goes_on(words, tmp_path, monkeypatch):
    done(*words)
    before = files(tmp_path / "out" / "set")
    with monkeypatch.context() as patch:
        stopped_after(patch, 1)
        assert run(*words, "--seed", "5", "--append").exit_code == 130
    assert files(tmp_path / "out" / "set") == before
    calls = stopped_after(monkeypatch, 9)
    assert len(done(*words, "--seed", "5", "--append")) == 12
    assert len(calls) == 2


def test_what_is_begun_and_cannot_be_done_leaves_nothing(words, tmp_path, monkeypatch):
    from augflow.core.errors import ModelError

    stopped_after(monkeypatch, 1, ModelError("values are not finite; lower the temperature"))
    assert "lower the temperature" in refused(*words)
    assert not (tmp_path / "out").exists()


def test_a_set_with_a_damaged_photograph_can_be_added_to_once_it_is_restored(words, tmp_path):
    out = tmp_path / "out" / "set"
    first = out / done(*words)[0].photo
    whole = first.read_bytes()
    first.unlink()
    first.write_bytes(b"")
    assert first.name in refused(*words, "--seed", "5", "--append")
    assert list(out.parent.iterdir()) == [out]
    first.write_bytes(whole)
    assert len(done(*words, "--seed", "5", "--append")) == 12


@pytest.mark.parametrize("name", ["-2+3", "a\u202eb", "a\nb"])
@pytest.mark.parametrize("alone", [False, True])
def test_names_that_no_set_can_hold_are_refused(words, layouts, tmp_path, name, alone):
    path = layouts / f"{name}.png"
    io.write_png(path, label_map(4))
    words[2] = path if alone else layouts
    assert "name" in (line := refused(*words))
    assert "rename it" in line
    assert line.isprintable()
    assert not (tmp_path / "out").exists()


def test_a_layout_named_like_a_formula_is_read_back_and_stands_as_text(words, layouts, tmp_path):
    io.write_png(layouts / "=cmd().png", label_map(4))
    rows = done(*words)
    assert [row.layout for row in rows[:2]] == ["=cmd()"] * 2
    lines = (tmp_path / "out" / "set" / "manifest.csv").read_text().splitlines()
    assert lines[1].startswith("'=cmd()_s0,'=cmd(),")
    assert len(read_set(tmp_path / "out" / "set")) == 8


def test_a_temperature_below_nought_by_its_sign_alone_is_nought(words, tmp_path):
    out = tmp_path / "out" / "set"
    done(*words, "--temp", "-0.0")
    assert {row.temperature for row in read_rows(out)} == {0}
    assert b"-0" not in (out / "manifest.csv").read_bytes().replace(b"_0", b"")


def test_a_temperature_of_more_digits_than_a_manifest_has_is_refused(words, tmp_path):
    assert "temperature: 0.123456789 has more digits" in refused(*words, "--temp", "0.123456789")
    assert not (tmp_path / "out").exists()


def test_right_after_set_up_the_packaged_generator_paints_the_examples(tmp_path, monkeypatch):
    examples = HOME / "data" / "examples"
    words = ["--boundary", examples / "instances", "--out", tmp_path / "first"]
    monkeypatch.chdir(tmp_path)
    result = run("synth", "--layouts", examples / "layouts", *words)
    assert result.exit_code == 0, result.stderr
    assert "augflow's own generator" in result.stderr
    rows = read_rows(tmp_path / "first")
    assert len(rows) == len(list((examples / "layouts").iterdir())) == 6
    for row in rows:  # photographs, not one flat colour
        assert read_photo(tmp_path / "first" / row.photo).std() > 20
    assert run("replay", tmp_path / "first" / rows[0].photo).exit_code == 0


def test_in_a_project_of_other_data_nothing_is_painted_by_the_packaged_generator(
    layouts, tmp_path, monkeypatch
):
    text = (HOME / "pipelines" / "presets" / "folder.yaml").read_text()
    (tmp_path / "params.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    assert "no generator here" in refused("synth", "--layouts", layouts)


def test_layouts_of_another_shape_keep_it_and_a_line_says_so(words, layouts, tmp_path, caplog):
    for path in layouts.glob("*.png"):
        io.write_png(path, io.read_ids(path).repeat(2, 0))
    kept = {}
    for fit in (None, "crop", "pad", "stretch"):
        out = tmp_path / str(fit)
        given = [*words[: words.index("--out")], "--out", out, *(["--fit", fit] if fit else [])]
        result = run(*given)
        assert result.exit_code == 0, result.stderr
        [line] = caplog.messages
        caplog.clear()
        assert line.startswith("3 of 3 layouts, as 64x48, become 32x48")
        assert "3 of another shape" in line
        rows = read_rows(out)
        kept[fit] = [io.read_ids(out / label_path(row.photo, "labelIds")) for row in rows]
        photos = [read_photo(out / row.photo) for row in rows]
        assert all(a.shape == b.shape[:2] for a, b in zip(kept[fit], photos, strict=True))
    assert all(map(np.array_equal, kept[None], kept["crop"]))
    shares = {fit: (kept[fit][0] == 0).mean() for fit in ("crop", "pad", "stretch")}
    assert shares == {"crop": 0, "pad": pytest.approx(0.5, abs=0.03), "stretch": 0}
    assert not np.array_equal(kept["crop"][0], kept["stretch"][0])

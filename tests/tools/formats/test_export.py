"""`augflow export`: which set is meant, what its card says, and what is refused."""

from __future__ import annotations

import shutil
from functools import partial

from augflow.core import io
from augflow.data.synthetic import read_rows
from tests import commands, traced
from tests.traced import DATA, MOVED, T05

run = partial(commands.run, "export")
refused = partial(commands.refused, "export")


def card(out, *words):
    result = run(*words, "--out", out)
    assert result.exit_code == 0, result.output + result.stderr
    return result.stdout, (out / "README.md").read_text()


def table(text, head):
    """The rows of the table of a card that begins with `head`."""
    lines = text.splitlines()
    start = lines.index(head)
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return rows


def test_the_card_tells_where_the_photographs_come_from(study, tmp_path):
    shown, text = card(tmp_path / "out", "t05", "--format", "folder", "--real")
    assert shown.startswith("8 synthetic photographs and 6 real scenes in ")
    record = io.read_json(DATA / "generators/flow/config.json")
    facts = dict(table(text, "| what |  |"))
    assert facts["generator's digest"] == record["weights"]
    assert (facts["system"], facts["preset"]) == ("full_glow", "tiny")
    assert (facts["study"], facts["set"], facts["temperatures"]) == ("mini", "t05", "0.5")
    assert facts["layouts"] == "4 of split val"
    assert "There was no selection" in text
    assert "the licence of augflow governs them" in text
    assert "No judge has scored these photographs" in text
    assert "To train what is evaluated on split val" in text


def test_the_card_counts_labelled_pixels_and_orders_classes_by_the_judges_iou(study, tmp_path):
    traced.score(T05, DATA / "scores/t05.json")
    _, text = card(tmp_path / "out", "t05", "--format", "mmseg")
    # 60 of 80 + 0 false ones, and 40 of 40 + 20 false ones
    assert table(text, "| class | judge's IoU |") == [["sidewalk", "66.7%"], ["road", "75.0%"]]
    ids = [io.read_ids(path) for path in sorted((T05 / "gtFine").rglob("*_labelIds.png"))]
    head = "| class | labelled pixels | share | photographs |"
    rows = {row[0]: row[1:] for row in table(text, head)}
    assert int(rows["road"][0]) == sum(int((one == 7).sum()) for one in ids)
    assert int(rows["sky"][2]) == sum(bool((one == 23).any()) for one in ids)


def test_the_card_of_a_selection_says_what_was_dropped_and_by_which_rule(study, tmp_path):
    rows = read_rows(T05)
    traced.select(T05, DATA / "selected/strict", {rows[0].name: "agreement",
                                                  rows[5].name: "likelihood"})  # fmt: skip
    shown, text = card(tmp_path / "out", "strict", "--format", "cityscapes")
    assert shown.startswith("6 synthetic photographs in ")
    assert "Selection strict kept 6 of 8 photographs" in text
    dropped = table(text, "| dropped for | photographs |")
    assert dropped == [["agreement", "1"], ["likelihood", "1"]]
    rules = dict(table(text, "| rule | value |"))
    assert (rules["agreement"], rules["threshold: agreement"]) == ("0.2", "0.3125")
    assert "likeliest" not in rules
    lines = io.read_csv(tmp_path / "out/manifest.csv")
    assert {line["weight"] for line in lines} == {"1", "3"}


def test_the_licence_is_that_of_the_users_data_set(study, own_set, tmp_path):
    facts = DATA / "prepared/dataset.json"
    io.write_json(facts, io.read_json(facts) | {"reader": "idd_lite"})
    _, text = card(tmp_path / "out", "t05", "--format", "folder", "--real")
    assert (
        "The labels and the real scenes beside them come from your own data set, read as " in text
    )
    assert "`idd_lite`: its licence governs them" in text
    _, text = card(tmp_path / "own", own_set, "--format", "folder")
    assert "that the layouts were taken from: its licence governs them" in text
    row = table(text, "| class | labelled pixels | share | photographs |")[0]
    assert row[0] == "sea \\\\ \\| ice"


def test_measured_diversity_is_told(study, tmp_path):
    levels = [{"temperature": degree, "mean": {"perceptual": {"overall": degree / 2}}}
              for degree in (0.5, 1.0)]  # fmt: skip
    io.write_records(DATA / "scores/diversity/flow.json", {"temperatures": levels})
    _, text = card(tmp_path / "out", "t05", "--format", "folder")
    rows = table(text, "| temperature | distance | in this set |")
    assert rows == [["0.5", "0.25", "yes"], ["1", "0.5", "no"]]


def test_a_set_is_found_by_name_or_by_folder_and_a_transfer_too(study, tmp_path):
    for number, which in enumerate(("t05", T05, "moved", MOVED)):
        card(tmp_path / str(number), which, "--format", "folder")
    trees = [io.digest_tree(tmp_path / str(number)) for number in range(4)]
    assert trees[0] == trees[1]
    assert trees[2] == trees[3]
    text = (tmp_path / "2/README.md").read_text()
    assert dict(table(text, "| what |  |"))["contents"].endswith(" photographs")


def test_wrong_words_are_refused_in_one_line(study, own_set, tmp_path):
    out = ["--out", tmp_path / "out"]
    line = refused("t05", "--format", "coco", *out)
    assert line.startswith("augflow: --format: no 'coco'; known: cityscapes, mmseg, folder, coco_p")
    assert "did you mean 't05'?" in refused("t5", "--format", "folder", *out)
    assert "holds no set.json" in refused("data", "--format", "folder", *out)
    shutil.rmtree(DATA / "synthetic/more")
    assert "run `dvc repro synthesize@more` first" in refused("more", "--format", "folder", *out)
    assert "leave --real out" in refused(own_set, "--format", "folder", "--real", *out)
    assert not (tmp_path / "out").exists()


def test_where_something_would_be_lost_nothing_is_written(study, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine.txt").write_text("mine")
    words = ["t05", "--format", "folder", "--out"]
    assert "full: holds mine.txt; give a new or empty folder" in refused(*words, tmp_path / "full")
    assert "is a file" in refused(*words, tmp_path / "full/mine.txt")
    assert "lies in a synthetic set" in refused(*words, T05 / "out")
    assert (tmp_path / "full/mine.txt").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    card(tmp_path / "empty", *words[:-1])


def test_an_export_that_fails_leaves_nothing(study, tmp_path, monkeypatch):
    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr("augflow.tools.export.card", full)
    assert run("t05", "--format", "coco_panoptic", "--out", tmp_path / "out").exit_code != 0
    assert list(tmp_path.iterdir()) == [study]


def test_a_damaged_set_is_refused(study, tmp_path):
    (T05 / read_rows(T05)[0].photo).unlink()
    assert "no such file" in refused("t05", "--format", "folder", "--out", tmp_path / "out")

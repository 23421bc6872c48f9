"""Which numbers of a text are claims: what is looked at, by which report, and to which digits."""

import os
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from augflow.cli.verify import verify as command
from augflow.core import io
from augflow.core.errors import DataError, ParamsError
from augflow.verify.text import quoted_numbers


def claim(name, value, text):
    return {"id": name, "how": name.partition(".")[0], "value": value, "text": text}


STREETS = [
    claim("systems.flow.class_iou.mean", 0.32096, "32.10"),
    claim("systems.flow.val_bpd", 4.6233, "4.623"),
    claim("systems.flow.parameters", 3933344, "3,933,344"),
    claim("comparisons.both.real.difference", -0.0059, "\u22120.59"),
    claim("comparisons.both.real.high", 0.0013, "+0.13"),
    claim("comparisons.both.real.fraction", 1.0, "all"),
    claim("arms_per_class.both.car.iou.mean", 0.7712, "77.12"),
    claim("costs.both.generator", 0.2e12, "0.20"),
]


@pytest.fixture
def look_up(tmp_path, monkeypatch):
    """Writes a text beside two reports, and says which of its numbers are claims."""
    other = [claim("systems.flow.class_iou.mean", 0.5561, "55.61")]
    for name, claims in {"streets": STREETS, "other": other}.items():
        io.write_json(
            tmp_path / "reports" / name / "claims.json.gz", {"claims": claims, "files": {}}
        )
    monkeypatch.chdir(tmp_path)

    def look(text):
        (tmp_path / "a.md").write_text(text, encoding="utf-8")
        return quoted_numbers(tmp_path / "a.md", tmp_path)

    return look


def claims(found):
    return {one.text: one.claim and one.claim.partition(": ")[2] for one in found}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("IoU of 32.1 %", "systems.flow.class_iou.mean"),
        ("IoU of 32.10 per cent", "systems.flow.class_iou.mean"),
        ("IoU of 32 %", "systems.flow.class_iou.mean"),
        ("a share of 0.321", "systems.flow.class_iou.mean"),
        ("4.62 bits", "systems.flow.val_bpd"),
        ("3.9 M parameters", "systems.flow.parameters"),
        ("differs by \u22120.59 points", "comparisons.both.real.difference"),
        ("differs by -0.6", "comparisons.both.real.difference"),
        ("loses 0.6 points", "comparisons.both.real.difference"),
        ("at most +0.1", "comparisons.both.real.high"),
        ("77.1 % of cars", "arms_per_class.both.car.iou.mean"),
        ("0.2 million million", "costs.both.generator"),
        ("3.9M parameters", "systems.flow.parameters"),
        ("32,1 %", "systems.flow.class_iou.mean"),
        ("0.6 percentage points", "comparisons.both.real.difference"),
    ],
)
def test_a_number_that_a_claim_rounds_to_is_supported(look_up, text, name):
    [found] = look_up(f"{text}\n")
    assert found.claim == f"streets: {name}"


@pytest.mark.parametrize(
    "text",
    [
        "IoU of 32.2 %",
        "IoU of 32.11 %",
        "a share of 0.32",
        "32.1 bits",
        "4.6 %",
        "differs by +0.59 points",
        "differs by +4.62",
        "77.1 % of lorries",
        "gains 4 points",
        "12 times better",
        "99 per cent",
        "\u22123",
    ],
)
def test_a_number_that_no_claim_rounds_to_is_not(look_up, text):
    [found] = look_up(f"{text}\n")
    assert found.claim is None


@pytest.mark.parametrize(
    "text",
    [
        "_+12.5 %_",
        "__99.5__",
        "1**2**.5 %",
        "12<b></b>.5 %",
        "12<!-- and -->.5 %",
        "12&#46;5 %",
        "12&nbsp;%",
        "12\u200b.5 %",
        "12,5 %",
        "12 percent",
        "12\\%",
        "12.5x as good",
        "augflow 45.3 % better",
        "an IoU of\n44.5. Next",
    ],
)
def test_what_a_reader_sees_as_a_number_is_one(look_up, text):
    [found] = look_up(f"{text}\n")
    assert found.claim is None


def test_what_is_no_result_is_not_looked_at(look_up):
    text = """# 1.2. Results of 2026-11-30 and 30.11.2026

1. first of 200 scenes of 32x48, VGG-19, v.1, v1.2.3, torch 2.11, Python 3.11 to 3.13
2. `77.7 %` and [words](https://example.org/99.9/x?y=4.5), https://example.org/1.5

```python
x = 1.5
```

<p width="1.5">words</p> with 95 % intervals <!-- 9.9 -->

<!-- no claims -->
66.6 %
<!-- claims -->
88.8 %
"""
    assert [(one.text, one.line) for one in look_up(text)] == [("88.8 %", 15)]


def test_a_number_is_held_to_the_report_that_is_linked_before_it(look_up):
    text = """32.1 % before

[streets](reports/streets/report.md): 32.1 % and 55.6 %

| a | 32.1 % |

[other](reports/other/report.md): 55.6 %; 32.1 % here

## Next

55.6 %
"""
    known = [bool(one.claim) for one in look_up(text)]
    assert known == [False, True, False, True, True, False, False]
    assert all(one.claim for one in look_up("32.1 % and 55.6 % without links\n"))


@pytest.mark.parametrize("meant", ["crn", "glow"])
def test_of_several_claims_the_one_that_is_spoken_of_is_named(look_up, tmp_path, meant):
    same = [claim(f"systems.{name}.class_iou.mean", 0.321, "32.10") for name in ("crn", "glow")]
    io.write_json(tmp_path / "reports/streets/claims.json.gz", {"claims": same, "files": {}})
    found = claims(look_up(f"{meant}: 32.1 %"))
    assert found == {"32.1 %": f"systems.{meant}.class_iou.mean"}


def test_the_command_lists_lines_and_exits_by_whether_all_are_claims(look_up):
    look_up("first\n\n32.1 % and\n44.4 %\n")
    app = typer.Typer()
    app.command()(command)

    def run(*words):
        return CliRunner().invoke(app, ["--text", *words], catch_exceptions=False)

    result = run("a.md")
    assert result.exit_code == 1
    assert "a.md: line 3: 32.1 %: streets: systems.flow.class_iou.mean" in result.output
    assert "a.md: line 4: 44.4 %: NO CLAIM" in result.output
    look_up("32.1 %\n<!-- no claims -->\n99 %\n")
    result = run("a.md")
    assert result.exit_code == 0
    assert "a.md: lines 2 to 4: not looked at, as a comment asks" in result.output
    with pytest.raises(ParamsError, match="--level would mean nothing"):
        run("a.md", "--level", "0")
    with pytest.raises(DataError, match=r"^b\.md: no such file; give a Markdown file$"):
        run("b.md")
    Path("c.md").write_bytes(b"\xff")
    with pytest.raises(DataError, match=r"^c\.md: cannot be read as text \(no UTF-8\); give"):
        run("c.md")


def test_a_pipe_is_no_text_and_not_waited_for(look_up, tmp_path):
    os.mkfifo(tmp_path / "b.md")
    with pytest.raises(DataError, match=r"b\.md: is a pipe, expected a file"):
        quoted_numbers(tmp_path / "b.md", tmp_path)


def test_a_project_without_reports_is_one_line(tmp_path):
    with pytest.raises(DataError, match=r"no report with a claims\.json\.gz; run dvc repro report"):
        quoted_numbers(tmp_path / "a.md", tmp_path)

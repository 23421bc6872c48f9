"""Which pictures are held to the form that augflow writes: the study's and those in pages."""

import base64
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from augflow.core import io
from augflow.verify.pictures import check_pictures
from tests.verify.forging import add_chunk


@pytest.fixture
def project(tmp_path):
    """A study on a user's own photographs, with a picture of its own and a page."""
    data = SimpleNamespace(reader="folder", root="data/mine/photos")
    for name in (
        "data/mine/photos/a.png",
        "data/mine/synthetic/b.png",
        "data/mine/.c.1.part/c.png",
    ):
        io.write_png(tmp_path / name, np.zeros((4, 6, 3), np.uint8))
    page = tmp_path / "reports/mine/report.html"
    page.parent.mkdir(parents=True)
    io.write_webp(page.parent / "pictures/a.webp", np.zeros((4, 6, 3), np.uint8))
    content = base64.b64encode((page.parent / "pictures/a.webp").read_bytes()).decode()
    picture = f'<img src="data:image/webp;base64,{content}">'
    page.write_text(f"{picture}<pre>data: {{size: [4, 6]}}</pre>")
    params = SimpleNamespace(data=data)
    return SimpleNamespace(root=tmp_path, data=tmp_path / "data/mine", params=params)


def wheres(check):
    return [Path(found.where).name for found in check.violations]


def test_photographs_of_a_user_and_what_is_being_written_are_left_alone(project):
    for path in (project.data / "photos/a.png", project.data / ".c.1.part/c.png"):
        add_chunk(path, b"gAMA", (10_000).to_bytes(4))
    check = check_pictures(project)
    assert (check.state, check.compared) == ("holds", 3)
    add_chunk(project.data / "synthetic/b.png", b"gAMA", (10_000).to_bytes(4))
    assert wheres(check_pictures(project)) == ["b.png"]


@pytest.mark.parametrize(
    ("inside", "got"),
    [
        ("data:image/svg+xml;base64,AAAA", "image/svg+xml;base64"),
        ("data:image/svg+xml,%3Csvg%3E", "image/svg+xml"),
        ("data:image/png;base64,AAAA", "image/png;base64"),
        ("data:image/webp;charset=x;base64,AAAA", "image/webp;charset=x;base64"),
        ("data:image/webp;base64,AAAA", "neither PNG nor WebP"),
        ("data:image/webp;base64,A", "Error: Invalid base64"),
    ],
)
def test_a_page_holds_pictures_of_the_kinds_that_we_write(project, inside, got):
    page = project.root / "reports/mine/report.html"
    page.write_text(page.read_text() + f'<img src="{inside}">')
    [found] = check_pictures(project).violations
    assert found.where.endswith("report.html: picture 2")
    assert got in found.got


def test_every_picture_of_a_page_is_looked_at(project):
    page = project.root / "reports/mine/report.html"
    wrong = '<img src="data:image/webp;base64,AAAA"><img src="data:image/png;base64,AAAA">'
    page.write_text(page.read_text() + wrong)
    assert wheres(check_pictures(project)) == [f"report.html: picture {n}" for n in (2, 3)]


def test_a_picture_of_a_report_with_transparency_is_named(project):
    path = project.root / "reports/mine/figures/a.png"
    path.parent.mkdir()
    for name in ("figures/a.png", "pictures/a.webp"):
        Image.new("RGBA", (6, 4)).save(path.parents[1] / name, lossless=True)
    assert wheres(check_pictures(project)) == ["a.png", "a.webp"]

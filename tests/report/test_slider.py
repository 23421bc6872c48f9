"""The slider over temperatures, and what a reader's browser makes of the page."""

import re
import shutil
import subprocess

import numpy as np
import pytest

from augflow.core import io
from augflow.report.image_figures import Photos

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


def test_one_layout_is_shown_at_every_temperature(study):
    folder = study / "out" / "pictures" / "temperatures"
    assert {path.stem for path in folder.iterdir()} == {"classes", "real", "0", "1", "2"}
    photos = Photos(study / "data" / "synthetic" / "sweep")
    layouts = {row.layout for row in photos.rows}
    for place, degree in enumerate((0.8, 0.9, 1.0)):
        shown = io.read_picture(folder / f"{place}.webp")
        known = [photos.photo(photos.at(layout, degree)[0]) for layout in layouts]
        assert any(np.array_equal(shown, one) for one in known)


def test_the_page_has_them_in_order_and_shows_all_without_scripts(made):
    page = (made / "report.html").read_text()
    assert re.findall(r'data-temperature="([\d.]+)"', page) == ["0.8", "0.9", "1"]
    (figure,) = re.findall(r'<figure class="slider">.*?</figure>', page, re.S)
    assert '<input type="range" min="0" max="2" value="0" step="1">' in figure
    assert not re.search(r"<img[^>]* hidden", figure)
    assert '<label class="slide" hidden>' in figure


# what a reader does, one after the other; what came of it is written into the page's title
STEPS = """
<script>
const said = [];
const slider = document.querySelector("figure.slider");
const seen = () => [...slider.querySelectorAll("[data-temperature]")]
  .filter((one) => !one.hidden).map((one) => one.dataset.temperature).join();
said.push(seen());
slider.querySelector("input").value = 2;
slider.querySelector("input").dispatchEvent(new Event("input"));
said.push(seen());
said.push(slider.querySelector("output").textContent);
const table = [...document.querySelectorAll("table")].find((one) =>
  one.tHead.textContent.includes("class IoU") && one.tBodies[0].rows.length > 2);
const head = [...table.tHead.rows[0].cells].findIndex((one) => one.textContent === "class IoU");
const number = (row) => Number.parseFloat(row.cells[head].textContent);
const column = () => [...table.tBodies[0].rows].map(number);
table.tHead.rows[0].cells[head].click();
said.push(String(column().every((one, n, all) => n === 0 || all[n - 1] <= one)));
table.tHead.rows[0].cells[head].click();
said.push(String(column().every((one, n, all) => n === 0 || all[n - 1] >= one)));
said.push(String([...document.querySelectorAll("figure.photo a")].every((one) =>
  /^pictures\\/\\w+\\.webp$/.test(one.getAttribute("href")))));
said.push(String([...document.querySelectorAll("nav a")].every((one) =>
  document.querySelector(one.getAttribute("href")) !== null)));
const field = document.querySelector("input.filter");
if (field) {
  const body = field.nextElementSibling.querySelector("tbody");
  const word = body.rows[0].cells[0].textContent.trim();
  field.value = word;
  field.dispatchEvent(new Event("input"));
  said.push(String([...body.rows].every((row) => row.hidden !== row.textContent.includes(word))));
}
document.title = "READER " + said.join("|");
</script>
</body>"""


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_a_reader_can_move_sort_and_look_closer(made, tmp_path):
    """In a real browser, without a network."""
    page = (made / "report.html").read_text().replace("</body>", STEPS)
    path = tmp_path / "report.html"
    path.write_text(page)
    dom = browsed(tmp_path, "--dump-dom", path)
    (told,) = re.findall(r"<title>READER (.*?)</title>", dom)
    first, moved, shown, *rest = told.split("|")
    assert (first, moved, shown) == ("0.8", "1", "1")
    assert rest[:4] == ["true"] * 4
    assert set(rest) == {"true"}


# a window cannot be as narrow as a phone, a frame can
FRAME = """<iframe src="report.html" style="width:{width}px;height:900px;border:0"></iframe>
<script>
addEventListener("message", (told) => {{ document.title = told.data; }});
</script>"""
WIDE = """<script>
const inner = (one) => one.querySelector(":scope > table, :scope > div")?.scrollWidth ?? 0;
const cut = [...document.querySelectorAll(".scroll")].filter((one) => inner(one) > one.clientWidth);
parent.postMessage(["WIDE", document.documentElement.scrollWidth, cut.length].join(" "), "*");
</script></body>"""


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.parametrize(("width", "tables_scroll"), [(390, True), (1280, False)])
def test_nothing_is_wider_than_a_phone_and_no_table_than_a_screen(
    made, tmp_path, width, tables_scroll
):
    """On a phone wide tables and figures scroll inside their frames; the page itself does not."""
    text = (made / "report.html").read_text().replace("</body>", WIDE)
    (tmp_path / "report.html").write_text(text)
    path = tmp_path / "frame.html"
    path.write_text(FRAME.format(width=width))
    dom = browsed(tmp_path, "--dump-dom", "--window-size=1400,1000", path)
    found, cut = re.findall(r"<title>WIDE (\d+) (\d+)</title>", dom)[0]
    assert int(found) <= width
    assert (int(cut) > 0) == tables_scroll


def browsed(scratch, *words):
    quiet = ("--disable-gpu", "--no-sandbox", "--disable-background-networking",
             "--disable-component-update", "--disable-sync", "--no-first-run")  # fmt: skip
    profile = f"--user-data-dir={scratch / 'profile'}"
    done = subprocess.run(
        [CHROMIUM, "--headless", *quiet, profile, *map(str, words)],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    return done.stdout

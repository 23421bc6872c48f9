"""Names that are markup: a report shows them as they are, and nothing of them comes alive."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from augflow.data.classes import ClassRow, ClassTable
from augflow.report import claims
from augflow.stages.report import report
from tests import fabricated
from tests.report.test_slider import CHROMIUM, browsed

NAMES = (
    "road",
    '"><img src=x onerror="document.title=\'RAN\'">',
    "</td></table><script>document.title='RAN'</script>$\\frac{$ | `x` [y](z) ![y](z)",
)
TITLE = "</title><script>document.title='RAN'</script>{{ 7 * 7 }}"
ARM = "<img src=x onerror=\"document.title='RAN'\"> | `arm` [y](z)"
TIME = "<svg onload=\"document.title='RAN'\">{% raw %}"
ROOT = "</pre><script>document.title='RAN'</script><b>bold</b>"
LEFT_ALONE = {
    "a", "b", "body", "code", "data", "details", "div", "em", "figcaption", "figure", "h1", "h2",
    "h3", "head", "header", "html", "i", "img", "input", "label", "li", "main", "meta", "nav",
    "output", "p", "pre", "script", "section", "small", "span", "style", "summary", "table",
    "tbody", "td", "th", "thead", "title", "tr", "ul",
}  # fmt: skip


class Elements(HTMLParser):
    """The elements of a page with their attributes, and the texts between them."""

    def __init__(self, page):
        super().__init__()
        self.found, self.texts = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The report of a study whose class names, title, training time and folder are markup."""
    root = tmp_path_factory.mktemp("hostile")
    rows = tuple(
        ClassRow(name, index, index, index == 1, (60 + 60 * index, 90, 200 - 50 * index))
        for index, name in enumerate(NAMES)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fabricated, "NAMES", NAMES)
        patch.setattr(fabricated, "TABLE", ClassTable(TITLE, rows))
        params = fabricated.Study(title=TITLE, time=TIME).write(root / "data")
    words = params.report.model_copy(update={"titles": {"real_synthetic": ARM, "pix2pix": ARM}})
    data = params.data.model_copy(update={"root": ROOT})
    report(
        params.model_copy(update={"data": data, "report": words}), root / "data", root / "report"
    )
    return root / "report"


@pytest.fixture(scope="module")
def page(made):
    return Elements((made / "report.html").read_text())


def test_no_element_of_the_page_comes_from_a_name(page):
    tags = [tag for tag, _ in page.found]
    assert set(tags) <= LEFT_ALONE
    assert tags.count("script") == 1
    attributes = {name for _, attrs in page.found for name in attrs}
    assert not [name for name in attributes if name.startswith("on")]
    sources = [attrs["src"] for _, attrs in page.found if "src" in attrs]
    assert sources
    links = [attrs["href"] for _, attrs in page.found if "href" in attrs]
    assert all(re.match(r"#[a-z-]+$|(pictures|figures|tables)/[\w./]+$", link) for link in links)
    assert all(source.startswith("data:image/") for source in sources)


def test_the_page_shows_every_name_as_it_is(page):
    shown = "".join(page.texts)
    for name in (*NAMES, TITLE, TIME, ARM):
        assert name in shown
    assert "document.title" in shown.split("How it was made")[1]


def test_markdown_holds_no_live_markup_and_its_tables_stay_whole(made):
    text = (made / "report.md").read_text()
    alive = [line for line in text.splitlines() if not line.startswith("    ")]
    assert not [line for line in alive if re.search(r"<[a-zA-Z/!]", line)]
    assert not [line for line in alive if re.search(r"(?<!\\)\]\(z\)", line)]
    assert "# heading" not in alive
    for block in re.findall(r"(?:^\|.*\n)+", text, re.M):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1


def test_its_claims_hold_and_nothing_is_said_of_what_was_not_explored(made):
    assert claims.recompute(made) == []
    assert not list((made / "pictures").glob("latents_*"))
    assert "Interpolation, style, edits" not in (made / "report.md").read_text()


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_nothing_runs_in_a_browser(made, tmp_path):
    """A name that ran would have changed the title; the page's own script has run."""
    told = "<script>document.title += ' | ' + document.images.length;</script></body>"
    path = tmp_path / "report.html"
    path.write_text((made / "report.html").read_text().replace("</body>", told))
    page = Elements(browsed(tmp_path, "--dump-dom", path))
    images = sum(tag == "img" for tag, _ in page.found)
    assert f"{TITLE} | {images}" in page.texts
    assert [attrs for tag, attrs in page.found if tag == "th" and attrs.get("role") == "button"]

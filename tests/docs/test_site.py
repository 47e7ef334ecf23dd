"""The site of the documentation: it builds without a warning, and its pages work in a browser."""

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cutaway.course import course_lessons, exercise_named
from tests.studio.chromium import Chromium

ROOT = Path(__file__).parents[2]


def formatter():
    """docs/site/docstrings.py as a module."""
    path = ROOT / "docs" / "site" / "docstrings.py"
    spec = importlib.util.spec_from_file_location("site_docstrings", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_docstrings_become_restructured_text():
    lines = formatter().restructured(
        [
            "Affine map: y = x W + b, w_12^(1), *args.",
            "",
            "Args:",
            "    a, b: sizes of",
            "        `x`; a_.",
            "",
            "Raises: see `other`.",
            "",
            "Example:",
            "    >>> 1 + 1",
            "    2",
        ]
    )
    text = "\n".join(lines)
    assert "w_12^(1), \\*args." in text
    assert "``a, b``\n    sizes of\n    ``x``; a\\_." in text
    assert ".. rubric:: Raises\n\nsee ``other``." in text
    assert ".. rubric:: Example\n" in text and "\n>>> 1 + 1\n2\n" in text


def built(source: Path, out: Path, *options) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-P", "-m", "sphinx", "-q", "-W", "--keep-going", *options,
         "-c", str(source / "docs" / "site"), str(source), str(out)],
        capture_output=True, text=True,
    )  # fmt: skip


@pytest.mark.slow
def test_the_site_builds_its_links_lead_somewhere_and_its_pages_fit_every_window(tmp_path):
    """One test, because the site takes minutes to build."""
    found = built(ROOT, tmp_path)
    assert found.returncode == 0, found.stderr[-4000:]
    expect_links(tmp_path)
    for width in (1280, 390):
        expect_pages(tmp_path, width)


def expect_links(site: Path) -> None:
    """Every lesson has its page, and no link within the site leads nowhere."""
    for lesson in course_lessons():
        assert (site / "cutaway" / "course" / "lessons" / f"{lesson.path.stem}.html").exists()
    missing = []
    for page in site.rglob("*.html"):
        if "_static" in page.parts:
            continue
        for link in re.findall(r'(?:href|src)="([^"#?:]+)(?:[#?][^"]*)?"', page.read_text()):
            if not (page.parent / link).exists():
                missing.append((str(page.relative_to(site)), link))
    assert missing == []


def expect_pages(site: Path, width: int) -> None:
    """Four pages fit a window of this width, and an exercise checks an answer."""
    lessons = site / "cutaway" / "course" / "lessons"
    lesson = next(x for x in course_lessons() if x.name == "neuron")
    own = lessons / f"{lesson.path.stem}.html"
    pages = [site / "docs" / "index.html", own, site / "docs" / "tables.html"]
    pages.append(site / "docs" / "reference" / "optim.html")
    with Chromium() as browser:
        for k, path in enumerate(pages):
            page = browser.open(path.as_uri(), f"page{k}", width=width)
            wide = page.value("document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, (path.name, wide)
            assert page.value("document.querySelectorAll('article h1').length") == 1
        page = browser.open(own.as_uri(), "lesson", width=width)
        part = lesson.exercises[0]
        drawn = exercise_named(part.argument).draw(int(part.options.get("seed", "0")))
        first = ".course-exercise input >> nth=0"
        said = "document.querySelector('.course-exercise output').textContent"
        browser.ask("fill", page="lesson", selector=first, value="12345")
        page.wait(f"{said} !== ''")
        assert page.value(said).startswith("Not yet")
        right = repr(float(f"{drawn.blanks[0].value:.4g}"))
        browser.ask("fill", page="lesson", selector=first, value=right)
        page.wait(f"{said} === 'Right.'")


@pytest.mark.slow
def test_a_wrong_number_in_a_lesson_fails_the_build(tmp_path):
    """A copy with one lesson, whose check does not hold."""
    source = tmp_path / "source"
    lessons = source / "cutaway" / "course" / "lessons"
    shutil.copytree(ROOT / "docs" / "site", source / "docs" / "site")
    lessons.mkdir(parents=True)
    (source / "docs" / "index.md").write_text(
        "# Site\n\n```{toctree}\n../cutaway/course/lessons/01_wrong\n```\n"
    )
    head = "---\nfile_format: mystnb\nkernelspec:\n  name: python3\n---\n\n# One\n\n"
    cell = "```{{code-cell}}\n:tags: [remove-input, check]\nassert 2 + 2 == {}\n```\n"
    for number, code in ((4, 0), (5, 2)):
        (lessons / "01_wrong.md").write_text(head + cell.format(number))
        found = built(source, tmp_path / "out", "-E")
        assert (found.returncode != 0) == (code != 0), found.stderr[-2000:]
    assert "ExecutionError" in found.stderr and "01_wrong.md" in found.stderr

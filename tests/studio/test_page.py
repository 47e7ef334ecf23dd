"""The page in a browser: what it shows is what the engine computed."""

import contextlib
import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import cutaway as ct
from cutaway.studio import Studio
from tests.studio.chromium import Chromium, Page
from tests.studio.watching import new_subject

STATIC = Path(ct.studio.__file__).parent / "static"


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with Chromium() as found:
        yield found


@contextlib.contextmanager
def opened(browser: Chromium, subject=None, **options) -> Iterator[tuple[Studio, Page]]:
    """A studio and its page, which has drawn its first frame."""
    with Studio(new_subject((2, 3, 1)) if subject is None else subject) as studio:
        page = browser.open(studio.serve(), f"page {id(studio)}", **options)
        page.wait("document.querySelectorAll('[data-number=loss]').length > 0")
        page.wait("document.querySelectorAll('[data-node]').length > 0")
        yield studio, page
        page.close()


def at_step(page: Page, step: int) -> None:
    page.wait(f"+document.querySelector('[data-number=step]').dataset.value === {step}")


def shown(page: Page, path: str) -> list[float]:
    """The values that stand at the nodes of a layer."""
    script = f"""[...document.querySelectorAll('.value[data-path="{path}"]')]
        .map((node) => (node.dataset.value ? +node.dataset.value : NaN))"""
    page.wait(f"{script}.every(Number.isFinite) && {script}.length > 0")
    return page.value(script)


def test_numbers_at_the_nodes_and_counters_are_those_of_the_engine(browser):
    with opened(browser) as (studio, page):
        for _ in range(3):
            page.click("[data-do=batch]")
        at_step(page, 3)
        session = studio.session
        lane = session.lanes.lane(0)
        assert page.number("[data-number=loss]") == pytest.approx(lane.curve.last(), rel=1e-6)
        scores = lane.training.evaluate()
        assert page.number("[data-number=score]") == pytest.approx(
            scores.get("accuracy", scores["loss"]), rel=1e-6
        )
        row = session.subject.training[0]
        net, x = lane.program.net, session.subject.x[row : row + 1]
        hidden = net[1](net[0](x)).numpy()[0]
        np.testing.assert_allclose(shown(page, "1"), hidden, rtol=1e-5)
        np.testing.assert_allclose(shown(page, "2"), net(x).numpy()[0], rtol=1e-5)


def test_a_click_on_a_weight_tells_what_explain_tells(browser):
    with opened(browser) as (studio, page):
        page.click("[data-do=batch]")
        at_step(page, 1)
        page.click('.edge-number[data-path="0.weight"][data-index="1,2"]')
        page.wait("document.querySelector('.story')?.innerText.includes('0.weight[1, 2]')")
        subject, program = studio.session.subject, studio.session.lanes.lane(0).program
        row = subject.training[0]
        why = program.explain(subject.x[row], subject.y[row], names=["a", "b"])
        story = why.gradient("0.weight", (1, 2))
        text = page.value("document.querySelector('.story').innerText")
        shown_words = set(text.split())
        numbers = [word for word in story.text().split() if word.replace(".", "").isdigit()]
        assert len(numbers) > 3
        assert [word for word in numbers if word not in shown_words] == []


def test_an_open_explanation_follows_the_training_the_row_and_edits(browser):
    def gradient_is_shown():
        subject, program = studio.session.subject, studio.session.lanes.lane(0).program
        row = subject.training[studio.session.look.row]
        why = program.explain(subject.x[row], subject.y[row], names=["a", "b"])
        value = re.findall(r"\S+(?=  in 1 path)", why.gradient("0.weight", (1, 2)).text())[0]
        value = value.replace("-", "\N{MINUS SIGN}")  # as the page writes it
        page.wait(f"document.querySelector('.told').innerText.includes('{value}')")

    with opened(browser) as (studio, page):
        page.click('.edge-number[data-path="0.weight"][data-index="1,2"]')
        page.wait("document.querySelector('.told')?.innerText.includes('0.weight[1, 2]')")
        gradient_is_shown()
        page.click("[data-do=batch]")
        at_step(page, 1)
        gradient_is_shown()
        page.click('[aria-label="Next row"]')
        page.wait("document.querySelector('[aria-label^=\"Number of the row\"]').value === '2'")
        gradient_is_shown()
        page.fill('.story input[type="number"]', "1.5")
        page.wait("document.querySelector('.told').innerText.includes('0.weight[1, 2] = 1.5')")
        gradient_is_shown()


def test_pause_step_and_rewind_are_obeyed(browser):
    with opened(browser) as (studio, page):
        page.press("Space")
        page.wait("+document.querySelector('[data-number=step]').dataset.value > 5")
        page.press("Space")
        page.wait("document.querySelector('[data-do=play]').ariaPressed === 'false'")
        session = studio.session
        step = session.lanes.lane(0).training.position.steps
        at_step(page, step)
        page.press("ArrowRight")
        at_step(page, step + 1)
        page.press("ArrowLeft")
        page.wait(f"+document.querySelector('[data-number=step]').dataset.value < {step + 1}")
        assert session.lanes.lane(0).training.position.steps <= step


def test_one_more_unit_stands_on_the_page_with_the_same_output(browser):
    with opened(browser) as (studio, page):
        before = shown(page, "2")
        page.click('[aria-label^="One unit more in"]')
        page.wait("document.querySelectorAll('.value[data-path=\"1\"]').length === 4")
        np.testing.assert_allclose(shown(page, "2"), before, atol=1e-6)
        assert studio.session.lanes.lane(0).program.net[0].weight.shape == (2, 4)


def test_a_refused_number_is_replaced_by_the_one_that_holds(browser):
    with opened(browser) as (_, page):
        for name, wrong, right in (("batch_size", "90000", "16"), ("lr", "-3", "0.02")):
            page.fill(f'[data-number="{name}"]', wrong)
            page.wait("document.querySelectorAll('.toast').length > 0")
            page.wait(f"document.querySelector('[data-number={name}]').value === '{right}'")


def test_each_of_several_quick_clicks_counts_while_a_change_is_compiled(browser):
    with opened(browser) as (studio, page):
        for _ in range(3):
            page.click('[aria-label^="One unit more in"]')
        page.wait("document.querySelectorAll('.value[data-path=\"1\"]').length === 6")
        assert studio.session.lanes.lane(0).program.net[0].weight.shape == (2, 6)


def test_the_page_asks_nobody_else_and_has_no_faults(browser):
    with opened(browser) as (studio, page):
        page.press("Space")
        page.wait("+document.querySelector('[data-number=step]').dataset.value > 20")
        url = page.value("location.href")
        assert "token" not in url
        page.reload()
        page.wait("+document.querySelector('[data-number=step]')?.dataset.value > 20")
        port = studio.serve().split(":")[2].split("/")[0]
        own = (f"http://127.0.0.1:{port}/", f"ws://127.0.0.1:{port}/ws")
        heard = page.heard()
        assert len(heard["requests"]) > 6
        assert [request for request in heard["requests"] if not request.startswith(own)] == []
        assert heard["errors"] == []


def test_the_page_is_small():
    files = [STATIC / name for name in ("index.html", "studio.js", "studio.css")]
    content = [path.read_bytes() for path in files]
    assert sum(map(len, content)) < 150 * 1024
    assert sum(len(gzip.compress(part)) for part in content) < 50 * 1024

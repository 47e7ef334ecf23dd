"""Recordings: one file that shows what a session has shown, without Python."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cutaway.studio import Studio
from cutaway.studio.recorder import Recorder, compressed
from cutaway.studio.session import Session
from cutaway.studio.wire import unpacked
from tests.studio.chromium import Chromium, Page
from tests.studio.watching import new_subject

ALL = ["weights", "values", "neurons", "boundary", "points", "output", "gradients"]
TITLE = "</script><script>document.title='caught'</script> <!-- <script> & co"


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with Chromium() as found:
        yield found


def recorded(title: str = "points") -> Recorder:
    """A few frames of a training, in the midst of which a layer has got one more unit."""
    subject = new_subject((2, 3, 1))
    subject.title = title
    session = Session(subject)
    session.start()
    try:
        recorder = Recorder(session, per_second=1e6)
        recorder.command({"type": "look", "views": ALL})
        recorder.wait_for(1)
        for count in range(1, 6):
            if count == 3:
                recorder.command({"type": "units", "path": "0", "count": 4})
            before = len(recorder)
            recorder.command({"type": "step", "unit": "batch", "count": 7})
            recorder.wait_for(before + 2)
        recorder.close()
    finally:
        session.close()
    return recorder


@pytest.fixture(scope="module")
def recorder() -> Recorder:
    return recorded()


@contextlib.contextmanager
def opened(browser: Chromium, path: Path) -> Iterator[Page]:
    page = browser.open(path.as_uri(), str(path))
    page.wait("document.querySelectorAll('[data-node]').length > 0")
    yield page
    heard = page.heard()
    assert heard == {"requests": [path.as_uri()], "errors": []}
    page.close()


def seek(page: Page, frame: int) -> None:
    page.value(
        f"""(() => {{ const slider = document.querySelector('.scrubber input');
        slider.value = {frame}; slider.dispatchEvent(new Event('input', {{ bubbles: true }})); }})()"""
    )


def frames_of(recorder: Recorder) -> list[tuple[dict, dict]]:
    found = [unpacked(message) for message in recorder.messages]
    return [(header, arrays) for header, arrays in found if header["type"] == "frame"]


def shown(page: Page, path: str) -> list[float]:
    return page.value(
        f"""[...document.querySelectorAll('.value[data-path="{path}"]')].map(
        (node) => +node.dataset.value)"""
    )


def test_a_file_shows_the_numbers_of_each_frame_forward_and_back(browser, recorder, tmp_path):
    frames = frames_of(recorder)
    widths = [arrays["0/values/1"].size for _, arrays in frames if "0/values/1" in arrays]
    assert widths[0] == 3 and widths[-1] == 4
    with opened(browser, recorder.write(tmp_path / "points.html")) as page:
        for place in [len(frames) - 1, 0, *range(len(frames)), 1]:
            header, arrays = frames[place]
            if "0/values/1" not in arrays:
                continue  # its views were being compiled
            seek(page, place)
            page.wait(f"{shown_step} === {header['lanes'][0]['step']}")
            page.wait(f"{nodes} === {arrays['0/values/1'].size}")
            assert shown(page, "1") == arrays["0/values/1"].tolist()
            assert shown(page, "2") == arrays["0/values/2"].tolist()
            if header["lanes"][0]["loss"] is not None:
                assert page.number("[data-number=loss]") == header["lanes"][0]["loss"]


shown_step = "+document.querySelector('[data-number=step]').dataset.value"
nodes = "document.querySelectorAll('.value[data-path=\"1\"]').length"


def test_what_a_title_or_the_script_contains_does_not_end_the_script(browser, tmp_path):
    recorder = recorded(TITLE)
    path = recorder.write(tmp_path / "title.html", title=TITLE)
    text = path.read_text()
    assert len(re.findall("</script", text, re.IGNORECASE)) == 2
    assert "<!--" not in text
    with opened(browser, path) as page:
        assert page.value("document.title") == TITLE
        assert page.value("document.querySelector('h1').innerText") == TITLE


def test_frames_take_less_than_half_of_their_bytes(recorder):
    whole = sum(map(len, recorder.messages))
    assert len(compressed(recorder.messages)) < whole / 2


def test_the_page_saves_what_it_has_shown_as_such_a_file(browser, tmp_path):
    with Studio(new_subject((2, 3, 1))) as studio:
        page = browser.open(studio.serve(), "saving")
        page.wait("document.querySelectorAll('.value[data-value]').length > 3")
        page.click("[data-do=record]")
        page.click("[data-do=batch]")
        page.wait(f"{shown_step} === 1")
        page.wait("+document.querySelector('[data-number=recorded]').dataset.value > 1")
        loss = page.number("[data-number=loss]")
        hidden = shown(page, "1")
        name = page.download("[data-do=save]", tmp_path / "saved.html")
        assert name == "points.html"
        assert page.heard()["errors"] == []
        page.close()
    with opened(browser, tmp_path / "saved.html") as page:
        last = int(page.value("document.querySelector('.scrubber input').max"))
        seek(page, last)
        page.wait(f"{shown_step} === 1")
        assert page.number("[data-number=loss]") == loss
        assert shown(page, "1") == hidden

"""Recordings: one file that shows what a session has shown, without Python."""

import contextlib
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cutaway.errors import OptionError, RunError
from cutaway.studio import Studio
from cutaway.studio.recorder import Recorder, compressed, record
from cutaway.studio.session import Session
from cutaway.studio.wire import unpacked
from tests.studio.chromium import Chromium, Page
from tests.studio.watching import SECONDS, Watcher, new_subject

ALL = ["weights", "values", "neurons", "boundary", "points", "output", "gradients"]
SHOWN_STEP = "+document.querySelector('[data-number=step]').dataset.value"
NODES = "document.querySelectorAll('.value[data-path=\"1\"]').length"
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
        until(recorder, step=0, width=3)
        for count in range(1, 6):
            if count == 3:
                recorder.command({"type": "units", "path": "0", "count": 4})
                until(recorder, step=14, width=4)
            recorder.command({"type": "step", "unit": "batch", "count": 7})
            until(recorder, step=7 * count, width=3 if count < 3 else 4)
        recorder.close()
    finally:
        session.close()
    return recorder


def until(recorder: Recorder, *, step: int, width: int) -> None:
    """Wait for a frame of this step and with so many hidden units."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        for header, arrays in map(unpacked, recorder.frames[-1:]):
            hidden = arrays.get("0/values/1")
            if header["lanes"][0]["step"] == step and hidden is not None and hidden.size == width:
                return
        time.sleep(0.02)
    raise AssertionError(f"no frame of step {step} with {width} hidden units")


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
    slider = "document.querySelector('.scrubber input')"
    page.value(
        f"{slider}.value = {frame}; {slider}.dispatchEvent(new Event('input', {{bubbles: true}}))"
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
            page.wait(f"{SHOWN_STEP} === {header['lanes'][0]['step']}")
            page.wait(f"{NODES} === {arrays['0/values/1'].size}")
            assert shown(page, "1") == arrays["0/values/1"].tolist()
            assert shown(page, "2") == arrays["0/values/2"].tolist()
            if header["lanes"][0]["loss"] is not None:
                assert page.number("[data-number=loss]") == header["lanes"][0]["loss"]


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
        page.wait("+document.querySelector('.value[data-path=\"1\"]')?.dataset.value")
        page.click("[data-do=record]")
        page.click("[data-do=batch]")
        page.wait(f"{SHOWN_STEP} === 1")
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
        page.wait(f"{SHOWN_STEP} === 1")
        assert page.number("[data-number=loss]") == loss
        assert shown(page, "1") == hidden


def test_a_recorder_keeps_frames_as_they_came_and_stops_when_it_is_closed():
    with Watcher(new_subject()) as watcher:
        recorder = Recorder(watcher.session, per_second=1000)
        watcher.send(type="step", unit="batch", count=3)
        watcher.frame_at(3)
        recorder.wait_for(2)
        recorder.close()
        watcher.settled()
        count = len(recorder)
        watcher.send(type="step", unit="batch", count=3)
        watcher.frame_at(6)
        watcher.settled()
        assert len(recorder) == count
        header, arrays = unpacked(recorder.frames[-1])
        assert header["lanes"][0]["step"] == 3
        assert len(arrays["0/loss/value"]) == 3


def test_frames_before_the_first_views_are_no_part_of_a_recording(recorder):
    first, _ = unpacked(recorder.frames[0])
    assert first["lanes"][0]["views"]


def test_a_recording_that_began_before_the_page_begins_with_what_the_page_shows():
    with Watcher(new_subject()) as watcher:
        recorder = Recorder(watcher.session, per_second=1e6)
        recorder.wait_for(1)  # as a page that has not yet said what it shows
        watcher.send(type="step", unit="batch", count=2)
        watcher.frame_at(2)
        begin = len(watcher.messages)
        watcher.send(type="look", views=["values"])
        watcher.wait("frame", begin=begin, when=lambda h: h["lanes"][0]["views"])
        watcher.settled()
        recorder.close()
    assert all(unpacked(frame)[0]["lanes"][0]["views"] for frame in recorder.frames)
    kinds = [unpacked(message)[0]["type"] for message in recorder.messages]
    assert kinds[0] == "hello" and kinds.count("frame") == len(recorder) > 0


def test_a_subject_is_recorded_from_its_beginning_in_as_many_frames_as_asked_for(browser, tmp_path):
    with opened(browser, record(new_subject((2, 3, 1)), tmp_path / "a.html", frames=6)) as page:
        assert page.value("document.querySelector('.scrubber input').max") == "5"
        assert page.number("[data-number=step]") == 0
        seek(page, 5)
        page.wait(f"{SHOWN_STEP} > 0")


def test_what_cannot_be_recorded_is_said(tmp_path):
    with pytest.raises(OptionError, match="frames is 1"):
        record(new_subject(), tmp_path / "a.html", frames=1)
    with pytest.raises(RunError):
        record(new_subject(), tmp_path, frames=2)
    assert list(tmp_path.iterdir()) == []

"""A recording is one file that shows what the studio showed, without Python."""

import base64
import json
import zlib

import pytest

from cutaway.errors import OptionError, RunError
from cutaway.studio.recorder import Recorder, record
from cutaway.studio.wire import unpacked
from tests.studio.chromium import Chromium
from tests.studio.watching import Watcher, new_subject


def frames_of(path) -> list[str]:
    """The frames in a recording, as they stand there."""
    text = path.read_text().partition('id="recording">')[2].partition("</script>")[0]
    return json.loads(text)["frames"]


def test_a_recorded_page_shows_the_numbers_of_its_frames_and_asks_nobody(tmp_path):
    subject = new_subject((2, 3, 1))
    subject.title = "points </script><b>bold</b>"
    path = record(subject, tmp_path / "points.html", frames=6)
    with Chromium() as browser:
        page = browser.open(path.as_uri())
        page.wait("document.querySelectorAll('[data-node]').length > 0")
        page.wait("document.querySelector('[data-number=step]')?.dataset.value")
        first = page.number("[data-number=step]")
        assert page.value("document.querySelector('h1').innerText") == subject.title
        slider = "document.querySelector('.scrubber input')"
        assert page.value(f"{slider}.max") == "5"
        page.value(
            f"{slider}.value = 5; {slider}.dispatchEvent(new Event('input', {{bubbles: true}}))"
        )
        page.wait(f"+document.querySelector('[data-number=step]').dataset.value > {first}")
        shown = page.value("+document.querySelector('.value[data-path=\"2\"]').dataset.value")
        last = unpacked(zlib.decompress(base64.b64decode(frames_of(path)[-1])))
        assert page.number("[data-number=step]") == last[0]["lanes"][0]["step"]
        assert shown == pytest.approx(float(last[1]["0/values/2"][0]), rel=1e-6)
        heard = page.heard()
        assert heard["requests"] == [path.as_uri()]
        assert heard["errors"] == []


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


def test_what_cannot_be_recorded_is_said(tmp_path):
    with pytest.raises(OptionError, match="frames is 1"):
        record(new_subject(), tmp_path / "a.html", frames=1)
    with pytest.raises(RunError):
        record(new_subject(), tmp_path, frames=2)
    assert list(tmp_path.iterdir()) == []

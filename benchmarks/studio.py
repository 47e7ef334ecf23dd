"""The studio: how soon its page is there, frames per second, what they cost, how soon it obeys.

    python -m benchmarks.studio                       # all of it, about eight minutes, idle machine
    python -m benchmarks.studio frames --seconds 8

Each part starts `cutaway studio` as a process of its own and opens its page in Chromium, see
tests/studio/chromium.py. CPU seconds are those of that process.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from websockets.sync.client import connect
from websockets.typing import Origin

from cutaway.studio.wire import unpacked
from tests.studio.chromium import Chromium, Page

DATA = Path(__file__).parents[2] / "shared" / "data"
TICKS = os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def served(*arguments: str, **environment: str) -> Iterator[tuple[str, int, float]]:
    """(address, process id, seconds until the address was printed) of a running studio."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "cutaway", "studio", "--no-browser", *arguments]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | environment
    )
    assert process.stdout is not None
    url = next(line.strip() for line in process.stdout if line.startswith("http"))
    try:
        yield url, process.pid, time.perf_counter() - began
    finally:
        process.terminate()
        process.wait()


def cpu_seconds(pid: int) -> float:
    """Of a process and its threads, so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Listener:
    """A client without a page, which need not acknowledge frames."""

    def __init__(self, url: str):
        address, _, token = url.partition("#token=")
        self._open = contextlib.ExitStack()
        socket = connect(
            address.replace("http", "ws") + "ws",
            origin=Origin(address.rstrip("/")),
            max_size=None,
            compression=None,
            ping_interval=None,
        )
        self._socket = self._open.enter_context(socket)
        self.send(type="hello", protocol=1, token=token)
        self.wait("hello")

    def send(self, **command) -> None:
        """Send a command."""
        self._socket.send(json.dumps(command))

    def wait(self, kind: str, when=lambda header: True) -> dict:
        """The next message of a kind."""
        while True:
            header, _ = self.message(120)
            if header["type"] == kind and when(header):
                return header

    def step(self) -> int:
        """The step that the first network is at."""
        with contextlib.suppress(TimeoutError):
            while True:  # what is on its way is older
                self.message(0.01)
        self.send(type="ack", n=2**31)
        return self.wait("frame")["lanes"][0]["step"]

    def message(self, timeout: float) -> tuple[dict, dict[str, np.ndarray]]:
        """The next message: its header and arrays."""
        message = self._socket.recv(timeout=timeout)
        assert isinstance(message, bytes)
        return unpacked(message)

    def follow(self, seconds: float) -> Iterator[tuple[float, dict, dict[str, np.ndarray]]]:
        """(time, header, arrays) of what comes, each frame acknowledged."""
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            with contextlib.suppress(TimeoutError):
                header, arrays = self.message(0.02)
                if header["type"] == "frame":
                    self.send(type="ack", n=header["n"])
                yield time.perf_counter(), header, arrays


def shown(page: Page) -> dict[str, float]:
    """Counters of a page."""
    script = """(() => {
        const room = document.querySelector('.cutaway-studio');
        room.dispatchEvent(new Event('measure'));
        const step = document.querySelector('[data-number=step]');
        return {drawn: +room.dataset.drawn, delay: +room.dataset.delay, step: +step.dataset.value};
    })()"""
    return page.value(script)


def ready(browser: Chromium, url: str, **options) -> Page:
    """The page of a studio, playing."""
    page = browser.open(url, url, **options)
    page.wait("+document.querySelector('[data-number=step]')?.dataset.value >= 0")
    return page


def openings() -> None:
    """Seconds from the start of the process to the address, and to the first frame."""
    for name, arguments in {
        "spirals": (),
        "students": (str(Path(__file__).parents[1] / "cutaway/data/students.csv"),),
    }.items():
        rest = ("--target", "passed") if name == "students" else ()
        found = []
        for _ in range(4):  # the first one fills the cache
            began = time.perf_counter()
            with served(*arguments, *rest) as (url, _, until_url), Chromium() as browser:
                loaded = time.perf_counter()
                page = ready(browser, url)
                page.wait("document.querySelectorAll('[data-node]').length > 0")
                page_seconds = time.perf_counter() - loaded
                found.append((until_url, page_seconds, time.perf_counter() - began))
        until_url, page_seconds, _ = map(statistics.median, zip(*found[1:], strict=True))
        print(
            f"{name}: address after {until_url:.2f} s (first time {found[0][0]:.2f}), "
            f"page {page_seconds:.2f} s later, Chromium's start included"
        )


def frames(seconds: float, rounds: int = 4) -> None:
    """Frames per second and what they cost at full speed, in turns with no page open."""
    for width in (8, 64):
        with served("spirals") as (url, pid, _), Chromium() as browser:
            widen(url, width)
            listener = Listener(url)
            listener.send(type="speed", per_second=None)
            listener.send(type="play")
            time.sleep(8)  # the doctor has compiled
            found, parts, delays = [], [], []
            for _ in range(rounds):
                alone = steps_per_cpu_second(listener, pid, seconds)
                page = ready(browser, url)
                time.sleep(2)
                before, began = shown(page), time.perf_counter()
                parts.append(steps_per_cpu_second(listener, pid, seconds) / alone)
                after, passed = shown(page), time.perf_counter() - began
                found.append((after["drawn"] - before["drawn"]) / passed)
                delays.append(after["delay"])
                page.close()
                time.sleep(1)
            print(
                f"2-{width}-{width}-1: {spread(found, '.1f')} frames per second, "
                f"{spread([100 * part for part in parts], '.1f')}% of the {alone:,.0f} steps per "
                f"CPU second without a page, made to drawn {spread(delays, '.0f')} ms (95%)"
            )


def spread(values: list[float], form: str) -> str:
    """The median of some values, and between what they lie."""
    middle, low, high = (format(f(values), form) for f in (statistics.median, min, max))
    return f"{middle} ({low} to {high})"


def steps_per_cpu_second(listener: Listener, pid: int, seconds: float) -> float:
    """Of a studio that trains now; the listener takes four frames."""
    began, cpu = listener.step(), cpu_seconds(pid)
    time.sleep(seconds)
    cpu = cpu_seconds(pid) - cpu
    return (listener.step() - began) / cpu


def widen(url: str, width: int) -> None:
    """Give both hidden layers of the spirals' network so many units."""
    listener = Listener(url)
    for path in ("0", "2") if width != 8 else ():
        listener.send(type="units", path=path, count=width)
        listener.wait("ready")


def report(page: Page, pid: int, seconds: float, name: str) -> None:
    """Print what a page shows per second, and the steps per CPU second."""
    before, cpu, began = shown(page), cpu_seconds(pid), time.perf_counter()
    time.sleep(seconds)
    after, cpu = shown(page), cpu_seconds(pid) - cpu
    passed = time.perf_counter() - began
    rate = (after["step"] - before["step"]) / cpu
    text = f"{name}: {(after['drawn'] - before['drawn']) / passed:.1f} frames per second, "
    text += f"{rate:,.0f} steps per CPU second"
    print(f"{text}, made to drawn {after['delay']:.0f} ms (95%)")


def pauses(count: int = 20) -> None:
    """Milliseconds from a press of the space bar to a page that shows the pause."""
    with served("spirals") as (url, _, _), Chromium() as browser:
        page = ready(browser, url)
        page.press("Space")
        time.sleep(4)
        found = []
        for _ in range(count):
            script = """new Promise((resolve) => {
                const button = document.querySelector('[data-do=play]');
                const began = performance.now();
                const seen = () => button.ariaPressed === 'false'
                    ? resolve(performance.now() - began) : requestAnimationFrame(seen);
                button.click();
                seen();
            })"""
            found.append(page.value(script))
            page.press("Space")
            time.sleep(0.3)
        print(f"a pause shows after {np.median(found):.0f} ms, 95% {np.quantile(found, 0.95):.0f}")


def large(seconds: float) -> None:
    """Frames per second of larger networks."""
    cases = {
        "MNIST, CNN, batches of 16": (str(DATA / "mnist"), "--batch-size", "16"),
        "sms_spam, LSTM": (str(DATA / "sms_spam" / "SMSSpamCollection"), "--model", "lstm"),
        "table of 20 columns x 50,000 rows": (str(wide_table()), "--target", "y"),
    }
    for name, arguments in cases.items():
        with served(*arguments) as (url, pid, _), Chromium() as browser:
            page = ready(browser, url)
            page.press("Space")
            page.wait("+document.querySelector('[data-number=step]').dataset.value > 20")
            time.sleep(3)
            report(page, pid, seconds, name)


def wide_table() -> Path:
    """A table of 20 numbers and a class."""
    path = Path("/tmp/cutaway_wide.csv")
    if not path.exists():
        rng = np.random.default_rng(0)
        x = rng.normal(size=(50_000, 20))
        y = (x[:, 0] * x[:, 1] + x[:, 2] > 0).astype(int)
        names = ",".join([f"x{k}" for k in range(20)] + ["y"])
        rows = [",".join([*(f"{v:.4f}" for v in row), str(t)]) for row, t in zip(x, y, strict=True)]
        path.write_text("\n".join([names, *rows]) + "\n")
    return path


def changes(count: int = 6) -> None:
    """Seconds until a changed network shows its first step, cold and from the cache."""
    with tempfile.TemporaryDirectory() as cache:
        for word in ("cold", "from the cache"):
            with served("spirals", XDG_CACHE_HOME=cache) as (url, _, _):
                listener = Listener(url)
                views = ["boundary", "neurons", "points", "output", "values", "weights"]
                listener.send(type="look", views=views)
                listener.send(type="play")
                found = [change_seconds(listener, units) for units in range(40, 40 + count)]
            print(f"one unit more, {word}: {spread(found, '.2f')} s")


def change_seconds(listener: Listener, units: int) -> float:
    """Seconds until a frame has a first layer of so many units."""
    for _ in listener.follow(7):  # the doctor has compiled for the network before
        pass
    began = time.perf_counter()
    listener.send(type="units", path="0", count=units)
    return next(
        at - began
        for at, header, arrays in listener.follow(60)
        if header["type"] == "frame" and any(units in array.shape for array in arrays.values())
    )


PARTS = {
    "openings": openings,
    "frames": frames,
    "pauses": pauses,
    "large": large,
    "changes": changes,
}


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="?", choices=PARTS)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each measurement")
    given = parser.parse_args()
    for name, part in PARTS.items():
        if given.part in (None, name):
            part(given.seconds) if name in ("frames", "large") else part()


if __name__ == "__main__":
    main()

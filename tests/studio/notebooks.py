"""JupyterLab and marimo as servers of one notebook, for tests in a browser."""

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tests.studio.chromium import Page

ROOT = Path(__file__).parents[2]
SECONDS = 120  # until a server answers: a loaded machine takes long


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def notebook(*sources: str) -> str:
    """The content of a notebook with these cells."""
    cells = [
        {
            "cell_type": "code",
            "id": f"cell-{k}",
            "execution_count": None,
            "metadata": {},
            "outputs": [],
            "source": source,
        }
        for k, source in enumerate(sources)
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return json.dumps(
        {
            "cells": cells,
            "metadata": {"kernelspec": kernel},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
    )


def environment(folder: Path) -> dict[str, str]:
    """Variables with which nothing is read from, or left in, the user's own folders."""
    names = ["HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "IPYTHONDIR"]
    names += ["JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"]
    own = {name: str(folder / ".server" / name) for name in names}
    return {**os.environ, **own, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}


@contextlib.contextmanager
def served(command: list[str], url: str, folder: Path) -> Iterator[None]:
    """A server that runs until the block ends, from when it answers at `url` on."""
    (folder / ".server").mkdir()
    with (folder / ".server" / "log.txt").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=folder,
            env=environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            _wait_until_it_answers(server, url)
            yield
        finally:
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _wait_until_it_answers(server: subprocess.Popen, url: str) -> None:
    end = time.monotonic() + SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10):
                return
        except (urllib.error.URLError, OSError) as error:
            if server.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"{url} does not answer") from error
            time.sleep(0.1)


@contextlib.contextmanager
def jupyterlab(folder: Path) -> Iterator[str]:
    """JupyterLab for the folder; "{}" in its address is a folder in it with a notebook of.ipynb."""
    port, token = free_port(), secrets.token_hex(16)
    command = [
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={folder}",
        f"--IdentityProvider.token={token}",
        "--LabApp.expose_app_in_browser=True",
    ]
    base = f"http://127.0.0.1:{port}"
    with served(command, f"{base}/api/status?token={token}", folder):
        # a workspace of its own: nothing else is opened again
        yield f"{base}/lab/workspaces/{{0}}/tree/{{0}}/of.ipynb?token={token}"


@contextlib.contextmanager
def marimo(folder: Path, name: str, mode: str = "run") -> Iterator[str]:
    """marimo; the address of the app `name` of this folder."""
    port = free_port()
    command = ["marimo", "-q", mode, name, "--headless", "--no-token", "-p", str(port)]
    command += ["--host", "127.0.0.1"]
    with served(command, f"http://127.0.0.1:{port}/health", folder):
        yield f"http://127.0.0.1:{port}/"


# the studios on a page, also those in shadow roots
STUDIOS = """(() => {
  const found = [];
  const walk = (root) => {
    for (const element of root.querySelectorAll("*")) {
      if (element.classList.contains("cutaway-studio")) found.push(element);
      if (element.shadowRoot) walk(element.shadowRoot);
    }
  };
  walk(document);
  return found;
})()"""

# the notebook on a page of JupyterLab
LAB = "window.jupyterapp?.shell?.currentWidget"
# what makes the views of its widgets; a widget that comes while it asks the kernel for older ones
# may be lost
MANAGER = (
    f"{LAB}.content.rendermime"
    ".createRenderer('application/vnd.jupyter.widget-view+json', {})._manager.promise"
)


class Views:
    """The views of a studio on a page."""

    def __init__(self, page: Page):
        self.page = page

    def show(self, count: int) -> None:
        """Wait until so many have drawn a frame."""
        drawn = f"{STUDIOS}.filter((one) => one.dataset.frame && one.querySelector('[data-node]'))"
        try:
            self.page.wait(f"{drawn}.length === {count}")
        except AssertionError as error:
            error.add_note(f"the page says: {self.page.value('document.body.innerText')[-2000:]}")
            error.add_note(f"its errors: {self.page.heard()['errors']}")
            raise

    def are_gone(self) -> None:
        """Wait until there is none."""
        self.page.wait(f"{STUDIOS}.length === 0")

    def steps(self) -> list[int]:
        """The step that each shows."""
        of_one = "+one.querySelector('[data-number=step]').dataset.value"
        return self.page.value(f"{STUDIOS}.map((one) => {of_one})")

    def steps_at_rest(self) -> list[int]:
        """The step that each shows, once the last frames have come."""
        before: list[int] = []
        while (now := self.steps()) != before:
            before = now
            time.sleep(1)
        return now

    def go_on(self) -> None:
        """Wait until each has shown ten more frames and a later step."""
        before, frames = self.steps(), self._frames()
        assert len(before) > 0
        later = f"+one.querySelector('[data-number=step]').dataset.value > {json.dumps(before)}[k]"
        more = f"+one.dataset.frame >= {json.dumps(frames)}[k] + 10"
        self.page.wait(f"{STUDIOS}.every((one, k) => {later} && {more})")

    def _frames(self) -> list[int]:
        return self.page.value(f"{STUDIOS}.map((one) => +one.dataset.frame)")

    def press_play(self) -> None:
        """Press the first one's button that plays and pauses."""
        self.page.click(":nth-match(.cutaway-studio [data-do=play], 1)")

    def are_playing(self, playing: bool) -> None:
        """Wait until their buttons say so."""
        pressed = f"one.querySelector('[data-do=play]').ariaPressed === '{json.dumps(playing)}'"
        self.page.wait(f"{STUDIOS}.every((one) => {pressed})")

    def say(self, text: str) -> None:
        """Wait until one of them says this of its connection; "": none says anything."""
        said = "one.querySelector('.connection')?.innerText ?? ''"
        have = f"({said}).includes({json.dumps(text)})" if text else f"({said}) === ''"
        self.page.wait(f"{STUDIOS}.{'some' if text else 'every'}((one) => {have})")


class Notebook(Views):
    """A notebook on a page of JupyterLab.

    Args:
        page: the Page.
        cells: how many it has.
    """

    def __init__(self, page: Page, cells: int):
        super().__init__(page)
        self.cells = cells
        self.is_ready()

    def is_ready(self) -> None:
        """Wait until its kernel is idle, and its widgets of before are there again."""
        status = f"{LAB}?.sessionContext?.session?.kernel?.status"
        self.page.wait(f"{status} === 'idle' && {LAB}.content.widgets.length === {self.cells}")
        end = time.monotonic() + SECONDS
        while not self.page.value(f"{MANAGER}.then((found) => found.restoredStatus)"):
            assert time.monotonic() < end, "JupyterLab is not ready for widgets"
            time.sleep(0.03)

    def run(self, number: int) -> None:
        """Run a cell and wait until it has begun."""
        before = self.page.value(f"{_cell(number)}.executionCount")
        # by its number: JupyterLab takes cells that are far away out of the page
        chosen = f"Object.assign({LAB}.content, {{activeCellIndex: {number}, mode: 'command'}})"
        self.page.value(f"void {chosen}.activate()")
        self.page.press("Control+Enter")
        begun = f"{_cell(number)}.executionCount !== {json.dumps(before)}"
        self.page.wait(f"{begun} || {_cell(number)}.executionState === 'running'")

    def is_running(self, number: int) -> bool:
        """Whether a cell has not ended."""
        return self.page.value(f"{_cell(number)}.executionState") == "running"

    def has_run(self, number: int) -> None:
        """Wait until a cell has ended, which must have gone well."""
        self.page.wait(f"{_cell(number)}.executionState === 'idle'")
        wrong = f"{_cell(number)}.outputs.toJSON().filter((one) => one.output_type === 'error')"
        assert self.page.value(wrong) == []

    def command(self, name: str, **given) -> None:
        """A command of JupyterLab."""
        call = f"jupyterapp.commands.execute({json.dumps(name)}, {json.dumps(given)})"
        self.page.value(f"{call}.then(() => 0)")

    def restart_kernel(self) -> None:
        """Restart it without being asked."""
        self.page.value(f"{LAB}.sessionContext.session.kernel.restart().then(() => 0)")


def _cell(number: int) -> str:
    return f"{LAB}.content.widgets[{number}].model"

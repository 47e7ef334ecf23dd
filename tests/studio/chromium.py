"""Chromium for tests of pages, driven through playwright-core of studio/node_modules."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
MODULES = ROOT / "studio" / "node_modules"
NAMES = ("chromium", "chromium-browser", "google-chrome")
SECONDS = 60


class Chromium:
    """A browser; a context that closes it."""

    def __init__(self):
        executable = next(filter(None, map(shutil.which, NAMES)), None)
        if executable is None or shutil.which("node") is None:
            pytest.skip("needs Chromium and Node: scripts/install_browser.sh")
        if not (MODULES / "playwright-core").is_dir():
            pytest.skip("needs playwright-core: scripts/install_browser.sh")
        driver = Path(__file__).with_name("drive.mjs")
        self._process = subprocess.Popen(
            ["node", str(driver), str(MODULES), executable],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(SECONDS)
        self._process.stdout.close()

    def ask(self, action: str, **given) -> Any:
        """One action of drive.mjs, and its answer."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps({"action": action, **given}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise AssertionError(f"{action} {given}: {answer['error']}")
        return answer["value"]

    def open(
        self, url: str, page: str = "page", *, width=1280, height=800, scheme="light", motion=None
    ) -> "Page":
        """A new page."""
        self.ask(
            "open", page=page, url=url, width=width, height=height, scheme=scheme, motion=motion
        )
        return Page(self, page)


class Page:
    """One page of a Chromium."""

    def __init__(self, browser: Chromium, name: str):
        self.browser, self.name = browser, name

    def _ask(self, action: str, **given) -> Any:
        return self.browser.ask(action, page=self.name, **given)

    def value(self, script: str) -> Any:
        """What a JavaScript expression is on the page."""
        return self._ask("evaluate", script=script)

    def wait(self, script: str) -> None:
        """Wait until a JavaScript expression is true."""
        self._ask("wait", script=script, timeout=SECONDS * 1000)

    def number(self, selector: str) -> float:
        """The exact value behind a number that the page shows."""
        found = self.value(f"document.querySelector({json.dumps(selector)})?.dataset.value ?? null")
        assert found is not None, f"nothing like {selector} on the page"
        return float(found)

    def press(self, key: str) -> None:
        """Press a key."""
        self._ask("press", key=key)

    def click(self, selector: str) -> None:
        """Click on what a CSS selector finds, which has to be visible."""
        self._ask("click", selector=selector, timeout=SECONDS * 1000)

    def download(self, selector: str, path) -> str:
        """Click on what a CSS selector finds and keep the file that this saves; its name."""
        return self._ask("download", selector=selector, path=str(path), timeout=SECONDS * 1000)

    def choose(self, selector: str, value: str) -> None:
        """Choose an option of a list."""
        self._ask("choose", selector=selector, value=value)

    def fill(self, selector: str, value: str) -> None:
        """Type into a field and press Enter."""
        self._ask("fill", selector=selector, value=value)

    def reload(self) -> None:
        """Load the page anew."""
        self._ask("reload")

    def resize(self, width: int, height: int) -> None:
        """Another size of the window."""
        self._ask("resize", width=width, height=height)

    def screenshot(self, path, *, whole: bool = False) -> None:
        """A PNG of the window, or of the whole page."""
        self._ask("screenshot", path=str(path), whole=whole)

    def heard(self) -> dict[str, list[str]]:
        """{"requests": addresses that it asked for, "errors": of its scripts}."""
        return self._ask("heard")

    def close(self) -> None:
        """Close it."""
        self._ask("close")

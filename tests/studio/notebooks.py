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
def jupyterlab(folder: Path, name: str) -> Iterator[str]:
    """JupyterLab; the address that opens the notebook `name` of this folder."""
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
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    base = f"http://127.0.0.1:{port}"
    with served(command, f"{base}/api/status?token={token}", folder):
        yield f"{base}/lab/tree/{name}?token={token}"


@contextlib.contextmanager
def marimo(folder: Path, name: str, mode: str = "run") -> Iterator[str]:
    """marimo; the address of the app `name` of this folder."""
    port = free_port()
    command = ["marimo", "-q", mode, name, "--headless", "--no-token", "-p", str(port)]
    command += ["--host", "127.0.0.1"]
    with served(command, f"http://127.0.0.1:{port}/health", folder):
        yield f"http://127.0.0.1:{port}/"

"""The command line in a process of its own, at 80 columns."""

import os
import subprocess
import sys

import pytest

from tests.cli.forked import Forking

ENVIRONMENT = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb"}


def run_cutaway(*arguments, folder, **options):
    return subprocess.run(
        [sys.executable, "-m", "cutaway", *map(str, arguments)],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
        **options,
    )


@pytest.fixture(scope="session")
def cutaway():
    """Function (*arguments, folder) -> the finished process of `cutaway ARGUMENTS`."""
    if not hasattr(os, "fork"):
        yield run_cutaway
        return
    forking = Forking(ENVIRONMENT)
    yield forking.run
    forking.end()

"""Doors that a stranger opens first: what a docstring shows works in a fresh interpreter."""

import doctest
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.test_docs import MODULES

ROOT = Path(__file__).parents[2]


def examples():
    """[(module, name)] of every docstring that has an example."""
    found = []
    for name in MODULES:
        tests = doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(name))
        found += [(name, test.name) for test in tests if test.examples]
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("module", "name"), examples(), ids=lambda value: value)
def test_an_example_runs_in_a_fresh_interpreter(module, name):
    command = [sys.executable, "-m", "tests.docs.fresh", module, name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


@pytest.mark.parametrize(
    "code",
    [
        "import cutaway as ct; print((ct.Tensor([1.0, 2.0]) * 2).tolist())",
        "from cutaway import Tensor; print((Tensor([1.0, 2.0]) * 2).tolist())",
        "from cutaway.nn import Parameter; print((Parameter([1.0, 2.0]) * 2).tolist())",
        "import cutaway as ct; print((ct.nn.Parameter([1.0, 2.0]) * 2).tolist())",
    ],
)
def test_a_tensor_has_its_operators_by_whichever_door_it_comes(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "[2.0, 4.0]\n", done.stderr[-2000:]


def test_the_engine_alone_knows_no_operations_and_says_who_does():
    code = "from cutaway.engine import Tensor; Tensor([1.0]) * 2"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "'multiply' is not there" in done.stderr and "import cutaway as ct" in done.stderr

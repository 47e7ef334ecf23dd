"""Doors that a stranger opens first: what a docstring shows works in a fresh interpreter."""

import doctest
import importlib
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from tests.docs.test_docs import MODULES

ROOT = Path(__file__).parents[2]


def examples():
    """{room: ["module:name", ...]} of every docstring that has an example."""
    found = defaultdict(list)
    for name in MODULES:
        tests = doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(name))
        found[name.split(".")[1]] += [f"{name}:{test.name}" for test in tests if test.examples]
    return found


def fresh(*examples):
    command = [sys.executable, "-m", "tests.docs.fresh", *examples]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.longest
@pytest.mark.parametrize(("room", "found"), examples().items(), ids=list(examples()))
def test_each_example_runs_where_nothing_was_imported_before(room, found):
    done = fresh(*found)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def test_an_example_that_fails_is_named():
    done = fresh("cutaway.errors:cutaway.errors.nothing_of_this_name")
    assert done.returncode == 1
    assert done.stdout == "failed: cutaway.errors:cutaway.errors.nothing_of_this_name\n"


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

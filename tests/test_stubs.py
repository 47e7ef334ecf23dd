"""The stubs say what is there: each is what scripts/write_stubs.py writes now."""

import importlib.util
import types
from pathlib import Path

import pytest

import cutaway as ct

ROOT = Path(__file__).parents[1]


def script():
    path = ROOT / "scripts" / "write_stubs.py"
    spec = importlib.util.spec_from_file_location("write_stubs", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


STUBS = script().stubs()


@pytest.mark.parametrize("path", STUBS, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_stub_is_what_the_script_writes(path):
    assert path.read_text() == STUBS[path], "run python scripts/write_stubs.py"


def test_there_are_no_stubs_but_those():
    assert set((ROOT / "cutaway").rglob("*.pyi")) == set(STUBS)
    assert (ROOT / "cutaway" / "py.typed").exists()


def test_the_stub_of_the_root_has_every_public_name_and_every_layer():
    names = {}
    exec(STUBS[ROOT / "cutaway" / "__init__.pyi"].partition("class explain")[0], names)
    for name in ("Tensor", "ReLU", "Adam", "Linear", "train", "race", "matmul_precision"):
        assert names[name] is getattr(ct, name)
    assert set(ct.__all__) - {"__version__", *ct.CALLABLE_PACKAGES} <= set(names)


@pytest.mark.parametrize("name", ct.CALLABLE_PACKAGES)
def test_a_package_that_can_be_called_is_still_a_package(name):
    package = getattr(ct, name)
    assert isinstance(package, types.ModuleType) and callable(package)

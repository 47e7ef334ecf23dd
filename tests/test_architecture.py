"""Imports point down: a package imports only packages of lower rank, and has no circles inside."""

import ast
import graphlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "cutaway"

RANKS = {
    "errors": 0,
    "files": 1,
    "callable_package": 2,
    "leaves": 2,
    "supplied": 2,
    "runtime": 2,
    "boxes": 2,
    "engine": 2,
    "data": 3,
    "ops": 3,
    "story": 3,
    "nn": 4,
    "losses": 4,
    "metrics": 4,
    "optim": 5,
    "diagram": 5,
    "weights": 5,
    "export": 5,
    "landscape": 6,
    "explain": 6,
    "models": 6,
    "train": 7,
    "runs": 8,
    "doctor": 9,
    "estimators": 9,
    "search": 9,
    "course": 10,
    "studio": 10,
    "cli": 11,
}
# `nn.lifting` and `ops.from_jax` are wrappers around jax.jit and the users' door to jax.vjp;
# curvature takes jax.jvp of our own gradient; a fused kernel's pull-back is its vendor's
MAY_DIFFERENTIATE_WITH_JAX = {
    "ops/jax_function.py",
    "landscape/hessian.py",
    "ops/fused_attention.py",
}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                is_module = (ROOT.parent / full.replace(".", "/")).with_suffix(".py").exists() or (
                    ROOT.parent / full.replace(".", "/")
                ).is_dir()
                yield full if is_module else node.module


HIDDEN = re.compile(r"cutaway(\.\w+)+\.?(:\w+)?")


def hidden_imports(path: Path):
    """Modules of the house that stand as strings, for importlib: "cutaway.a.b", "cutaway.a.b:C"."""
    for node in ast.walk(ast.parse(path.read_text())):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and HIDDEN.fullmatch(text):
            yield text.partition(":")[0].rstrip(".")


FILES = sorted(
    p
    for p in ROOT.rglob("*.py")
    if p.parent != ROOT or p.stem in {"callable_package", "errors", "leaves", "supplied"}
)


def test_every_package_has_a_rank():
    found = {p.relative_to(ROOT).parts[0].removesuffix(".py") for p in FILES}
    assert found <= set(RANKS)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_package_imports_only_packages_of_lower_rank(path):
    own = path.relative_to(ROOT).parts[0].removesuffix(".py")
    for name in [*imports(path), *hidden_imports(path)]:
        parts = name.split(".")
        if parts[0] != "cutaway" or len(parts) == 1:
            continue
        if parts[1] != own:
            assert RANKS[parts[1]] < RANKS[own], f"{own} (rank {RANKS[own]}) imports {name}"


def test_no_circles_of_imports_inside_a_package():
    graph = {}
    for path in FILES:
        own = module_name(path)
        package = own.split(".")[1]
        found = [*imports(path), *hidden_imports(path)]
        graph[own] = {
            name for name in found if name.startswith(f"cutaway.{package}.") and name != own
        }
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_jax_derivatives_stay_behind_their_doors(path):
    if str(path.relative_to(ROOT)) in MAY_DIFFERENTIATE_WITH_JAX:
        return
    text = path.read_text()
    tree = ast.parse(text)
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "jax"
    }
    assert not used & {"grad", "vjp", "jvp", "value_and_grad", "jacobian", "jacrev", "jacfwd"}


INFLECTIONS = ("s", "es", "d", "ed", "ing", "ion", "ions", "ation", "ations", "e")


def stems(name: str):
    """The name, and what is left of it without one of the endings that words are inflected by."""
    name = name.lower()
    yield name
    for ending in INFLECTIONS:
        if name.endswith(ending) and len(name) - len(ending) >= 3:
            yield name.removesuffix(ending)


def public_classes():
    """[(name, path)] of the classes that modules define without an underscore."""
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                yield node.name, path


def alike(names) -> list:
    """The groups of names that differ by an inflection alone, as `Program` and `Programs` do."""
    of_stem = {}
    for name in set(names):
        for stem in stems(name):
            of_stem.setdefault(stem, set()).add(name)
    return sorted({tuple(sorted(group)) for group in of_stem.values() if len(group) > 1})


def test_no_two_modules_or_packages_have_names_that_differ_by_an_ending():
    modules = [p.stem if p.stem != "__init__" else p.parent.name for p in ROOT.rglob("*.py")]
    assert alike(modules) == []
    assert alike(["program", "programs", "prepare", "prepared", "race", "racing", "train"]) == [
        ("prepare", "prepared"),
        ("program", "programs"),
        ("race", "racing"),
    ]


def test_no_two_public_classes_share_a_name_or_differ_by_an_ending():
    names = [name for name, _ in public_classes()]
    assert sorted({name for name in names if names.count(name) > 1}) == []
    assert alike(names) == []


@pytest.mark.slow
def test_no_name_of_a_package_hides_a_module_of_it():
    """In a fresh interpreter, every module imported: `package.name` is the module or nothing."""
    script = """
import importlib, pkgutil, types, cutaway
names = [m.name for m in pkgutil.walk_packages(cutaway.__path__, "cutaway.")]
names = [name for name in names if not name.endswith("__main__")]
modules = {name: importlib.import_module(name) for name in names}
for name in modules:
    package, _, leaf = name.rpartition(".")
    found = getattr(importlib.import_module(package), leaf)
    if found is not modules[name]:
        print(name, type(found).__name__)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr[-2000:]


def test_hidden_imports_are_seen():
    found = {str(p.relative_to(ROOT)): set(hidden_imports(p)) for p in FILES}
    assert "cutaway.models.resnet" in found["models/pretrained.py"]
    assert "cutaway.doctor.symptoms" in found["doctor/glance.py"]


ASKS_FOR_DEVICES = {
    "default_backend",
    "device_count",
    "devices",
    "local_device_count",
    "local_devices",
}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_device_is_asked_for_in_one_place(path):
    if path.relative_to(ROOT) == Path("runtime/devices.py"):
        return
    text = path.read_text()
    used = {
        node.attr
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "jax"
    }
    assert not used & ASKS_FOR_DEVICES
    assert "jax_default_device" not in text and "jax_platform" not in text


def test_the_page_of_packages_lists_those_that_there_are():
    page = ROOT.parent / "docs" / "packages.md"
    told = set(re.findall(r"`cutaway/(\w+)/`", page.read_text()))
    there = {p.name for p in ROOT.iterdir() if (p / "__init__.py").exists()}
    assert told == there

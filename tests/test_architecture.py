"""Imports point down: a package imports only packages of lower rank, and has no circles inside."""

import ast
import graphlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "cutaway"

RANKS = {
    "errors": 0,
    "files": 1,
    "leaves": 1,
    "runtime": 1,
    "engine": 1,
    "data": 1,
    "ops": 2,
    "story": 2,
    "nn": 3,
    "losses": 3,
    "metrics": 3,
    "optim": 4,
    "diagram": 4,
    "weights": 4,
    "export": 4,
    "landscape": 5,
    "explain": 5,
    "models": 5,
    "train": 6,
    "runs": 7,
    "doctor": 8,
    "search": 8,
    "studio": 9,
    "cli": 10,
}
# `nn.jit` and `engine.from_jax` are wrappers around jax.jit and the users' door to jax.vjp;
# curvature takes jax.jvp of our own gradient; a fused kernel's pull-back is its vendor's
MAY_DIFFERENTIATE_WITH_JAX = {
    "engine/from_jax.py",
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


FILES = sorted(
    p for p in ROOT.rglob("*.py") if p.parent != ROOT or p.stem in {"errors", "files", "leaves"}
)


def test_every_package_has_a_rank():
    found = {p.relative_to(ROOT).parts[0].removesuffix(".py") for p in FILES}
    assert found <= set(RANKS)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_package_imports_only_packages_of_lower_rank(path):
    own = path.relative_to(ROOT).parts[0].removesuffix(".py")
    for name in imports(path):
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
        graph[own] = {
            name for name in imports(path) if name.startswith(f"cutaway.{package}.") and name != own
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


ASKS_FOR_DEVICES = {
    "default_backend",
    "device_count",
    "devices",
    "local_device_count",
    "local_devices",
}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_device_is_asked_for_in_one_place(path):
    if path.relative_to(ROOT) == Path("runtime/device.py"):
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


def test_readme_lists_the_rooms_that_there_are():
    told = set(re.findall(r"`cutaway/(\w+)/`", (ROOT.parent / "README.md").read_text()))
    there = {p.name for p in ROOT.iterdir() if (p / "__init__.py").exists()}
    assert told == there

"""The scripts in examples/, as modules."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[2]


def example(name):
    path = ROOT / "examples" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

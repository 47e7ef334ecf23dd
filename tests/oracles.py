"""Other people's networks, to compare with: `oracle("torchvision")` imports or skips.

torchvision's wheel on PyPI is built for CUDA. Beside a CPU torch its compiled operators do not
load, and torchvision, and with it timm and transformers, stop at `operator torchvision::nms does
not exist`. Networks do not need these operators, only their names: they are defined here, without
anything behind them, before the first import.
"""

import importlib
import importlib.util
import os
import sys
import warnings

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

_libraries = []  # a torch.library.Library takes its definitions with it when it goes


def oracle(name: str):
    """The module of that name; the test is skipped, with the reason, where it cannot be had."""
    if importlib.util.find_spec(name.partition(".")[0]) is None:
        pytest.skip(f"{name} is not installed; it comes with the test extra")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _name_missing_operators()
        try:
            return importlib.import_module(name)
        except (ImportError, RuntimeError, OSError) as error:
            pytest.skip(f"{name} cannot be imported: {error}")


def _name_missing_operators() -> None:
    """Make torchvision importable, if it is there and its own operators are not."""
    if _libraries or any(importlib.util.find_spec(n) is None for n in ("torch", "torchvision")):
        return
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        import torch

        for name in [n for n in sys.modules if n.split(".")[0] == "torchvision"]:
            del sys.modules[name]  # half of an import
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):  # those that the import gives shape rules to
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _libraries.append(library)

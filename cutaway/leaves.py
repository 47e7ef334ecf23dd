"""Leaves: what a package finds by listing its own folder, so that to add one is to add one file."""

import importlib
import pkgutil
from types import ModuleType


def modules_of(name: str, path) -> list[ModuleType]:
    """The modules of a package, by their names in order.

    Args:
        name: of the package, its `__name__`.
        path: its `__path__`.
    """
    found = sorted(info.name for info in pkgutil.iter_modules(path) if not info.ispkg)
    return [importlib.import_module(f"{name}.{module}") for module in found]


def objects_of(name: str, path, wanted) -> list:
    """What `wanted` says yes to among all that these modules define, each once, in order.

    Args:
        wanted: function (object) -> bool.
    """
    found = {}
    for module in modules_of(name, path):
        for value in vars(module).values():
            if getattr(value, "__module__", None) == module.__name__ and wanted(value):
                found[id(value)] = value
    return list(found.values())

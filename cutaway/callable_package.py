"""A package that can be called: `ct.explain(net, x)` beside `ct.explain.attribute`."""

import sys
from collections.abc import Callable
from types import ModuleType


def make_callable(name: str, function: Callable) -> None:
    """Let a package be called as `function` is.

    Args:
        name: of the package, its `__name__`; it is being imported.
        function: what a call of it calls.
    """

    class CallablePackage(ModuleType):
        __call__ = staticmethod(function)

    sys.modules[name].__class__ = CallablePackage

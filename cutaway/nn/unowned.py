"""A Variable that a compiled step touches and none of its owners holds: which, and whose."""

import inspect

from cutaway.errors import OptionError
from cutaway.nn.state import Stateful, named_variables


def unowned(step, variable) -> OptionError:
    """The error for a Variable that `step` reads or writes, with the call that would be right."""
    kind = type(variable).__name__
    holder = next(_holders(step, variable), None)
    if holder is None:
        return OptionError(
            f"jit: the step touches a {kind} of shape {variable.shape} that none of its owners has",
            expected="every Variable that it reads or writes as part of an owner",
            fix="pass the module or optimizer that holds it: jit(step, net, optimizer)",
        )
    name, path = holder
    called = getattr(step, "__name__", "step")
    return OptionError(
        f"jit: the step touches {path}, a {kind} of shape {variable.shape}, but {name} is not one "
        "of its owners",
        expected="every Variable that it reads or writes as part of an owner",
        fix=f"name it too: jit({called}, ..., {name})",
    )


def _holders(step, variable):
    """(name of an object that the step sees, path of the variable in it)."""
    for name, value in _seen_by(step):
        if value is variable:
            yield name, name
        elif isinstance(value, Stateful | list | tuple | dict):
            for path, found in named_variables(value).items():
                if found is variable:
                    yield name, f"{name}.{path}"


def _seen_by(step):
    function = inspect.unwrap(getattr(step, "__func__", step))
    own = getattr(step, "__self__", None)
    yield from getattr(own, "__dict__", {}).items()
    if inspect.isfunction(function):
        found = inspect.getclosurevars(function)
        yield from found.nonlocals.items()
        yield from found.globals.items()

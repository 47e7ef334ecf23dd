"""Functions that a package calls and one of higher rank has.

A network shows its drawing in a notebook, but `nn` knows no diagrams. So it asks here, by name, and
`cutaway/__init__.py`, which is above all packages, says whose function that is, as `ops` fills the
table of a Tensor's operators. A function is loaded when it is first asked for.
"""

import importlib
from collections.abc import Callable

_homes: dict[str, str] = {}


def supply(name: str, home: str) -> None:
    """Say that the function of this name is in the module `home`."""
    _homes[name] = home


def supplied(name: str) -> Callable:
    """The function of this name.

    Raises:
        LookupError: nobody has said where it is.

    Example:
        >>> import cutaway
        >>> from cutaway.supplied import supplied
        >>> supplied("network_html").__module__
        'cutaway.diagram.network_html'
    """
    if name not in _homes:
        raise LookupError(f"no package supplies {name!r}")
    return getattr(importlib.import_module(_homes[name]), name)

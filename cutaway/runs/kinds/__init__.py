"""Kinds of data, one file each, found by being there. Quick to import.

KINDS["images"].title                # "labeled images"
"""

from cutaway.leaves import objects_of
from cutaway.runs.kinds.contract import DataKind

__all__ = ["KINDS", "DataKind"]


def _is_kind(value) -> bool:
    return isinstance(value, type) and issubclass(value, DataKind) and "name" in vars(value)


_found = sorted(objects_of(__name__, __path__, _is_kind), key=lambda kind: kind.place)

# by their names: every class of DataKind in this folder that has one
KINDS: dict[str, DataKind] = {kind.name: kind() for kind in _found}
globals().update({kind.__name__: kind for kind in _found})

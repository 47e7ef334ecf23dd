"""Operations between modules, as small parts: a sum where branches meet, a mean over time."""

import numpy as np

from cutaway.diagram.architecture.parts import Part, Scope
from cutaway.engine import Record

MERGED = 3  # operations in a row merged into one part, at most


def is_plumbing(record: Record, *, from_input: bool) -> bool:
    """Whether an operation with one source carries no information about the architecture.

    Args:
        from_input: whether its source is an input of the module, which it may take apart.
    """
    traits = record.operation.traits
    if traits.plumbing or (traits.role == "part" and from_input):
        return True
    return traits.neutral is not None and _is(_constant(record), traits.neutral)


def operation_part(record: Record) -> Part:
    """An operation as a part."""
    operation, sign = record.operation, record.operation.traits.sign
    title = sign or operation.name.strip("_").replace("_", " ")
    constant = _constant(record)
    if operation.traits.role == "part":
        title = f"[{_index(record.options['index'])}]"
    elif constant is not None and sign:
        first = record.inputs[0] is None
        title = f"{constant} {title}" if first else f"{title} {constant}"
    elif record.options.get("axis") is not None and operation.traits.activation is None:
        title += f", axis {record.options['axis']}"
    shape = tuple(np.shape(record.outs[0]))
    return Part("operation", title, shape=shape[1:])


def merge_chains(scope: Scope) -> Scope:
    """Merge operations that follow each other without a branch into one part."""
    readers = {}
    for part in scope.parts:
        for source, _ in part.sources:
            readers[source] = readers.get(source, 0) + 1
    for source, _ in scope.outputs:
        readers[source] = readers.get(source, 0) + 1

    kept, place = [], {}
    for k, part in enumerate(scope.parts):
        source = part.sources[0][0] if len(part.sources) == 1 else None
        before = kept[place[source]] if source is not None and source >= 0 else None
        if (
            before is not None
            and part.kind == before.kind == "operation"
            and readers[source] == 1
            and before.title.count(" · ") < MERGED - 1
            and len(before.title) + len(part.title) < 34
            and len(part.title) > 1
            and len(before.title) > 1
        ):
            before.title += f" · {part.title}"
            before.shape = part.shape
            place[k] = place[source]
            continue
        part.sources = [(place.get(s, s), port) for s, port in part.sources]
        place[k] = len(kept)
        kept.append(part)
    outputs = [(place.get(s, s), port) for s, port in scope.outputs]
    return Scope(kept, outputs, scope.inputs)


def _constant(record):
    """The constant operand of a binary operation as text; None if there is none."""
    if len(record.inputs) != 2 or (record.inputs[0] is None) == (record.inputs[1] is None):
        return None
    value = record.arrays[0] if record.inputs[0] is None else record.arrays[1]
    return f"{value:g}" if isinstance(value, bool | int | float) else "constant"


def _is(constant, value) -> bool:
    return constant == f"{value:g}"


def _index(index) -> str:
    def one(part):
        if isinstance(part, slice):
            ends = ["" if end is None else str(end) for end in (part.start, part.stop)]
            return ":".join([*ends, *([str(part.step)] if part.step not in (None, 1) else [])])
        if part is Ellipsis:
            return "…"
        return str(part) if isinstance(part, int) else "None" if part is None else "·"

    return ", ".join(one(part) for part in (index if isinstance(index, tuple) else (index,)))

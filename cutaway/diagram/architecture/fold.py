"""Folds repeats: four equal layers in a row become one part, drawn once, titled "× 4"."""

import dataclasses

from cutaway.diagram.architecture.boxes import is_attached
from cutaway.diagram.architecture.operation_parts import merge_chains
from cutaway.diagram.architecture.parts import INPUT, Part, Scope, unique_sources
from cutaway.diagram.architecture.shorten import inline

LONGEST = 40  # parts of a repeated unit, at most
SIDE_BY_SIDE = 4  # equal parallel branches, at least, to be drawn as one


def fold(scope: Scope) -> Scope:
    """The scope with repeats folded, innermost scopes first."""
    for part in scope.parts:
        if part.inner is not None:
            part.inner = fold(part.inner)
        if part.is_wrapper and part.inner is not None:
            inline(part)
    scope = _fold_branches(merge_chains(scope))
    start = 0
    while start < len(scope.parts):
        # a unit does not begin with a part that is attached to the layer before it
        found = None if is_attached(scope.parts[start]) else _best_run(scope, start)
        if found:
            scope = _fold_run(scope, start, *found)
        start += 1
    return scope


def _signature(part: Part) -> tuple:
    """What repeats of a part have in common: everything except named options like p=0.1."""
    inner = None
    if part.inner is not None:
        inner = (
            tuple((_signature(p), tuple(p.sources)) for p in part.inner.parts),
            tuple(part.inner.outputs),
        )
    plain = tuple(word for word in part.detail.split(", ") if "=" not in word)
    return (part.kind, part.title, plain, part.shape, part.parameters, part.frozen, part.guessed,
            part.times, inner)  # fmt: skip


def _best_run(scope, start):
    """(length of the unit, times) of the repeat at `start` that saves the most parts, or None."""
    parts = scope.parts
    signatures = [hash(_signature(part)) for part in parts[start:]]
    best, saved = None, 0
    for length in range(1, min(LONGEST, len(signatures) // 2) + 1):
        times = 1
        while signatures[times * length : (times + 1) * length] == signatures[:length]:
            times += 1
        while times > 1 and _carried(scope, start, length, times) is None:
            times -= 1
        unit = parts[start : start + length]
        worth = any(part.inner is not None or part.parameters for part in unit)
        if times > 1 and worth and length * (times - 1) > saved:
            best, saved = (length, times), length * (times - 1)
    return best


def _carried(scope, start, length, times) -> dict | None:
    """How the inputs of a unit follow from the unit before it.

    Returns:
        {source of the first unit outside of it: (place, output) in the previous unit, or None if
        all units read the same source}; None if the units are connected differently, or if a unit
        other than the last one is read later.
    """
    first = [scope.parts[start + k].sources for k in range(length)]
    carried = {}
    for unit in range(1, times):
        offset = start + unit * length
        for k in range(length):
            sources = scope.parts[offset + k].sources
            if len(sources) != len(first[k]):
                return None
            for (source, port), later in zip(first[k], sources, strict=True):
                if source >= start:
                    if later != (source + unit * length, port):
                        return None
                    continue
                if offset - length <= later[0] < offset:
                    relative = later[0] - (offset - length), later[1]
                elif later == (source, port):
                    relative = None
                else:
                    return None
                if carried.setdefault((source, port), relative) != relative:
                    return None
    end = start + length * times
    read = [s for part in scope.parts[end:] for s, _ in part.sources]
    read += [s for s, _ in scope.outputs]
    return carried if all(s < start or s >= end - length for s in read) else None


def _fold_run(scope, start, length, times) -> Scope:
    end = start + length * times
    carried = _carried(scope, start, length, times)
    units = [scope.parts[start + u * length : start + (u + 1) * length] for u in range(times)]
    unit = [_merged([units[u][k] for u in range(times)]) for k in range(length)]
    if length == 1:
        part = unit[0]
        part.times *= times
        outputs = {}
    else:
        part, outputs = _group(scope, unit, start, end, carried)

    def place(source):
        number, port = source
        if number < start:
            return source
        if number < end:
            return start, outputs.get((number - (end - length), port), port)
        return number - (end - start) + 1, port

    parts = [*scope.parts[:start], part]
    for later in scope.parts[end:]:
        later.sources = unique_sources(later, [place(s) for s in later.sources])
        parts.append(later)
    return Scope(parts, list(dict.fromkeys(place(s) for s in scope.outputs)), scope.inputs)


def _group(scope, unit, start, end, carried):
    """A part that contains the unit, and {(place in the unit, port): output of the group}."""
    length = len(unit)
    inputs = []
    for part in unit:
        for source in part.sources:
            if source[0] < start and source not in inputs:
                inputs.append(source)
    for part in unit:
        part.sources = [
            (INPUT, inputs.index(s)) if s[0] < start else (s[0] - start, s[1]) for s in part.sources
        ]
    # what the next unit reads comes first, in the order of the inputs
    ports = {}
    for source in inputs:
        if carried[source] is not None:
            ports.setdefault(carried[source], len(ports))
    read = [s for part in scope.parts[end:] for s in part.sources] + scope.outputs
    for number, port in read:
        if number >= end - length and number < end:
            ports.setdefault((number - (end - length), port), len(ports))
    names = [part.name for part in unit if part.paths]
    weighted = [part for part in unit if part.parameters]
    group = Part(
        "repeat",
        "repeated",
        name=_range(names[0], names[-1]) if names else "",
        paths=(),
        shape=unit[-1].shape,
        parameters=sum(part.parameters for part in unit),
        sources=inputs,
        inner=Scope(unit, list(ports) or [(length - 1, 0)], max(1, len(inputs))),
        times=(end - start) // length,
        tied=bool(weighted) and all(part.tied for part in weighted),
        shared=bool(weighted) and all(part.shared for part in weighted),
    )
    return group, ports


def _merged(parts) -> Part:
    """One part for several equal ones."""
    first, last = parts[0], parts[-1]
    inner = None
    if first.inner is not None:
        columns = zip(*(part.inner.parts for part in parts), strict=True)
        inner = dataclasses.replace(
            first.inner, parts=[_same_names(_merged(list(c)), c[0]) for c in columns]
        )
    return dataclasses.replace(
        first,
        name=_range(first.name, last.name),
        detail=_merged_detail([part.detail for part in parts]),
        paths=tuple(dict.fromkeys(path for part in parts for path in part.paths)),
        tied=bool(first.paths) and len({part.paths for part in parts}) == 1,
        inner=inner,
        sources=list(first.sources),
    )


def _same_names(part, first):
    # within a repeated module, names are relative to that module
    part.name = first.name
    return part


def _range(first, last) -> str:
    """The range of names from first to last, each a name or itself a range."""
    first, last = first.split(" … ")[0], last.split(" … ")[-1]
    return first if first == last else f"{first} … {last}"


def _merged_detail(details) -> str:
    """The options of several parts; those that differ as a range, or as "varies".

    Example:
        >>> from cutaway.diagram.architecture.fold import _merged_detail
        >>> _merged_detail(["4, p=0.1", "4, p=0.2", "4, p=0.5"])
        '4, p=0.1 … 0.5'
    """
    if len(set(details)) == 1:
        return details[0]
    options = [dict(w.split("=", 1) for w in d.split(", ") if "=" in w) for d in details]
    words = [word for word in details[0].split(", ") if "=" not in word]
    for name in dict.fromkeys(name for o in options for name in o):
        values = [o.get(name) for o in options]
        if len(set(values)) == 1:
            words.append(f"{name}={values[0]}")
        elif values[0] is None or values[-1] is None:
            words.append(f"{name} varies")
        else:
            words.append(f"{name}={values[0]} … {values[-1]}")
    return ", ".join(words)


def _fold_branches(scope) -> Scope:
    """Merge parallel leaves of one class, with the same sources and readers, into one part."""
    readers = [[] for _ in scope.parts]
    for k, part in enumerate(scope.parts):
        for source, port in part.sources:
            if source >= 0:
                readers[source].append((k, port))
    for source, port in scope.outputs:
        if source >= 0:
            readers[source].append(("out", port))
    groups = {}
    for k, part in enumerate(scope.parts):
        if part.inner is None and part.paths:
            ends = (part.title, tuple(s for s, _ in part.sources), tuple(readers[k]))
            groups.setdefault(ends, []).append(k)
    place, merged = {}, {}
    for members in groups.values():
        if len(members) >= SIDE_BY_SIDE:
            place |= dict.fromkeys(members[1:], members[0])
            merged[members[0]] = [scope.parts[k] for k in members]
    if not merged:
        return scope
    parts, number = [], {}
    for k, part in enumerate(scope.parts):
        if k in place:
            continue
        if k in merged:
            part = _side_by_side(merged[k])
        number[k] = len(parts)
        sources = [(number[place.get(s, s)] if s >= 0 else s, p) for s, p in part.sources]
        part.sources = unique_sources(part, sources)
        parts.append(part)
    outputs = [(number[place.get(s, s)] if s >= 0 else s, p) for s, p in scope.outputs]
    return Scope(parts, list(dict.fromkeys(outputs)), scope.inputs)


def _side_by_side(parts) -> Part:
    details = list(dict.fromkeys(part.detail for part in parts))
    shown = details if len(details) <= 3 else [details[0], "…", details[-1]]
    return dataclasses.replace(
        parts[0],
        name=f"{parts[0].name} … {parts[-1].name}",
        title=f"{len(parts)} × {parts[0].title}, in parallel",
        detail="; ".join(shown),
        paths=tuple(path for part in parts for path in part.paths),
        shape=parts[0].shape if len({part.shape for part in parts}) == 1 else None,
        parameters=sum(part.parameters for part in parts),
    )

"""Fewer frames: closes blocks that repeat one already shown, and drops uninformative frames."""

from cutaway.diagram.architecture.parts import Scope

LARGE = 30  # leaves of a network, at least, to show blocks of the same form only once


def shorten(scope: Scope, depth: int | None = None) -> None:
    """In a large network, close all but the first of the blocks that differ only in size.

    Args:
        depth: levels of modules that are shown; what is further inside is one block. None: all.
    """
    if depth is not None:
        _cut(scope, depth)
    if _leaves(scope) >= LARGE:
        _close(scope, "", {})


def _cut(scope, depth):
    for part in scope.parts:
        if part.inner is None:
            continue
        left = depth - (part.kind != "repeat")  # a frame around repeats is no module
        if left > 0:
            _cut(part.inner, left)
        elif part.kind != "repeat":
            part.detail = f"{_modules(part.inner)} modules"
            part.inner, part.kind = None, "cut"


def _leaves(scope) -> int:
    return sum(_leaves(p.inner) if p.inner is not None else bool(p.paths) for p in scope.parts)


def _modules(scope) -> int:
    """Modules without others inside; repeats count each time."""
    inside = (_modules(p.inner) if p.inner is not None else bool(p.paths) for p in scope.parts)
    return sum(p.times * count for p, count in zip(scope.parts, inside, strict=True))


def _close(scope, around, seen):
    """seen: {form of a block: (its path, its sizes)}."""
    for part in scope.parts:
        if part.inner is None:
            continue
        path = f"{around}.{part.name}" if around else part.name
        form = _form(part)
        if form in seen and _leaves(part.inner) > 1 and part.kind != "repeat":
            part.inner, part.kind = None, "closed"
            like, sizes = seen[form]
            same = sizes == (part.parameters, part.shape)
            part.detail = f"as {like}" if same else f"as {like}, other sizes"
            continue
        _close(part.inner, path, seen)
        seen.setdefault(form, (path, (part.parameters, part.shape)))


def _form(part) -> tuple:
    """The structure of a part without its sizes."""
    inner = part.inner and tuple((_form(p), tuple(p.sources)) for p in part.inner.parts)
    named = tuple(w for w in part.detail.split(", ") if "=" in w) if part.inner is None else ()
    return part.kind, part.title, named, inner, bool(part.parameters)


def inline(part):
    """Replace the Sequential inside a wrapper by its parts, so that it has no frame."""
    outer = part.inner
    for k, child in enumerate(outer.parts):
        if not child.is_sequential or child.inner is None or child.times > 1:
            continue
        inside, count = child.inner, len(child.inner.parts)
        for p in inside.parts:
            p.name = f"{child.name}.{p.name}" if p.name else ""
            p.sources = [(n + k, q) if n >= 0 else child.sources[q] for n, q in p.sources]

        def place(source, k=k, count=count, inside=inside, child=child):
            n, q = source
            if n < k:
                return source
            if n > k:
                return n + count - 1, q
            m, port = inside.outputs[q]
            return (m + k, port) if m >= 0 else child.sources[port]

        for later in outer.parts[k + 1 :]:
            later.sources = [place(s) for s in later.sources]
        parts = [*outer.parts[:k], *inside.parts, *outer.parts[k + 1 :]]
        part.inner = Scope(parts, [place(s) for s in outer.outputs], outer.inputs)
        part.paths = (*part.paths, *child.paths)
        return

"""The blocks as SVG: boxes, lines, the legend."""

from html import escape

from cutaway.diagram.architecture.boxes import BAR, LINE, PAD, Box, count_text
from cutaway.diagram.architecture.fold import fold
from cutaway.diagram.architecture.layout import plan
from cutaway.diagram.architecture.parts import INPUT, Part, Scope, shape_text
from cutaway.diagram.architecture.shorten import shorten
from cutaway.diagram.architecture.structure import read
from cutaway.errors import OptionError, did_you_mean
from cutaway.story.svg import KINDS, Drawing, picture, text, text_width, wrap

MARGIN = 14
NARROWEST = 300


def draw_blocks(net, *, input_shape=None, x=None, path=(), depth=None) -> Drawing:
    """The architecture of any network as blocks.

    Args:
        input_shape, x: see read.
        path: paths of modules to light.
        depth: see shorten.
    """
    scope, shapes = read(net, input_shape, x)
    lit = _lit(net, path)
    unused = _unused(net, scope)
    keys = scope.output_keys
    scope = fold(scope)
    shorten(scope, depth)
    scope = _with_ends(scope, shapes, keys)
    return _Picture(net, scope, lit, unused).drawing()


def _lit(net, path) -> set:
    known = net.modules()
    names = [step[0] if isinstance(step, tuple) else step for step in path]
    for name in names:
        if name not in known:
            raise OptionError(
                f"draw: path contains {name!r}, but the network has no such module",
                expected="paths of its modules, for a block diagram",
                fix=did_you_mean(str(name), [p for p in known if p]),
            )
    return set(names)


def _unused(net, scope) -> list:
    """Paths of modules that the forward pass never calls."""
    called = set()

    def collect(inside):
        for part in inside.parts:
            called.update(part.paths)
            if part.inner is not None:
                collect(part.inner)

    collect(scope)
    return [
        path
        for path, module in net.modules().items()
        if path
        and len(module.modules()) == 1
        and not any(path == other or path.startswith(f"{other}.") for other in called)
        and module.parameters()
    ]


def _with_ends(scope, shapes: dict, output_keys: list) -> Scope:
    """The scope with its inputs and outputs as parts."""
    ends = []
    input_keys, sizes = list(shapes), list(shapes.values())
    for k in range(scope.inputs):
        title = _title_of_end("input", k, scope.inputs, input_keys)
        detail = shape_text(sizes[k]) if k < len(sizes) else ""
        ends.append(Part("end", title, detail=detail))
    shift = len(ends)
    for part in scope.parts:
        part.sources = [(n + shift, p) if n != INPUT else (p, 0) for n, p in part.sources]
    parts = [*ends, *scope.parts]
    for k, (n, p) in enumerate(scope.outputs):
        source = (n + shift, p) if n != INPUT else (p, 0)
        title = _title_of_end("output", k, len(scope.outputs), output_keys)
        shape = parts[source[0]].shape if p == 0 else None
        detail = shape_text(shape) if shape is not None else ""
        parts.append(Part("end", title, detail=detail, sources=[source]))
    return Scope(parts, [], 0)


def _title_of_end(word: str, k: int, count: int, keys: list) -> str:
    """Its number, or its name in a dict of inputs or outputs."""
    if len(keys) == count and keys[k] and isinstance(keys[k][0], str):
        return f"{word} {'.'.join(map(str, keys[k]))}"
    return word if count == 1 else f"{word} {k + 1}"


class _Picture:
    def __init__(self, net, scope, lit, unused):
        self.net = net
        self.lit = lit
        self.unused = unused
        self.plan = plan(scope)
        self.kinds = set()
        self.guessed = False
        self.repeated = False
        self.closed = False

    def drawing(self) -> Drawing:
        total = sum(p.size for p in self.net.parameters())
        name = type(self.net).__name__
        subtitle = f"{total:,} parameters"
        width = max(self.plan.width, NARROWEST, text_width(f"{name} {subtitle}", 13)) + 2 * MARGIN
        body = list(self._plan(self.plan, (width - self.plan.width) / 2, 40))
        y = 40 + self.plan.height + 22
        legend, height = self._legend(y, width - 2 * MARGIN)
        head = (
            f'<text x="{MARGIN}" y="22"><tspan class="strong">{escape(name)}</tspan> '
            f'<tspan dx="4" class="small">{subtitle}</tspan></text>'
        )
        title = f"architecture of {name}, {subtitle}"
        return picture([head, *body, *legend], width, height, title)

    def _plan(self, inside, x, y):
        yield f'<g transform="translate({x:.4g} {y:.4g})">' if x or y else "<g>"
        lit = [self._is_lit(box.part) for box in inside.boxes]
        for wire in inside.wires:
            yield from self._wire(wire, lit)
        for box, is_lit in zip(inside.boxes, lit, strict=True):
            yield from self._box(box, is_lit)
        yield "</g>"

    def _is_lit(self, part) -> bool:
        if any(path in self.lit for path in part.paths):
            return True
        inner = part.inner.parts if part.inner is not None else []
        return any(self._is_lit(p) for p in inner)

    def _wire(self, wire, lit):
        self.guessed |= wire.guessed
        if len(set(wire.points)) == 1:
            return  # stacked boxes need no line
        ends = [k for k in (wire.source, wire.target) if 0 <= k < len(lit)]
        is_lit = bool(ends) and all(lit[k] for k in ends)
        kind = "wire" + (" lit" if is_lit else "") + (" guess" if wire.guessed else "")
        yield f'<path class="{kind}" d="{_rounded(wire.points)}"/>'
        for x, y in wire.dots:
            yield f'<circle class="tip" cx="{x:g}" cy="{y:g}" r="2.6"/>'
        if wire.tip and len(wire.points) > 1:
            yield _tip(wire.points[-2], wire.points[-1], 6.5 if is_lit else 4.5)

    def _box(self, box: Box, lit):
        part = box.part
        classes = " lit" if lit else ""
        yield f'<g class="part" transform="translate({box.x:g} {box.y:g})">'
        yield f"<title>{escape(_hover(part))}</title>"
        size = f'width="{box.width:g}" height="{box.height:g}"'
        if part.times > 1:
            self.repeated = True
            for off in (3, 6):  # edges of the cards below
                yield (
                    f'<path class="wire" d="M{box.width + off - 3:g} {off}h3V{box.height + off:g}'
                    f'H{off}v-3"/>'
                )
        if box.plan is not None:
            yield f'<rect class="frame{classes}" {size} rx="6"/>'
            yield (
                f'<path class="head" d="M0 {box.head:g}V6Q0 0 6 0H{box.width - 6:g}'
                f'Q{box.width:g} 0 {box.width:g} 6V{box.head:g}Z"/>'
            )
            yield from self._texts(box, PAD)
            yield from self._plan(box.plan, box.plan.x, box.plan.y)
        elif box.is_pill:
            yield f'<rect class="pill{classes}" {size} rx="12"/>'
            yield from self._pill_text(box)
        elif part.kind in ("closed", "cut"):
            self.closed |= part.kind == "closed"
            yield f'<rect class="frame{classes}" {size} rx="6"/>'
            yield f'<rect class="head" {size} rx="6"/>'
            yield from self._texts(box, PAD)
        else:
            self.kinds.add(part.kind)
            yield f'<rect class="block {part.kind}{classes}" {size} rx="3"/>'
            yield f'<rect class="{part.kind}" width="{BAR}" height="{box.height:g}" rx="2"/>'
            yield from self._texts(box, BAR + PAD)
        yield "</g>"

    def _texts(self, box, x):
        for k, line in enumerate(box.lines):
            y = LINE * (k + 1) + 1
            spans = _spans(line.left)
            yield f'<text x="{x:g}" y="{y:g}">{spans}</text>'
            if line.right:
                yield text(box.width - PAD, y, line.right, kind="small", side="end")

    def _pill_text(self, box):
        spans = _spans(box.lines[0].left)
        yield f'<text x="{box.width / 2:g}" y="16" text-anchor="middle">{spans}</text>'

    def _legend(self, y, width):
        """(elements, height of the whole picture)."""
        parts, x = [], MARGIN
        for kind, (name, _) in KINDS.items():
            if kind not in self.kinds:
                continue
            needed = 18 + text_width(name, 11) + 12
            if x > MARGIN and x + needed > MARGIN + width:
                x, y = MARGIN, y + 18
            parts.append(f'<rect class="{kind}" x="{x:g}" y="{y - 9}" width="12" height="12"/>')
            parts.append(text(x + 18, y + 1, name, kind="small"))
            x += needed
        notes = []
        if self.lit:
            notes.append("Thick: the highlighted path.")
        if self.repeated:
            notes.append("× n: drawn once, repeated n times.")
        if self.closed:
            notes.append("as ...: same structure as that block; draw the module for details.")
        if self.guessed:
            notes.append("Dotted: in order of definition; the connections are not known.")
            notes.append("Pass input_shape= to see them.")
        if self.unused:
            more = f" and {len(self.unused) - 3} more" if len(self.unused) > 3 else ""
            notes.append(f"Not used by forward: {', '.join(self.unused[:3])}{more}.")
        for note in notes:
            for line in _wrapped(note, width):
                y += 18
                parts.append(text(MARGIN, y, line, kind="small"))
        return parts, y + 16


def _spans(pieces) -> str:
    """Pieces of text, joined by real spaces, so screen readers and copied text have them too."""
    spans = [
        f'<tspan dx="{2 if k else 0}" class="{kind or "plain"}">{escape(piece)}</tspan>'
        for k, (piece, kind) in enumerate(pieces)
    ]
    return " ".join(spans)


def _wrapped(note, width):
    return wrap(note.split(" "), width, 11)


def _hover(part) -> str:
    name = ", ".join(part.paths[:4]) + (" ..." if len(part.paths) > 4 else "")
    what = f"{part.title}({part.detail})" if part.detail else part.title
    shape = f"output {shape_text(part.shape)}" if part.shape is not None else ""
    return "; ".join(
        piece for piece in (f"{name} {what}".strip(), shape, count_text(part)) if piece
    )


def _rounded(points, radius: float = 5) -> str:
    """A path through the points, with rounded corners."""
    x, y = points[0]
    parts = [f"M{x:g} {y:g}"]
    for before, (x, y), after in zip(points, points[1:], points[2:], strict=False):
        r1 = min(radius, (abs(x - before[0]) + abs(y - before[1])) / 2)
        r2 = min(radius, (abs(x - after[0]) + abs(y - after[1])) / 2)
        ax, ay = _towards((x, y), before, r1)
        bx, by = _towards((x, y), after, r2)
        parts.append(f"L{ax:g} {ay:g}Q{x:g} {y:g} {bx:g} {by:g}")
    x, y = points[-1]
    return "".join([*parts, f"L{x:g} {y:g}"])


def _towards(corner, other, distance):
    (x, y), (ox, oy) = corner, other
    length = abs(ox - x) + abs(oy - y)
    fraction = distance / length if length else 0
    return x + (ox - x) * fraction, y + (oy - y) * fraction


def _tip(before, end, size) -> str:
    (bx, by), (x, y) = before, end
    if abs(by - y) >= abs(bx - x):
        step = size if y > by else -size
        return (
            f'<path class="tip" d="M{x:g} {y:g}l{-size * 0.7:g} {-step * 1.3:g}h{size * 1.4:g}Z"/>'
        )
    step = size if x > bx else -size
    return f'<path class="tip" d="M{x:g} {y:g}l{-step * 1.3:g} {-size * 0.7:g}v{size * 1.4:g}Z"/>'

"""Parts as boxes: their sizes, texts and ports."""

import dataclasses
import typing

from cutaway.diagram.architecture.parts import Part, Scope, shape_text
from cutaway.story.svg import text_width, wrap

LINE, PAD, BAR = 15, 10, 5  # height of a line of text, padding, width of the colored bar
DETAIL = 215  # width at which options are wrapped
ATTACHED = {"normalization", "activation", "dropout"}  # drawn right below the layer before


@dataclasses.dataclass
class Line:
    """A line of text in a box: (text, class) pieces on the left, one text on the right."""

    left: list
    right: str = ""

    def width(self) -> float:
        sizes = [text_width(t, 11 if "small" in kind else 12.6) for t, kind in self.left]
        gaps = 6 * (len(sizes) - 1)
        return sum(sizes) + gaps + (text_width(self.right, 11) + 18 if self.right else 0)


@dataclasses.dataclass
class Box:
    """A part with its size and position.

    Attributes:
        part: the Part that it shows.
        lines: its text, a list of Line.
        width, height: its size.
        ins, outs: x of its input and output ports, from its left side.
        x, y: its upper left corner in the enclosing Placement.
        head: height of the header of a box that contains others.
        plan: the Placement of its inside; None for a leaf.
    """

    part: Part
    lines: list
    width: float
    height: float
    ins: list
    outs: list
    x: float = 0
    y: float = 0
    head: float = 0
    plan: typing.Any = None

    @property
    def is_pill(self) -> bool:
        return self.part.kind in ("operation", "end")

    @property
    def anchor(self) -> float:
        """x of the point that is centered below its sources, from its left side."""
        return sum(self.ins) / len(self.ins) if self.ins else self.width / 2

    def widen(self, width: float) -> None:
        if width > self.width:
            self.width = width
            self.ins = port_positions(len(self.ins), width)
            self.outs = port_positions(len(self.outs), width)


def port_positions(count: int, width: float) -> list:
    """x of `count` ports, centered.

    Example:
        >>> from cutaway.diagram.architecture.boxes import port_positions
        >>> port_positions(1, 80), port_positions(2, 80)
        ([40.0], [31.0, 49.0])
    """
    return [width / 2 + 18 * (k - (count - 1) / 2) for k in range(count)]


def leaf_box(part: Part, outputs: int) -> Box:
    """The box of a leaf.

    Args:
        outputs: number of its outputs that are read.
    """
    if part.kind in ("operation", "end"):
        lines = [Line([(part.title, "")])]
        if part.kind == "end" and part.detail:
            lines[0].left.append((part.detail, "small"))
        width = max(24, lines[0].width() + 16)
        box = Box(part, lines, width, 24, [], [])
    else:
        lines = _lines(part)
        width = max(line.width() for line in lines) + 2 * PAD + BAR
        box = Box(part, lines, width, LINE * len(lines) + 8, [], [])
    one = part.kind == "operation"
    box.ins = port_positions(1 if one else len(part.sources), box.width)
    box.outs = port_positions(max(1, outputs), box.width)
    return box


def _lines(part):
    name = [(part.name, "faint")] if part.name else []
    shape = shape_text(part.shape) if part.shape is not None and part.changes else ""
    counted = count_text(part)
    detail = part.detail
    if not counted and text_width(detail, 11) < DETAIL / 2:
        left = [*name, (part.title + times(part), "strong"), *([(detail, "small")] * bool(detail))]
        return [Line(left, shape)]
    words = [f"{w}," for w in detail.split(", ")] if detail else []
    if words:
        words[-1] = words[-1].removesuffix(",")
    lines = wrap(words, DETAIL, 11)
    if counted and lines and text_width(f"{lines[-1]} · {counted}", 11) <= DETAIL:
        lines[-1] += f" · {counted}"
    elif counted:
        lines.append(counted)
    first = Line([*name, (part.title + times(part), "strong")], shape)
    return [first, *(Line([(line, "small")]) for line in lines)]


def times(part: Part) -> str:
    return f" × {part.times}" if part.times > 1 else ""


def count_text(part: Part) -> str:
    """The number of parameters of a part as text; "" if it has none."""
    if not part.parameters:
        return ""
    if part.shared:
        return "shared weights"
    each = f"{part.times} × " if part.times > 1 and not part.tied else ""
    word = "parameter" if part.parameters == 1 and part.times == 1 else "parameters"
    return (
        f"{each}{part.parameters:,} {word}"
        + (", frozen" if part.frozen else "")
        + (", shared" if part.tied else "")
    )


def group_box(part: Part, plan, outputs: int) -> Box:
    """The box of a part that contains others, around the Placement of those."""
    shape = shape_text(part.shape) if part.shape is not None and part.changes else ""
    name = [(part.name, "faint")] if part.name else []
    lines = [Line([*name, (part.title + times(part), "strong")], shape)]
    if count_text(part):
        lines.append(Line([(count_text(part), "small")]))
    head = LINE * len(lines) + 6
    width = max(plan.width, max(line.width() for line in lines)) + 2 * PAD
    left = (width - plan.width) / 2
    plan.x, plan.y = left, head
    ins = [left + x for x in plan.ins[: max(1, len(part.sources))]]
    outs = [left + x for x in plan.outs[: max(1, outputs)]] or [width / 2]
    ins = ins if len(ins) == len(part.sources) else port_positions(len(part.sources), width)
    return Box(part, lines, width, head + plan.height, ins, outs, head=head, plan=plan)


def is_attached(part: Part) -> bool:
    return part.kind in ATTACHED and part.times == 1


def readers(scope: Scope) -> list:
    """{output number: number of its readers} for each part."""
    found = [{} for _ in scope.parts]
    for source, port in [s for part in scope.parts for s in part.sources] + scope.outputs:
        if source >= 0:
            found[source][port] = found[source].get(port, 0) + 1
    return found

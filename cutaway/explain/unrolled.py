"""A recurrent layer drawn unrolled: one box per time step, the same weights at each."""

from cutaway.story.svg import Drawing, picture, text
from cutaway.story.text import number

MOST = 10  # boxes; of a longer sequence the last ones are drawn
GAP, BOX, TALL = 92, 48, 150


class Unrolled:
    """A recurrent layer over time.

    Args:
        states: {time: size of ∂L/∂h at that step}; the arrows are as wide as it is large.
    """

    def __init__(self, states: dict):
        self.states = dict(list(states.items())[-MOST:])
        self.left_out = len(states) - len(self.states)

    def svg(self) -> str:
        return self.drawing().svg

    def drawing(self) -> Drawing:
        """x_t enters each h_t by w, h_(t-1) by u; the last state leads to L."""
        largest = max(self.states.values(), default=0.0) or 1.0
        parts, middle = [], 62
        for k, (time, size) in enumerate(self.states.items()):
            x = 40 + GAP * (k + 1)
            width = 1 + 4 * size / largest
            parts += _arrow(x - GAP + BOX / 2, middle, x - BOX / 2, middle, width)
            parts.append(text(x - GAP / 2, middle - 8, "u", side="middle", kind="small"))
            parts += _arrow(x, TALL - 22, x, middle + 18, 1)
            parts.append(text(x + 8, middle + 44, "w", kind="small"))
            parts.append(
                f'<rect class="node recurrent" x="{x - BOX / 2:g}" y="{middle - 18:g}" '
                f'width="{BOX}" height="36" rx="6"><title>size of ∂L/∂h[t={time + 1}]: '
                f"{number(size)}</title></rect>"
            )
            parts.append(text(x, middle + 4, f"h_{time + 1}", side="middle"))
            parts.append(text(x, TALL - 8, f"x_{time + 1}", side="middle"))
            parts.append(text(x, middle - 28, number(size, 2), side="middle", kind="small"))
        end = 40 + GAP * (len(self.states) + 1)
        parts += _arrow(end - GAP + BOX / 2, middle, end - 14, middle, 5)
        parts.append(text(end - 6, middle + 4, "L", side="start", kind="strong"))
        start = "..." if self.left_out else "h_0 = 0"
        parts.append(text(38, middle + 4, start, side="middle", kind="small"))
        if self.left_out:
            more = f"{self.left_out} before"
            parts.append(text(38, middle + 20, more, side="middle", kind="small"))
        parts.append(text(8, 18, "size of ∂L/∂h:", kind="small"))
        return picture(parts, end + 24, TALL, "the recurrent layer, unrolled over time")


def _arrow(x1, y1, x2, y2, width) -> list:
    across = abs(x2 - x1) >= abs(y2 - y1)
    tip = (
        f"{x2:g},{y2:g} {x2 - 8:g},{y2 - 5:g} {x2 - 8:g},{y2 + 5:g}"
        if across
        else f"{x2:g},{y2:g} {x2 - 5:g},{y2 + 8:g} {x2 + 5:g},{y2 + 8:g}"
    )
    back = (x2 - 6, y2) if across else (x2, y2 + 6)
    return [
        f'<line class="wire" x1="{x1:g}" y1="{y1:g}" x2="{back[0]:g}" y2="{back[1]:g}" '
        f'style="stroke-width:{width:.3g}"/>',
        f'<polygon class="tip" points="{tip}"/>',
    ]

"""Story: an explanation as text, HTML, data and plot."""

from cutaway.errors import visible
from cutaway.story.notebook import shown, story_parts
from cutaway.story.told_html import ACROSS, told_html

WIDTH = 80  # columns of a terminal


class Story:
    """Base of all explanations. A subclass has `text`, `to_dict` and, where useful, the others.

    Printed, it is text for a terminal; in a notebook it is HTML, and LaTeX where it is a formula.
    """

    def text(self, width: int = WIDTH) -> str:
        """The story, in lines of at most `width` characters where names allow it."""
        raise NotImplementedError

    def to_dict(self) -> dict:
        """The story as plain numbers, strings, lists and dicts, ready for JSON."""
        raise NotImplementedError

    def answer(self) -> str:
        """The result in one sentence of plain words, which a page shows first; "": none."""
        return ""

    def latex(self) -> str | None:
        """The formula with its numbers, without dollar signs; None if there is none."""
        return None

    def html(self) -> str:
        """A self-contained fragment of HTML: by default the text, with its tables as tables."""
        return told_html(self.text(ACROSS))

    def plot(self, axes=None):
        """The story as a matplotlib plot.

        Args:
            axes: where to draw; None: a new figure.

        Returns:
            the axes.
        """
        raise NotImplementedError(f"a {type(self).__name__} has no plot: print it instead")

    def __str__(self):
        return visible(self.text())

    __repr__ = __str__

    def is_plotted(self) -> bool:
        """Whether this story has a plot that shows more than its text."""
        return type(self).plot is not Story.plot

    def _repr_html_(self):
        return shown(story_parts(self, plotted=self.is_plotted()))

    def _repr_latex_(self):
        formula = self.latex()
        return None if formula is None else f"$\\displaystyle {formula}$"


def number(x, digits: int = 4) -> str:
    """A formatted number: `digits` significant digits, an exponent only if needed.

    Example:
        >>> from cutaway.story import number
        >>> number(-0.25), number(1234567.0), number(3.21e-11), number(0.0)
        ('-0.25', '1.235e+06', '3.21e-11', '0')
    """
    return f"{float(x) + 0.0:.{digits}g}"  # -0.0 + 0.0 is 0.0


def bracketed(x) -> str:
    """A formatted number as a factor: in brackets if it is negative.

    Example:
        >>> from cutaway.story.text import bracketed
        >>> bracketed(0.5), bracketed(-0.5)
        ('0.5', '(-0.5)')
    """
    text = number(x)
    return f"({text})" if x < 0 else text


def latex_number(text: str) -> str:
    r"""A formatted number in LaTeX: an exponent becomes a power of ten.

    Example:
        >>> from cutaway.story.text import latex_number
        >>> print(latex_number("2.5e-07"), latex_number("1e+06"), latex_number("0.5"))
        2.5 \cdot 10^{-7} 10^{6} 0.5
    """
    mantissa, e, exponent = text.partition("e")
    if not e:
        return text
    power = f"10^{{{int(exponent)}}}"
    return power if mantissa == "1" else rf"{mantissa} \cdot {power}"


def align(rows, sides=None, gap: str = "  ") -> list:
    """Rows of texts as lines, each column as wide as its widest cell.

    Args:
        rows: lists of texts, all of one length.
        sides: "<" or ">" for each column; left for all by default.

    Example:
        >>> from cutaway.story import align
        >>> align([["a", "1"], ["bcd", "22"]], sides="<>")
        ['a     1', 'bcd  22']
    """
    if not rows:
        return []
    sides = sides or "<" * len(rows[0])
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return [
        gap.join(
            f"{cell:{side}{width}}" for cell, side, width in zip(row, sides, widths, strict=True)
        ).rstrip()
        for row in rows
    ]


def subscript(*indices) -> str:
    """Indices of an element as the subscript of a name: 1-based, joined.

    Example:
        >>> from cutaway.story import subscript
        >>> subscript(0, 2), subscript(3, 10)
        ('13', '4,11')
    """
    numbers = [int(i) + 1 for i in indices]
    return ("" if all(n < 10 for n in numbers) else ",").join(map(str, numbers))

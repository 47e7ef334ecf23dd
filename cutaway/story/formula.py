"""LaTeX as MathML, which browsers typeset, and the exact values behind rounded numbers."""

import re
from decimal import Decimal, InvalidOperation
from html import escape, unescape
from xml.etree import ElementTree

FEWEST_DIGITS = 3  # of a rounded number that is traced back to its exact value
MOST_DIGITS = 8
_NUMBER = re.compile(r"(?<![\w.])\d+\.\d+(?:e[+-]?\d+)?(?![\w.])|(?<![\w.])\d+e[+-]?\d+(?![\w.])")
_TAG = re.compile(r"""(<!--.*?-->|<(?:[^>"']|"[^"]*"|'[^']*')*>)""", re.DOTALL)


class Exact:
    """The exact values behind rounded ones.

    A number with n digits is traced to the only value of the story that rounds to it; if there is
    no such value, or more than one, it is left as it is.

    Args:
        tree: dicts, lists and numbers, as returned by Story.to_dict.

    Example:
        >>> from cutaway.story.formula import Exact
        >>> Exact({"loss": 0.123456789}).of("0.1235")
        '0.123456789'
    """

    def __init__(self, tree):
        self._values = {}
        self._add(tree)

    def _add(self, tree):
        if isinstance(tree, dict):
            tree = list(tree.values())
        if isinstance(tree, list | tuple):
            for value in tree:
                self._add(value)
        elif isinstance(tree, float) and tree == tree and abs(tree) != float("inf"):
            for digits in range(FEWEST_DIGITS, MOST_DIGITS + 1):
                key = digits, Decimal(f"{abs(tree):.{digits - 1}e}")
                self._values.setdefault(key, set()).add(abs(tree))

    def of(self, shown: str) -> str | None:
        """The exact absolute value behind a rounded number; None if unknown."""
        try:
            value = Decimal(shown)
        except InvalidOperation:
            return None
        digits = len(value.as_tuple().digits)
        found = self._values.get((digits, abs(value)), ())
        if len(found) != 1:
            return None
        (exact,) = found
        return None if Decimal(repr(exact)) == abs(value) else repr(exact)

    def mark(self, html: str) -> str:
        """The HTML with the exact value as a tooltip on each number for which it is known."""
        pieces, inside = [], None
        for piece in _TAG.split(html):
            tag = re.match(r"</?\s*([\w-]*)", piece)
            if tag is not None:
                name = tag[1].lower()
                if inside is None and name in ("svg", "style", "script", "title", "math"):
                    inside = name if not piece.endswith("/>") else None
                elif name == inside and piece.startswith("</"):
                    inside = None
            elif inside is None:
                piece = _NUMBER.sub(self._marked, piece)
            pieces.append(piece)
        return "".join(pieces)

    def _marked(self, match):
        exact = self.of(match[0])
        return (
            match[0] if exact is None else f'<span class="exact" title="{exact}">{match[0]}</span>'
        )


def mathml(latex: str, exact: Exact | None = None) -> str:
    """A formula as a MathML element, or its source if it cannot be parsed.

    Example:
        >>> from cutaway.story.formula import mathml
        >>> mathml("z^2")
        '<math displaystyle="true"><mrow><msup><mi>z</mi><mn>2</mn></msup></mrow></math>'
    """
    from latex2mathml.converter import convert_to_element

    latex = re.sub(r"\\(begin|end)\{(aligned|align|split)\}", r"\\\1{align*}", latex)
    try:
        root = convert_to_element(latex, display="block")
    except Exception:  # the library has no common base of its errors; show the source
        return f"<code>{escape(latex)}</code>"
    for element in root.iter():
        _tidy(element)
        _bracket(element)
        if exact is not None:
            _mark(element, exact)
    root.attrib = {"displaystyle": "true"}
    return ElementTree.tostring(root, encoding="unicode")


def _tidy(element):
    """Replace entities by plain text, so that it is escaped once, and join letters to words."""
    if element.text:
        element.text = unescape(element.text)
        if element.tag == "mtext":
            element.text = re.sub(r"\\([&%$#_{}])", r"\1", element.text)
    letters = list(element)
    if len(letters) > 1 and all(
        e.tag == "mi" and e.get("mathvariant") == "normal" for e in letters
    ):
        word = ElementTree.Element("mi")
        word.text = "".join(unescape(e.text or "") for e in letters)
        element[:] = [word]


def _bracket(element):
    """Mark matrices in brackets, which a style draws: without a font for it, they do not grow."""
    children = list(element)
    for left, middle, right in zip(children, children[1:], children[2:], strict=False):
        around = unescape(left.text or "") + unescape(right.text or "")
        if middle.tag == "mtable" and around == "[]":
            middle.set("class", "matrix")
            left.text, right.text = "\u2062", "\u2062"  # invisible; a sign needs some text


def _mark(element, exact):
    children = list(element)
    for k, child in enumerate(children):
        if child.tag != "mn" or not child.text:
            continue
        shown = child.text + _power_of_ten(children[k + 1 : k + 3])
        found = exact.of(shown) if "." in shown else None
        if found is not None:
            # HTML is allowed inside <mn>, and browsers show its title
            span = ElementTree.SubElement(child, "span", {"class": "exact", "title": found})
            span.text, child.text = child.text, None


def _power_of_ten(after) -> str:
    """The exponent "e-5" of a number that is followed by × 10⁻⁵; else ""."""
    if len(after) < 2 or after[1].tag != "msup" or unescape(after[0].text or "") not in "×·":
        return ""
    base, power = after[1]
    if base.text != "10":
        return ""
    return "e" + unescape("".join(power.itertext())).replace("−", "-")

"""Formulas that break into lines where the page ends.

Browsers break texts, not formulas. So a formula is cut into small ones: terms begin at a relation
or at a sum's sign, and consist of factors. A term that does not fit begins a new line; one that is
wider than the page breaks between its factors.
"""

from xml.etree import ElementTree

from cutaway.story.formula import Exact, mathml

RELATIONS_AND_SIGNS = set("=≈≤≥<>→←+−-±")
PRODUCTS = set("·×⋅*")
OPEN, CLOSE = set("([{⟨|"), set(")]}⟩")

STYLE = """
.formula { overflow-x: auto; overflow-y: hidden; padding: .4rem 0 .7rem; font-size: 1.15rem; }
.formula math { font-family: "Latin Modern Math", "STIX Two Math", "Cambria Math", math; }
.formula .term { display: inline-block; margin: .2rem 0; max-width: 100%; }
.formula .equation { padding: .25rem 0; }
@media (min-width: 601px), print {
  .formula.aligned { display: grid; grid-template-columns: auto minmax(0, 1fr); gap: .35rem .3rem;
                     align-items: baseline; justify-items: start; }
  .formula.aligned .equation { display: contents; }
  .formula.aligned .equation > :first-child { justify-self: end; }
}
"""


def formula_lines(latex: str, exact: Exact | None = None) -> str:
    r"""A formula as an HTML element whose lines break; see STYLE.

    Args:
        latex: without dollar signs; lines of `aligned` stay lines.
        exact: the values behind rounded numbers; see `mathml`.

    Example:
        >>> from cutaway.story.formula_lines import formula_lines
        >>> formula_lines("z = a + b").count("<math")
        3
    """
    whole = mathml(latex, exact)
    if not whole.startswith("<math"):
        return f'<div class="formula">{whole}</div>'  # its source
    body = ElementTree.fromstring(whole)[0]
    lines = _lines_of(body)
    if lines is None:
        return f'<div class="formula">{_terms(list(body))}</div>'
    equations = "".join(
        '<div class="equation">'
        + "".join(f"<span>{' '.join(_terms(cell) for cell in side)}</span>" for side in sides)
        + "</div>"
        for sides in lines
    )
    return f'<div class="formula aligned">{equations}</div>'


def _lines_of(body) -> list | None:
    """Both sides of each line of a table of equations, each a list of cells; else None."""
    if len(body) != 1 or body[0].tag != "mtable":
        return None
    rows = [[list(cell) for cell in row] for row in body[0]]
    if len(rows) > 1 and not any(cell.get("columnalign") for cell in body[0].iter("mtd")):
        return None  # a matrix
    return [(row[:1], row[1:]) for row in rows]


def _terms(elements) -> str:
    """Elements of a row as terms between which lines break."""
    if len(elements) == 1 and elements[0].tag == "mrow":
        elements = list(elements[0])
    terms, factors, piece = [], [], []
    depth, before = 0, None
    for element in elements:
        text = (element.text or "").strip() if element.tag == "mo" else ""
        begins = depth == 0 and bool(piece) and before is not None and before.tag != "mo"
        begins = begins or (depth == 0 and bool(piece) and _text(before) in CLOSE)
        if begins and text in RELATIONS_AND_SIGNS | PRODUCTS:
            factors.append(piece)
            piece = []
            if text in RELATIONS_AND_SIGNS:
                terms.append(factors)
                factors = []
            element.set("form", "infix")  # at the beginning of a row it would be a prefix
        depth += (text in OPEN) - (text in CLOSE)
        piece.append(element)
        before = element
    terms.append([*factors, piece])
    return " ".join(
        f'<span class="term">{" ".join(map(_math, factors))}</span>' for factors in terms if factors
    )


def _text(element) -> str:
    return "" if element is None else (element.text or "").strip()


def _math(elements) -> str:
    root = ElementTree.Element("math", {"displaystyle": "true"})
    row = ElementTree.SubElement(root, "mrow")
    row.extend(elements)
    return ElementTree.tostring(root, encoding="unicode")

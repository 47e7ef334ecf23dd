"""Sheets for print and slides: texts, stories and drawings as PDF, by Typst, or as LaTeX."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from cutaway.errors import OptionError, install_extra
from cutaway.files import write_atomically
from cutaway.story.plain_svg import plain_svg
from cutaway.story.svg import Drawing
from cutaway.story.text import Story
from cutaway.story.tikz import tikz, typeset

# typst's strings know \n, \" and \\ as JSON's do, and \u{1f}, which no text here has
_SET = """#set page("a4", margin: 2.2cm, numbering: "1")
#set text(size: 10.5pt)
#show raw: set text(font: "DejaVu Sans Mono", size: 8.6pt)
#set par(justify: false)
"""


# LuaLaTeX or XeLaTeX: other engines do not know signs such as ŷ and ∂
_PREAMBLE = r"""\documentclass[11pt]{article}
\usepackage[a4paper, margin=2.2cm]{geometry}
\usepackage{amsmath, tikz, fontspec, fancyvrb}
\setmainfont{DejaVu Sans}
\setmonofont{DejaVu Sans Mono}
\setlength{\parindent}{0pt}
\setlength{\parskip}{6pt}
\begin{document}
"""


class SheetPart(NamedTuple):
    """A piece of a sheet.

    Attributes:
        kind: "title", "heading", "text" (paragraphs), "lines" (kept as they are), "svg", or for
            LaTeX alone "formula".
        content: its text.
    """

    kind: str
    content: str


def write_sheet(path, title: str, things) -> Path:
    """Write texts, stories and drawings to a file, for print and slides.

    Args:
        path: .pdf, or .tex for LuaLaTeX or XeLaTeX, in which drawings are TikZ.
        title: above it.
        things: Stories, Drawings, SheetParts, or texts in paragraphs.

    Raises:
        OptionError: another suffix, or Typst is not installed, which a PDF needs.

    Example:
        >>> import cutaway as ct
        >>> from cutaway.story import write_sheet
        >>> why = ct.explain(ct.network((2, 2, 1)), [1.0, 2.0], [1.0], loss=ct.losses.huber)
        >>> story = why.gradient("0.weight", (0, 0))
        >>> write_sheet("sheet.tex", "A weight", [story, why.draw(story)])   # doctest: +SKIP
        PosixPath('sheet.tex')
    """
    path = Path(path)
    if path.suffix not in (".pdf", ".tex"):
        raise OptionError(f"a sheet {path.name}", expected="a file name that ends in .pdf or .tex")
    make = sheet_pdf if path.suffix == ".pdf" else sheet_latex
    content = make(title, things)
    write_atomically(path, content.encode() if isinstance(content, str) else content)
    return path


def sheet_latex(title: str, things) -> str:
    """A LaTeX document for LuaLaTeX or XeLaTeX; see write_sheet."""
    parts = [SheetPart("title", title)]
    for thing in things:
        formula = thing.latex() if isinstance(thing, Story) else None
        parts += [SheetPart("formula", formula)] if formula else []
        parts += _parts(thing)
    return _PREAMBLE + "".join(map(_latex, parts)) + "\\end{document}\n"


def _latex(part: SheetPart) -> str:
    if part.kind in ("title", "heading"):
        command = "section" if part.kind == "title" else "subsection"
        return f"\\{command}*{{{typeset(part.content)}}}\n"
    if part.kind == "formula":
        return _fitted(f"$\\displaystyle {part.content}$")
    if part.kind == "lines":
        begin = "\\begin{Verbatim}[fontsize=\\footnotesize]"
        return f"{begin}\n{part.content}\n\\end{{Verbatim}}\n"
    if part.kind == "svg":
        return _fitted(tikz(part.content))
    paragraphs = part.content.split("\n\n")
    return "".join("\\\\\n".join(map(typeset, text.split("\n"))) + "\n\n" for text in paragraphs)


def _fitted(content: str) -> str:
    """What is no wider than the page: made smaller if it would be."""
    width = "\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi"
    return f"\\resizebox{{{width}}}{{!}}{{%\n{content}}}\n\n"


def sheet_pdf(title: str, things) -> bytes:
    """The bytes of a PDF, A4.

    Args:
        title: above it.
        things: Stories, Drawings, SheetParts, or texts in paragraphs.

    Raises:
        OptionError: Typst is not installed.

    Example:
        >>> from cutaway.story.sheet import sheet_pdf
        >>> sheet_pdf("One", ["A text."])[:5]                            # doctest: +SKIP
        b'%PDF-'
    """
    try:
        import typst
    except ImportError as error:
        raise OptionError(
            "a PDF was asked for, and typst is not installed",
            expected="the package typst, which typesets it",
            fix=install_extra("pdf"),
        ) from error
    parts = [part for thing in things for part in _parts(thing)]
    source = _SET + _typst(SheetPart("title", title)) + "".join(map(_typst, parts))
    return bytes(typst.compile(source.encode()))


def _parts(thing: Any) -> list[SheetPart]:
    if isinstance(thing, SheetPart):
        return [thing]
    if isinstance(thing, Drawing):
        return [SheetPart("svg", thing.svg)]
    if isinstance(thing, Story):
        return [SheetPart("lines", thing.text(84))]
    return [SheetPart("text", str(thing))]


def _typst(part: SheetPart) -> str:
    if part.kind in ("title", "heading"):
        level = 1 if part.kind == "title" else 2
        return f"#heading(level: {level}, {_quoted(part.content)})\n"
    if part.kind == "lines":
        return f"#raw(block: true, {_quoted(part.content)})\n"
    if part.kind == "svg":
        return f'#image(bytes({_quoted(plain_svg(part.content))}), format: "svg", width: 90%)\n'
    return "".join(f"#par({_quoted(text)})\n" for text in part.content.split("\n\n"))


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)

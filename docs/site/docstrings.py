"""Docstrings of the house style as reStructuredText: sections, entries, examples."""

import re

SECTIONS = (
    "Args", "Attributes", "Buffers", "Example", "Examples", "Parameters", "Raises", "References",
    "Returns", "Shapes", "Yields",
)  # fmt: skip
_SECTION = re.compile(rf"^({'|'.join(SECTIONS)}):\s*(.*)$")
_ENTRY = re.compile(r"^([\w.*]+(?:, [\w.*]+)*|\[\d+\]): (.*)$|^([\w.*]+(?:, [\w.*]+)*):$")
_SPECIAL = re.compile(r"([*|\\])")
_TRAILING = re.compile(r"(?<=\w)_(?![\w])")


def restructured(lines: list[str]) -> list[str]:
    """The lines of a docstring, without its common indent, as reStructuredText."""
    found: list[str] = []
    place = 0
    while place < len(lines):
        section = _SECTION.match(lines[place])
        if section is None:
            place = _paragraph(lines, place, "", found)
            continue
        body = [section[2]] if section[2] else []
        place += 1
        while place < len(lines) and (not lines[place].strip() or lines[place].startswith(" ")):
            body.append(lines[place])
            place += 1
        found += ["", f".. rubric:: {section[1]}", ""]
        _section(_dedented(body), found)
        found.append("")
    return found


def _section(body: list[str], found: list[str]) -> None:
    """The entries of a section as a definition list; its other lines as paragraphs."""
    place = 0
    while place < len(body):
        entry = _ENTRY.match(body[place])
        if entry is None:
            place = _paragraph(body, place, "", found)
            continue
        name, text = entry[1] or entry[3], [entry[2]] if entry[2] else []
        place += 1
        while place < len(body) and (body[place].startswith("  ") or not body[place].strip()):
            text.append(body[place])
            place += 1
        inner: list[str] = []
        rows, k = _dedented(text, first=bool(entry[2])), 0
        while k < len(rows):
            k = _paragraph(rows, k, "    ", inner)
        shown = name if name.startswith("[") else f"``{name}``"
        found += [shown, *(inner or ["    ..."]), ""]


def _paragraph(lines: list[str], place: int, indent: str, found: list[str]) -> int:
    """One paragraph, item, example or indented block from a line on; the place after it."""
    line = lines[place]
    if not line.strip():
        found.append("")
        return place + 1
    block = []
    if line.lstrip().startswith(">>>"):
        while place < len(lines) and lines[place].strip():
            block.append(lines[place].strip("\n"))
            place += 1
        rows = _dedented(block)
        found += ["", *(indent + row for row in rows), ""]
        return place
    if line.startswith(" "):  # a formula or a command, as it is written
        while place < len(lines) and (lines[place].startswith(" ") or not lines[place].strip()):
            block.append(lines[place])
            place += 1
        found += ["", f"{indent}::", "", *(f"{indent}    {row}" for row in _dedented(block)), ""]
        return place
    is_item = re.match(r"(- |\d+\. )", line) is not None
    while place < len(lines) and lines[place].strip():
        text = lines[place]
        if block and not is_item and text.startswith("    "):
            break
        if block and re.match(r"(- |\d+\. )", text):
            break
        if text.lstrip().startswith(">>>"):
            break
        block.append(text)
        place += 1
    hang = "  " if is_item else ""
    first, *rest = escaped("\n".join([block[0], *(row.strip() for row in block[1:])])).split("\n")
    found += [indent + first, *(indent + hang + row for row in rest)]
    if not (is_item and place < len(lines) and re.match(r"(- |\d+\. )", lines[place])):
        found.append("")
    return place


def escaped(text: str) -> str:
    """A paragraph in which only `code` is markup.

    Example:
        >>> escaped("w_12^(1) of `x`, *args, name_")
        'w_12^(1) of ``x``, \\\\*args, name\\\\_'
    """
    pieces = re.split(r"(`[^`]+`)", text)
    for k, piece in enumerate(pieces):
        if piece.startswith("`") and piece.endswith("`") and len(piece) > 2:
            pieces[k] = f"`{piece}`"
        else:
            pieces[k] = _TRAILING.sub(r"\\_", _SPECIAL.sub(r"\\\1", piece)).replace("`", r"\`")
    # markup ends where a letter follows: a space of no width stands between
    for k in range(1, len(pieces) - 1, 2):
        if re.match(r"[^\s.,:;!?\-)\]}'\"/]", pieces[k + 1]):
            pieces[k] += "\\ "
    return "".join(pieces)


def _dedented(lines: list[str], *, first: bool = False) -> list[str]:
    """Without the common indent; of the first line too if it has one of its own."""
    rest = lines[1:] if first else lines
    indents = [len(row) - len(row.lstrip()) for row in rest if row.strip()]
    cut = min(indents, default=0)
    cut_rest = [row[cut:] if row.strip() else "" for row in rest]
    return [lines[0], *cut_rest] if first and lines else cut_rest


def process(app, what, name, obj, options, lines):  # the signature is Sphinx's
    """Sphinx's event for each docstring."""
    lines[:] = restructured(list(lines))

"""Matrices as text and LaTeX, shortened where they are large."""

from cutaway.story.text import align, latex_number, number

MOST = 8  # rows and columns that are shown; of more the first ones and the last
CELL = 11  # width of a column
GAP = "…"


def picked(places, most: int = MOST) -> list:
    """Those places that are shown, with None for a gap.

    Example:
        >>> from cutaway.explain.matrices import picked
        >>> picked(range(9), 4)
        [0, 1, None, 8]
    """
    places = list(places)
    return places if len(places) <= most else [*places[: most - 2], None, places[-1]]


def table_of(matrix, rows: list, columns: list, width: int) -> list:
    """A matrix (rows, columns) with names, as lines of text."""
    names = max(len(name) for name in rows)
    shown = _fitting(matrix, width - names - 4)
    table = [["", *(GAP if j is None else columns[j] for j in shown)]]
    for i in picked(range(matrix.shape[0])):
        table.append([f"  {GAP if i is None else rows[i]}", *(_cell(matrix, i, j) for j in shown)])
    return align(table, "<" + ">" * len(shown))


def side_by_side(parts, width: int) -> list:
    """Matrices and the signs between them in one row; below each other if they do not fit.

    Args:
        parts: (name, matrix), or (sign, None).
    """
    for most in range(MOST, 2, -1):
        blocks = [
            [name] if matrix is None else _block(matrix, picked(range(matrix.shape[1]), most))
            for name, matrix in parts
        ]
        widths = [max(map(len, block)) for block in blocks]
        if sum(widths) + len(blocks) + 1 <= width:
            break
    else:
        blocks = [
            [] if matrix is None else _block(matrix, _fitting(matrix, width - 4))
            for _, matrix in parts
        ]
        return [
            line
            for (name, matrix), block in zip(parts, blocks, strict=True)
            if matrix is not None
            for line in (f"  {name} =", *(f"    {line}" for line in block))
        ]
    height, lines = max(map(len, blocks)), []
    for row in range(height):
        cells = []
        for block, wide in zip(blocks, widths, strict=True):
            at = row - (height - len(block)) // 2
            cells.append(f"{block[at] if 0 <= at < len(block) else '':<{wide}}")
        lines.append(f"  {' '.join(cells)}".rstrip())
    return lines


def bmatrix(matrix) -> str:
    """A matrix in LaTeX."""
    rows, columns = (picked(range(n)) for n in matrix.shape)
    body = r" \\ ".join(
        " & ".join(
            r"\dots" if i is None or j is None else latex_number(number(matrix[i, j]))
            for j in columns
        )
        for i in rows
    )
    return rf"\begin{{bmatrix}} {body} \end{{bmatrix}}"


def _fitting(matrix, width) -> list:
    return picked(range(matrix.shape[1]), max(3, min(MOST, width // CELL)))


def _cell(matrix, i, j) -> str:
    return GAP if i is None or j is None else number(matrix[i, j])


def _block(matrix, columns) -> list:
    """A matrix in brackets, as lines of equal width."""
    cells = [[_cell(matrix, i, j) for j in columns] for i in picked(range(matrix.shape[0]))]
    lines = align(cells, ">" * len(columns))
    longest = max(map(len, lines))
    return [f"[ {line:>{longest}} ]" for line in lines]

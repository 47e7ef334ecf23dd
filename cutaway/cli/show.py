"""Printing results: to the terminal with Rich, or as JSON."""

import json
import math

from rich.console import Console
from rich.table import Table

from cutaway.errors import HIDDEN, visible
from cutaway.runs.preprocessing import score_in_words

console = Console(highlight=False, soft_wrap=False)


def print_json(value: dict) -> None:
    text = json.dumps(_safe(value), ensure_ascii=False, default=str)
    print(HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


def _safe(value):
    """The value with null for NaN and infinity, which JSON does not have."""
    if isinstance(value, dict):
        return {k: _safe(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_safe(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def table(headings, rows, *, right=()) -> Table:
    """A plain table; the columns with these numbers are right-aligned."""
    shown = Table(
        box=None,
        pad_edge=False,
        header_style="dim",
        padding=(0, 2, 0, 0),
        show_header=any(headings),
    )
    for i, heading in enumerate(headings):
        shown.add_column(heading, justify="right" if i in right else "left", overflow="fold")
    for row in rows:
        shown.add_row(*(escape(cell) for cell in row))
    return shown


def escape(text) -> str:
    from rich.markup import escape as escape_markup

    return escape_markup(visible(text))


def number(value) -> str:
    """A score with four significant digits; of None a dash."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def print_device(device, precision: str) -> None:
    """The line that names the device and the precision, and how a GPU would be faster.

    Args:
        device: runtime.device().
        precision: of matrix products and convolutions.
    """
    same = " (same as float32 on a CPU)" if _is_float32(device, precision) else ""
    console.print(f"Device: {escape(device)}, {precision}{same}")
    if device.kind == "gpu" and precision == "float32":
        console.print("[dim]Faster on this GPU: --precision tensorfloat32 or bfloat16[/]")


def _is_float32(device, precision: str) -> bool:
    return precision == "tensorfloat32" and device.kind != "gpu"


def print_notes(notes) -> None:
    for note in notes:
        console.print(f"[yellow]Note:[/] {escape(note)}")


def print_scores(columns: dict) -> None:
    """Scores side by side: {heading: {score: value}}."""
    names = list(next(iter(columns.values())))
    rows = [
        [score_in_words(name), *(number(scores.get(name)) for scores in columns.values())]
        for name in names
    ]
    console.print(table(["", *columns], rows, right=range(1, len(columns) + 1)))

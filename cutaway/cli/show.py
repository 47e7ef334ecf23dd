"""How results are printed: on the terminal with Rich, for machines as JSON."""

import json
import math

from rich.console import Console
from rich.table import Table

console = Console(highlight=False, soft_wrap=False)


def print_json(value: dict) -> None:
    print(json.dumps(_safe(value), ensure_ascii=False, default=str))


def _safe(value):
    """NaN and infinity are not JSON: null."""
    if isinstance(value, dict):
        return {k: _safe(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_safe(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def table(headings, rows, *, right=()) -> Table:
    """A plain table; columns whose number is in `right` are aligned to the right."""
    shown = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for i, heading in enumerate(headings):
        shown.add_column(heading, justify="right" if i in right else "left", overflow="fold")
    for row in rows:
        shown.add_row(*(escape(cell) for cell in row))
    return shown


def escape(text) -> str:
    from rich.markup import escape as escape_markup

    return escape_markup(str(text))


def number(value) -> str:
    """A score for people: four significant digits."""
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def print_device(device, precision: str) -> None:
    """The line that says what computes, and how a GPU would be faster.

    Args:
        device: of runtime.
        precision: of products.
    """
    meant = " (float32: the two differ on GPUs only)" if _is_float32(device, precision) else ""
    console.print(f"Device: {escape(device)}, {precision}{meant}")
    if device.kind == "gpu" and precision == "float32":
        console.print("[dim]Faster on it: --precision tensorfloat32 or bfloat16[/]")


def _is_float32(device, precision: str) -> bool:
    return precision == "tensorfloat32" and device.kind != "gpu"


def print_notes(notes) -> None:
    for note in notes:
        console.print(f"[yellow]note[/] {escape(note)}")


def print_scores(columns: dict) -> None:
    """Scores side by side: {heading: {score: value}}."""
    names = list(next(iter(columns.values())))
    rows = [
        [name.replace("_", " "), *(number(scores.get(name)) for scores in columns.values())]
        for name in names
    ]
    console.print(table(["", *columns], rows, right=range(1, len(columns) + 1)))

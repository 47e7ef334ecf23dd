"""A progress bar below a notebook's cell: one output, which is drawn anew in place."""

import time
from html import escape
from typing import Any

from cutaway.story.notebook import shown

EVERY = 0.2  # seconds between two drawings: each is a message to the browser


class NotebookBar:
    """A bar, a description and a line of numbers, by IPython's display handles."""

    def start(self, description: str) -> None:
        from IPython.display import display

        self._completed, self._drawn_at = 0.0, time.monotonic()
        self._handle: Any = display(self._bundle(description, ""), raw=True, display_id=True)

    def show(self, completed: float, description: str, numbers: str) -> None:
        self._completed = completed
        if time.monotonic() - self._drawn_at >= EVERY:
            self._draw(description, numbers)

    def stop(self, description: str, numbers: str) -> None:
        """The last drawing, which stays."""
        self._draw(description, numbers)

    def _draw(self, description, numbers):
        self._drawn_at = time.monotonic()
        self._handle.update(self._bundle(description, numbers), raw=True)

    def _bundle(self, description, numbers) -> dict[str, str]:
        done = f'<span style="width:{100 * self._completed:.1f}%"></span>'
        text = f"{description}  {numbers}".strip()
        line = f"{escape(text)}".replace("  ", " &nbsp; ")
        bar = f'<span class="bar">{done}</span>'
        return {
            "text/plain": f"{100 * self._completed:3.0f}%  {text}",
            "text/html": shown(f'<p class="progress">{bar}{line}</p>'),
        }

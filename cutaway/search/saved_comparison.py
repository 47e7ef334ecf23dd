"""The files of a comparison: page, plot and JSON."""

import json
from pathlib import Path
from typing import Any

from cutaway.files import write_atomically
from cutaway.story.figures import png_of


def save_comparison(found: Any, out) -> Path:
    """Write compare.html, compare.png and compare.json into a folder; returns its path.

    Args:
        found: a comparison with `plot`, `page` and `to_dict`.
        out: the folder.
    """
    out = Path(out)
    write_atomically(out / "compare.png", png_of(found.plot()))
    write_atomically(out / "compare.html", found.page().encode("utf-8", "backslashreplace"))
    write_atomically(out / "compare.json", (json.dumps(found.to_dict(), indent=1) + "\n").encode())
    return out

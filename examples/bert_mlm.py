"""BERT-mini, trained from scratch as a masked language model on the letters of Shakespeare.

    python examples/bert_mlm.py tinyshakespeare/input.txt [STEPS]

The last tenth of the text is the test set. 15% of its letters are masked, and the perplexity is exp
of the mean -ln p of these letters given their context. The baseline for the same letters is a
bigram model, p(letter | previous letter), from the counts of the other nine tenths plus one. It
always sees the previous letter, also where the network sees a mask.
"""

import dataclasses
import sys
import time
from pathlib import Path

import numpy as np

import cutaway as ct
from cutaway.data import Tokenizer, mask_tokens
from cutaway.models import BERT_MINI, BertMaskedLanguage, masked_cross_entropy
from cutaway.optim import schedules

LENGTH = 32
BATCH = 32


class MaskedWindows:
    """A stream of windows of a text, masked anew in every epoch, for Trainer.fit."""

    def __init__(self, ids, masked, rows: int):
        self.ids, self.masked, self.rows = ids, masked, rows
        self.block_rows = rows

    def blocks(self, seed):
        """Yield (x, y): windows at random positions."""
        rng = np.random.default_rng(seed)
        starts = rng.integers(0, len(self.ids) - LENGTH, self.rows)
        yield self.masked(self.ids[starts[:, None] + np.arange(LENGTH)], rng)


def bigram_nats(ids, rows, y, tokens):
    """Mean -ln p(letter | previous letter) of the letters with a target; counts from `ids`."""
    counts = np.ones((tokens, tokens))
    np.add.at(counts, (ids[:-1], ids[1:]), 1)
    p = counts / counts.sum(axis=1, keepdims=True)
    row, place = np.nonzero(y >= 0)
    return float(-np.log(p[rows[row, place - 1], y[row, place]]).mean())


def main(path, steps: int = 6000, *, size=BERT_MINI, lr: float = 1e-3, test_rows: int = 400):
    """{"bert": perplexity, "bigram": perplexity} of masked letters in the test text."""
    ct.seed(0)
    text = Path(path).read_text(encoding="utf-8")
    cut = len(text) * 9 // 10
    tokenizer = Tokenizer.train(text[:cut], kind="character")
    mask, tokens = tokenizer.size, tokenizer.size + 1
    train, rest = (tokenizer.encode_whole(part) for part in (text[:cut], text[cut:]))

    def masked(ids, rng):
        return mask_tokens(ids, rng, mask=mask, tokens=tokens, special=(tokenizer.unknown,))

    # with the paper's std of 0.02, meant for 768 features and millions of steps, a narrow network
    # stays at the unigram loss for thousands of steps
    std = size.features**-0.5
    size = dataclasses.replace(size, tokens=tokens, max_tokens=LENGTH, dropout=0.0, std=std)
    net = BertMaskedLanguage(size)
    print(f"BERT {size.num_layers} x {size.features}: {net.summary().total:,} parameters, "
          f"{steps} steps of {BATCH} windows of {LENGTH} letters")  # fmt: skip

    # masked letters: never the first of a window, whose left neighbor the network cannot see
    rng = np.random.default_rng(1)
    starts = rng.integers(0, len(rest) - LENGTH, test_rows)
    windows = rest[starts[:, None] + np.arange(LENGTH)]
    y = np.where((rng.random(windows.shape) < 0.15) & (windows != tokenizer.unknown), windows, -1)
    y[:, 0] = -1
    x = np.where(y >= 0, mask, windows).astype(np.int32)

    epoch_steps = min(100, steps)
    warmup = max(1, steps // 10)
    optimizer = ct.optim.AdamW(
        net,
        lr=lr,
        schedule=schedules.Warmup(warmup, schedules.Cosine(steps - warmup)),
        weight_decay=0.01,
    )
    trainer = ct.Trainer(net, loss=masked_cross_entropy, optimizer=optimizer)
    began = time.perf_counter()
    trainer.fit(
        MaskedWindows(train, masked, epoch_steps * BATCH),
        epochs=steps // epoch_steps,
        batch_size=BATCH,
        callbacks=[_show],
        progress=False,
    )
    seconds = time.perf_counter() - began
    net.eval()
    logits = trainer.predict(x)
    row, place = np.nonzero(y >= 0)
    loss = masked_cross_entropy(logits[row, place][None], y[row, place][None]).item()
    bigram = bigram_nats(train, windows, y, tokens)
    found = {"bert": float(np.exp(loss)), "bigram": float(np.exp(bigram))}
    print(f"{seconds:.0f} s; perplexity of {len(row):,} masked letters: BERT {found['bert']:.2f}, "
          f"bigrams {found['bigram']:.2f}")  # fmt: skip
    return found


def _show(trainer, row):
    print(f"epoch {row['epoch']}: {row['loss']:.3f} nats per masked letter, {row['seconds']:.0f} s",
          flush=True)  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:3]))

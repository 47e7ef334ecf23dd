"""WaveNet on spoken digits: bits per sample on test recordings, beside a linear predictor.

    python examples/wavenet_speech.py ../shared/data/fsdd [--epochs 12] [--out spoken.wav]

The folder holds recordings/<digit>_<speaker>_<index>.wav; by the data set's own split, indices 0 to
4 are for testing, the others for training. Both models see the same 256 μ-law levels and are scored
by -log2 p of the same test samples, each given the previous ones in its recording.

The linear predictor is x̂_t = a_1 x_{t-1} + a_2 x_{t-2} + a_3 x_{t-3} by least squares over the
training recordings, x the decoded levels. Its probabilities come from training counts plus one:
  residual    one distribution of the difference to the level of x̂_t, renormalized over the levels
  by level    one distribution for each level of x̂_t: the better of the two, and the baseline
"""

import argparse
from pathlib import Path

import numpy as np

import cutaway as ct
from cutaway.data.audio import mu_law_decode, mu_law_encode
from cutaway.data.wav import read_wav, write_wav
from cutaway.engine import no_grad
from cutaway.models import WaveNet

LEVELS = 256
SILENCE = LEVELS // 2
TEST_INDICES = 5  # indices below it are for testing
ORDER = 3
SPOKEN = 4  # sounds in the WAV file
PROMPT = 0.1  # seconds of each that are given


def load(folder):
    """(training, test, rate): lists of arrays of levels, one array per recording."""
    training, test, rate = [], [], 0
    for path in sorted((Path(folder) / "recordings").glob("*.wav")):
        samples, rate = read_wav(path)
        is_test = int(path.stem.split("_")[2]) < TEST_INDICES
        (test if is_test else training).append(mu_law_encode(samples[:, 0]))
    return training, test, rate


def windows(recordings, length: int, stride: int):
    """x and y (rows, length) of all concatenated recordings; y is shifted by one sample."""
    stream = np.concatenate([np.concatenate([[SILENCE], codes]) for codes in recordings])
    starts = np.arange(0, len(stream) - length, stride)[:, None]
    return stream[starts + np.arange(length)], stream[starts + np.arange(1, length + 1)]


def network_bits(net, recordings, *, step: int = 2048, rows: int = 8):
    """-log2 p of every sample of every recording, in one array."""
    loss = ct.losses.sparse_categorical_cross_entropy_with_logits
    score = ct.jit(lambda x, y: loss(net(x), y, reduction="none"), net, donate=False)
    bits = []
    net.eval()
    groups = {}  # recordings of similar length
    for codes in recordings:
        groups.setdefault(-(-len(codes) // step) * step, []).append(codes)
    for length, group in groups.items():
        for start in range(0, len(group), rows):
            part = group[start : start + rows]
            codes = np.full((rows, length + 1), SILENCE, np.int32)
            for row, own in enumerate(part):
                codes[row, 1 : len(own) + 1] = own
            with no_grad():
                found = score(codes[:, :-1], codes[:, 1:]).numpy() / np.log(2)
            bits += [found[row, : len(own)] for row, own in enumerate(part)]
    return np.concatenate(bits)


def linear_bits(training, test):
    """{"residual": ..., "by level": ...}: mean bits per test sample of the linear predictor."""
    inputs, targets, _ = _past(training)
    a = np.linalg.lstsq(inputs, targets, rcond=None)[0]

    def predicted_and_true(recordings):
        inputs, _, codes = _past(recordings)
        return mu_law_encode(inputs @ a), codes

    guess, codes = predicted_and_true(training)
    table = np.ones((LEVELS, LEVELS))
    np.add.at(table, (guess, codes), 1)
    residual = np.bincount(codes - guess + LEVELS - 1, minlength=2 * LEVELS - 1) + 1.0
    # row g: counts for each level if the level of the prediction is g
    moved = residual[np.arange(LEVELS) - np.arange(LEVELS)[:, None] + LEVELS - 1]
    guess, codes = predicted_and_true(test)

    def bits(counts):
        p = counts / counts.sum(axis=1, keepdims=True)
        return float(-np.log2(p[guess, codes]).mean())

    return {"residual": bits(moved), "by level": bits(table)}


def _past(recordings):
    """(the three previous samples, the sample, its level) of all samples of all recordings."""
    inputs, targets = [], []
    for codes in recordings:
        x = mu_law_decode(np.concatenate([np.full(ORDER, SILENCE), codes]))
        inputs.append(np.lib.stride_tricks.sliding_window_view(x[:-1], ORDER)[:, ::-1])
        targets.append(x[ORDER:])
    return np.concatenate(inputs), np.concatenate(targets), np.concatenate(recordings)


def main(
    folder,
    epochs: int = 12,
    *,
    recordings: int | None = None,
    out=None,
    seconds: float = 0.5,
    length: int = 4096,
    lr: float = 2e-3,
    **sizes,
):
    """Train, score and generate; returns {"network": bits, "residual": bits, "by level": bits}."""
    training, test, rate = load(folder)
    if recordings is not None:
        rng = np.random.default_rng(0)
        training, test = (
            [part[i] for i in rng.permutation(len(part))[:recordings]] for part in (training, test)
        )
    scores = linear_bits(training, test)
    ct.seed(0)
    defaults: dict = {
        "channels": 32,
        "skip_channels": 64,
        "dilations": [2**i for i in range(9)] * 2,
    }
    net = WaveNet(levels=LEVELS, **(defaults | sizes))
    x, y = windows(training, length, length // 2)
    print(
        f"{net.summary().total:,} parameters, receptive field {net.receptive_field / rate:.3f} s; "
        f"{len(training)} training and {len(test)} test recordings",
        flush=True,
    )
    steps = len(x) // 4 * epochs
    trainer = ct.Trainer(
        net,
        loss=ct.losses.sparse_categorical_cross_entropy_with_logits,
        optimizer=ct.Adam(net, lr=lr, schedule=ct.optim.Cosine(steps)),
    )
    trainer.fit(x, y, epochs=epochs, batch_size=4, seed=0, callbacks=[_show])
    scores["network"] = float(network_bits(net, test).mean())
    print(
        f"bits per test sample: network {scores['network']:.3f}; linear predictor of order {ORDER} "
        f"{scores['by level']:.3f} with one distribution per predicted level, "
        f"{scores['residual']:.3f} with a single one; {sum(trainer.history['seconds']):.0f} s"
    )
    if out is not None:
        speak(net, test, round(seconds * rate), rate, out)
        print(f"continuations of {SPOKEN} test recordings: {out}")
    return scores


def speak(net, recordings, length: int, rate: int, path):
    """A WAV file of SPOKEN sounds, the first PROMPT seconds of each from a recording."""
    n = round(PROMPT * rate)
    prompt = np.stack([codes[:n] for codes in recordings[:: len(recordings) // SPOKEN][:SPOKEN]])
    sounds = np.concatenate([prompt, net.generate(length - n, prompt=prompt, seed=0)], axis=1)
    write_wav(path, mu_law_decode(sounds.ravel()), rate)


def _show(trainer, row):
    print(
        f"epoch {row['epoch']}: training loss {row['loss'] / np.log(2):.3f} bits per sample, "
        f"{row['seconds']:.0f} s",
        flush=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--out", default="spoken.wav")
    options = parser.parse_args()
    main(options.folder, options.epochs, out=options.out)

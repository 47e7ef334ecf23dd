"""WaveNet on spoken digits: bits a sample on recordings it never heard, beside a linear predictor.

    python examples/wavenet_speech.py ../shared/data/fsdd [--epochs 12] [--out spoken.wav]

The folder holds recordings/<digit>_<speaker>_<index>.wav; by the data set's own split, indices 0 to
4 are held out, the others are learned from. Both sides see the same 256 μ-law levels and are asked
for -log2 p of the same held-out samples, each given the ones before it in its recording.

The linear predictor is x̂_t = a_1 x_{t-1} + a_2 x_{t-2} + a_3 x_{t-3} by least squares over the
training recordings, x the decoded levels. Its probabilities come from training counts plus one:
  residual    how far the level is from that of x̂_t, one distribution for all, renormalized over
              the levels there are
  by level    a distribution of its own for each level of x̂_t: the better of the two, and what the
              network has to beat
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
HELD_OUT = 5  # indices below it
ORDER = 3
SPOKEN = 4  # sounds in the WAV file that is written
BEGUN = 0.1  # seconds of each that are given


def load(folder):
    """(training, held out): lists of arrays of levels, one array a recording; and the rate."""
    training, validation = [], []
    for path in sorted((Path(folder) / "recordings").glob("*.wav")):
        samples, rate = read_wav(path)
        is_held = int(path.stem.split("_")[2]) < HELD_OUT
        (validation if is_held else training).append(mu_law_encode(samples[:, 0]))
    return training, validation, rate


def windows(recordings, length: int, stride: int):
    """x and y (rows, length) of all recordings end to end, y one sample later than x."""
    stream = np.concatenate([np.concatenate([[SILENCE], codes]) for codes in recordings])
    starts = np.arange(0, len(stream) - length, stride)[:, None]
    return stream[starts + np.arange(length)], stream[starts + np.arange(1, length + 1)]


def network_bits(net, recordings, *, step: int = 2048, rows: int = 8):
    """-log2 p of every sample of every recording, in one array."""
    loss = ct.losses.sparse_categorical_cross_entropy_with_logits
    score = ct.jit(lambda x, y: loss(net(x), y, reduction="none"), net, donate=False)
    bits = []
    net.eval()
    groups = {}  # recordings of about one length go together
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


def linear_bits(training, validation):
    """{"residual": ..., "by level": ...}: mean bits a held-out sample of the linear predictor."""
    inputs, targets, _ = _past(training)
    a = np.linalg.lstsq(inputs, targets, rcond=None)[0]

    def predicted_and_true(recordings):
        inputs, _, codes = _past(recordings)
        return mu_law_encode(inputs @ a), codes

    guess, codes = predicted_and_true(training)
    table = np.ones((LEVELS, LEVELS))
    np.add.at(table, (guess, codes), 1)
    residual = np.bincount(codes - guess + LEVELS - 1, minlength=2 * LEVELS - 1) + 1.0
    # row g: what the residual leaves for each level, if the level of the prediction is g
    moved = residual[np.arange(LEVELS) - np.arange(LEVELS)[:, None] + LEVELS - 1]
    guess, codes = predicted_and_true(validation)

    def bits(counts):
        p = counts / counts.sum(axis=1, keepdims=True)
        return float(-np.log2(p[guess, codes]).mean())

    return {"residual": bits(moved), "by level": bits(table)}


def _past(recordings):
    """(the three samples before, the sample, its level) of all samples of all recordings."""
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
    """Train, score and speak; returns {"network": bits, "residual": bits, "by level": bits}."""
    training, validation, rate = load(folder)
    if recordings is not None:
        some = np.random.default_rng(0)
        training, validation = (
            [part[i] for i in some.permutation(len(part))[:recordings]] for part in (training, validation)
        )
    scores = linear_bits(training, validation)
    ct.seed(0)
    sizes = {"channels": 32, "skip_channels": 64, "dilations": [2**i for i in range(9)] * 2} | sizes
    net = WaveNet(levels=LEVELS, **sizes)
    x, y = windows(training, length, length // 2)
    print(
        f"{net.summary().total:,} parameters that see {net.receptive_field / rate:.3f} s; "
        f"{len(training)} recordings to learn from, {len(held)} held out",
        flush=True,
    )
    steps = len(x) // 4 * epochs
    trainer = ct.Trainer(
        net,
        loss=ct.losses.sparse_categorical_cross_entropy_with_logits,
        optimizer=ct.Adam(net, lr=lr, schedule=ct.optim.Cosine(steps)),
    )
    trainer.fit(x, y, epochs=epochs, batch_size=4, seed=0, callbacks=[_show])
    scores["network"] = float(network_bits(net, validation).mean())
    print(
        f"bits a held-out sample: network {scores['network']:.3f}; linear predictor of order "
        f"{ORDER} {scores['by level']:.3f} with a distribution for each predicted level, "
        f"{scores['residual']:.3f} with one for all; {sum(trainer.history['seconds']):.0f} s"
    )
    if out is not None:
        speak(net, validation, round(seconds * rate), rate, out)
        print(f"{SPOKEN} held-out recordings begun, and gone on with by the network: {out}")
    return scores


def speak(net, recordings, length: int, rate: int, path):
    """A WAV file of SPOKEN sounds, the first BEGUN seconds of each from a recording."""
    n = round(BEGUN * rate)
    begun = np.stack([codes[:n] for codes in recordings[:: len(recordings) // SPOKEN][:SPOKEN]])
    sounds = np.concatenate([begun, net.generate(length - n, prompt=begun, seed=0)], axis=1)
    write_wav(path, mu_law_decode(sounds.ravel()), rate)


def _show(trainer, row):
    print(
        f"epoch {row['epoch']}: {row['loss'] / np.log(2):.3f} bits a sample in training, "
        f"{row['seconds']:.0f} s",
        flush=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--out", default="spoken.wav")
    options = parser.parse_args()
    main(options.folder, options.epochs, out=options.out)

"""The network is another one in evaluation than in training."""

import math

import numpy as np

from cutaway.doctor.changes import BatchSize, FollowFaster, InsertLayerNorm
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.outputs import forward
from cutaway.nn.normalization import BatchNorm

# How much higher the loss on training rows is in evaluation mode than in training mode, as a
# share of chance, and as a ratio. SetDropout makes it lower; batch norm that has settled, equal.
GAP, RATIO = 0.15, 1.3
APART = 0.1  # relative difference of a layer's output between the modes
ROWS = 512


def look(evidence) -> Finding | None:
    """The loss on the same rows in both modes, then the first layer that differs."""
    if not math.isfinite(evidence.final_loss) or not math.isfinite(evidence.scale):
        return None
    trainer = evidence.trainer
    x, y = (part[:ROWS] for part in evidence.sample)
    size = min(evidence.program.batch_size, len(x))
    parts = [slice(k, k + size) for k in range(0, len(x) - size + 1, size)][:16]
    training = float(np.mean([
        evidence.loss_of(trainer, x[p], y[p], training=True) for p in parts
    ]))  # fmt: skip
    rows = np.concatenate([np.arange(len(x))[p] for p in parts])
    evaluation = evidence.loss_of(trainer, x[rows], y[rows])
    if not (evaluation - training > GAP * evidence.scale and evaluation > RATIO * training):
        return None
    path, kind, apart = _first_apart(trainer, x[:size])
    norms = any(isinstance(m, BatchNorm) for m in trainer.net.modules().values())
    why, cures = "", [Prescription(f"look at what {kind or 'a layer'} does by its mode")]
    if norms:
        why = (
            " Batch norms use the batch's own mean and variance in training, but running averages "
            "of them in evaluation, which after few or small batches, or with a small momentum, "
            "are not there yet."
        )
        cures = [
            Prescription("let the running averages follow faster: momentum 0.1", (FollowFaster(),)),
            Prescription("take larger batches", (BatchSize(4),)),
            Prescription(
                "take layer norms, which are the same in both modes", (InsertLayerNorm(),)
            ),
        ]
    measures = [
        Measure("L on training rows in evaluation mode", evaluation,
                training + GAP * evidence.scale),
        Measure("L on the same rows in training mode", training),
    ]  # fmt: skip
    if path:
        measures.append(Measure("relative difference of its output between modes", apart, APART))
    return Finding(
        "train_eval_mismatch",
        f"layer {path} ({kind})" if path else "the network",
        measures,
        f"On the same rows with the same weights L is {training:.3g} as in training and "
        f"{evaluation:.3g} as in use: what was trained is not what predicts.{why}",
        cures,
        0.93,
    )


def _first_apart(trainer, x):
    """(path, class, relative difference) of the first layer that differs between the modes."""
    seen = []
    for training in (False, True):
        layers = []
        paths = {id(module): path for path, module in trainer.net.modules().items()}

        def note(module, inputs, out, layers=layers, paths=paths):
            if len(module.modules()) == 1 and id(module) in paths:
                layers.append((paths[id(module)], type(module).__name__, np.asarray(out.data)))

        forward(trainer, x, training=training, watcher=note)
        seen.append(layers)
    for (path, kind, one), (_, _, two) in zip(*seen, strict=False):
        if one.shape == two.shape:
            apart = float(np.abs(one.mean(0) - two.mean(0)).mean() / max(np.abs(two).mean(), 1e-12))
            if apart > APART and "SetDropout" not in kind:
                return path, kind, apart
    return "", "", 0.0

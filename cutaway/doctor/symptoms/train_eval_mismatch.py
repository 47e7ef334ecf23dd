"""train_eval_mismatch: the network behaves differently in evaluation than in training mode."""

import math

import numpy as np

from cutaway.doctor.changes import BatchSize, InsertLayerNorm, MinimumNormMomentum
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.inputs import DROPPERS
from cutaway.doctor.outputs import forward
from cutaway.engine import Tensor
from cutaway.nn.normalization import BatchNorm
from cutaway.nn.trees import count_rows, take_rows

EXPLAINS = ("overfitting", "underfitting")

# How far the loss on training rows is higher in evaluation mode than in training mode, relative to
# chance level and as a ratio. With dropout it is lower; with converged batch norm, equal.
GAP, RATIO = 0.15, 1.3
APART = 0.1  # relative difference of a layer's output between the modes
ROWS = 512


def look(evidence) -> Finding | None:
    """Compare the loss on the same rows in both modes, then find the first layer that differs."""
    if not math.isfinite(evidence.final_loss) or not math.isfinite(evidence.scale):
        return None
    trainer = evidence.trainer
    examples = take_rows(evidence.sample, slice(ROWS))
    count = count_rows(examples)
    size = min(evidence.plan.batch_size, count)
    parts = [slice(k, k + size) for k in range(0, count - size + 1, size)][:16]
    training = float(np.mean([
        evidence.loss_of(trainer, *take_rows(examples, p), training=True) for p in parts
    ]))  # fmt: skip
    rows = slice(0, len(parts) * size)
    evaluation = evidence.loss_of(trainer, *take_rows(examples, rows))
    if not (evaluation - training > GAP * evidence.scale and evaluation > RATIO * training):
        return None
    path, kind, apart = _first_apart(trainer, take_rows(examples[0], slice(size)))
    norms = any(isinstance(m, BatchNorm) for m in trainer.net.modules().values())
    why = ""
    cures = [Prescription(f"check what {kind or 'the layer'} does differently in the two modes")]
    if norms:
        why = (
            " Batch norm uses the mean and variance of the batch in training, but running averages "
            "of them in evaluation. After few or small batches, or with a small momentum, those "
            "have not converged yet."
        )
        cures = [
            Prescription(
                "make the running averages converge faster: momentum 0.1",
                (MinimumNormMomentum(),),
            ),
            Prescription("use larger batches", (BatchSize(4),)),
            Prescription("use layer norm, which is the same in both modes", (InsertLayerNorm(),)),
        ]
    measures = [
        Measure("training loss in evaluation mode", evaluation, training + GAP * evidence.scale),
        Measure("the same in training mode", training),
    ]
    if path:
        measures.append(Measure("relative difference of its output between modes", apart, APART))
    return Finding(
        "train_eval_mismatch",
        f"layer {path} ({kind})" if path else "the network",
        measures,
        f"On the same rows with the same weights, L is {training:.3g} in training mode and "
        f"{evaluation:.3g} in evaluation mode: the network that was trained is not the one that "
        f"predicts.{why}",
        cures,
        0.93,
    )


def _first_apart(trainer, x):
    """(path, class, relative difference) of the first layer that differs between the modes.

    Layers that drop units at random are meant to differ and are skipped.
    """
    seen = []
    for training in (False, True):
        layers = []
        paths = {id(module): path for path, module in trainer.net.modules().items()}

        def note(module, inputs, out, layers=layers, paths=paths):
            if isinstance(out, Tensor) and len(module.modules()) == 1 and id(module) in paths:
                layers.append((paths[id(module)], module, np.asarray(out.data)))

        forward(trainer.program, x, training=training, watcher=note)
        seen.append(layers)
    for (path, module, one), (_, _, two) in zip(*seen, strict=False):
        if one.shape == two.shape and not isinstance(module, DROPPERS):
            apart = float(np.abs(one.mean(0) - two.mean(0)).mean() / max(np.abs(two).mean(), 1e-12))
            if apart > APART:
                return path, type(module).__name__, apart
    return "", "", 0.0

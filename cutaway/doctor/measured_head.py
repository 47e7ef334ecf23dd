"""MeasuredHead: what a training shows about one output of the network and its target."""

import functools
import math

import numpy as np

from cutaway.doctor.finding import Finding
from cutaway.doctor.heads import Head
from cutaway.doctor.outputs import Ending, ask, constant, ending, wants
from cutaway.engine import Tensor
from cutaway.nn.trees import is_array


class MeasuredHead:
    """A Head, and measurements of it, each made when first asked for.

    Args:
        evidence: the Evidence of the training.
        head: the Head.

    Attributes: see Args.
    """

    def __init__(self, evidence, head: Head):
        self.evidence = evidence
        self.head = head

    @property
    def loss(self):
        """The loss of this head alone, function (prediction, target)."""
        return self.head.loss

    @property
    def can_replace_loss(self) -> bool:
        """Whether changes can replace the loss: it is that of the only array of targets."""
        plan = self.evidence.plan
        return self.head.is_only and plan.program.objective is None and is_array(plan.y)

    @property
    def loss_name(self) -> str:
        """The loss, in words."""
        if self.head.is_only:
            return "the loss"
        term = f"the term {self.head.term!r} of the loss, " if self.head.term else "the loss "
        return f"{term}of {self.head.target_name}"

    @functools.cached_property
    def y(self) -> np.ndarray:
        """The targets of all training rows."""
        return self.head.of_targets(self.evidence.plan.y)

    @functools.cached_property
    def sample_y(self) -> np.ndarray:
        """The targets of the sample."""
        return self.head.of_targets(self.evidence.sample[1])

    @functools.cached_property
    def outputs(self) -> np.ndarray:
        """The trained network's outputs on the sample, in evaluation mode."""
        return self.head.of_outputs(self.evidence.outputs)

    @functools.cached_property
    def ending(self) -> Ending:
        """How the network ends here."""
        return ending(self.evidence.plan.program, self.evidence.sample[0], self.head.output)

    @functools.cached_property
    def wants(self):
        """losses.Expects of the loss; for a custom loss what its values show, see outputs.wants."""
        return wants(self.loss, self.sample_y, self.ending.shape)

    @functools.cached_property
    def task(self) -> str:
        """binary, multilabel, multiclass, tokens (a class per position) or regression."""
        declared, y = self.head.declared, self.y
        if declared is not None and declared.target in ("labels", "one_hot"):
            several = y.ndim > (1 if declared.target == "labels" else 2)
            return "tokens" if several else "multiclass"
        if declared is not None and declared.target in ("binary", "sign"):
            return "multilabel" if y.ndim > 1 and y.shape[-1] > 1 else "binary"
        return "regression"

    @functools.cached_property
    def final_loss(self) -> float:
        """Its part of the loss on the sample after training."""
        if self.head.is_only:
            return self.evidence.final_loss
        return self.head.weight * ask(self.loss, self.outputs, self.sample_y)

    @functools.cached_property
    def chance_loss(self) -> float:
        """Its part of the loss of the best constant prediction, which ignores the input.

        NaN if it is not known what the loss expects.
        """
        return self.head.weight * self._chance()

    def _chance(self) -> float:
        y, task, declared = self.y, self.task, self.head.declared
        if declared is None or isinstance(self.loss, functools.partial):
            return self._chance_when_asked()
        if task in ("multiclass", "tokens"):
            labels = y if declared.target == "labels" else y.argmax(-1)
            frequencies = np.bincount(labels.ravel().astype(int)) / labels.size
            frequencies = frequencies[frequencies > 0]
            return float(-(frequencies * np.log(frequencies)).sum())
        if declared.target == "binary":
            p = np.clip(y.reshape(len(y), -1).mean(axis=0), 1e-12, 1 - 1e-12)
            return float(-(p * np.log(p) + (1 - p) * np.log(1 - p)).mean())
        candidates = [y.mean(axis=0), np.median(y, axis=0)]
        constants = [np.broadcast_to(c, y.shape).astype(np.float32) for c in candidates]
        return min(float(self.loss(Tensor(c), Tensor(y)).item()) for c in constants)

    def _chance_when_asked(self) -> float:
        """The chance level of a loss with options or a custom one: the better of two constants.

        They are the class frequencies and the uniform distribution, which is best with class
        weights.
        """
        y, shape = self.sample_y, self.ending.shape
        if self.wants is None:
            return math.nan
        frequencies = constant(self.wants, y, shape)
        values = {"probability": 1 / max(2, shape[-1] if shape else 1), "logit": 0.0}
        uniform = np.full_like(frequencies, values.get(self.wants.output, float(np.median(y))))
        found = [ask(self.loss, outputs, y) for outputs in (frequencies, uniform)]
        return min((v for v in found if math.isfinite(v)), default=math.nan)


def look_at_heads(look, evidence) -> Finding | None:
    """The most confident of the findings look(evidence, head) for each head."""
    found = [look(evidence, head) for head in evidence.heads]
    return max((f for f in found if f is not None), key=lambda f: f.confidence, default=None)

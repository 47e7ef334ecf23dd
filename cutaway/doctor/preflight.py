"""Pre-flight: the checks that experienced practitioners make before training, in seconds."""

import dataclasses
import functools
import math
import time

import numpy as np

from cutaway.doctor.changes import ClassWeights, LearningRate, Reinitialize, ScaleInputs
from cutaway.doctor.evidence import Evidence, note_other_terms
from cutaway.doctor.finding import Diagnosis, Finding, Measure, Prescription
from cutaway.doctor.first_steps import LEAST_STEPS, FirstSteps
from cutaway.doctor.inputs import first_layer_inputs
from cutaway.doctor.measured_head import look_at_heads
from cutaway.doctor.outputs import class_numbers
from cutaway.doctor.symptoms import (
    batch_leak,
    class_imbalance,
    data_leak,
    nan_source,
    unscaled_inputs,
    unscaled_targets,
    wrong_loss,
    wrong_output_activation,
)
from cutaway.doctor.target_trial import scale_of_targets
from cutaway.doctor.training_plan import TrainingPlan, evenly_spaced
from cutaway.errors import CutawayError, OptionError
from cutaway.nn.trees import count_rows, is_array, leaves, map_leaves, take_rows
from cutaway.story.text import WIDTH, number
from cutaway.train import Probes
from cutaway.train.blocks import leaves_by_name

TABLE_SECONDS, OTHER_SECONDS = 2.0, 8.0  # that steps may take, without compilation
ROWS = 256  # rows whose inputs are examined
LEAK_ROWS = 9
ROWS_MOVED = 64  # that trade places to see whether an input matters
# The loss of a new network over that of the best constant prediction. Outputs with standard
# deviation 1 give 1.5 for two classes and 2 for standardized targets; 3 means a wrong scale.
INITIAL = 3.0
# Training on one batch alone lowers its loss at least to this fraction, if the network has more
# weights than the batch has targets.
MEMORIZED = 0.9
RAISED = 2.0  # a loss that reaches this multiple of its initial value is diverging
# All planned steps must achieve this fraction of what a better learning rate does in a few steps.
SLOW = 0.5
IMBALANCE = 20.0  # rows of the largest class per row of the smallest, in a loss without weights
# Fraction of validation rows that are training rows too, and the same relative to the fraction of
# duplicates among the training rows, which shows what is natural for these data.
DUPLICATES, NATURAL = 0.02, 2.0
UNEVEN = 1000.0  # higher than in unscaled_inputs, which verifies by an experiment


@dataclasses.dataclass(repr=False)
class Preflight(Diagnosis):
    """The findings before training. Made by `preflight`.

    Attributes: those of Diagnosis, and
        seconds: duration.
    """

    seconds: float = 0.0

    def line(self) -> str:
        """A summary in one line."""
        if self.healthy:
            return f"Pre-flight: no problems found ({self.seconds:.1f} s)"
        names = ", ".join(f.code.replace("_", " ") for f in self.findings)
        count = len(self.findings)
        return f"Pre-flight: {count} warning{'s' if count > 1 else ''} ({names})"

    def text(self, width: int = WIDTH) -> str:
        return "\n".join([
            self.line(), *(f.text(width) for f in self.findings), *(f"- {n}" for n in self.notes)
        ])  # fmt: skip


def preflight(plan: TrainingPlan) -> Preflight:
    """Check a plan before it is trained, within seconds and without changing anything.

    It checks whether the inputs already tell the target; the loss and the output layer against the
    targets; the scales of inputs and targets; class balance; validation rows that are also training
    rows; rows of a batch that influence each other; the initial loss; whether every parameter gets
    a gradient and changes; whether the loss depends on the input; whether one batch can be
    overfitted; and the learning rate.

    Args:
        plan: as for `diagnose`.

    Raises:
        OptionError: networks that train in turn.

    Returns:
        Preflight, whose findings may have codes beyond those of symptoms: initial_loss,
        one_batch, input_ignored, duplicated_rows, not_finite.

    Example:
        >>> import numpy as np
        >>> from cutaway.doctor import TrainingPlan
        >>> from cutaway.doctor.preflight import preflight
        >>> import cutaway as ct
        >>> net = ct.Sequential(ct.Linear(3, 8), ct.ReLU(), ct.Linear(8, 1))
        >>> x = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
        >>> trainer = ct.Trainer(net, loss=ct.losses.mean_squared_error)
        >>> preflight(TrainingPlan.of(trainer, x, x[:, :1])).line().split(":")[0]
        'Pre-flight'
    """
    if plan.program.alternates:
        raise OptionError(
            "the pre-flight was given networks that train in turn",
            expected="one network that minimizes one loss, which has a chance level",
            fix="train it, or use ct.diagnose, which checks what is meaningful for such networks",
        )
    began = time.perf_counter()
    nothing = Probes(*plan.examples(slice(1)))  # which has watched no training
    seen = Evidence(plan, plan.fresh(), nothing)
    notes = []
    missing = nan_source.in_data(plan)
    if missing is None:
        with np.errstate(all="ignore"):  # what overflows is a finding, not a warning
            findings = _looked(seen, notes)
    else:
        findings = [missing]
        seen.not_checked("anything else", "with these values nothing can be computed")
    notes += seen.notes
    findings.sort(key=lambda f: -f.confidence)
    return Preflight(findings, notes, plan=plan, seconds=time.perf_counter() - began)


def _looked(seen, notes) -> list[Finding]:
    """What all checks find in finite data."""
    looks = (_data_leak, _loss_and_outputs, _inputs, _balance, _duplicates, _leak)
    findings = [found for look in looks if (found := look(seen, notes)) is not None]
    findings += _trainings(seen, notes)
    note_other_terms(seen)
    return findings


# without training


def _data_leak(seen, notes):
    return data_leak.look(seen)


def _loss_and_outputs(seen, notes):
    return look_at_heads(_loss_and_output, seen)


def _loss_and_output(seen, head):
    found = wrong_loss.not_exclusive(head) or wrong_loss.not_minimal(head)
    if found is None and head.wants is not None and head.ending.activation:
        found = wrong_output_activation.out_of_reach(head, head.sample_y[:ROWS])
    return found


def _inputs(seen, notes):
    x = seen.sample[0]
    most = ROWS if all(leaf.ndim < 4 for leaf in leaves(x)) else 32
    x = take_rows(x, evenly_spaced(count_rows(x), most))
    found = first_layer_inputs(seen.plan.program, x)
    measures = [
        m for layer in found for m in unscaled_inputs.sizes(layer)
        if m.what == unscaled_inputs.SIZE or (m.what == unscaled_inputs.SCALES and m.value > UNEVEN)
    ]  # fmt: skip
    if not measures:
        return None
    return Finding(
        "unscaled_inputs",
        f"the inputs of the first layer, {found[0].path}"
        if is_array(x)
        else unscaled_inputs.where(found, x),
        measures,
        "z_j = Σ_i w_ij x_i + b_j and ∂L/∂w_ij = x_i ∂L/∂z_j: initial weights and learning rates "
        "are designed for inputs of order 1.",
        [
            Prescription(
                "standardize the inputs to mean 0 and standard deviation 1", (ScaleInputs(),)
            )
        ],
        0.8,
    )


def _balance(seen, notes):
    return look_at_heads(functools.partial(_balance_of, notes), seen)


def _balance_of(notes, seen, head):
    y = head.y
    classes = class_numbers(y, head.wants)
    if classes is None or len(classes) != len(y):
        return None
    counts = np.bincount(classes)
    present = np.flatnonzero(counts)
    rare, common = present[counts[present].argmin()], present[counts[present].argmax()]
    ratio = counts[common] / counts[rare]
    of = head.head.where
    notes.append(f"{len(present)} classes{of}; the rarest has {counts[rare]} of {len(y)} rows")
    if ratio < IMBALANCE or class_imbalance.is_weighted(head, rare, common):
        return None
    return Finding(
        "class_imbalance",
        f"{seen.plan.class_name(rare, of)}: {counts[rare]} of {len(y)} rows",
        [Measure("rows of the largest class per row of the smallest", float(ratio), IMBALANCE)],
        f"Always predicting {seen.plan.class_name(common, of)}, the largest, is right for "
        f"{counts[common] / len(y):.0%} of the rows and never for "
        f"{seen.plan.class_name(rare, of)}: accuracy hardly shows how well that one is found. Look "
        "at its recall and at balanced accuracy.",
        [Prescription(class_imbalance.WEIGH, (ClassWeights(),))],
        0.4,
    )


def _duplicates(seen, notes):
    plan = seen.plan
    if plan.validation is None or any(leak.kind == "duplicates" for leak in plan.leaks or ()):
        return None  # there is none, or the reader of the data has counted them
    keys = _keys(plan.x)
    once, counts = np.unique(keys, return_counts=True)
    x_val = map_leaves(lambda leaf, own: leaf.astype(own.dtype), plan.validation[0], plan.x)
    fraction = float(np.isin(_keys(x_val), once).mean())
    natural = float(counts[counts > 1].sum() / len(keys))
    if fraction <= DUPLICATES or fraction <= NATURAL * natural:
        return None
    return Finding(
        "duplicated_rows",
        "validation rows that are also training rows",
        [
            Measure(
                "fraction of the validation rows", fraction, max(DUPLICATES, NATURAL * natural)
            ),
            Measure("fraction of the training rows that are duplicates", natural),
        ],
        "A network that has memorized the training rows is right about these without having "
        "generalized: the validation loss is too optimistic.",
        [Prescription("remove duplicated rows from one of the two sets")],
        0.7,
    )


def _keys(x) -> np.ndarray:
    """A hash for each row."""
    parts = [np.ascontiguousarray(leaf).reshape(len(leaf), -1) for leaf in leaves(x)]
    return np.array([hash(b"".join(p.tobytes() for p in row)) for row in zip(*parts, strict=True)])


def _leak(seen, notes):
    rows = evenly_spaced(count_rows(seen.sample), LEAK_ROWS)
    return batch_leak.finding(seen.trainer, take_rows(seen.sample[0], rows))


# with short trainings


def _trainings(seen, notes):
    plan = seen.plan
    seconds = TABLE_SECONDS if all(a.ndim == 2 for a in leaves(plan.x)) else OTHER_SECONDS
    try:
        trial = FirstSteps(plan, seconds=seconds)
    except CutawayError as error:
        return [
            Finding("not_finite", "the first step", [], str(error).split("\n")[0], [], 0.95)
        ]  # fmt: skip
    if trial.origin:
        targets = look_at_heads(lambda seen, head: scale_of_targets(head, None, 0.0), seen)
        return [
            *([] if targets is None else [targets]),
            Finding(
                "not_finite",
                "the first step",
                [],
                f"The first step gives NaN or infinity: {trial.origin}.",
                [Prescription("scale the inputs and initial weights, or fix that layer")],
                0.97,
            ),
        ]
    targets = look_at_heads(lambda seen, head: scale_of_targets(head, trial, seconds), seen)
    found = [_initial_loss(seen, trial, notes), *_parameters(trial), targets]
    found += [_ignored(seen, trial), _one_batch(seen, trial, notes), _rates(seen, trial, notes)]
    return [finding for finding in found if finding is not None]


def _target_scale_explains(seen) -> bool:
    """Whether targets of an unusual scale make the first loss high."""
    return any(unscaled_targets.sizes(head.sample_y) for head in seen.heads)


def _initial_loss(seen, trial, notes):
    first, chance = trial.first_loss, seen.chance_loss
    if not math.isfinite(chance) or chance <= 0:
        return None
    notes.append(f"initial loss {number(first, 3)}, chance level {number(chance, 3)}")
    if first <= INITIAL * chance + 0.01 or _target_scale_explains(seen):
        return None
    return Finding(
        "initial_loss",
        "the new network",
        [Measure("L of the new network", first, INITIAL * chance),
         Measure("L of the best constant prediction", chance)],
        "The network starts worse than a constant prediction: its outputs are large and "
        "overconfident, and the first steps are spent on undoing that.",
        [Prescription("use smaller initial weights (glorot_uniform), at least in the last layer",
                      (Reinitialize("glorot_uniform"),))],
        0.5,
    )  # fmt: skip


def _parameters(trial):
    """Parameters that no step changes."""
    without = [path for path, norm in trial.gradients.items() if norm == 0]
    if without:
        yield Finding(
            "frozen_parameters",
            _some(without),
            [Measure("largest norm of ∂L/∂w over the first steps", 0.0)],
            "These parameters get no gradient: either the forward pass does not use them, or every "
            "path from them to the loss is blocked, for example by dead units.",
            [Prescription("check the path from these parameters to the output")],
            0.8,
        )
    unmoved = [path for path in trial.unmoved if path not in without]
    if unmoved:
        yield Finding(
            "frozen_parameters",
            _some(unmoved),
            [Measure("parameters that the optimizer does not change", len(unmoved), 0)],
            "These parameters are trainable but have not changed after a few steps: the optimizer "
            "was not given them, or its steps are smaller than their rounding error.",
            [Prescription("pass all parameters to the optimizer: Adam(net)")],
            0.9,
        )


def _ignored(seen, trial):
    ignored = [name for name, norm in trial.input_gradients.items() if norm == 0]
    # the code of a category has no slope, and its embedding matters all the same
    ignored = [name for name in ignored if not _matters(seen.plan, trial, name)]
    if not ignored:
        return None
    is_all = len(ignored) == len(leaves(seen.plan.x))
    return Finding(
        "input_ignored",
        "the network" if is_all else ", ".join(ignored),
        [Measure("largest ∂L/∂x over the first steps", 0.0)],
        "∂L/∂x is exactly 0, and other values there give the same outputs: the loss does not "
        f"depend on {'the input' if is_all else ', '.join(ignored)}. Every path from the input is "
        "blocked by dead or saturated units or by weights of 0.",
        [
            Prescription(
                "reinitialize the weights with glorot_uniform", (Reinitialize("glorot_uniform"),)
            )
        ],
        0.85,
    )


def _matters(plan, trial, name) -> bool:
    """Whether outputs change if the rows of an array of inputs trade places.

    Of the network after its first steps: a new one may have a last layer of zeros on purpose.
    """
    x, _ = plan.spread(ROWS_MOVED)
    names = iter(leaves_by_name("x", x))
    moved = map_leaves(lambda leaf: np.roll(leaf, 1, axis=0) if next(names) == name else leaf, x)
    trainer = plan.fresh()
    trainer.net.load_state_dict({**trainer.net.state_dict(), **trial.moved})
    pairs = zip(*(leaves(trainer.predict(given)) for given in (x, moved)), strict=True)
    return any(not np.array_equal(one, other) for one, other in pairs)


def _one_batch(seen, trial, notes):
    found = trial.one_batch
    if found is None:
        if trial.batch_steps < LEAST_STEPS:
            _too_slow(seen, trial, "whether one batch can be overfitted")
        return None
    first, last, _ = found
    targets = trial.batch_rows * sum(math.prod(head.ending.shape) for head in seen.heads)
    if last < MEMORIZED * first:
        notes.append(f"overfitting one batch lowers its loss to {number(last, 2)}")
        return None
    if trial.weights < 2 * targets:
        return None  # the network is too small to overfit a batch, which may be intended
    return Finding(
        "one_batch",
        "the network and its optimizer",
        [Measure(f"loss of one batch of {trial.batch_rows} rows after {trial.batch_steps} steps on "
                 "it alone, relative to its initial loss", last / first, MEMORIZED)],
        "The network cannot overfit even one small batch, at any learning rate from a tenth to a "
        "million times the given one: something between input, loss and optimizer is broken.",
        [Prescription("check the loss, the output layer and the gradient flow first")],
        0.6,
    )  # fmt: skip


def _rates(seen, trial, notes):
    losses, plan = trial.rates, seen.plan
    if not losses:
        _too_slow(seen, trial, "the learning rate")
        return None
    first, own = trial.first_loss, losses[1.0]
    fine = {f: loss for f, loss in losses.items() if loss < first}
    lower = max((f for f in fine if f < 1), default=min(losses))
    rate = float(plan.program.optimizer.base_lr.data)
    shown = [
        Measure(f"after {trial.rate_steps} steps with η = {number(rate * f, 2)}", loss)
        for f, loss in losses.items()
    ]
    if not own < RAISED * first:
        return Finding(
            "learning_rate_too_high",
            "the optimizer",
            [Measure("L of the same rows at the start", first), *shown],
            f"With η = {number(rate, 2)} the first {trial.rate_steps} steps increase the loss"
            + (f"; with {number(rate * lower, 2)} they decrease it." if lower in fine else "."),
            [Prescription(f"use η = {number(rate * lower, 2)}", (LearningRate(lower),))],
            0.85,
        )
    if not fine:
        return None
    best = min(fine, key=lambda factor: fine[factor])
    notes.append(f"η = {number(rate * best, 2)} reduces the loss fastest in the first steps")
    planned = plan.epochs * math.ceil(plan.rows / plan.batch_size)
    in_all = (first - own) * planned / trial.rate_steps
    if planned < trial.rate_steps:
        return None
    if best > 1 and fine[best] < MEMORIZED * first and in_all < SLOW * (first - fine[best]):
        return Finding(
            "learning_rate_too_low",
            "the optimizer",
            [Measure("L of the same rows at the start", first), *shown],
            f"At the pace of the first steps, all {planned} planned steps reduce the loss less "
            f"than {trial.rate_steps} steps do with η = {number(rate * best, 2)}.",
            [Prescription(f"use η = {number(rate * best, 2)}", (LearningRate(best),))],
            0.7,
        )
    return None


def _too_slow(seen, trial, what) -> None:
    seen.not_checked(
        what, f"a step takes {number(trial.step_seconds, 2)} s, and the pre-flight takes seconds"
    )


def _some(paths) -> str:
    return ", ".join(paths[:4]) + (f" and {len(paths) - 4} more" if len(paths) > 4 else "")

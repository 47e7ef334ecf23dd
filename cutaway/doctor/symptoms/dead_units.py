"""dead_units: units that output 0 on every row, so their weights get no gradient."""

import numpy as np

from cutaway.doctor.changes import LearningRate, Reinitialize, ReplaceActivations
from cutaway.doctor.evidence import Evidence
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.rows import LEARNED, STUCK, fitting_initializer, hidden_at, span
from cutaway.engine import Tensor, no_grad
from cutaway.nn import watch
from cutaway.nn.trees import call, count_rows, map_leaves, take_rows
from cutaway.story.text import number

FAMILY = "flow"
EXPLAINS = ("slow", "vanishing_gradient")

# With weights symmetric around 0, biases of 0 and n dissimilar rows, a ReLU is off on all of them
# with probability about 2^-n: dead units come from biases, steps that were too large, or inputs far
# from 0. Trained ReLU networks often have up to a third of them in a layer without harm (Lu et al.
# 2020, "Dying ReLU and initialization", sec. 2, on whole layers; own runs).
MANY = 0.5
NEARLY_ALL = 0.9
ROWS = 2000  # more than the probes see: a rarely active unit may be off on those by chance


def look(evidence: Evidence) -> Finding | None:
    return _look(evidence, _is_harmful)


def look_live(evidence: Evidence) -> Finding | None:
    """While it trains: a layer nearly all of whose units are dead, if next to nothing is learned.

    Whether fewer of them do harm, only an experiment can tell.
    """
    return _look(evidence, _is_blocked)


def _look(evidence, is_harmful):
    end = hidden_at(evidence, -1)
    suspects = [row for row in end if row["dead"] >= MANY]
    if not suspects or evidence.relative_loss <= LEARNED:
        return None
    shares = _dead_on_all_rows(evidence, [row["layer"] for row in suspects])
    found = [row["layer"] for row in suspects if shares.get(row["layer"], row["dead"]) >= MANY]
    if not found:
        return None
    worst = max(found, key=lambda path: shares.get(path, 1.0))
    share = shares.get(worst, next(r["dead"] for r in suspects if r["layer"] == worst))
    before = {row["layer"]: row["dead"] for row in hidden_at(evidence, 0)}
    from_the_start = before.get(worst, 0.0) >= MANY
    if not is_harmful(evidence, share, from_the_start):
        return None
    measures = [
        Measure(f"fraction of the units of {worst} that are 0 on all rows", share, MANY, "above",
                "a new ReLU is off on n dissimilar rows with probability 2^-n"),
        Measure("the same before training", before.get(worst, 0.0)),
        Measure("loss relative to chance level", evidence.relative_loss, LEARNED),
    ]  # fmt: skip
    return Finding(
        "dead_units",
        f"layer {span(found)}",
        measures,
        _explanation(evidence, worst, share, from_the_start),
        _prescriptions(evidence, from_the_start),
        0.8 if from_the_start else 0.6,
        path=worst,
    )


def _is_harmful(evidence, share: float, from_the_start: bool) -> bool:
    # for meaningless labels a constant output is optimal, and units may die on the way to it
    hopeless = from_the_start and _is_blocked(evidence, share, from_the_start)
    return hopeless or _would_be_better(evidence, from_the_start)


def _is_blocked(evidence, share: float, from_the_start: bool) -> bool:
    return share >= NEARLY_ALL and evidence.relative_loss >= STUCK


def look_in_turns(evidence: Evidence) -> Finding | None:
    """For networks that train in turn: the dead units of each after training."""
    x, y = (map_leaves(Tensor, tree) for tree in take_rows(evidence.sample, slice(ROWS)))
    before, after = (
        _dead_in_turns(p, x, y) for p in (evidence.plan.program, evidence.trainer.program)
    )
    found = [path for path, share in after.items() if share >= MANY]
    if not found:
        return None
    worst = max(found, key=lambda path: after[path])
    return Finding(
        "dead_units",
        f"layer {span(found)}",
        [
            Measure(f"fraction of the units of {worst} that are 0 on all rows", after[worst], MANY),
            Measure("the same before training", before.get(worst, 0.0)),
        ],
        f"{after[worst]:.0%} of the units of {worst} are 0 for every example, real or made. There "
        "the slope is 0 too: they cannot recover.",
        [
            Prescription("use leaky ReLU with slope 0.2, which is usual in adversarial training"),
            Prescription("divide the learning rate of that network by 10"),
        ],
        0.6,
    )


def _dead_in_turns(program, x, y) -> dict:
    """{"network.path": fraction of the units that are 0 on all rows}, where units turn off."""
    alive, names = {}, {}
    with program.in_mode(False), program.computing(), no_grad():
        for name, (net, _) in program.turns(x, y).items():
            names |= {id(m): f"{name}.{path}".strip(".") for path, m in net.modules().items()}

        def look_at(module, inputs, out):
            function = module.activation_function
            path = names.get(id(module))
            if path is None or function is None or not function.traits.activation.turns_off:
                return
            units = (np.asarray(out.data).reshape(-1, out.shape[-1]) != 0).any(axis=0)
            alive[path] = alive.get(path, False) | units

        with watch(program.net, look_at):
            program.turns(x, y)
    return {path: float(1 - units.mean()) for path, units in alive.items()}


def _dead_on_all_rows(evidence, paths) -> dict:
    """{path: fraction of the layer's units that are 0 on every row of the sample}."""
    x, _ = evidence.sample
    modules = {id(m): path for path, m in evidence.net.modules().items() if path in paths}
    alive = {}

    def look_at(module, inputs, out):
        path = modules.get(id(module))
        if path is None or out.ndim == 0:
            return
        values = np.asarray(out.data).reshape(-1, out.shape[-1])
        alive[path] = alive.get(path, False) | (values != 0).any(axis=0)

    program = evidence.trainer.program
    with program.in_mode(False), no_grad():
        for start in range(0, min(count_rows(x), ROWS), 256):
            some = take_rows(x, slice(start, start + 256))
            with watch(program.prepared, look_at):
                call(program.prepared, map_leaves(Tensor, some))
    return {path: float(1 - units.mean()) for path, units in alive.items()}


def _would_be_better(evidence, from_the_start):
    leaky, redraw = ReplaceActivations("leaky_relu"), Reinitialize(fitting_initializer(evidence))
    other = redraw if from_the_start else LearningRate(0.1)
    return evidence.helps(leaky) or evidence.helps(other)


def _explanation(evidence, path, share, from_the_start):
    layer = next((one for one in evidence.layers if one.activation_path == path), None)
    l = layer.number if layer is not None else "l"  # noqa: E741
    text = (
        f"{share:.0%} of the units of layer {l} have z_j^({l}) <= 0 on every row. There "
        f"O_j^({l}) = 0 and its slope is 0, so ∂L/∂w_ij^({l}) = 0: they cannot recover."
    )
    if not from_the_start:
        return text + " They died during training: a step moved their weights too far."
    mean = 0.0
    if layer is not None and getattr(layer.module, "bias", None) is not None:
        initial = evidence.plan.program.net.modules()[layer.path]
        mean = float(initial.bias.numpy().mean())
    if mean < 0:
        return text + f" They were dead from the start: the mean of b^({l}) was {number(mean)}."
    return text + " They were dead from the start."


def _prescriptions(evidence, from_the_start):
    leaky = Prescription(
        "replace ReLU with leaky ReLU, whose slope is never 0", (ReplaceActivations("leaky_relu"),)
    )
    name = fitting_initializer(evidence)
    redraw = Prescription(
        f"reinitialize the weights with {name} and set the biases to 0", (Reinitialize(name),)
    )
    slower = Prescription("divide the learning rate by 10", (LearningRate(0.1),))
    both = Prescription(
        f"use leaky ReLU, reinitialize the weights with {name} and set the biases to 0",
        (ReplaceActivations("leaky_relu"), *redraw.changes),
    )
    return [redraw, leaky, both] if from_the_start else [slower, leaky, both]

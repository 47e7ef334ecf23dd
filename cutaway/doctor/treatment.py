"""treat: the prescriptions, tried against an untreated control and against chance."""

import dataclasses
import math
import textwrap

import numpy as np

from cutaway.doctor import changes
from cutaway.doctor.changes import Epochs
from cutaway.doctor.comparable_score import ComparableScore
from cutaway.doctor.finding import Diagnosis, Prescription
from cutaway.doctor.program import Program, redraw
from cutaway.doctor.reruns import RepeatedTrainer
from cutaway.errors import CutawayError, OptionError, TrainingError, expect_range
from cutaway.story.figures import BLUE, GRAY, ORANGE
from cutaway.story.text import WIDTH, Story, align, number
from cutaway.train import Callback

SURE = 0.95  # of the interval
MOMENTS = 12  # of a training at which its curve is measured
SMALLEST = 0.01  # share of the control's mean below which an effect is none
UNCLEAR = 0.1  # share of it up to which an interval around 0 means that there is none
USELESS = 10.0  # times the control's level at the start: all that is worse counts as that
MOST = 6  # prescriptions, the first ones
OTHERS = ("#3a923a", "#7b5aa6", "#b8860b", "#c44e78", "#4c9a9a", "#6b6b6b")  # colors of curves
CHANCES = (  # what may be tried without looking; each on a network of any kind
    changes.LearningRate(0.1),
    changes.LearningRate(1 / 3),
    changes.LearningRate(3.0),
    changes.LearningRate(10.0),
    changes.UseOptimizer("adam"),
    changes.UseOptimizer("sgd"),
    changes.UseOptimizer("rmsprop"),
    changes.ReplaceActivations("relu"),
    changes.ReplaceActivations("tanh"),
    changes.ReplaceActivations("gelu"),
    changes.Reinitialize("glorot_uniform"),
    changes.Reinitialize("he_normal"),
    changes.ScaleInputs(),
    changes.ScaleTargets(),
    changes.InsertLayerNorm(),
    changes.Clip(1.0),
    changes.SetDropout(0.2),
    changes.WeightDecay(0.01),
    changes.BatchSize(0.5),
    changes.BatchSize(2.0),
)


@dataclasses.dataclass
class Arm:
    """One way to train, on all seeds.

    Attributes:
        name: in words, short.
        kind: "control", "prescription" or "chance".
        prescription: the Prescription, None for others.
        finding: code of the finding that asked for it, "" for others.
        sample, validation: what the yardstick says at the end, one for each seed; validation is
            None without a validation set.
        curves: [[(epoch, value on the sample)]] for each seed.
        broken: in how many seeds training broke off.
        tried: what chance drew, in words.
    """

    name: str
    kind: str
    prescription: Prescription | None = None
    finding: str = ""
    sample: list = dataclasses.field(default_factory=list)
    validation: list | None = None
    curves: list = dataclasses.field(default_factory=list)
    broken: int = 0
    tried: list = dataclasses.field(default_factory=list)

    @property
    def values(self) -> np.ndarray:
        """What counts: on validation rows where there are some."""
        return np.array(self.sample if self.validation is None else self.validation)


@dataclasses.dataclass(frozen=True)
class Effect:
    """Difference of an arm to another one, over the same seeds. Below 0 is better.

    Attributes:
        mean: of the differences.
        low, high: the interval that holds the true one with 95%, by Student's t.
        p: how likely as large a mean is if there were no difference (two-sided).
    """

    mean: float
    low: float
    high: float
    p: float


@dataclasses.dataclass(repr=False)
class Treatment(Story):
    """What the trials showed. Made by `treat`.

    Attributes:
        control: the Arm without a change.
        arms: [Arm] of the prescriptions, in their order.
        chance: {epochs factor: Arm of a random change that costs as much}.
        seeds: how many.
        what: what was measured, in words.
        notes: what could not be tried, and why.
        diagnosis: the Diagnosis.
    """

    control: Arm
    arms: list
    chance: dict
    seeds: int
    what: str
    notes: list
    diagnosis: Diagnosis

    def effect(self, arm: Arm, *, on: str | None = None, against: Arm | None = None) -> Effect:
        """Of an arm against the control (or another arm).

        Args:
            on: "sample" or "validation"; None: validation where there is one.
        """
        against = self.control if against is None else against
        a, b = (np.array(v.values if on is None else getattr(v, on)) for v in (arm, against))
        return paired(a - b)

    def verdict(self, arm: Arm) -> str:
        """helped, did nothing, or hurt; unclear where the seeds differ too much to say."""
        if arm.broken > self.control.broken + self.seeds / 2:
            return "hurt"
        effect = self.effect(arm)
        level = abs(float(np.mean(self.control.values)))
        if effect.high < 0 and -effect.mean > SMALLEST * level:
            return "helped"
        if effect.low > 0 and effect.mean > SMALLEST * level:
            return "hurt"
        return "unclear" if max(-effect.low, effect.high) > UNCLEAR * level else "did nothing"

    @property
    def best(self) -> Arm | None:
        """The prescription that helped most, None if none did."""
        good = [arm for arm in self.arms if self.verdict(arm) == "helped"]
        return min(good, key=lambda arm: arm.values.mean()) if good else None

    def chance_of(self, arm: Arm) -> Arm:
        """The random arm that cost as much."""
        return self.chance[_cost(arm.prescription)]

    def text(self, width: int = WIDTH) -> str:
        on = "training rows" if self.control.validation is None else "validation rows"
        head = f"{self.what.capitalize()} on {on} at the end, mean of {self.seeds} seeds; "
        head += "the difference to the control with its 95% interval"
        lines = [*textwrap.wrap(head, width), ""]
        shown = [self.control, *self.arms, *self.chance.values()]
        rows = [self._row(k, arm) for k, arm in enumerate(shown)]
        lines += align(rows, sides="<>>>><")
        lines.append("")
        for k, arm in enumerate(self.arms, 1):
            told = f"{k}: {arm.name} (for {arm.finding.replace('_', ' ')})"
            lines += textwrap.wrap(told, width, subsequent_indent="   ")
            if self.verdict(arm) == "helped":
                over = self.effect(arm, against=self.chance_of(arm))
                better = "better than" if over.high < 0 else "not surely better than"
                lines.append(f"   {better} a random change of equal cost (p = {over.p:.2g})")
            if arm.broken:
                lines.append(f"   its training broke off in {arm.broken} of {self.seeds} seeds")
        if self.control.broken:
            lines.append(f"control: broke off in {self.control.broken} of {self.seeds} seeds")
        if any(cost != 1 for cost in self.chance):
            lines.append("chance, xN: a random change, trained N times as long")
        for note in self.notes:
            lines += textwrap.wrap(f"- {note}", width, subsequent_indent="  ")
        best = self.best
        told = "None of them helped." if best is None else f"Best: {best.name}."
        return "\n".join([*lines, "", *textwrap.wrap(told, width)])

    def _row(self, k, arm):
        mean = number(arm.values.mean(), 3)
        if arm is self.control:
            return ["control", mean, "", "", "", ""]
        effect = self.effect(arm)
        return [
            f"{k}" if arm.kind == "prescription" else arm.name,
            mean,
            f"{effect.mean:+.3g}",
            f"{number(effect.low, 3)} to {number(effect.high, 3)}",
            f"p {effect.p:.1g}",
            self.verdict(arm),
        ]

    def to_dict(self) -> dict:
        def told(arm):
            found = {
                "name": arm.name,
                "kind": arm.kind,
                "finding": arm.finding,
                "sample": list(map(float, arm.sample)),
                "validation": None if arm.validation is None else list(map(float, arm.validation)),
                "broken": arm.broken,
            }
            if arm is not self.control:
                found["verdict"] = self.verdict(arm)
                found["effect"] = dataclasses.asdict(self.effect(arm))
            if arm.kind == "prescription":
                over = self.effect(arm, against=self.chance_of(arm))
                found["against_chance"] = dataclasses.asdict(over)
            if arm.tried:
                found["tried"] = arm.tried
            return found

        best = self.best
        return {
            "measured": self.what,
            "seeds": self.seeds,
            "arms": [told(a) for a in (self.control, *self.arms, *self.chance.values())],
            "best": None if best is None else best.name,
            "notes": self.notes,
        }

    def plot(self, axes=None):
        """The curves of all arms, on the sample: the mean over the seeds."""
        if axes is None:
            from matplotlib.figure import Figure

            axes = Figure(figsize=(7, 4), layout="constrained").subplots()
        lowest, best = math.inf, self.best
        others = iter(OTHERS * len(self.arms))
        for arm in (*self.arms, *self.chance.values(), self.control):
            together = {}
            for curve in arm.curves:
                for epoch, value in curve:
                    together.setdefault(epoch, []).append(value)
            epochs = sorted(together)
            means = [float(np.mean(together[e])) for e in epochs]
            lowest = min([lowest, *means])
            line, color = {"control": ("--", GRAY), "chance": (":", ORANGE)}.get(
                arm.kind, ("-", BLUE if arm is best else next(others))
            )
            width, label = 2.4 if arm is best else 1.3, textwrap.shorten(arm.name, 50)
            axes.plot(epochs, means, line, lw=width, color=color, label=label)
        if lowest > 0:
            axes.set_yscale("log")
        axes.set_xlabel("epoch")
        axes.set_ylabel(f"{self.what}, training rows")
        axes.legend(frameon=False, fontsize="small")
        axes.spines[["top", "right"]].set_visible(False)
        return axes


def treat(
    diagnosis: Diagnosis, *, seeds: int = 5, budget: int | None = None, watch=None
) -> Treatment:
    """Try the prescriptions of a diagnosis, against the untreated control and against chance.

    Every arm trains on the same seeds, with the same initial weights and order of the rows
    wherever a change leaves them. Chance is a random change for each seed, that knows nothing of
    the diagnosis; for a prescription of longer training, one that trains as long.

    Args:
        diagnosis: from `diagnose`.
        seeds: trainings of each arm, at least 2; 5 or more tell something.
        budget: trainings in all, at most; the last prescriptions are left out to keep it.
        watch: function (done, total, what) that is told of each training.

    Raises:
        OptionError: there is nothing to try, or the budget does not allow even one.

    Example:
        >>> ct.treat(diagnosis, seeds=5).best                           # doctest: +SKIP
    """
    expect_range(seeds, what="seeds", least=2)
    if diagnosis.program is None:
        raise OptionError("this diagnosis has no program", fix="make it with ct.diagnose")
    base, notes = diagnosis.program, []
    planned = _planned(diagnosis, base, notes)
    if not planned:
        raise OptionError(
            "there is nothing to try: "
            + ("nothing was found" if diagnosis.healthy else "no prescription is a change of code"),
            fix=notes[0] if notes else None,
        )
    planned = planned[:MOST]
    while budget is not None and planned and _trainings(planned, seeds) > budget:
        arm, _ = planned.pop()
        notes.append(f"Not tried, for the budget: {arm.name}.")
    if not planned:
        raise OptionError(
            f"a budget of {budget} trainings",
            expected=f"at least {3 * seeds}: control, one prescription and chance, {seeds} seeds",
        )
    programs = [program for _, program in planned]
    score_of = ComparableScore(base, programs)
    control = Arm("untreated", "control")
    chance = {
        cost: Arm("chance" if cost == 1 else f"chance, x{cost:.3g}", "chance")
        for cost in dict.fromkeys(_cost(arm.prescription) for arm, _ in planned)
    }
    work = [(control, _same(base))]
    work += [(arm, _same(program)) for arm, program in planned]
    work += [(arm, _drawer(base, cost, arm)) for cost, arm in chance.items()]
    total, done = len(work) * seeds, 0
    for arm, start in work:
        for seed in range(seeds):
            if watch is not None:
                watch(done, total, arm.name)
            _run(arm, *start(seed), seed, score_of)
            done += 1
    if watch is not None:
        watch(done, total, "")
    arms = [arm for arm, _ in planned]
    _cap([control, *arms, *chance.values()])
    return Treatment(control, arms, chance, seeds, score_of.what, notes, diagnosis)


def paired(differences) -> Effect:
    """Mean of paired differences, its interval and p, by Student's t.

    References:
        Student 1908, "The probable error of a mean", Biometrika 6(1).

    Example:
        >>> paired([-1.0, -2.0, -3.0]).p < 0.08
        True
    """
    from scipy.stats import t

    d = np.asarray(differences, np.float64)
    n, mean = len(d), float(d.mean())
    error = float(d.std(ddof=1)) / math.sqrt(n)
    if error <= 1e-12 * max(1.0, abs(mean)):  # every seed says the same
        return Effect(mean, mean, mean, 1.0 if mean == 0 else 0.0)
    reach = float(t.ppf((1 + SURE) / 2, n - 1)) * error
    return Effect(mean, mean - reach, mean + reach, float(2 * t.sf(abs(mean) / error, n - 1)))


def _planned(diagnosis, base, notes):
    """[(Arm, Program)] of the prescriptions that can be tried, each change once."""
    planned, known = [], set()
    for finding in diagnosis.findings:
        for prescription in finding.prescriptions:
            key = repr(prescription.changes)
            if not prescription.changes or key in known:
                continue
            known.add(key)
            try:
                program = base.changed(*prescription.changes)
            except CutawayError as error:
                notes.append(f"Cannot be tried: {prescription.text} ({error.came}).")
                continue
            arm = Arm(prescription.text, "prescription", prescription, finding.code)
            planned.append((arm, program))
    return planned


def _cost(prescription) -> float:
    """By how much longer it trains than the control."""
    return math.prod(c.factor for c in prescription.changes if isinstance(c, Epochs))


def _trainings(planned, seeds):
    return seeds * (1 + len(planned) + len({_cost(arm.prescription) for arm, _ in planned}))


def _same(program: Program):
    """Function from a seed to (program, trainer at its start), the trainer compiled only once."""
    repeated = RepeatedTrainer(program.fresh())

    def start(seed):
        repeated.back()
        redraw(repeated.trainer.net, seed)
        return program, repeated.trainer

    return start


def _drawer(base: Program, cost, arm):
    """As _same, with a random change for each seed; notes in the arm what it drew."""

    def start(seed):
        rng = np.random.default_rng([seed, 41])
        for k in rng.permutation(len(CHANCES)):
            extra = () if cost == 1 else (Epochs(cost),)
            try:
                program = base.changed(CHANCES[k], *extra)
            except CutawayError:
                continue
            arm.tried.append(CHANCES[k].text)
            return program, program.fresh(seed)
        raise OptionError("no random change fits this program")

    return start


class _Curve(Callback):
    """What a yardstick says at some epochs."""

    def __init__(self, program, score_of):
        self.program, self.score_of, self.points = program, score_of, []
        moments = np.linspace(1, program.epochs, min(MOMENTS, program.epochs))
        self.moments = set(np.round(moments).astype(int).tolist())

    def on_start(self, trainer):
        self.points.append((0, self.score_of.sample(trainer, self.program)))

    def on_epoch(self, trainer, row):
        if trainer.epoch in self.moments:
            self.points.append((trainer.epoch, self.score_of.sample(trainer, self.program)))


def _run(arm, program, trainer, seed, score_of):
    curve = _Curve(program, score_of)
    begin = trainer.net.state_dict()
    try:
        program.run(seed, callbacks=[curve], trainer=trainer)
    except TrainingError:
        arm.broken += 1  # such a network is thrown away: it counts as one that is not trained
        trainer.net.load_state_dict(begin)
    arm.curves.append(curve.points)
    arm.sample.append(score_of.sample(trainer, program))
    held = score_of.validation(trainer, program)
    if held is not None:
        arm.validation = [*(arm.validation or []), held]


def _cap(arms):
    """No value above USELESS times the level at which the control begins.

    Whether a network is a thousand or a million times worse than an untrained one says nothing,
    and one such value would drown all others in a mean.
    """
    begins = [curve[0][1] for curve in arms[0].curves if curve and math.isfinite(curve[0][1])]
    if not begins:
        return
    most = USELESS * max(float(np.median(begins)), 1e-12)
    for arm in arms:
        arm.sample = [min(v, most) if v == v else most for v in arm.sample]
        if arm.validation is not None:
            arm.validation = [min(v, most) if v == v else most for v in arm.validation]
        arm.curves = [
            [(e, min(v, most) if v == v else most) for e, v in curve] for curve in arm.curves
        ]

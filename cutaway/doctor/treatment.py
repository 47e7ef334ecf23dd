"""treat: try the prescriptions against an untreated control and against random changes."""

import dataclasses
import math
import textwrap

import numpy as np

from cutaway.doctor import changes
from cutaway.doctor.changes import Epochs
from cutaway.doctor.comparable_score import ComparableScore
from cutaway.doctor.finding import Diagnosis, Prescription
from cutaway.doctor.reruns import RepeatedTrainer
from cutaway.doctor.training_plan import TrainingPlan
from cutaway.errors import CutawayError, OptionError, TrainingError, expect_integer, expect_type
from cutaway.story.design import BLUE, CATEGORICAL, GRAY, ORANGE
from cutaway.story.panels import legend_above, new_axes
from cutaway.story.text import WIDTH, Story, align, number
from cutaway.train import Callback
from cutaway.train.program import permute_weights

SURE = 0.95  # confidence level of the interval
MOMENTS = 12  # points of a training curve
SMALLEST = 0.01  # smallest effect, as a fraction of the control's mean
UNCLEAR = 0.1  # an interval around 0 within this fraction of it means no effect
USELESS = 10.0  # times the control's initial level: everything worse counts as that
MAX_PRESCRIPTIONS = 6
OTHERS = CATEGORICAL[2:]  # colors of curves
RANDOM_CHANGES = (  # what one may try without a diagnosis, on any network
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
    """One variant of the training, on all seeds.

    Attributes:
        name: in words, short.
        kind: "control", "prescription" or "chance" (a random change).
        prescription: the Prescription, None for others.
        finding: code of the finding with this prescription, "" for others.
        sample, validation: the final scores, one per seed; validation is None without a validation
            set.
        curves: [[(epoch, value on the sample)]] per seed.
        broken: number of seeds whose training diverged.
        tried: the random changes, in words.
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
        """The scores that count: on validation rows if there are any."""
        return np.array(self.sample if self.validation is None else self.validation)


@dataclasses.dataclass(frozen=True)
class Effect:
    """Difference between two arms over the same seeds. Below 0 is better.

    Attributes:
        mean: of the differences.
        low, high: 95% confidence interval by Student's t.
        p: two-sided p-value of no difference.
    """

    mean: float
    low: float
    high: float
    p: float


@dataclasses.dataclass(repr=False)
class Treatment(Story):
    """The results of the trials. Made by `treat`.

    Attributes:
        control: the Arm without a change.
        arms: [Arm] of the prescriptions, in order.
        chance: {epochs factor: Arm of a random change of equal cost}.
        seeds: number of seeds.
        what: name of the metric.
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
        """The effect of an arm relative to the control (or another arm).

        Args:
            on: "sample" or "validation"; None: validation if there is a validation set.
        """
        against = self.control if against is None else against
        a, b = (np.array(v.values if on is None else getattr(v, on)) for v in (arm, against))
        return paired(a - b)

    def verdict(self, arm: Arm) -> str:
        """helped, hurt or no effect; unclear if the seeds differ too much to tell."""
        if arm.broken > self.control.broken + self.seeds / 2:
            return "hurt"
        effect = self.effect(arm)
        level = abs(float(np.mean(self.control.values)))
        if effect.high < 0 and -effect.mean > SMALLEST * level:
            return "helped"
        if effect.low > 0 and effect.mean > SMALLEST * level:
            return "hurt"
        return "unclear" if max(-effect.low, effect.high) > UNCLEAR * level else "no effect"

    @property
    def best(self) -> Arm | None:
        """The prescription that helped most, None if none did."""
        good = [arm for arm in self.arms if self.verdict(arm) == "helped"]
        return min(good, key=lambda arm: arm.values.mean()) if good else None

    def chance_of(self, arm: Arm) -> Arm:
        """The random arm of equal cost."""
        return self.chance[_cost(arm.prescription)]

    def text(self, width: int = WIDTH) -> str:
        on = "training rows" if self.control.validation is None else "validation rows"
        head = f"Final {self.what} on {on}, mean of {self.seeds} seeds; difference from the "
        head += "control with its 95% confidence interval"
        lines = [*textwrap.wrap(head, width), ""]
        shown = [self.control, *self.arms, *self.chance.values()]
        rows = [self._row(k, arm) for k, arm in enumerate(shown)]
        lines += align(rows, sides="<>>>><")
        lines.append("")
        for k, arm in enumerate(self.arms, 1):
            title = f"{k}: {arm.name} (for {arm.finding.replace('_', ' ')})"
            lines += textwrap.wrap(title, width, subsequent_indent="   ")
            if self.verdict(arm) == "helped":
                over = self.effect(arm, against=self.chance_of(arm))
                better = "better" if over.high < 0 else "not significantly better"
                lines.append(f"   {better} than a random change of equal cost (p = {over.p:.2g})")
            if arm.broken:
                lines.append(f"   training diverged in {arm.broken} of {self.seeds} seeds")
        if self.control.broken:
            lines.append(f"control: diverged in {self.control.broken} of {self.seeds} seeds")
        lines.append("random: a random change for each seed, as a baseline")
        if any(cost != 1 for cost in self.chance):
            lines.append("random, Nx: the same, trained for N times as many epochs")
        for note in self.notes:
            lines += textwrap.wrap(f"- {note}", width, subsequent_indent="  ")
        best = self.best
        verdict = "None of them helped." if best is None else f"Best: {best.name}."
        return "\n".join([*lines, "", *textwrap.wrap(verdict, width)])

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
        def entry(arm):
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
            "arms": [entry(a) for a in (self.control, *self.arms, *self.chance.values())],
            "best": None if best is None else best.name,
            "notes": self.notes,
        }

    def plot(self, axes=None):
        """The training curves of all arms on the sample, averaged over the seeds."""
        from matplotlib.ticker import MaxNLocator

        axes = new_axes(axes, width=7)
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
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("epoch")
        axes.set_ylabel(f"{self.what}, training rows")
        legend_above(axes)
        axes.spines[["top", "right"]].set_visible(False)
        return axes


def treat(
    diagnosis: Diagnosis, *, seeds: int = 5, budget: int | None = None, watch=None
) -> Treatment:
    """Try the prescriptions of a diagnosis against the untreated control and random changes.

    Every arm trains on the same seeds, with the same initial weights and order of the rows unless
    a change affects them. The random arm makes a random change for each seed, without knowing the
    diagnosis; to match a prescription of longer training, it trains equally long.

    Args:
        diagnosis: from `diagnose`.
        seeds: trainings of each arm, at least 2; 5 or more are recommended.
        budget: most trainings in total; the last prescriptions are dropped to stay within it.
        watch: function (done, total, what) that is called before each training.

    Raises:
        OptionError: there is nothing to try, or the budget is too small for one prescription.

    Example:
        >>> import cutaway as ct
        >>> import numpy as np
        >>> x, y = np.load("x.npy"), np.load("y.npy")                   # doctest: +SKIP
        >>> net = ct.Linear(4, 1)
        >>> trainer = ct.Trainer(net, loss=ct.losses.mean_squared_error)
        >>> ct.treat(ct.diagnose(trainer, x, y), seeds=5).best          # doctest: +SKIP
    """
    expect_type(
        diagnosis,
        Diagnosis,
        what="treat: diagnosis",
        expected="what ct.diagnose returned",
        fix="treat(diagnose(trainer, x, y))",
    )
    expect_integer(seeds, what="seeds", least=2)
    if diagnosis.plan is None:
        raise OptionError("this diagnosis has no plan", fix="create it with ct.diagnose")
    base: TrainingPlan = diagnosis.plan
    notes = []
    planned = _planned(diagnosis, base, notes)
    if not planned:
        raise OptionError(
            "there is nothing to try: "
            + ("nothing was found" if diagnosis.healthy else "no prescription is a change of code"),
            fix=notes[0] if notes else None,
        )
    planned = planned[:MAX_PRESCRIPTIONS]
    while budget is not None and planned and _trainings(planned, seeds) > budget:
        arm, _ = planned.pop()
        notes.append(f"Not tried, to stay within the budget: {arm.name}.")
    if not planned:
        raise OptionError(
            f"a budget of {budget} trainings is too small",
            expected=f"at least {3 * seeds}: control, one prescription and a random change, each "
            f"with {seeds} seeds",
        )
    programs = [plan for _, plan in planned]
    score_of = ComparableScore(base, programs)
    control = Arm("untreated", "control")
    chance = {
        cost: Arm("random" if cost == 1 else f"random, {cost:.3g}x", "chance")
        for cost in dict.fromkeys(_cost(arm.prescription) for arm, _ in planned)
    }
    work = [(control, _same(base))]
    work += [(arm, _same(plan)) for arm, plan in planned]
    work += [(arm, _random_changes(base, cost, arm)) for cost, arm in chance.items()]
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
    """Mean of paired differences, its confidence interval and p-value, by Student's t.

    References:
        Student 1908, "The probable error of a mean", Biometrika 6(1).

    Example:
        >>> from cutaway.doctor.treatment import paired
        >>> paired([-1.0, -2.0, -3.0]).p < 0.08
        True
    """
    from scipy.stats import t

    d = np.asarray(differences, np.float64)
    n, mean = len(d), float(d.mean())
    error = float(d.std(ddof=1)) / math.sqrt(n)
    if error <= 1e-12 * max(1.0, abs(mean)):  # the same for every seed
        return Effect(mean, mean, mean, 1.0 if mean == 0 else 0.0)
    reach = float(t.ppf((1 + SURE) / 2, n - 1)) * error
    return Effect(mean, mean - reach, mean + reach, float(2 * t.sf(abs(mean) / error, n - 1)))


def _planned(diagnosis, base, notes):
    """[(Arm, TrainingPlan)] of the prescriptions that can be tried, each change once."""
    planned, seen = [], set()
    for finding in diagnosis.findings:
        for prescription in finding.prescriptions:
            key = repr(prescription.changes)
            if not prescription.changes or key in seen:
                continue
            seen.add(key)
            try:
                plan = base.changed(*prescription.changes)
            except CutawayError as error:
                notes.append(f"Cannot be tried: {prescription.text} ({error.came}).")
                continue
            arm = Arm(prescription.text, "prescription", prescription, finding.code)
            planned.append((arm, plan))
    return planned


def _cost(prescription) -> float:
    """Its number of epochs relative to the control."""
    return math.prod(c.factor for c in prescription.changes if isinstance(c, Epochs))


def _trainings(planned, seeds):
    return seeds * (1 + len(planned) + len({_cost(arm.prescription) for arm, _ in planned}))


def _same(plan: TrainingPlan):
    """Function from a seed to (plan, trainer at its start), the trainer compiled only once."""
    repeated = RepeatedTrainer(plan.fresh())

    def start(seed):
        repeated.back()
        permute_weights(repeated.trainer.net, seed)
        return plan, repeated.trainer

    return start


def _random_changes(base: TrainingPlan, cost, arm):
    """As _same, with a random change for each seed, which it records in the arm."""

    def start(seed):
        rng = np.random.default_rng([seed, 41])
        for k in rng.permutation(len(RANDOM_CHANGES)):
            extra = () if cost == 1 else (Epochs(cost),)
            try:
                plan = base.changed(RANDOM_CHANGES[k], *extra)
            except CutawayError:
                continue
            arm.tried.append(RANDOM_CHANGES[k].text)
            return plan, plan.fresh(seed)
        raise OptionError("no random change fits this plan")

    return start


class _Curve(Callback):
    """The score at some epochs."""

    def __init__(self, plan, score_of):
        self.plan, self.score_of, self.points = plan, score_of, []
        moments = np.linspace(1, plan.epochs, min(MOMENTS, plan.epochs))
        self.moments = set(np.round(moments).astype(int).tolist())

    def on_start(self, trainer):
        self.points.append((0, self.score_of.sample(trainer, self.plan)))

    def on_epoch(self, trainer, row):
        if trainer.epoch in self.moments:
            self.points.append((trainer.epoch, self.score_of.sample(trainer, self.plan)))


def _run(arm, plan, trainer, seed, score_of):
    curve = _Curve(plan, score_of)
    begin = trainer.net.state_dict()
    try:
        plan.run(seed, callbacks=[curve], trainer=trainer)
    except TrainingError:
        arm.broken += 1  # such a network is discarded: it counts as an untrained one
        trainer.net.load_state_dict(begin)
    arm.curves.append(curve.points)
    arm.sample.append(score_of.sample(trainer, plan))
    validation = score_of.validation(trainer, plan)
    if validation is not None:
        arm.validation = [*(arm.validation or []), validation]


def _cap(arms):
    """Limit all values to USELESS times the initial level of the control.

    Whether a network is a thousand or a million times worse than an untrained one is irrelevant,
    and one such value would dominate a mean.
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

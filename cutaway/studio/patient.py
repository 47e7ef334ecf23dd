"""Patient: a network in training as the doctor sees it, on copies of its own."""

import dataclasses
import math
from typing import Any

import numpy as np

from cutaway.doctor import Finding, Prescription, TrainingPlan
from cutaway.doctor.diagnosis import all_symptoms, rank
from cutaway.doctor.observed import LiveEvidence
from cutaway.doctor.training_plan import evenly_spaced
from cutaway.errors import CutawayError
from cutaway.nn import exclusive
from cutaway.nn.trees import leaves, take_rows
from cutaway.studio.background import say_where
from cutaway.studio.memory import Remembered
from cutaway.studio.subject import Subject
from cutaway.train import History, Position, Probes, Program, StepwiseTraining, Trainer

MOST_ROWS, MOST_NUMBERS = 4096, 2**24  # of the training rows that the doctor looks at
MOST_MOMENTS = 48  # whose measurements are kept
SMALL = 20_000  # weights
OF_OPTIMIZER = ("optimizer.base_lr", "optimizer.hyperparameters")  # what a user may set at any time


@dataclasses.dataclass(frozen=True)
class Moment:
    """A training between two steps: what the session's thread hands over, without copying.

    Attributes:
        position: its Position.
        values: of all Variables of its program.
        course, validation: (steps, losses) so far, of the training and of the validation.
        trouble: the error that ended it, or None.
    """

    position: Position
    values: list
    course: tuple[np.ndarray, np.ndarray]
    validation: tuple[np.ndarray, np.ndarray]
    trouble: Any = None


@dataclasses.dataclass(frozen=True)
class Found:
    """A finding, and what of it can be tried beside.

    Attributes:
        finding: the Finding.
        trial: the first prescription that changes nothing but the program, or None.
        goes_on: whether a trial goes on from the present weights; otherwise they are spoiled, and
            it begins where the patient began.
    """

    finding: Finding
    trial: Prescription | None
    goes_on: bool


class Patient:
    """A network in training, from its last change on.

    Everything here may run beside the session's thread: it works on copies.

    Args:
        subject: data and names.
        training: the StepwiseTraining.
        beginning: the state right after the last change of it.
    """

    def __init__(self, subject: Subject, training: StepwiseTraining, beginning: Remembered):
        self.training, self.beginning = training, beginning
        self._steps_per_epoch = training.steps_per_epoch
        self._subject = subject
        self._evidence: LiveEvidence | None = None
        self._plan: Any = None
        self._can_try: dict[str, bool] = {}
        self._looks = all_symptoms("look_live")
        self._going_on = all_symptoms("GOES_ON")

    def steps_until(self, position: Position) -> int:
        """Steps since it began."""
        return position.steps - self.beginning.state.position.steps

    @property
    def is_small(self) -> bool:
        """Whether its operations are so small that they run on the thread that asks for them."""
        weights = sum(p.size for p in self.training.program.net.parameters())
        return weights < SMALL and all(leaf.ndim == 2 for leaf in leaves(self._subject.x))

    # looking

    def prepare(self) -> None:
        """Copy the network, compile the measurement, and measure the beginning."""
        with exclusive():
            now = self.training.program.copied()
        _give(now, self.beginning.state.values)
        self._plan = self._plan_of(now.copied())
        probes = Probes(*self._plan.examples(slice(None)))
        trainer = Trainer(now)
        self._evidence = LiveEvidence(self._plan, trainer, probes)
        probes.measure(trainer, step=self.beginning.state.position.steps, epoch=0)
        _ = self._evidence.final_loss  # its program is compiled now

    def look(self, moment: Moment) -> list[Found]:
        """What is wrong at a moment, without what is an effect of something else."""
        evidence = self._measured(moment)
        asked = (self._asked(code, evidence) for code in list(self._looks))
        ranked, explained = rank([finding for finding in asked if finding is not None])
        return [self._with_trial(f) for f in ranked if f.code not in explained]

    def _measured(self, moment: Moment) -> LiveEvidence:
        evidence: Any = self._evidence
        trainer, probes, step = evidence.trainer, evidence.probes, moment.position.steps
        _give(trainer.program, moment.values)
        self._set_numbers(evidence.plan.program)
        trainer.epoch = moment.position.epoch
        evidence.renew()
        evidence.trouble = moment.trouble
        steps, losses = self._since(moment.course)
        evidence.course = losses.tolist()
        trainer.history = History(self._epochs(steps, losses, moment.position))
        steps, losses = self._since(moment.validation)
        epochs = dict(zip(self._epoch_of(steps).tolist(), losses.tolist(), strict=True))
        evidence.validation_rows = [{"epoch": e, "val_loss": loss} for e, loss in epochs.items()]
        probes.forget_after(step)
        probes.measure(trainer, step=step, epoch=moment.position.epoch)
        if len(probes.steps) > MOST_MOMENTS:
            probes.thin()
        return evidence

    def _asked(self, code: str, evidence) -> Finding | None:
        try:
            with np.errstate(all="ignore"):
                return self._looks[code](evidence)
        except CutawayError:  # it cannot be told of this network, or only by an experiment
            return None
        except Exception as error:  # a fault of ours: said once, and the studio goes on
            del self._looks[code]
            say_where(error)
            return None

    def _since(self, curve: tuple) -> tuple[np.ndarray, np.ndarray]:
        steps, losses = curve
        kept = steps > self.beginning.state.position.steps
        return steps[kept], losses[kept]

    def _epoch_of(self, steps: np.ndarray) -> np.ndarray:
        """The epoch that each step belongs to, 1 for the first."""
        began = self.beginning.state.position
        return began.epoch + np.ceil((steps - began.steps) / self._steps_per_epoch).astype(int)

    def _epochs(self, steps, losses, position: Position) -> list[dict]:
        """The rows of a history, one for each complete epoch of which a loss is kept."""
        epochs = self._epoch_of(steps)
        return [
            {"epoch": int(epoch), "loss": float(losses[epochs == epoch].mean()), "seconds": 0.0}
            for epoch in np.unique(epochs)
            if epoch <= position.epoch
        ]

    # trials

    def trial(self, found: Found, moment: Moment) -> tuple[Program, Position]:
        """(the program with what is prescribed, where its training begins).

        Raises:
            CutawayError: the change does not fit.
        """
        assert found.trial is not None
        state = self.beginning.state
        plan = dataclasses.replace(self._plan, program=self._plan.program.copied())
        if found.goes_on:
            _give(plan.program, moment.values)
        plan = plan.changed(*found.trial.changes)
        return plan.program, moment.position if found.goes_on else state.position

    def _with_trial(self, finding: Finding) -> Found:
        possible = (p for p in finding.prescriptions if p.changes and self._is_possible(p))
        return Found(self._dated(finding), next(possible, None), finding.code in self._going_on)

    def _dated(self, finding: Finding) -> Finding:
        """A finding in words of a training that goes on, from its last change on."""
        begun = self.beginning.state.position.steps
        then = "before training" if not begun else f"at step {begun}"
        evidence = [
            dataclasses.replace(
                measure,
                what=measure.what.replace("after training", "now").replace("before training", then),
            )
            for measure in finding.evidence
        ]
        return dataclasses.replace(finding, evidence=evidence)

    def _is_possible(self, prescription: Prescription) -> bool:
        """Whether its changes fit, and change nothing but the program."""
        key = repr(prescription.changes)
        if key not in self._can_try:
            try:
                changed = self._plan.changed(*prescription.changes)
            except CutawayError:
                self._can_try[key] = False
            else:
                self._can_try[key] = _differ_in_program_only(self._plan, changed)
        return self._can_try[key]

    # its parts

    def _plan_of(self, program: Program) -> TrainingPlan:
        subject = self._subject
        numbers = max(1, sum(math.prod(leaf.shape[1:]) for leaf in leaves(subject.x)))
        most = max(64, min(MOST_ROWS, MOST_NUMBERS // numbers))

        def some(rows):
            kept = rows[evenly_spaced(len(rows), most)]
            return tuple(take_rows(tree, kept) for tree in (subject.x, subject.y))

        x, y = some(subject.training)
        return TrainingPlan(
            program,
            x,
            y,
            validation=some(subject.validation) if len(subject.validation) else None,
            batch_size=self.training.batch_size,
            seed=subject.seed,
            classes=tuple(subject.classes or ()),
            is_split_meant=subject.is_split_meant,
            inputs=tuple(column.name for column in subject.inputs or ()),
        )

    def _set_numbers(self, program: Program) -> None:
        """Give the program of the beginning the learning rate and other numbers of now."""
        evidence: Any = self._evidence
        now = evidence.trainer.program.variables()
        for path, variable in program.variables().items():
            if path.startswith(OF_OPTIMIZER):
                variable.data = now[path].data


def _give(program: Program, values: list) -> None:
    for variable, value in zip(program.variables().values(), values, strict=True):
        variable.data = value


def _differ_in_program_only(plan: TrainingPlan, other: TrainingPlan) -> bool:
    ours, theirs = (leaves((p.x, p.y, p.validation or ())) for p in (plan, other))
    same = (plan.epochs, plan.batch_size, plan.callbacks, len(ours)) == (
        other.epochs,
        other.batch_size,
        other.callbacks,
        len(theirs),
    )
    return same and all(
        a is b or (a.dtype == b.dtype and np.array_equal(a, b))
        for a, b in zip(ours, theirs, strict=True)
    )

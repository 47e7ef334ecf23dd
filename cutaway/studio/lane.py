"""Lane: one network of the studio, in training, with what is remembered and shown of it."""

import dataclasses
import time
from typing import Any

import numpy as np

from cutaway.errors import TrainingError
from cutaway.studio.curve import Curve
from cutaway.studio.description import described
from cutaway.studio.frame_views import FrameViews
from cutaway.studio.look import Look
from cutaway.studio.memory import Memory
from cutaway.studio.subject import Subject
from cutaway.studio.views.contract import Scene
from cutaway.train import ArrayRows, Position, Program, StepwiseTraining, StreamRows

NO_ROWS = np.zeros((0, 1), np.float32)
KEPT_PROGRAMS = 8  # of frames, for looks that were looked at last
MOST_SLOPES = 20_000  # weights, of which a frame holds the gradients
VALIDATING = 0.05  # most of the time that validation may take


def new_training(subject: Subject, program: Program) -> StepwiseTraining:
    """A training of a program on the rows of a subject, at its beginning.

    Of a subject that cannot train it has no rows, and no step.
    """
    if not subject.can_train:
        return StepwiseTraining(program, ArrayRows(NO_ROWS, NO_ROWS), seed=subject.seed)
    if subject.stream is not None:
        training: Any = StreamRows(subject.stream)
    else:
        training = ArrayRows(subject.x, subject.y, subject.training.astype(np.int32))
    validation = None
    if len(subject.validation):
        validation = ArrayRows(subject.x, subject.y, subject.validation.astype(np.int32))
    return StepwiseTraining(
        program, training, validation, batch_size=subject.batch_size, seed=subject.seed
    )


@dataclasses.dataclass
class _Rate:
    """Steps per second, over about the last second."""

    steps: int = 0
    began: float = 0.0
    value: float = 0.0

    def add(self, steps: int) -> None:
        now = time.monotonic()
        if now - self.began > 3:  # it was paused
            self.steps, self.began = 0, now
        self.steps += steps
        if now - self.began >= 0.5:
            self.value = self.steps / (now - self.began)
            self.steps, self.began = 0, now


class Lane:
    """One network of the studio.

    Args:
        number: of the lane; the first one is 0.
        subject: data and names.
        training: the StepwiseTraining.

    Attributes:
        memory: the states to go back to.
        curve, validation_curve: Curves of the losses.
        validation: {"loss": ..., metric: ...} of the last validation, or None.
        title: on the page, when there are two.
        is_trial: whether it tries what the doctor prescribes, and may make room for another trial.
        trouble: the error that ended the last steps, or None.
        is_ready: whether its step is compiled: it is not trained before.
        can_validate: whether its validation is compiled.
    """

    def __init__(self, number: int, subject: Subject, training: StepwiseTraining, title: str = ""):
        self.number, self.subject, self.training = number, subject, training
        self.title = title
        self.is_trial = False
        self.trouble: TrainingError | None = None
        self.is_ready = self.can_validate = False
        self.memory = Memory()
        self.curve, self.validation_curve = Curve(), Curve()
        self.validation: dict[str, float] | None = None
        self._validated = -1  # step of the last validation
        self._validate_at = 0.0
        self._rate = _Rate()
        self._shown: dict[Any, FrameViews] = {}
        self.memory.remember(training, None)

    @property
    def program(self) -> Program:
        return self.training.program

    def run(self, steps: int) -> None:
        """Train so many steps.

        Raises:
            TrainingError: the loss became NaN.
        """
        first = self.training.position.steps + 1
        self.trouble = None
        try:
            losses = self.training.run(steps)["loss"]
        except TrainingError as error:
            self.trouble = error
            raise
        self.curve.add(first, losses)
        self._rate.add(len(losses))

    def begin_anew(self) -> None:
        """Forget the course so far: it is at step 0."""
        self.training.position = Position()
        self.memory, self.curve, self.validation_curve = Memory(), Curve(), Curve()
        self.validation, self._validated = None, -1
        self.memory.remember(self.training, None)

    def forget_shown(self) -> None:
        """The rows have changed."""
        self._shown.clear()
        self._validated = -1

    def adopt(self, training: StepwiseTraining, change: str, shown: FrameViews) -> None:
        """Go on with another training, of a changed network, whose step is compiled.

        The state before the change is remembered, and the one after it as well.

        Args:
            change: in words.
            shown: its views, compiled for what was looked at.
        """
        self.memory.remember(self.training, self.curve.last())
        self.training = training
        self._shown = {_made_of(shown.scene.look): shown}
        self._validated = -1
        self.is_ready, self.can_validate = True, False
        self.memory.remember(training, self.curve.last(), change)

    def go_back(self, number: int) -> bool:
        """Go back to a remembered state; whether it is still kept."""
        found = self.memory.go_back(number)
        if found is None:
            return False
        if found.training is not self.training:
            self.training = found.training
            self._shown.clear()
        self.training.restore(found.state)
        self.trouble = None
        self.curve.cut(found.state.position.steps)
        self.validation_curve.cut(found.state.position.steps)
        self._validated = -1
        return True

    def validate(self, *, now: bool = False) -> bool:
        """Validate if there is something new and time for it, or at once.

        Returns:
            whether it has validated.
        """
        step = self.training.position.steps
        if self.training.validation is None or step == self._validated or not self.can_validate:
            return False
        began = time.monotonic()
        if not now and began < self._validate_at:
            return False
        self.validation = self.training.evaluate()
        self._validated = step
        ended = time.monotonic()
        self._validate_at = ended + max(0.1, (ended - began) / VALIDATING)
        if self.validation is not None and step:
            self.validation_curve.add(step, [self.validation["loss"]])
        return True

    # what is shown of it

    def scene(self, look: Look, training: StepwiseTraining | None = None) -> Scene:
        """What is looked at, of its training or of another one of the same rows."""
        subject = self.subject
        rows = subject.training if look.set == "training" else subject.validation
        row = int(rows[min(look.row, len(rows) - 1)]) if len(rows) else 0
        return Scene(subject, self.training if training is None else training, look, row)

    def shown(self, look: Look) -> FrameViews:
        """The program of the frames for a look, which may not be compiled yet."""
        found = self._shown.pop(_made_of(look), None)
        if found is None:
            found = FrameViews(self.scene(look))
        found.look_at(self.scene(look))
        self._shown[_made_of(look)] = found
        while len(self._shown) > KEPT_PROGRAMS:
            del self._shown[next(iter(self._shown))]
        return found

    def state(self) -> dict[str, Any]:
        """Its counters, for the header of a frame."""
        position = self.training.position
        return {
            "lane": self.number,
            "step": position.steps,
            "epoch": position.epoch,
            "of_epoch": [position.step, self.training.steps_per_epoch],
            "loss": self.curve.last(),
            "validation": self.validation,
            "rate": self._rate.value,
            "lr": self.training.lr,
        }

    def curves(self) -> dict[str, np.ndarray]:
        """{name: array} of the losses so far."""
        steps, losses = self.curve.arrays()
        found = {"loss/step": steps, "loss/value": losses}
        if self.training.validation is not None:
            steps, losses = self.validation_curve.arrays()
            found |= {"validation/step": steps, "validation/value": losses}
        return found

    def next_loss(self) -> dict[str, Any]:
        """The rows of the next step, and the loss that it will find."""
        terms = self.training.forward()
        return {"rows": self.training.rows().reshape(-1)[:64].tolist(), **terms}

    def slopes(self) -> dict[str, np.ndarray]:
        """{"slopes/PATH": ∂L/∂parameter} of the next step, of a network of few weights."""
        if sum(p.size for p in self.program.net.parameters()) > MOST_SLOPES:
            return {}
        return {
            f"slopes/{path}": np.asarray(values, np.float32)
            for path, values in self.training.backward().items()
        }

    def description(self, look: Look) -> dict[str, Any]:
        """The message that says what the network is."""
        return described(self, look)


def _made_of(look: Look) -> tuple:
    """The parts of a look that the program of its frames is made of."""
    return (look.views, look.layer, look.output, look.head)

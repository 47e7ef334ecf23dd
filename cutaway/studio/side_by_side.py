"""LaneSet: the networks of a studio, and all that is done to them between two steps."""

import copy
import dataclasses
import functools
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from cutaway.errors import OptionError, expect_range
from cutaway.nn import exclusive
from cutaway.nn.trees import is_array
from cutaway.studio import structure
from cutaway.studio.background import Background
from cutaway.studio.description import optimizer_of
from cutaway.studio.frame_views import FrameViews
from cutaway.studio.lane import Lane, new_training
from cutaway.studio.look import Look
from cutaway.studio.structure import Edit
from cutaway.studio.subject import Subject
from cutaway.train import ArrayRows, Position, Program, StepwiseTraining

MOST_LANES = 2


@dataclasses.dataclass
class _Change:
    """Changes of a lane whose network is being compiled, in order.

    Attributes:
        made: the changed training and its views, once they are compiled.
    """

    edits: list[Edit]
    words: list[str]
    made: tuple[StepwiseTraining, FrameViews] | None = None


class LaneSet:
    """The networks that a session trains on the same batches.

    Everything here runs on the session's thread.

    Args:
        subject: the Subject.
        background: for compiling.
        say: function (message) to all clients.
        changed: function called when something that is shown has changed.
        look: function () -> what is looked at.
    """

    def __init__(
        self,
        subject: Subject,
        background: Background,
        say: Callable[[dict], None],
        changed: Callable[[], None],
        look: Callable[[], Look],
    ):
        self.subject = subject
        self._background, self._say, self._changed = background, say, changed
        self.look = look
        self._x = subject.x
        self.noise = 0.0
        self.all: dict[int, Lane] = {}
        self._pending: dict[int, _Change] = {}
        self._is_ahead = False  # whether a change is compiled that nobody has asked for
        self.all[0] = Lane(0, subject, new_training(subject, subject.program))
        self._prepare(self.all[0])

    def __iter__(self):
        return iter(self.all.values())

    def __len__(self):
        return len(self.all)

    def lane(self, number: int) -> Lane:
        """The Lane of this number.

        Raises:
            OptionError: there is none.
        """
        if number not in self.all:
            raise OptionError(
                f"there is no network {number}",
                expected="one of " + ", ".join(map(str, self.all)),
            )
        return self.all[number]

    # training them

    @property
    def are_ready(self) -> bool:
        """Whether the steps of all of them are compiled."""
        return all(lane.is_ready for lane in self)

    @property
    def are_changing(self) -> bool:
        """Whether a change is compiled that somebody waits for."""
        return bool(self._pending)

    def _prepare(self, lane: Lane) -> None:
        """Compile the step of a new lane beside; the others wait for it, to stay in step."""
        training = lane.training

        def ready(_):
            lane.is_ready = True
            self._say({"type": "ready", "lane": lane.number})
            self._prepare_others(lane)
            self._changed()

        self._say(_compiling(lane.number, "the training step"))
        self._background.run("compile", training.prepare, ready, _raised)

    def compiling(self) -> list[dict[str, Any]]:
        """The messages of what is compiled now, for a client that comes later."""
        found = [_compiling(lane.number, "the training step") for lane in self if not lane.is_ready]
        pending = self._pending.items()
        return found + [_compiling(number, change.words[-1]) for number, change in pending]

    def _prepare_others(self, lane: Lane) -> None:
        """Compile what is not needed for the next step: validation, forward and backward."""
        training = lane.training

        def ready(_):
            lane.can_validate = lane.can_validate or lane.training is training
            self._changed()

        self._background.run("compile", training.prepare_others, ready, _raised)

    def run(self, steps: int) -> None:
        """Train all of them so many steps.

        Raises:
            TrainingError: the loss of one became NaN.
        """
        for lane in self:
            lane.run(steps)

    def remember(self) -> None:
        """Remember the states that they are in."""
        for lane in self:
            lane.memory.remember(lane.training, lane.curve.last())

    # going back, and beside

    def go_back(self, number: int, state: int | None) -> None:
        """Go back to a remembered state of a lane, and with another lane to the same step."""
        lane = self.lane(number)
        if state is None:
            lane.memory.remember(lane.training, lane.curve.last())
            before = lane.memory.before()
            if before is None:
                raise OptionError(
                    "there is no earlier state", expected="a training that has made a step"
                )
            state = before.id
        if not lane.go_back(state):
            raise OptionError(
                f"the state {state} is no longer remembered",
                expected="one of the timeline",
                fix="choose another one: of older states every second one is dropped in the end",
            )
        if self._pending.pop(number, None):
            self._say({"type": "ready", "lane": number})
        self._give_rows(lane.training)
        if self.subject.can_train:
            self._follow_batch_size(lane.training.batch_size)
        self.describe(lane)
        self._changed()

    def branch(self, number: int) -> int:
        """A second network beside, in the same state; its number."""
        if len(self) >= MOST_LANES:
            raise OptionError(
                f"there are {len(self)} networks already",
                expected=f"at most {MOST_LANES}",
                fix="close one of them first",
            )
        lane = self.lane(number)
        step = f"{lane.training.position.steps:,}".replace(",", "\u202f")
        return self.put_beside(lane, lane.program.copied(), f"from step {step}")

    def put_beside(self, lane: Lane, program: Program, title: str) -> int:
        """A lane for a program that goes on from where another lane is."""
        subject = self.noisy_subject()
        subject.batch_size = lane.training.batch_size  # a change of it that is compiled comes later
        training = new_training(subject, program)
        self._at_position_of(training, lane.training)
        other = self.add(training, title)
        other.curve, other.validation_curve = lane.curve.copied(), lane.validation_curve.copied()
        other.validation = lane.validation
        return other.number

    def add(self, training: StepwiseTraining, title: str) -> Lane:
        """A lane for a training; there is room for it."""
        free = next(k for k in range(MOST_LANES) if k not in self.all)
        lane = self.all[free] = Lane(free, self.subject, training, title)
        self._prepare(lane)
        self._say({"type": "lanes", "lanes": sorted(self.all)})
        self.describe(lane)
        self._changed()
        if self.subject.can_train:
            self._follow_batch_size(self.subject.batch_size)
        return lane

    def drop(self, number: int) -> None:
        """Without this lane."""
        self.lane(number)
        if len(self) == 1:
            raise OptionError("this is the only network", expected="two, to close one of them")
        del self.all[number]
        self._pending.pop(number, None)
        self._say({"type": "lanes", "lanes": sorted(self.all)})
        self._changed()
        for other, change in list(self._pending.items()):
            self._adopt(other, change)  # it may have waited for this lane

    def restart(self, seed: int) -> None:
        """All of them from step 0 with new weights."""
        for lane in self:
            self._values(lane, structure.weights_edit(None, seed))
            lane.begin_anew()
            self.describe(lane)
        self._changed()

    # changing them

    def change(self, number: int, edit: Edit, words: str) -> None:
        """Change the layers or the optimizer of a lane.

        It trains on until the changed network is compiled.

        Args:
            edit: function (a copy of its program) -> the changed one.
            words: what is changed.

        Raises:
            CutawayError: it cannot be changed so; nothing is.
        """
        lane = self.lane(number)
        before = self._pending.get(number, _Change([], []))
        wanted = _Change([*before.edits, edit], [*before.words, words])
        training = self._training_after(lane, wanted)  # raises before anything is pending
        shown = FrameViews(lane.scene(self.look(), training))
        self._pending[number] = wanted
        self._say(_compiling(number, words))
        parts = {"compile": training.prepare, "frames": shown.prepare}
        left = set(parts)

        def ready(part: str) -> None:
            left.discard(part)
            if not left:
                wanted.made = training, shown
                self._adopt(number, wanted)

        def unless_replaced(work: Callable[[], None]) -> None:
            if self._pending.get(number) is wanted:  # else a later change holds this one as well
                work()

        for part, work in parts.items():
            self._background.run(
                part,
                functools.partial(unless_replaced, work),
                lambda _, part=part: ready(part),
                lambda error: self._give_up(number, wanted, error),
            )

    def look_ahead(self, number: int, edit: Edit) -> None:
        """Compile a change that may be asked for next: then it is in the cache on disk."""
        lane = self.lane(number)
        if number in self._pending or not lane.is_ready or self._is_ahead:
            return
        training = self._training_after(lane, _Change([edit], []))
        shown = FrameViews(lane.scene(self.look(), training))
        self._is_ahead = True

        def work() -> None:
            training.prepare()
            shown.prepare()

        def over(_) -> None:
            self._is_ahead = False

        self._background.run("ahead", work, over, over)

    def _training_after(self, lane: Lane, wanted: _Change) -> StepwiseTraining:
        with exclusive():
            program = lane.program.copied()
        for edit in wanted.edits:
            program = edit(program)
        training = new_training(self.noisy_subject(), program)
        self._at_position_of(training, lane.training)
        return training

    def _adopt(self, number: int, wanted: _Change) -> None:
        """Go on with a changed network, if it is compiled and nothing else is to be waited for."""
        if self._pending.get(number) is not wanted:
            return  # another change came meanwhile
        waiting = [number]
        if self._waits_for_batch_size(number):
            # all lanes take another batch size between the same two steps, or their epochs differ
            waiting = [other for other in self._pending if self._waits_for_batch_size(other)]
        changes = {other: self._pending[other] for other in waiting}
        if all(change.made is not None for change in changes.values()):
            for other, change in changes.items():
                self._go_on_with(self.all[other], change)

    def _go_on_with(self, lane: Lane, wanted: _Change) -> None:
        assert wanted.made is not None
        training, shown = wanted.made
        del self._pending[lane.number]
        now = self._training_after(lane, wanted)  # with the weights that were trained meanwhile
        training.program.restore(now.program.snapshot())
        self._give_rows(training)
        self._at_position_of(training, lane.training)
        lane.adopt(training, _in_short(wanted.words), shown)
        self._prepare_others(lane)
        self.describe(lane)
        self._say({"type": "ready", "lane": lane.number})
        self._changed()

    def _give_up(self, number: int, wanted: _Change, error: Exception) -> None:
        if self._pending.get(number) is not wanted:
            return  # said already, or another change came meanwhile
        given_up = {number}
        if self._waits_for_batch_size(number):
            given_up = {other for other in self.all if self._waits_for_batch_size(other)}
            self.subject.batch_size = self.all[number].training.batch_size
        for other in given_up:
            self._pending.pop(other, None)
            self._say({"type": "ready", "lane": other})
        raise error

    def change_values(self, number: int, edit: Edit, words: str) -> None:
        """Change numbers of a lane's network: nothing is compiled for it."""
        lane = self.lane(number)
        lane.memory.remember(lane.training, lane.curve.last())
        self._values(lane, edit)
        lane.memory.remember(lane.training, lane.curve.last(), words)
        self._changed()

    def _values(self, lane: Lane, edit: Edit) -> None:
        with exclusive():
            lane.program.restore(edit(lane.program.copied()).snapshot())

    def set_number(self, number: int, name: str, value: Any) -> None:
        """Another number of the optimizer, from the next step on."""
        lane = self.lane(number)
        optimizer = lane.program.optimizer
        known = optimizer_of(lane.program)["numbers"]
        if name not in known:
            raise OptionError(
                f"{type(optimizer).__name__} has no number {name!r}",
                expected="one of " + ", ".join(known),
            )
        setattr(optimizer, name, tuple(value) if isinstance(value, list) else value)
        self.describe(lane)
        self._changed()

    def edit_weight(self, number: int, path: str, index: tuple[int, ...], value: float) -> None:
        """Another value of one weight."""

        def edit(program: Program) -> Program:
            parameter = _parameter(program, path)
            _expect_place(path, index, parameter.shape)
            values = parameter.numpy().copy()
            values[index] = value
            parameter.data = values
            return program

        self.change_values(number, edit, f"{path}{list(index)} = {value:g}")

    def freeze(self, number: int, path: str, index: tuple[int, ...] | None, frozen: bool) -> None:
        """Keep a parameter or one of its weights as it is, or train it again."""
        lane = self.lane(number)
        parameter = _parameter(lane.program, path)
        if index is not None:
            _expect_place(path, index, parameter.shape)
        edit = structure.freeze_edit(path, index, frozen)
        words = f"{path}{'' if index is None else list(index)} {'frozen' if frozen else 'trained'}"
        self.change(number, edit, words)

    # changing the data

    def set_batch_size(self, size: int) -> None:
        """Another batch size for all of them; an epoch that had begun begins anew."""
        expect_range(size, what="batch size", least=1, most=len(self.subject.training) or None)
        self._follow_batch_size(size)

    def _follow_batch_size(self, size: int) -> None:
        """Give all lanes this batch size, as soon as their steps are compiled for it."""
        self.subject.batch_size = size
        for lane in list(self):
            if lane.training.batch_size != size or lane.number in self._pending:
                self.change(lane.number, _same, f"batch size {size}")

    def _waits_for_batch_size(self, number: int) -> bool:
        return self.all[number].training.batch_size != self.subject.batch_size

    def set_noise(self, value: float) -> None:
        """Gaussian noise on the training rows, the same draw for each value."""
        if not is_array(self._x) or not np.issubdtype(np.asarray(self._x).dtype, np.floating):
            raise OptionError(
                "noise was asked for on inputs that are no array of numbers",
                expected="a table or pictures",
            )
        self.noise = value
        self.subject.x = self._noisy_rows() if value else self._x
        for lane in self:
            lane.training.replace_rows(self.subject.x)
            lane.forget_shown()
        self._changed()

    def _noisy_rows(self) -> np.ndarray:
        x = np.array(self._x, np.float32)
        rows = self.subject.training
        drawn = np.random.default_rng(self.subject.seed).normal(size=x[rows].shape)
        x[rows] += self.noise * drawn.astype(np.float32)
        return x

    def noisy_subject(self) -> Subject:
        """The subject as it is now, with the noise on its rows: a copy for work beside."""
        return copy.copy(self.subject)

    def _give_rows(self, training: StepwiseTraining) -> None:
        """Give a training the rows of now: it was made before the noise was changed."""
        rows = training.training
        if self.subject.can_train and isinstance(rows, ArrayRows) and rows.x is not self.subject.x:
            training.replace_rows(self.subject.x)

    def _at_position_of(self, training: StepwiseTraining, other: StepwiseTraining) -> None:
        place = other.position
        if training.batch_size != other.batch_size:
            place = Position(place.steps, place.epoch, 0)
        training.position = place

    def describe(self, lane: Lane) -> None:
        """Say what a lane's network is now."""
        self._say(lane.description(self.look()))


def _compiling(number: int, what: str) -> dict[str, Any]:
    return {"type": "compiling", "lane": number, "what": what}


def _raised(error: Exception) -> None:
    raise error


def _in_short(words: list[str]) -> str:
    """The words of several changes: the last count of units of each layer, and repeats counted."""
    last = {re.sub(r"^\d+ (?=units in layer )", "", word): word for word in words}
    counted = ((word, words.count(word)) for word in last.values())
    return ", ".join(word if many == 1 else f"{word} ({many} times)" for word, many in counted)


def _same(program: Program) -> Program:
    return program


def _parameter(program: Program, path: str) -> Any:
    named = program.net.named_parameters()
    if path not in named:
        raise OptionError(
            f"the network has no {path!r}", expected="a parameter, such as " + next(iter(named), "")
        )
    return named[path]


def _expect_place(path: str, index: tuple[int, ...], shape: tuple[int, ...]) -> None:
    if len(index) != len(shape) or any(i >= n for i, n in zip(index, shape, strict=True)):
        raise OptionError(
            f"{path} has no weight {list(index)}", expected=f"indices within its shape {shape}"
        )

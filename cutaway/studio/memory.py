"""Memory: the states that a network of the studio can be taken back to."""

import dataclasses
import functools
import itertools

from cutaway.train import StepwiseTraining, TrainingState

MOST_BYTES = 2**28
MOST_STATES = 500


@dataclasses.dataclass(frozen=True)
class Remembered:
    """A state to go back to.

    Attributes:
        id: counted from 0 in one memory.
        training: the StepwiseTraining that was in it; another one after a change of layers.
        state: its state.
        loss: of the last step before it; None: of none.
        change: what was changed right before it, in words; "" for nothing.
    """

    id: int
    training: StepwiseTraining
    state: TrainingState
    loss: float | None
    change: str = ""

    @functools.cached_property
    def nbytes(self) -> int:
        """Of its arrays; those that other states share are counted too."""
        return sum(getattr(value, "nbytes", 0) for value in self.state.values)


class Memory:
    """Remembered states, the latest ones close together and the earlier ones further apart.

    Args:
        most_bytes, most_states: limits; beyond them every second one of the older half is dropped,
            except the first one and those right before a change.
    """

    def __init__(self, most_bytes: int = MOST_BYTES, most_states: int = MOST_STATES):
        self.most_bytes, self.most_states = most_bytes, most_states
        self._states: list[Remembered] = []
        self._numbers = itertools.count()
        self.version = 0  # another one after each change
        self._at: int | None = None  # id of the state that it went back to and not on from

    def __len__(self):
        return len(self._states)

    def remember(self, training: StepwiseTraining, loss: float | None, change: str = "") -> None:
        """Keep the state of a training, unless it is the last one that was kept.

        After going back, the states that came later in the other course are dropped.
        """
        state = training.state()
        if self._at is not None:
            here = self._find(self._at)
            if here.state.position == state.position and here.training is training and not change:
                return
            self._states = [kept for kept in self._states if kept.id <= self._at]
            self._at = None
        if self._states and not change:
            last = self._states[-1]
            if last.training is training and last.state.position == state.position:
                return
        self.version += 1
        self._states.append(Remembered(next(self._numbers), training, state, loss, change))
        self._thin()

    def go_back(self, number: int) -> Remembered | None:
        """The state with this id, to go on from; None if it is no longer kept."""
        found = self._find(number, None)
        if found is not None:
            self._at = number
            self.version += 1
        return found

    def before(self) -> Remembered | None:
        """The state before the one that it is at now: the last but one, or after going back."""
        ids = [kept.id for kept in self._states]
        place = ids.index(self._at) if self._at is not None else len(ids) - 1
        return self._states[place - 1] if place > 0 else None

    def beginning(self) -> Remembered:
        """The state right after the last change before the present one, or the first state."""
        until = self._states if self._at is None else [s for s in self._states if s.id <= self._at]
        return next((kept for kept in reversed(until) if kept.change), until[0])

    def entries(self) -> list[list]:
        """[[id, step, epoch, loss, change, whether it is there now]] in order, for the page."""
        now = self._at if self._at is not None or not self._states else self._states[-1].id
        return [
            [
                kept.id,
                kept.state.position.steps,
                kept.state.position.epoch,
                kept.loss,
                kept.change,
                kept.id == now,
            ]
            for kept in self._states
        ]

    def _find(self, number: int, *default):
        return next((kept for kept in self._states if kept.id == number), *default)

    def _thin(self) -> None:
        while len(self._states) > 4 and (
            len(self._states) > self.most_states
            or sum(kept.nbytes for kept in self._states) > self.most_bytes
        ):
            half = len(self._states) // 2
            older = self._states[1:half]
            kept = [s for i, s in enumerate(older) if i % 2 or s.change]
            if len(kept) == len(older):
                kept = kept[1:]
            self._states[1:half] = kept

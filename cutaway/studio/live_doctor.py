"""LiveDoctor: looks at the networks of a studio while they train, and says what is wrong."""

import dataclasses
import itertools
import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cutaway.errors import OptionError
from cutaway.studio.background import Background, say_where
from cutaway.studio.lane import Lane, new_training
from cutaway.studio.side_by_side import MOST_LANES, LaneSet

if TYPE_CHECKING:
    from cutaway.studio.patient import Found, Moment, Patient

FRACTION = 0.05  # most of the time that looking may take
LEAST_SECONDS, MOST_SECONDS = 0.5, 60.0  # between two looks
BEGIN_SECONDS = 2.5  # after the first step, until the first look is prepared
LEAST_STEPS = 100  # since the last change: before, every network is at the level of chance
OFTEN = 2  # looks in a row that find something, until it is said, and that do not, until it is gone


@dataclasses.dataclass
class _Case:
    """A lane, and what was found of it since its last change.

    Attributes:
        key: what a change replaces: the beginning of the patient, and the rows.
        patient: of the doctor; None: it is being prepared.
        is_hopeless: whether it cannot be looked at.
        old_trouble: the lane's error from before the last change.
        looked: (step, error) of the last look.
        opened: {symptom: _Open}.
    """

    key: tuple
    began: float
    old_trouble: Any
    patient: "Patient | None" = None
    is_hopeless: bool = False
    looked: tuple = (-1, None)
    opened: dict[str, "_Open"] = dataclasses.field(default_factory=dict)

    def trouble_of(self, lane: Lane):
        return None if lane.trouble is self.old_trouble else lane.trouble


@dataclasses.dataclass
class _Open:
    """A finding that was seen, and has not been missing for long.

    Attributes:
        id: for the page.
        found: as it was seen last.
        seen, missed: looks in a row.
        said: the message that the page has; None: it is not said yet.
        shown: its place and its numbers, to two digits.
    """

    id: int
    found: "Found"
    seen: int = 0
    missed: int = 0
    said: dict | None = None
    shown: tuple = ()


class LiveDoctor:
    """The doctor of a session: it measures beside the session's thread, on copies.

    Called on the session's thread, and raises nothing into it but what a command gets.

    Args:
        lanes: the LaneSet.
        background: for looking.
        say: function (message) to all clients.

    Attributes:
        looks: number of looks so far.
        seconds: that they took, without preparing and, of small networks, without waiting.
    """

    def __init__(self, lanes: LaneSet, background: Background, say: Callable[[dict], None]):
        self.lanes = lanes
        self._background, self._say = background, say
        self._cases: dict[int, _Case] = {}
        self._numbers = itertools.count()
        self._is_busy = False
        self._due = 0.0
        self._costs: list[float] = []  # of the last looks
        self._faults: set[str] = set()
        self.looks, self.seconds = 0, 0.0

    # looking

    def look(self) -> None:
        """Begin the next look, if it is time for one; called after each chunk of steps."""
        now = time.monotonic()
        if self._is_busy or now < self._due:
            return
        self._due = now + 0.05
        self._forget_dropped()
        for lane in sorted(self.lanes, key=self._looked):
            if self._look_at(lane, now):
                return

    def _looked(self, lane: Lane) -> int:
        case = self._cases.get(lane.number)
        return -1 if case is None else case.looked[0]

    def _look_at(self, lane: Lane, now: float) -> bool:
        """Begin a look at a lane; False: there is nothing new."""
        if not self.lanes.subject.can_train or lane.program.alternates:
            return False
        case = self._case(lane, now)
        done = lane.training.position.steps - case.key[1].state.position.steps
        trouble = case.trouble_of(lane)
        if case.is_hopeless or (done <= 0 and trouble is None):
            return False
        if case.patient is None:
            if now - case.began < BEGIN_SECONDS and trouble is None:
                return False
            self._prepare(lane, case)
            return True
        latest = (lane.training.position.steps, trouble)
        if latest == case.looked or (done < LEAST_STEPS and trouble is None):
            return False
        case.looked = latest
        patient, moment = case.patient, self._moment(lane, trouble)

        # while a small network trains at full speed, most of a look is waiting for the interpreter;
        # the operations of others run on threads of XLA, whose time is not this one's
        clock = time.thread_time if patient.is_small else time.monotonic

        def work():
            began = clock()
            return patient.look(moment), clock() - began

        self._run(case, work, lambda found: self._seen(lane.number, case, *found))
        return True

    def _case(self, lane: Lane, now: float) -> _Case:
        """The case of a lane since its last change."""
        key = (lane.training, lane.memory.beginning(), self.lanes.subject.x)
        case = self._cases.get(lane.number)
        if case is None or any(a is not b for a, b in zip(key, case.key, strict=True)):
            if case is not None:
                self._close(lane.number, case)
            case = self._cases[lane.number] = _Case(key, now, lane.trouble if case else None)
        elif lane.training.position.steps <= key[1].state.position.steps:
            case.began = now  # it has not made a step
        return case

    def _prepare(self, lane: Lane, case: _Case) -> None:
        training, beginning, _ = case.key
        subject = self.lanes.noisy_subject()

        def work():
            from cutaway.studio.patient import Patient  # with all symptoms

            patient = Patient(subject, training, beginning)
            patient.prepare()
            return patient

        def then(patient):
            case.patient = patient

        self._run(case, work, then)

    def _moment(self, lane: Lane, trouble: Any) -> "Moment":
        from cutaway.studio.patient import Moment

        state = lane.training.state()
        curves = lane.curve.arrays(), lane.validation_curve.arrays()
        return Moment(state.position, state.values, *curves, trouble)

    def _run(self, case: _Case, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        self._is_busy = True

        def done(found):
            self._is_busy = False
            then(found)

        def failed(error):
            self._is_busy, case.is_hopeless = False, True
            self._note_fault(error)

        self._background.run("doctor", work, done, failed)

    def _note_fault(self, error: Exception) -> None:
        """Print a fault, each kind once: a network that cannot be looked at trains all the same."""
        kind = f"{type(error).__name__}: {error}"
        if kind not in self._faults:
            self._faults.add(kind)
            say_where(error)

    def _seen(self, number: int, case: _Case, found: "list[Found]", seconds: float) -> None:
        self.looks += 1
        self.seconds += seconds
        self._costs = [*self._costs[-2:], seconds]
        # a look that compiles something says nothing of the next
        cost = statistics.median(self._costs) if len(self._costs) == 3 else 0.0
        self._due = time.monotonic() + min(MOST_SECONDS, max(LEAST_SECONDS, cost / FRACTION))
        if self._cases.get(number) is case:
            self._compare(number, case, found)

    # saying

    def _compare(self, number: int, case: _Case, found: "list[Found]") -> None:
        """Open what is found, and close what is no longer found."""
        now = {one.finding.code: one for one in found}
        for code, one in now.items():
            opened = case.opened.setdefault(code, _Open(next(self._numbers), one))
            opened.found, opened.missed = one, 0
            opened.seen += 1
            is_sure = opened.seen >= OFTEN or case.looked[1] is not None  # nothing follows an error
            if is_sure and (opened.said is None or _shown(one) != opened.shown):
                opened.said, opened.shown = _message(number, opened), _shown(one)
                self._say(opened.said)
        for code, opened in list(case.opened.items()):
            if code in now:
                continue
            opened.seen, opened.missed = 0, opened.missed + 1
            if opened.missed >= OFTEN or opened.said is None:
                del case.opened[code]
                self._say_gone(number, opened)

    def _close(self, number: int, case: _Case) -> None:
        for opened in case.opened.values():
            self._say_gone(number, opened)

    def _say_gone(self, number: int, opened: _Open) -> None:
        if opened.said is not None:
            self._say({"type": "finding_gone", "lane": number, "id": opened.id})

    def _forget_dropped(self) -> None:
        for number in [k for k in self._cases if k not in self.lanes.all]:
            self._close(number, self._cases.pop(number))

    def findings(self) -> list[dict[str, Any]]:
        """The messages of all findings that hold, for a page that begins."""
        every = (opened for case in self._cases.values() for opened in case.opened.values())
        return [opened.said for opened in every if opened.said is not None]

    # trying

    def try_finding(self, number: int, finding: int) -> None:
        """Put a copy beside with what is prescribed; it trains as soon as it is compiled.

        Raises:
            OptionError: there is no such finding, nothing to try, or no room beside.
        """
        lane = self.lanes.lane(number)
        case, opened = self._opened(number, finding)
        found, patient = opened.found, case.patient
        if found.trial is None or patient is None:
            raise OptionError(
                f"what is prescribed for {_words(found.finding.code)} is no change of the network, "
                "its loss or its optimizer",
                expected="a prescription that a copy beside can try",
                fix="; ".join(p.text for p in found.finding.prescriptions) or None,
            )
        self._expect_room(lane)
        moment, subject = self._moment(lane, None), self.lanes.noisy_subject()
        curves = lane.curve.copied(), lane.validation_curve.copied()
        title = found.trial.text

        def work():
            program, position = patient.trial(found, moment)
            training = new_training(subject, program)
            training.position = position
            training.prepare()
            return training

        def then(training):
            self._say({"type": "ready", "lane": number})
            self._make_room(lane)
            trial = self.lanes.add(training, title)
            trial.is_trial = True
            for curve in curves:
                curve.cut(training.position.steps)
            trial.curve, trial.validation_curve = curves

        def failed(error):
            self._say({"type": "ready", "lane": number})
            raise error

        self._say({"type": "compiling", "lane": number, "what": title})
        self._background.run("doctor", work, then, failed)

    def _opened(self, number: int, finding: int) -> tuple[_Case, _Open]:
        case = self._cases.get(number)
        for opened in () if case is None else case.opened.values():
            if opened.id == finding and opened.said is not None:
                return case, opened  # pyright: ignore[reportReturnType]
        raise OptionError(
            f"network {number} has no finding {finding}",
            expected="one that is shown",
            fix="it may be gone: the network has trained on",
        )

    def _expect_room(self, lane: Lane) -> None:
        others = [other for other in self.lanes if other is not lane and not other.is_trial]
        if len(others) + 1 >= MOST_LANES:
            raise OptionError(
                f"there are {len(self.lanes)} networks already",
                expected=f"at most {MOST_LANES}",
                fix="close the other one: then a trial has room beside this one",
            )

    def _make_room(self, lane: Lane) -> None:
        """Drop the trial that is beside a lane."""
        self.lanes.lane(lane.number)
        self._expect_room(lane)
        for other in [other for other in self.lanes if other is not lane]:
            self.lanes.drop(other.number)


def _words(code: str) -> str:
    return code.replace("_", " ")


def _shown(found: "Found") -> tuple:
    finding = found.finding
    return (finding.where, *(f"{measure.value:.2g}" for measure in finding.evidence))


def _message(number: int, opened: _Open) -> dict[str, Any]:
    found, finding = opened.found, opened.found.finding
    return {
        "type": "finding",
        "lane": number,
        "id": opened.id,
        "symptom": finding.code,
        "title": _words(finding.code).capitalize(),
        "text": finding.explanation,
        "numbers": [
            {
                "what": measure.what,
                "value": float(measure.value),
                "threshold": None if measure.threshold is None else float(measure.threshold),
                "relation": measure.relation,
            }
            for measure in finding.evidence
        ],
        "where": finding.where,
        "path": finding.path or None,
        "prescriptions": [prescription.text for prescription in finding.prescriptions],
        "can_try": found.trial is not None,
        "tries": None if found.trial is None else found.trial.text,
    }

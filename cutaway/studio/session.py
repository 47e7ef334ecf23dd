"""Session: the one thread that owns the networks of a studio, and what it tells its clients."""

import atexit
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from cutaway.errors import CutawayError, OptionError
from cutaway.studio.background import Background, say_where
from cutaway.studio.client import Client, parsed
from cutaway.studio.commands import ANY
from cutaway.studio.greeting import greeting
from cutaway.studio.live_doctor import LiveDoctor
from cutaway.studio.look import Look
from cutaway.studio.pace import Pace
from cutaway.studio.side_by_side import LaneSet
from cutaway.studio.subject import Subject
from cutaway.studio.surface_message import survey
from cutaway.studio.telling import tell
from cutaway.studio.wire import packed
from cutaway.studio.worst_first import show_next_wrong

REMEMBER_SECONDS = 0.25  # between two remembered states while it plays
MEMORY_SECONDS = 0.5  # between two messages of what is remembered
IDLE_SECONDS = 0.5  # most that the thread sleeps
PHASES = ("forward", "backward")


class Session:
    """A studio: networks in training, led by commands, shown in frames.

    Its thread alone reads and changes the networks. Everything else gets immutable bytes.

    Args:
        subject: what is shown and trained.
        lesson: the steps of a lesson, for the page; or None.

    Attributes:
        lanes: the LaneSet.
        pace: the Pace.
        doctor: the LiveDoctor.
        look: the Look.
        is_playing: whether it trains.
        worst_row: the row that was last shown for being predicted badly.
        phase: how far the next step was led: None, "forward" or "backward".
        why_closed: said when it has ended.
    """

    def __init__(self, subject: Subject, *, lesson: dict | None = None):
        self.subject, self.lesson = subject, lesson
        self.pace, self.look = Pace(), Look()
        self.is_playing = False
        self.phase: str | None = None
        self.worst_row: int | None = None
        self.error: BaseException | None = None
        self.why_closed = ""
        self._todo: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._clients: list[Client] = []
        self._background = Background(self._todo.put)
        self.lanes = LaneSet(subject, self._background, self.say, self.show, lambda: self.look)
        self.doctor = LiveDoctor(self.lanes, self._background, self.say)
        self._is_new = True  # something is to be shown that no frame has shown
        self._frames = 0
        self._began = time.monotonic()
        self._remember_at = 0.0
        self._say_memory_at, self._said_memory = 0.0, set()
        self._to_run = 0  # steps that were asked for one by one
        self._is_closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cutaway-studio", daemon=True)

    # for other threads

    def start(self) -> None:
        """Let its thread begin; it ends with `close`, or with the process."""
        atexit.register(self.close)
        self._thread.start()

    def connect(self, deliver: Callable[[bytes], None], *, paced: bool = False) -> Client:
        """A new client.

        Args:
            deliver: function (bytes), called on the session's thread with one message; returns at
                once and raises nothing.
            paced: see Client.
        """
        client = Client(self, deliver, paced=paced)
        self._todo.put(lambda: self._clients.append(client))
        return client

    def disconnect(self, client: Client) -> None:
        """A client has left."""
        self._todo.put(lambda: self._clients.remove(client) if client in self._clients else None)

    def take(self, client: Client, message: bytes | str | dict) -> None:
        """A client has sent a command."""
        self._todo.put(lambda: parsed(message, ANY).apply(self, client))

    def close(self, why: str = "the studio was closed") -> None:
        """End the thread."""
        if not self._is_closed.is_set():
            self._todo.put(lambda: self._say_closed(why))
            self._todo.put(None)
        atexit.unregister(self.close)
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout=10)
        self._background.close()

    @property
    def is_closed(self) -> bool:
        """Whether its thread has ended."""
        return self._is_closed.is_set()

    # the thread

    def _run(self) -> None:
        try:
            while self._obey():
                self._train()
                self.doctor.look()
                self._publish()
                self._say_memory()
        except BaseException as error:
            self.error = error
            say_where(error)
            self._say_closed(f"the studio failed: {error!r}")
        finally:
            self._is_closed.set()

    def _obey(self) -> bool:
        """Do what was asked for; whether to go on."""
        timeout = self._idle_seconds()
        while True:
            try:
                task = self._todo.get(timeout=timeout) if timeout > 0 else self._todo.get_nowait()
            except queue.Empty:
                return True
            if task is None:
                return False
            self._attempt(task)
            timeout = 0.0

    def _attempt(self, task: Callable[[], None]) -> None:
        try:
            task()
        except CutawayError as error:
            self.say_error(error)
            self.say_state()  # a field of the page still shows what could not be done
        except Exception as error:  # a fault of ours: said, and the studio goes on
            say_where(error)
            text = f"{type(error).__name__}: {error}"
            fix = "this is a fault of Cutaway: please report it with what the terminal shows"
            self.say({"type": "error", "text": text, "expected": "", "fix": fix})

    def _idle_seconds(self) -> float:
        """How long it may sleep until a command comes."""
        if self._to_run and self.lanes.are_ready:
            return 0.0
        now = time.monotonic()
        runs = self.is_playing and self.lanes.are_ready
        wait = self.pace.wait(self._steps_per_epoch()) if runs else IDLE_SECONDS
        if self._is_new and any(client.has_room(now) for client in self._clients):
            wait = min(wait, self.pace.frame_wait(now)) if self.is_playing else 0.0
        elif self._is_new and any(client.paced for client in self._clients):
            wait = min(wait, 0.02)
        return wait

    def _steps_per_epoch(self) -> int:
        return max(1, next(iter(self.lanes)).training.steps_per_epoch)

    # training

    def _train(self) -> None:
        steps = self._to_run or (self.pace.steps(self._steps_per_epoch()) if self.is_playing else 0)
        if not steps or not self.lanes.are_ready:
            return
        single = bool(self._to_run)
        steps = min(steps, 256) if single else steps
        began = time.monotonic()
        try:
            self.lanes.run(steps)
        except CutawayError as error:
            self.is_playing, self._to_run = False, 0
            self.say_error(error, also="go back to an earlier state, or restart")
            self.say_state()
        ended = time.monotonic()
        self.pace.leaves_room = self.lanes.are_changing
        self.pace.ran(steps, ended - began)
        self._to_run = max(0, self._to_run - steps)
        if (self._to_run == 0 and single) or ended >= self._remember_at:
            self.lanes.remember()
            self._remember_at = ended + REMEMBER_SECONDS
        self._is_new = True

    def play(self) -> None:
        """Train from now on."""
        self._expect_rows()
        self.is_playing, self.phase, self._to_run = True, None, 0
        self.pace.begin()
        self.say_state()

    def pause(self) -> None:
        """Stop before the next step."""
        if self.is_playing:
            self.lanes.remember()
        self.is_playing, self._to_run, self.phase = False, 0, None
        self._is_new = True
        self.say_state()

    def advance(self, unit: str, count: int) -> None:
        """Run epochs or batches, or show one part of the next step; then it is paused."""
        self._expect_rows()
        self.is_playing = False
        if unit in PHASES:
            self.phase = unit
        else:
            self._to_run += self._steps_of(unit, count)  # after those that still have to run
            self.phase = None
        self._is_new = True
        self.say_state()

    def _steps_of(self, unit: str, count: int) -> int:
        if unit != "epoch":
            return 1 if unit == "update" else count
        training = next(iter(self.lanes)).training
        per_epoch = training.steps_per_epoch
        return count * per_epoch - (training.position.step + self._to_run) % per_epoch

    def _expect_rows(self) -> None:
        if not self.subject.can_train:
            raise OptionError(
                "there are no rows with targets here: the network can only be looked at",
                expected="a studio of a network with data",
                fix="ct.studio(net, x, y, loss=...), or name the data of the run",
            )

    # showing

    def show(self) -> None:
        """Something has changed that a frame has to show."""
        self._is_new = True

    def look_at(self, **parts) -> None:
        """Show something else from the next frame on."""
        before, columns = self.look, self.subject.inputs
        look = msgspec.structs.replace(before, **parts)
        if "columns" in parts and (columns is None or max(look.columns) >= len(columns)):
            raise OptionError(
                f"the columns {list(look.columns)} were chosen",
                expected="two columns of numbers, counted from 0",
            )
        self.look = look
        if look.row != before.row or look.layer != before.layer or look.set != before.set:
            self.phase = None
        self._is_new = True
        self.say_state()

    def _publish(self) -> None:
        now = time.monotonic()
        for client in self._clients:
            client.show_life(now)
        if not self._is_new or not any(client.has_room(now) for client in self._clients):
            return
        if self.is_playing and not self.pace.is_time_for_frame(now):
            return
        message = self._frame(now)
        for client in self._clients:
            if client.has_room(now):
                client.send_frame(self._frames, message, now)
        self.pace.made_frame(now, time.monotonic() - now)

    def _frame(self, now: float) -> bytes:
        self._is_new = False
        self._frames += 1
        lanes, arrays = [], {}
        for lane in self.lanes:
            lane.validate(now=not self.is_playing and not self._to_run)
            found, headers = self._shown(lane)
            state = {**lane.state(), "views": headers}
            if self.phase is not None:
                state["next"] = lane.next_loss()
            if self.phase == "backward":
                found |= lane.slopes()
            lanes.append(state)
            found |= lane.curves()
            arrays |= {f"{lane.number}/{name}": array for name, array in found.items()}
        header = {
            "type": "frame",
            "n": self._frames,
            "at": now - self._began,
            "made": time.time(),
            "playing": self.is_playing,
            "phase": self.phase,
            "lanes": lanes,
        }
        return packed(header, arrays)

    def _shown(self, lane) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """The arrays of the views, as soon as their program is compiled."""
        shown = lane.shown(self.look)
        if shown.is_ready:
            return shown.arrays()
        if not shown.is_wanted:
            shown.is_wanted = True
            self._background.run("compile", shown.prepare, lambda _: self.show(), _raise)
        return {}, {}

    def _say_memory(self) -> None:
        """Say which states are remembered, if that has changed, but not too often."""
        now = time.monotonic()
        if now < self._say_memory_at or not self._clients:
            return
        for lane in self.lanes:
            latest = (lane.number, lane.memory.version)
            if latest not in self._said_memory:
                self._said_memory = {m for m in self._said_memory if m[0] != lane.number}
                self._said_memory.add(latest)
                entries = lane.memory.entries()
                self.say({"type": "memory", "lane": lane.number, "entries": entries})
                self._say_memory_at = now + MEMORY_SECONDS

    # saying

    def _say_closed(self, why: str) -> None:
        self.why_closed = why
        self.say({"type": "closed", "why": why})

    def say(self, message: dict[str, Any]) -> None:
        """Tell all clients."""
        content = packed(message)
        for client in self._clients:
            client.deliver(content)

    def say_state(self) -> None:
        """Tell all clients what runs, and what is looked at."""
        self.say({"type": "state", **self.state()})

    def say_error(self, error: CutawayError, of: int | None = None, also: str = "") -> None:
        """Tell all clients what could not be done.

        Args:
            error: what came of it.
            of: id of the click that asked for it.
            also: what else helps in a studio.
        """
        fix = "; ".join(filter(None, [error.fix, also]))
        self.say(
            {
                "type": "error",
                "text": error.came,
                "expected": error.expected or "",
                "fix": fix,
                "of": of,
            }
        )

    def state(self) -> dict[str, Any]:
        """What runs, and what is looked at."""
        return {
            "playing": self.is_playing,
            "phase": self.phase,
            "speed": {"unit": self.pace.unit, "per_second": self.pace.per_second},
            "look": msgspec.to_builtins(self.look),
            "batch_size": self.subject.batch_size,
            "noise": self.lanes.noise,
        }

    def greet(self, client: Client) -> None:
        """Tell a client everything that it needs to begin."""
        for message in (greeting(self), *self.lanes.compiling()):
            client.deliver(packed(message))
        self._is_new = True

    def survey(self, number: int, client: Client) -> None:
        """Send a client the loss around a network, and where optimizers would go from there."""
        survey(self, self.lanes.lane(number), client, self._background)

    def show_next_wrong(self, number: int, client: Client) -> None:
        """Look at the row that a network predicts worst, or at the next one after it."""
        show_next_wrong(self, self.lanes.lane(number), client, self._background)

    def tell(self, click, client: Client) -> None:
        """Answer a click with a story."""
        tell(self, click, client, self._background)

    def try_finding(self, lane: int, finding: int) -> None:
        """Try what the doctor prescribes, on a copy beside."""
        self.doctor.try_finding(lane, finding)


def _raise(error: Exception) -> None:
    raise error

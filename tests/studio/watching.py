"""A client that waits for messages, for tests of the studio's session."""

import threading

import numpy as np

import cutaway as ct
from cutaway.studio.session import Session
from cutaway.studio.subject import InputColumn, Subject
from cutaway.studio.wire import unpacked
from cutaway.train import Program

SECONDS = 120  # until a message has to be there: a loaded machine compiles slowly
ROWS = 90


def new_subject(sizes=(2, 6, 5, 1), *, batch_size: int = 16) -> Subject:
    """Points of two classes that no line divides."""
    ct.seed(0)
    x = np.random.default_rng(0).normal(size=(ROWS, 2)).astype(np.float32)
    y = (x[:, :1] * x[:, 1:] > 0).astype(np.float32)
    net = ct.models.mlp(sizes, activation=ct.Tanh)
    loss = ct.losses.binary_cross_entropy_with_logits
    program = Program(net, loss=loss, optimizer=ct.Adam(net, lr=0.02))
    columns = [
        InputColumn(name, float(x[:, k].min()), float(x[:, k].max()), float(x[:, k].mean()))
        for k, name in enumerate(["a", "b"])
    ]
    return Subject(
        title="points",
        kind="points",
        task="binary",
        target="class",
        examples="points",
        program=program,
        x=x,
        y=y,
        training=np.arange(70),
        validation=np.arange(70, ROWS),
        batch_size=batch_size,
        seed=4,
        classes=["0", "1"],
        inputs=columns,
    )


class Inbox:
    """Messages of a session, which can be waited for."""

    def __init__(self):
        self.messages: list[tuple[dict, dict]] = []
        self._arrived = threading.Condition()

    def put(self, header: dict, arrays: dict) -> None:
        """A message has come."""
        with self._arrived:
            self.messages.append((header, arrays))
            self._arrived.notify_all()

    def wait(self, *types: str, begin: int = 0, when=lambda header: True) -> tuple[dict, dict]:
        """The first message of these types from number `begin` on that `when` says yes to."""

        def found():
            for header, arrays in self.messages[begin:]:
                if header["type"] in types and when(header):
                    return header, arrays
            return None

        with self._arrived:
            assert self._arrived.wait_for(found, SECONDS), f"no {types} came"
            return found()


class Watcher(Inbox):
    """A session with one client that acknowledges each frame."""

    def __init__(self, subject: Subject, **options):
        super().__init__()
        self.session = Session(subject, **options)
        self.client = self.session.connect(self._take)

    def __enter__(self):
        self.session.start()
        self.send(type="hello")
        self.wait("hello")
        return self

    def __exit__(self, *_):
        self.session.close()

    def _take(self, message: bytes):
        header, arrays = unpacked(message)
        if header["type"] == "frame":
            self.client.receive({"type": "ack", "n": header["n"]})
        self.put(header, arrays)

    def send(self, **command):
        """Send a command."""
        self.client.receive(command)

    def ask(self, *answers: str, **command) -> tuple[dict, dict]:
        """Send a command and wait for one of these messages after it."""
        begin = len(self.messages)
        self.send(**command)
        return self.wait(*answers, begin=begin)

    def frame_at(self, step: int, lane: int = 0) -> tuple[dict, dict]:
        """The next frame with a lane at this step."""

        def at_step(header):
            return any(state["lane"] == lane and state["step"] == step for state in header["lanes"])

        return self.wait("frame", when=at_step)

    def settled(self) -> None:
        """Wait until everything that was sent so far is done."""
        done = threading.Event()
        self.session._todo.put(done.set)
        assert done.wait(SECONDS)

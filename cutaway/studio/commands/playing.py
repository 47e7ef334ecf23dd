"""Commands that let the training run, stop and show something else."""

import time
from typing import Annotated, Literal

import msgspec

from cutaway.studio.commands.contract import Command

Count = Annotated[int, msgspec.Meta(ge=1, le=100_000)]
Place = Annotated[int, msgspec.Meta(ge=0, le=2**31)]
Rate = Annotated[float, msgspec.Meta(gt=0, le=1e6)]
Path = Annotated[str, msgspec.Meta(max_length=200)]


class Hello(Command, tag="hello"):
    """A page begins; whether it may was checked before. `token` is the server's business."""

    protocol: int = 1
    token: str = ""

    def apply(self, session, client):
        client.reset()
        session.greet(client)


class Acknowledge(Command, tag="ack"):
    """A page has drawn a frame."""

    n: int
    drawn_ms: float = 0.0

    def apply(self, session, client):
        client.acknowledge(self.n)


class Report(Command, tag="report"):
    """A widget has drawn so many frames in the last second."""

    drawn: int
    ms: float

    def apply(self, session, client):
        client.report(self.drawn, self.ms, time.monotonic())


class Play(Command, tag="play"):
    """Train from now on."""

    def apply(self, session, client):
        session.play()


class Pause(Command, tag="pause"):
    """Stop before the next step."""

    def apply(self, session, client):
        session.pause()


class Step(Command, tag="step"):
    """One or several epochs, batches, or one of the three parts of a step."""

    unit: Literal["epoch", "batch", "forward", "backward", "update"]
    count: Count = 1

    def apply(self, session, client):
        session.advance(self.unit, self.count)


class Speed(Command, tag="speed"):
    """Another speed; per_second None: as fast as it goes."""

    unit: Literal["epochs", "steps"] = "epochs"
    per_second: Rate | None = None

    def apply(self, session, client):
        session.pace.set(self.unit, self.per_second)
        session.say_state()


class LookAt(Command, tag="look"):
    """What is on the screen now; what is left out stays as it is."""

    views: Annotated[tuple[Path, ...], msgspec.Meta(max_length=32)] | msgspec.UnsetType = (
        msgspec.UNSET
    )
    layer: Path | msgspec.UnsetType | None = msgspec.UNSET
    row: Place | msgspec.UnsetType = msgspec.UNSET
    set: Literal["training", "validation"] | msgspec.UnsetType = msgspec.UNSET
    columns: tuple[Place, Place] | msgspec.UnsetType = msgspec.UNSET
    others: Literal["mean", "row"] | msgspec.UnsetType = msgspec.UNSET
    output: Place | msgspec.UnsetType | None = msgspec.UNSET
    head: Place | msgspec.UnsetType | None = msgspec.UNSET

    def apply(self, session, client):
        given = {
            name: value
            for name in self.__struct_fields__
            if (value := getattr(self, name)) is not msgspec.UNSET
        }
        session.look_at(**given)

"""Commands that ask for a story, for the loss surface, or for a trial of what the doctor says."""

from typing import Annotated

import msgspec

from cutaway.studio.commands.contract import Command
from cutaway.studio.commands.playing import Path, Place


class ClickOn(Command, tag="click"):
    """A click on a weight, a neuron, a pixel, ...; the answer is a `story` with its id."""

    id: int
    what: Path
    path: Path = ""
    index: Annotated[tuple[Place, ...], msgspec.Meta(max_length=8)] = ()
    row: Place | None = None
    lane: Place = 0

    def apply(self, session, client):
        session.tell(self, client)


class AskSurface(Command, tag="surface"):
    """The loss around the present weights, with the paths of several optimizers."""

    lane: Place = 0

    def apply(self, session, client):
        session.survey(self.lane, client)


class TryFinding(Command, tag="try_finding"):
    """Try what the doctor prescribes, on a copy beside."""

    finding: Place
    lane: Place = 0

    def apply(self, session, client):
        session.try_finding(self.lane, self.finding)


class NextWrong(Command, tag="wrong"):
    """Look at the row of the set that is predicted worst, or at the next one after it."""

    lane: Place = 0

    def apply(self, session, client):
        session.show_next_wrong(self.lane, client)

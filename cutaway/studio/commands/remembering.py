"""Commands that go back to remembered states, and put a second network beside."""

from cutaway.studio.commands.contract import Command
from cutaway.studio.commands.playing import Place


class Rewind(Command, tag="rewind"):
    """Pause and go back to a remembered state; id None: to the one before the present one."""

    id: int | None = None
    lane: Place = 0

    def apply(self, session, client):
        session.pause()
        session.lanes.go_back(self.lane, self.id)
        session.say_state()


class Branch(Command, tag="branch"):
    """A second network beside, in the state of this one."""

    lane: Place = 0

    def apply(self, session, client):
        session.lanes.branch(self.lane)


class Drop(Command, tag="drop"):
    """Without this network; the other one stays."""

    lane: Place

    def apply(self, session, client):
        session.lanes.drop(self.lane)


class Restart(Command, tag="restart"):
    """All networks from step 0, with weights drawn by this seed."""

    seed: Place = 0

    def apply(self, session, client):
        session.lanes.restart(self.seed)

"""What a command of the page is."""

from collections.abc import Callable
from typing import Annotated, Any

import msgspec

from cutaway.train import Program


class Command(msgspec.Struct, tag_field="type", forbid_unknown_fields=True, kw_only=True):
    """A command: the base class of the leaves in this folder. Its tag is its name for the page."""

    def apply(self, session: Any, client: Any) -> None:
        """Carry it out, on the session's thread.

        Args:
            session: the Session.
            client: the Client that sent it.

        Raises:
            CutawayError: it cannot be carried out; the page shows why.
        """
        raise NotImplementedError


class StructureEdit(Command, kw_only=True):
    """A command that changes layers or the optimizer, for which a program has to be compiled."""

    lane: Annotated[int, msgspec.Meta(ge=0, le=2**31)] = 0

    def edit(self) -> Callable[[Program], Program]:
        """What is done to a copy of the lane's program.

        Raises:
            OptionError: there is no such thing to change.
        """
        raise NotImplementedError

    def words(self) -> str:
        """What is changed."""
        raise NotImplementedError

    def apply(self, session, client):
        session.lanes.change(self.lane, self.edit(), self.words())

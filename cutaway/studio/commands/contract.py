"""What a command of the page is."""

from typing import Any

import msgspec


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

"""The answer to a click: a story of `ct.explain`, made beside the session's thread."""

from typing import Any

from cutaway.errors import CutawayError, OptionError, did_you_mean
from cutaway.nn import exclusive
from cutaway.nn.trees import map_leaves
from cutaway.studio.background import Background
from cutaway.studio.clicks import CLICKS
from cutaway.studio.clicks.contract import ClickedPlace, Told
from cutaway.studio.wire import packed


def tell(session, click, client, background: Background) -> None:
    """Answer a click, on the network as it is now.

    Args:
        session: the Session, on its thread.
        click: the command ClickOn.
        client: who gets the story.

    Raises:
        OptionError: there is no such thing to click on, or no such row.
    """
    if click.what not in CLICKS:
        raise OptionError(
            f"a click on a {click.what}",
            expected="one of " + ", ".join(CLICKS),
            fix=did_you_mean(click.what, list(CLICKS)),
        )
    lane, subject = session.lanes.lane(click.lane), session.subject
    look = session.look
    rows = subject.training if look.set == "training" else subject.validation
    place = look.row if click.row is None else click.row
    if place >= len(rows):
        raise OptionError(f"row {place} of {len(rows)} {look.set} rows", expected="one of them")
    row = int(rows[place])
    with exclusive():
        program = lane.program.copied()
        batch = lane.training.device_batch() if click.what == "update" else None
    position = lane.training.position

    def work() -> Told:
        x, y = (map_leaves(lambda leaf: leaf[row : row + 1], t) for t in (subject.x, subject.y))
        names = None if subject.inputs is None else [column.name for column in subject.inputs]
        why = program.explain(x, y, names=names)
        clicked = ClickedPlace(
            subject, why, program.optimizer, click.path, click.index, row, batch, program
        )
        return CLICKS[click.what].tell(clicked)

    def then(told: Told) -> None:
        message: dict[str, Any] = {
            "type": "story",
            "id": click.id,
            "lane": click.lane,
            "step": position.steps,
            "row": row,
            "what": click.what,
            "path": click.path,
            "index": list(click.index),
            "title": told.title,
            "html": told.html,
            "text": told.text,
            "lit": told.lit,
            "numbers": told.numbers,
        }
        client.deliver(packed(message))

    def failed(error: Exception) -> None:
        if not isinstance(error, CutawayError):
            raise error
        session.say_error(error, of=click.id)

    background.run("explain", work, then, failed)

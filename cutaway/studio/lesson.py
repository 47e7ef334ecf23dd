"""A lesson: a list of sentences and states that leads through the studio."""

from pathlib import Path
from typing import Annotated, Any

import msgspec

from cutaway.errors import DataError, OptionError
from cutaway.studio.client import parsed
from cutaway.studio.commands import ANY

MOST_BYTES = 2**20


class LessonStep(msgspec.Struct, forbid_unknown_fields=True):
    """One card of a lesson.

    Attributes:
        text: what the card says, plain text.
        commands: that the page sends when the card comes, as in `studio.commands`.
        look: what is looked at from then on: names and values of a Look.
        highlight: the region of the page that is pointed at: "network", "boundary", "loss", ...
    """

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]
    commands: list[dict[str, Any]] = msgspec.field(default_factory=list)
    look: dict[str, Any] = msgspec.field(default_factory=dict)
    highlight: str = ""


class Lesson(msgspec.Struct, forbid_unknown_fields=True):
    """A lesson.

    Attributes:
        title: above its cards.
        steps: the cards, in order.
        data: what the studio is opened with, if nothing else is named: "spirals", a path, ...
        target: of that data.
    """

    title: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    steps: Annotated[list[LessonStep], msgspec.Meta(min_length=1, max_length=200)]
    data: str | None = None
    target: str | None = None


def read_lesson(path) -> Lesson:
    """The lesson in a JSON file.

    Raises:
        DataError: no such file, or no lesson; says which card is wrong.

    Example:
        >>> from cutaway.studio.lesson import read_lesson
        >>> read_lesson("lesson.json").title                             # doctest: +SKIP
        'A gradient that vanishes'
    """
    path = Path(path)
    try:
        if path.stat().st_size > MOST_BYTES:
            raise DataError(f"the lesson {path} has over {MOST_BYTES:,} bytes", expected="a text")
        found = msgspec.json.decode(path.read_bytes(), type=Lesson)
    except OSError as error:
        raise DataError(
            f"the lesson {path} cannot be read: {error.strerror or error}", expected="a JSON file"
        ) from error
    except msgspec.MsgspecError as error:
        raise DataError(
            f"{path} is no lesson: {error}",
            expected='{"title": ..., "steps": [{"text": ..., "commands": [...]}]}',
        ) from error
    for number, step in enumerate(found.steps, 1):
        look = [{"type": "look", **step.look}] if step.look else []
        for command in [*step.commands, *look]:
            try:
                parsed(command, ANY)
            except OptionError as error:
                raise DataError(
                    f"card {number} of {path} has a command that the studio does not know: "
                    f"{error.came}",
                    expected="one of the studio's commands",
                ) from error
    return found


def as_message(lesson: Lesson) -> dict[str, Any]:
    """The lesson for the page."""
    return msgspec.to_builtins(lesson)

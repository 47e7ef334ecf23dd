"""An option of a training declares its flag of the command line where it stands, once."""

import dataclasses
import types
import typing
from collections.abc import Callable
from typing import Any, TypeVar

from cutaway.errors import OptionError

T = TypeVar("T")
KEY = "flag"  # in the metadata of a dataclass field
# headings of `cutaway train --help`
TRAINING, TABLES, IMAGES, TEXTS, SERIES = "Training", "Tables", "Images", "Texts", "Series"
PRETRAINED = "Pretrained models"
DENSE = "Masks, volumes, pairs of pictures, boxes"


@dataclasses.dataclass(frozen=True)
class Flag:
    """How an option of a training stands on the command line.

    Attributes:
        text: what it does, one sentence; the default value is put behind it.
        panel: heading in `cutaway train --help`; None: among the general options.
        metavar: what stands for the value; None: its type.
        names: of the flag, as Typer takes them; empty: made of the name of the option.
        default: the default in words; "": none is shown; None: the value itself.
        parse: function of the text that was given; None: by the type of the option.
    """

    text: str
    panel: str | None = None
    metavar: str | None = None
    names: tuple[str, ...] = ()
    default: str | None = None
    parse: Callable[[str], Any] | None = None


def parse_loss(name: str) -> str:
    """The name of a loss, of which a short one was given perhaps: "dice-cross-entropy"."""
    from cutaway.losses import LOSS_ALIASES

    name = name.replace("-", "_")
    return LOSS_ALIASES.get(name, name)


LOSS = Flag(
    "Loss, such as huber; for masks and volumes cross-entropy, dice, dice-cross-entropy or focal.",
    TRAINING,
    metavar="NAME",
    default="depends on the data",
    parse=parse_loss,
)
MODEL = Flag("Network.", metavar="NAME", default="depends on the data")
SKIP_OPTION = "skip_unreadable={count} (--skip-unreadable {count})"
SKIP_UNREADABLE = Flag(
    "Skip up to this many files that cannot be read; one more is an error.", metavar="N"
)
SPLIT = Flag(
    "How rows are split: random; time:COLUMN, the last ones for validation; group:COLUMN, groups "
    "together; or a text file that lists the test examples (for tables row numbers from 1), or a "
    "folder with train.txt, val.txt and test.txt.",
    TRAINING,
    metavar="HOW",
    default="random, or the sets of the data",
)
SIZE = Flag(
    "Image size in pixels; for masks and volumes, size of the crops; for boxes, the longer side.",
    IMAGES,
    default="depends on the data",
)
AUGMENT = Flag(
    "Augment with random shifts, flips and more.", IMAGES, names=("--augment/--no-augment",)
)


@dataclasses.dataclass(frozen=True)
class DeclaredOption:
    """A field of an options class that has a Flag.

    Attributes:
        name: of the field.
        type: bool, int, float or str, as the command line reads it.
        flag: its Flag.
        default: its value if nothing is given.
    """

    name: str
    type: type
    flag: Flag
    default: Any = None

    @property
    def help(self) -> str:
        """The text of the flag and its default."""
        words = _in_words(self.default) if self.flag.default is None else self.flag.default
        return f"{self.flag.text} [default: {words}]" if words else self.flag.text


def option(default: T, flag: Flag) -> T:
    """A field of an options class with a default and a flag of the command line.

    Example:
        >>> from cutaway.runs.options.flags import Flag, declared_options, option
        >>> import dataclasses
        >>> @dataclasses.dataclass(frozen=True, kw_only=True)
        ... class Sizes:
        ...     width: int = option(32, Flag("Channels of the first stage."))
        >>> Sizes().width, declared_options(Sizes)["width"].help
        (32, 'Channels of the first stage. [default: 32]')
    """
    return dataclasses.field(default=default, metadata={KEY: flag})


def required_option(flag: Flag) -> Any:
    """A field of an options class without a default, with a flag of the command line."""
    return dataclasses.field(metadata={KEY: flag})


def declared_options(options: type) -> dict[str, DeclaredOption]:
    """{name: DeclaredOption} of the fields of an options class that have a flag, in their order."""
    types_of = typing.get_type_hints(options)
    found = {}
    for field in dataclasses.fields(options):
        flag = field.metadata.get(KEY)
        if flag is not None:
            read_as = str if flag.parse is not None else _read_as(types_of[field.name])
            default = None if field.default is dataclasses.MISSING else field.default
            found[field.name] = DeclaredOption(field.name, read_as, flag, default)
    return found


def _read_as(annotation) -> type:
    """The type that the command line reads: the first simple one of a union."""
    parts = [annotation]
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        parts = [*typing.get_args(annotation)]
    simple = [part for part in parts if part in (bool, int, float, str)]
    if not simple:
        raise OptionError(
            f"an option of type {annotation} has a flag",
            expected="a bool, int, float or str, alone or beside others",
            fix="give its Flag a function that reads it: parse=...",
        )
    return simple[0]


def _in_words(value) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else ""
    return "" if value is None else str(value)


def parse_numbers(
    text: str, kind: Callable[[str], Any] = float, *, what: str, expected: str, fix: str
) -> tuple:
    """The numbers of "1,1,2.5".

    Args:
        kind: of the numbers, float or int.
        what: what they are, in errors.
        expected, fix: see CutawayError.

    Raises:
        OptionError: not numbers separated by commas.
    """
    try:
        return tuple(kind(part) for part in text.split(","))
    except ValueError:
        raise OptionError(f"{what} {text!r}", expected=expected, fix=fix) from None


def parse_sizes(text: str) -> tuple[int, ...]:
    """(16, 8) of "16,8", () of "".

    Raises:
        OptionError: not integers separated by commas.
    """
    if not text.strip():
        return ()
    return parse_numbers(
        text,
        int,
        what="layer sizes",
        expected="integers separated by commas, each of them given",
        fix="write for example --layers 64,64",
    )

"""Options on how a table is read: what tables, texts in tables and series share."""

import dataclasses
from typing import Any

from cutaway.errors import OptionError, expect_choice
from cutaway.runs.options.flags import KEY, TABLES, Flag, option
from cutaway.runs.options.quoted import QUOTES, parse_names, parse_pairs

NAMED_KINDS = ("number", "category", "text", "date", "boolean", "id", "ignore")


def parse_kinds(text: str) -> dict[str, str]:
    """{"zip": "category", "a,b": "number"} of 'zip=category,"a,b"=number'.

    Raises:
        OptionError: another text.
    """
    found = {}
    for name, kind in parse_pairs(text):
        if not kind or not name:
            raise OptionError(
                f"column {name!r} without a kind" if name else f"column {text!r}",
                expected="NAME=KIND, or several with commas between: " + ", ".join(NAMED_KINDS),
                fix=f"write for example --column zip=category; {QUOTES}, in a shell "
                "--column '\"a,b\"=number'",
            )
        expect_choice(kind, NAMED_KINDS, what=f"kind of the column {name!r}")
        found[name] = kind
    return found


COLUMN = Flag(
    "What a column holds: number, category, text, date, boolean, id or ignore; names with commas "
    "in double quotes: '\"a,b\"=number'.",
    TABLES,
    metavar="NAME=KIND,...",
    names=("--column",),
    default="found out",
    parse=parse_kinds,
)
MISSING = Flag(
    "Texts that mean a missing value, in any column.",
    TABLES,
    metavar="TEXT,...",
    default="empty cells; of numbers also NA, ?, - and the like",
    parse=parse_names,
)
ENCODING = Flag("Encoding of the file, such as cp1252.", TABLES, metavar="NAME", default="found")
HEADER = Flag(
    "Whether the first line of the file names the columns.",
    TABLES,
    names=("--header/--no-header",),
    default="found",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReadingOptions:
    """How a table is read; see data.TableReading.

    Attributes:
        kinds: {column: kind}, for columns that are detected wrongly, one of NAMED_KINDS.
        missing: texts that mean a missing value, in any column.
        encoding: of a text file; None: found.
        header: whether the first line names the columns; None: found.
    """

    kinds: dict[str, str] = dataclasses.field(default_factory=dict, metadata={KEY: COLUMN})
    missing: tuple[str, ...] = option((), MISSING)
    encoding: str | None = option(None, ENCODING)
    header: bool | None = option(None, HEADER)

    def reading(self) -> dict[str, Any]:
        """The arguments of data.read_encoded."""
        return {
            "kinds": self.kinds,
            "missing": self.missing,
            "encoding": self.encoding,
            "header": self.header,
        }

"""Lists of names on the command line: a name with commas stands in double quotes, as in a CSV."""

import re

from cutaway.errors import OptionError

QUOTES = 'a name that contains a comma or begins with a quote is put into double quotes: "a,b"'
_QUOTED = re.compile(r'\s*"((?:[^"]|"")*)"\s*(=[^,]*)?(?:,|$)')
_PLAIN = re.compile(r"([^,]*)(?:,|$)")


def parse_names(text: str) -> tuple[str, ...]:
    """The names of a list with commas between.

    Raises:
        OptionError: a quote that is not closed, or something behind it.

    Example:
        >>> from cutaway.runs.options.quoted import parse_names
        >>> parse_names('a, b'), parse_names('"a,b",c')
        (('a', 'b'), ('a,b', 'c'))
    """
    found = []
    for name, value, is_quoted in _entries(text):
        if value is not None and is_quoted:
            raise _wrong_quotes(text)
        whole = name if value is None else f"{name}={value}"
        if is_quoted or whole.strip():
            found.append(whole if is_quoted else whole.strip())
    return tuple(found)


def parse_pairs(text: str) -> list[tuple[str, str | None]]:
    """(name, value) of each NAME=VALUE of a list with commas between; None: there is no value.

    A name without quotes ends at the last equals sign.

    Raises:
        OptionError: a quote that is not closed, or something behind it.

    Example:
        >>> from cutaway.runs.options.quoted import parse_pairs
        >>> parse_pairs('"a,b"=number,c=d=date')
        [('a,b', 'number'), ('c=d', 'date')]
    """
    return [
        (name if is_quoted else name.strip(), value if value is None else value.strip())
        for name, value, is_quoted in _entries(text)
    ]


def _entries(text: str):
    """(name, value or None, whether the name was in quotes) of each part of a list."""
    place, more = 0, True
    while more:
        quoted = _QUOTED.match(text, place)
        match = quoted or _PLAIN.match(text, place)
        assert match is not None  # _PLAIN matches anything
        if quoted:
            value = None if quoted[2] is None else quoted[2][1:]
            yield quoted[1].replace('""', '"'), value, True
        elif match[1].lstrip().startswith('"'):
            raise _wrong_quotes(text)
        else:
            name, equals, value = match[1].rpartition("=")
            yield (name, value, False) if equals else (value, None, False)
        place, more = match.end(), match[0].endswith(",")


def _wrong_quotes(text: str) -> OptionError:
    return OptionError(
        f"the list {text!r} has a double quote without its partner, or text behind it",
        expected="names with commas between",
        fix=f'{QUOTES}; a quote inside it is doubled: "a ""b"""',
    )

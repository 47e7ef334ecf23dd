"""How the cells of a table become numbers, truth values and texts: decided once, then stored."""

import dataclasses
import shlex
from collections.abc import Mapping, Sequence

from cutaway.data.cells import Cells, read_cells
from cutaway.data.missing_words import as_texts, means_missing, missing_words_of_text
from cutaway.data.number_recipe import NumberRecipe
from cutaway.data.numeral_styles import find_decimal
from cutaway.data.numerals import find_numbers
from cutaway.errors import DataError, OptionError, counted, expect_choice, option_name

# in a column of texts or classes these mean a missing value; NA and None may be a class
UNAMBIGUOUS = ("?", "NaN", "nan", "NULL", "null", "<NA>", "#N/A", "NaT")
MOST_CLASSES = 1000  # with more distinct texts a word such as NA is no class to be told of
TRUTHS = ("true", "false")
MARKED = 200  # cells of a column that show its decimal mark
MARKS = {".": "a point", ",": "a comma"}


@dataclasses.dataclass(frozen=True)
class TableReading:
    """How the columns of a table are read. Made by `find_reading`; reads later tables alike.

    In training a column is one of numbers because nearly all of its cells are; in prediction there
    may be a single row, with `1.234` in it. So what was decided is kept with the run.

    Attributes:
        numbers: {column: NumberRecipe}, for columns of numbers that are written as text, or that
            have numbers which stand for a missing value.
        truths: columns of true and false.
        missing: texts that mean a missing value, by the user's word.
        encoding: of a text, if the user named it.
        header: whether a text has a header, if the user said so.
    """

    numbers: dict[str, NumberRecipe] = dataclasses.field(default_factory=dict)
    truths: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    encoding: str | None = None
    header: bool | None = None

    def cells(self, source) -> Cells:
        """The cells of a table, as they were written; see read_cells."""
        return read_cells(source, encoding=self.encoding, header=self.header)

    def apply(self, cells: Cells):
        """A polars frame with the columns of strings as numbers, truth values and texts."""
        import polars as pl

        reading = self.adapted(cells)
        return pl.DataFrame(
            [reading._column(series, cells.is_untyped) for series in cells.frame.get_columns()]
        )

    def adapted(self, cells: Cells) -> "TableReading":
        """This reading, or for a table with the other decimal mark one that reads it alike.

        7,4 is 7.4 if all numbers of the training data had points, and those of this table have
        commas as far as they can be read in one way only.

        Example:
            >>> from cutaway.data.cells import read_cells
            >>> from cutaway.data.table_reading import find_reading
            >>> points = read_cells({"a": ["1.5 kg", "2.25"], "b": ["1,250.5", "7.5"]})
            >>> reading = find_reading(points)
            >>> cells = read_cells({"a": ["3,5"], "b": ["1.250,5"]})
            >>> reading.apply(cells).row(0)
            (3.5, 1250.5)
        """
        import polars as pl

        marks = {recipe.decimal for recipe in self.numbers.values() if recipe.duration is None}
        if len(marks) != 1:
            return self
        columns = [
            series.gather_every(max(1, len(series) // MARKED))
            for series in cells.frame.get_columns()
            if series.name in self.numbers and series.dtype == pl.String
        ]
        shown = {find_decimal([series]) for series in columns} - {None}
        if len(shown) != 1 or shown == marks:
            return self
        mark = shown.pop()
        assert mark is not None
        return dataclasses.replace(
            self, numbers={name: recipe.marked(mark) for name, recipe in self.numbers.items()}
        )

    def _column(self, series, is_untyped: bool):
        import polars as pl

        recipe = self.numbers.get(series.name)
        readable = series.dtype.is_numeric() or series.dtype in (pl.String, pl.Duration)
        if recipe is not None and readable:
            found = recipe.parse(series)
            if series.dtype == pl.String and found.null_count() == len(series):
                _expect_some_number(series)
            return found
        if series.dtype != pl.String:
            return series
        if is_untyped:
            text = as_texts(series, missing=(*UNAMBIGUOUS, *self.missing))
        elif self.missing:
            text = series.set(series.is_in(list(self.missing)).fill_null(False), None)
        else:
            return series
        if series.name not in self.truths:
            return text
        lower = text.str.to_lowercase()
        return lower.set(~lower.is_in(TRUTHS).fill_null(True), None) == TRUTHS[0]

    def decimal_of(self, cells: Cells) -> str:
        """The decimal mark of the numbers of a table."""
        columns = set(cells.frame.columns)
        numbers = self.adapted(cells).numbers
        recipes = [recipe for name, recipe in numbers.items() if name in columns]
        return "," if any(recipe.decimal == "," for recipe in recipes) else "."

    def notes(self, cells: Cells) -> list[str]:
        """What was read how, and what became missing, for the user.

        Args:
            cells: that the reading was found for.
        """
        import polars as pl

        found = [*cells.notes]
        for series in cells.frame.get_columns():
            recipe = self.numbers.get(series.name)
            if recipe is not None:
                found += recipe.sentences(series)
            elif series.dtype == pl.String and not cells.is_untyped:
                found += _of_stated_texts(series)
            elif series.dtype == pl.String and series.name not in self.truths:
                found += self._words(series)
        return found

    def losses(self, cells: Cells) -> list[str]:
        """What became missing, or was found in the bytes, of a table that training did not see."""
        found, numbers = [*cells.notes], self.adapted(cells).numbers
        if numbers is not self.numbers:
            found.append(
                f"the decimal mark of the numbers is {MARKS[self.decimal_of(cells)]} here and was "
                "another one in the training data: they are read alike"
            )
        for series in cells.frame.get_columns():
            recipe = numbers.get(series.name)
            found += [] if recipe is None else recipe.losses(series)
        return found

    def _words(self, series) -> list[str]:
        """That words such as NA stay, in a column of classes."""
        text = as_texts(series, missing=(*UNAMBIGUOUS, *self.missing))
        if text.n_unique() > MOST_CLASSES:
            return []
        return [
            f"{series.name}: {word!r} in {counted(count, 'row')} is a value like the others; if it "
            f"means a missing one: --missing {shlex.quote(option_name(word))}"
            for word, count in list(missing_words_of_text(text.drop_nulls()).items())[:3]
        ]


def find_reading(
    cells: Cells,
    *,
    missing: Sequence[str] = (),
    kinds: Mapping[str, str] | None = None,
    encoding: str | None = None,
    header: bool | None = None,
) -> TableReading:
    """How to read the columns of a table.

    Text says nothing of types, so a column of it is one of numbers if nearly all its cells are, in
    whatever way they are written. Where the format states types, as a frame does, strings that are
    all plain numbers were meant to be strings.

    Args:
        cells: of the whole table.
        missing: texts that mean a missing value, in any column.
        kinds: {column: kind}, as the user wants them read; a "number" must be one.
        encoding, header: see read_cells, kept for later tables.

    Raises:
        OptionError: a column that is to hold numbers does not.

    Example:
        >>> from cutaway.data.cells import read_cells
        >>> from cutaway.data.table_reading import find_reading
        >>> cells = read_cells({"price": ["$1,250.00", "$99.90"], "fee": ["1 %", "n/a"]})
        >>> find_reading(cells).apply(cells).to_dict(as_series=False)
        {'price': [1250.0, 99.9], 'fee': ['1 %', 'n/a']}
    """
    import polars as pl

    kinds = dict(kinds or {})
    columns = cells.frame.get_columns()
    decimal = find_decimal(columns) or ("," if cells.separator == ";" else None)
    numbers, truths = {}, []
    for series in columns:
        kind = kinds.get(series.name)
        if kind not in (None, "number"):
            continue
        stated = not cells.is_untyped and kind is None
        recipe = _find_numbers(series, missing, decimal, is_stated=stated)
        if recipe is not None:
            numbers[series.name] = recipe
        elif kind == "number" and not series.dtype.is_numeric():
            _refuse_number(series)
        elif cells.is_untyped and series.dtype == pl.String and _holds_truths(series):
            truths.append(series.name)
    return TableReading(numbers, tuple(truths), tuple(missing), encoding, header)


def _find_numbers(series, missing, decimal, *, is_stated: bool) -> NumberRecipe | None:
    """The recipe of a column of numbers that needs one.

    Args:
        is_stated: whether the format states the types of its columns.
    """
    import polars as pl

    if series.dtype == pl.String:
        recipe = find_numbers(series, missing=missing, decimal=decimal)
        if recipe is None or not is_stated:
            return recipe
        return None if _all_plain(series) else recipe
    if series.dtype == pl.Duration:
        return find_numbers(series, missing=missing)
    if not series.dtype.is_numeric():
        return None
    recipe = find_numbers(series, missing=missing)
    return recipe if recipe is not None and (recipe.sentinels or missing) else None


def _all_plain(series) -> bool:
    """Whether all cells, one at least, are numbers as a computer writes them."""
    import polars as pl

    known = series.drop_nulls()
    return len(known) > 0 and known.cast(pl.Float64, strict=False).null_count() == 0


def _of_stated_texts(series) -> list[str]:
    """That texts of a frame could be read as numbers."""
    if not _all_plain(series):
        return []
    return [
        f"{series.name}: all its texts are numbers, but stay texts, as the table states; "
        f"kinds={{{series.name!r}: 'number'}} reads them (--column "
        f"{shlex.quote(f'{option_name(series.name)}=number')})"
    ]


def _holds_truths(series) -> bool:
    known = as_texts(series, missing=UNAMBIGUOUS).drop_nulls()
    known = known.filter(~known.is_in(["NA", "N/A", "None"]))
    if known.is_empty() or len(known) < len(series.drop_nulls()) / 2:
        return False
    return bool(known.str.to_lowercase().is_in(TRUTHS).all())


def _expect_some_number(series) -> None:
    """Raise DataError if none of the known cells of a column is a number."""
    known = as_texts(series, missing=UNAMBIGUOUS)
    bad = known.is_not_null() & ~means_missing(known.fill_null(""))
    if len(known) and bad.any() and not (known.is_not_null() & ~bad).any():
        row = int(bad.arg_max() or 0)
        raise DataError(
            f"column {series.name!r} holds {series[row]!r} in row {row + 1} ({bad.sum():,} such "
            "values), and no number",
            expected="numbers, as in training",
            fix="fix the values, or leave the cells empty if they are unknown",
        )


def _refuse_number(series) -> None:
    """Raise OptionError: a column that is to hold numbers does not."""
    import polars as pl

    known = series.cast(pl.String, strict=False).drop_nulls()
    bad = known.filter(known.cast(pl.Float64, strict=False).is_null())
    example = (bad if len(bad) else known).head(1).to_list()
    raise OptionError(
        f"column {series.name!r} cannot be a number: it holds {example[0] if example else None!r}",
        expected="numbers in at least 95% of its cells",
        fix="omit the kind, or clean the column",
    )


def read_encoded(source, *, encoding=None, header=None, missing=(), kinds=None) -> tuple:
    """(typed frame, TableReading, Cells) of a table; see find_reading and read_cells."""
    expect_choice(header, (None, True, False), what="header")
    cells = read_cells(source, encoding=encoding, header=header)
    reading = find_reading(cells, missing=missing, kinds=kinds, encoding=encoding, header=header)
    return reading.apply(cells), reading, cells

"""Training, validation and test rows."""

import dataclasses
import os
from pathlib import Path

import numpy as np

from cutaway.data import split_groups, split_in_order, stratified_split
from cutaway.data.file_pairs import rows_named
from cutaway.errors import DataError, OptionError, counted, did_you_mean, expect_range
from cutaway.files.content import decoded, read_content

WAYS = "random, time:COLUMN, group:COLUMN, or a file that lists the test rows"
NO_VALIDATION = (
    "no validation rows: all rows train, and scores called validation are those of training rows"
)
LISTED = "random, a text file that lists the test examples"  # of examples without columns
LISTS = {"train": "train.txt", "validation": "val.txt", "test": "test.txt"}
FOLDER_OF_LISTS = f"or a folder with lists {', '.join(LISTS.values())}"


@dataclasses.dataclass(frozen=True)
class TableSplit:
    """Sorted row indices of the sets of a table; test is empty if there is none.

    Attributes:
        unused: a column that tells the sets apart and must not be an input; None: there is none.
        notes: messages for the user.
        groups: (rows of the table,) numbers of the groups that stay together; None: there are none.
    """

    training: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    unused: str | None = None
    notes: tuple[str, ...] = ()
    groups: np.ndarray | None = None

    def without_validation(self) -> "TableSplit":
        """The same, with the validation rows among those that train."""
        rows = np.union1d(self.training, self.validation)
        notes = tuple(note for note in self.notes if note != NO_VALIDATION)
        return dataclasses.replace(self, training=rows, validation=rows, notes=notes)


def split_table(
    frame, y, options, *, stratify: bool, numbers, total: int, target: str | None = None
) -> TableSplit:
    """The sets of a table, as `options.split` has it.

    "random" (default): at random, of every class the same fraction; "time:COLUMN": the last rows by
    time are for validation, and the very last for the test; "group:COLUMN": rows of one group, such
    as a patient, stay together; otherwise the path of a text file with the numbers of the test rows
    (1 is the first row below the header), or of a folder with such lists train.txt, val.txt and
    test.txt.

    Args:
        frame: the rows that have a target, as typed.
        y: (rows,) encoded targets.
        options: TrainingOptions.
        stratify: whether y are classes.
        numbers: (rows,) of these rows in the source, counted from 1.
        total: rows of the source.
        target: its column, by which nothing is split.

    Raises:
        OptionError: no such column, or a column without an order. DataError: too few rows.
    """
    rule, _, column = (options.split or "random").partition(":")
    if rule in ("time", "group") and column:
        if column == target:
            raise OptionError(
                f"split={options.split!r} by the target",
                expected="another column",
                fix="name a column of times or groups",
            )
        if column not in frame.columns:
            raise OptionError(
                f"split={options.split!r}: there is no column {column!r}",
                expected="a column of the table",
                fix=did_you_mean(column, frame.columns),
            )
        expect_range(options.validation, what=f"validation with a split by {rule}", above=0)
        # as at random: the validation rows are a fraction of those that the test set leaves
        fractions = [options.validation * (1 - options.test), options.test]
        fractions = fractions if options.test else fractions[:1]
        if rule == "time":
            sets, notes = _by_time(frame[column], fractions)
            return TableSplit(*_three(sets), notes=tuple(notes))
        groups = _codes(frame[column])
        sets = split_groups(groups, fractions, seed=options.seed)
        note = f"{column}: rows of one group are in one set; the column itself is not an input"
        return TableSplit(*_three(sets), unused=column, notes=(note,), groups=groups)
    if options.split in (None, "random"):
        sets = split_validation(y, options, stratify=stratify)
        return TableSplit(*sets, notes=() if options.validation else (NO_VALIDATION,))
    listed = _listed(Path(options.split), numbers, total)
    rest = listed.pop("train", None)
    if rest is None:
        rest = np.setdiff1d(np.arange(len(y)), np.concatenate(list(listed.values())))
    if "validation" not in listed:
        rest, listed["validation"] = _with_validation(y, rest, options, stratify)
    none = np.array_equal(rest, listed["validation"])
    notes = (NO_VALIDATION,) if none else ()
    return TableSplit(rest, listed["validation"], listed.get("test", np.zeros(0, int)), notes=notes)


def sets_of_examples(sets: dict, path, split: str | None) -> dict:
    """The sets of labeled files or series, as `options.split` has it.

    Args:
        sets: {"train": frame, ...} that the data come with; "path" is the column of the files.
        path: of the data; a list names files below it. Examples without files are listed by their
            numbers.
        split: None: the given sets; "random": one set of all; otherwise the path of a text file
            that lists the test examples, or of a folder with such lists.
    """
    import polars as pl

    if split is None:
        return sets
    expect_no_columns(split, "files")
    whole = pl.concat(list(sets.values()))
    if split == "random":
        return {"train": whole}
    found = listed_files(Path(split))
    if "path" in whole.columns:
        root = Path(path)
        names = [_below(Path(one), root) for one in whole["path"]]
        given = {name: rows_named(names, file) for name, file in found.items()}
    else:
        given = {name: _row_numbers(file, len(whole)) - 1 for name, file in found.items()}
    _expect_apart(split, given)
    if "train" not in given:
        given["train"] = np.setdiff1d(np.arange(len(whole)), np.concatenate([*given.values()]))
    return {name: whole[rows] for name, rows in given.items()}


def _below(file: Path, root: Path) -> str:
    """The name of a file below a folder, without its suffix."""
    below = file.relative_to(root) if file.is_relative_to(root) else file
    return below.with_suffix("").as_posix()


def expect_no_columns(split: str | None, examples: str) -> None:
    """Raise OptionError for a split by a column, of examples that have none."""
    rule, colon, _ = (split or "").partition(":")
    if colon and rule in ("time", "group"):
        raise OptionError(
            f"split={split!r}: {examples} have no columns",
            expected=f"{LISTED}, {FOLDER_OF_LISTS}",
            fix="omit it; to keep groups together, write lists in which each group is in one set",
        )


def expect_in_order(split: str | None, what: str) -> None:
    """Raise OptionError for a split of what is always split in its order."""
    if split is not None:
        raise OptionError(
            f"split={split!r} with {what}",
            expected="no split: the last part validates, since the first must not know it",
            fix="omit it; --validation and --test set how much",
        )


def _by_time(series, fractions) -> tuple[list[np.ndarray], list[str]]:
    """The sets by the times or numbers of a column; rows without one are for training."""
    import polars as pl

    from cutaway.data.dates import find_dates

    if series.dtype.is_numeric():
        values = series.cast(pl.Float64).fill_nan(None)
    else:
        recipe = find_dates(series)
        if recipe is None:
            raise OptionError(
                f"split by time: {series.name} holds {series.drop_nulls().head(1).to_list()}",
                expected="a column of dates, or of numbers that grow with time",
                fix="name another column, or split by group:COLUMN",
            )
        values = recipe.parse(series).dt.timestamp("us")
    known = values.is_not_null().to_numpy()
    sets = [np.flatnonzero(known)[one] for one in split_in_order(
        values.drop_nulls().to_numpy(), fractions
    )]  # fmt: skip
    first = series[int(sets[1][np.argmin(values.to_numpy()[sets[1]])])]
    notes = [f"{series.name}: the validation rows begin at {first}; training rows are earlier"]
    if not known.all():
        sets[0] = np.sort(np.r_[sets[0], np.flatnonzero(~known)])
        lost = counted(int((~known).sum()), "row")
        notes.append(f"{series.name}: {lost} without a time: for training")
    return sets, notes


def _three(sets) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return sets[0], sets[1], sets[2] if len(sets) > 2 else np.zeros(0, int)


def _codes(series) -> np.ndarray:
    """(rows,) a number for each value; rows without one are one group."""
    return series.rank("dense").fill_null(0).to_numpy()


def _listed(path: Path, numbers, total: int) -> dict[str, np.ndarray]:
    """{set: sorted row indices} that text files list by numbers; those without a target left out.

    Args:
        numbers, total: see split_table.
    """
    given = {name: _row_numbers(file, total) for name, file in listed_files(path).items()}
    _expect_apart(path, given)
    sets = {name: np.flatnonzero(np.isin(numbers, rows)) for name, rows in given.items()}
    for name, rows in sets.items():
        if not len(rows):
            raise DataError(
                f"{path}: no row of the {name} set has a target", expected="at least one"
            )
    return sets


def listed_files(path: Path, ways: str = WAYS) -> dict[str, Path]:
    """{set: the text file that lists it}: a file lists the test examples, a folder all sets.

    Args:
        path: of the file or folder.
        ways: what else a split may be, in words.

    Raises:
        OptionError: there is no such file, or none in the folder.
    """
    if os.path.isdir(path):
        found = {name: path / file for name, file in LISTS.items() if (path / file).is_file()}
        came = f"the split {path} holds no lists"
    else:
        found = {"test": path} if path.is_file() else {}
        came = f"split={str(path)!r}: there is no such list"
    if not found:
        raise OptionError(
            came,
            expected=f"{ways}, {FOLDER_OF_LISTS}",
            fix="check the path",
        )
    return found


def _expect_apart(path, given: dict[str, np.ndarray]) -> None:
    """Raise DataError if lists have an example twice."""
    taken, counts = np.unique(np.concatenate(list(given.values())), return_counts=True)
    if len(taken) and counts.max() > 1:
        raise DataError(
            f"{path} lists example {taken[counts.argmax()]} {counts.max()} times",
            expected="each example once, in one set",
        )


def _row_numbers(path: Path, total: int) -> np.ndarray:
    """The numbers of rows that a text file lists, counted from 1."""
    lines = decoded(read_content(path), path, "new.txt").split()
    numbers = np.array([int(one) if one.isdecimal() and len(one) < 19 else 0 for one in lines], int)
    wrong = np.flatnonzero((numbers < 1) | (numbers > total))
    if len(wrong) or not len(numbers):
        came = f"{path} lists {lines[wrong[0]]!r}" if len(wrong) else f"{path} lists no rows"
        raise DataError(
            came,
            expected=f"numbers of rows, 1 to {total:,}, separated by spaces or lines",
            fix="count from 1, the first row below the header",
        )
    return numbers


def split_validation(y, options, *, stratify: bool):
    """(training, validation, test): sorted row indices; test is empty if options.test is 0.

    Without a test set the other two are those of `stratified_split`.
    """
    rest, test = split_test(y, options, stratify=stratify)
    return *_with_validation(y, rest, options, stratify), test


def _with_validation(y, rows, options, stratify: bool) -> tuple[np.ndarray, np.ndarray]:
    """(training, validation) of these rows; all of them twice if there are to be none."""
    if not options.validation:
        return rows, rows
    training, validation = stratified_split(
        y[rows], options.validation, seed=options.seed, stratify=stratify
    )
    return rows[training], rows[validation]


def split_test(y, options, *, stratify: bool):
    """(rest, test): sorted row indices."""
    if not options.test:
        return np.arange(len(y)), np.zeros(0, int)
    return stratified_split(y, options.test, seed=options.seed, stratify=stratify)


def make_test_set(x, y, test, examples: str) -> tuple:
    """((x, y) of the test rows or None, notes about them)."""
    if not len(test):
        return None, []
    return (x[test], y[test]), [
        f"test set: {len(test):,} {examples}, used for the final scores only"
    ]

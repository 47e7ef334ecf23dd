"""Hashes of rows and files, and what a fingerprint of them tells."""

import datetime
import os

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.data import file_hashes, fingerprint
from cutaway.data.file_hashes import UNKNOWN, hash_files
from cutaway.data.fingerprint import Fingerprint, hash_examples, note_of_seen
from cutaway.data.row_hashes import (
    digest_in_any_order,
    digest_in_order,
    hash_arrays,
    hash_column,
    hash_rows,
    mixed,
)
from cutaway.files.arrays import read_arrays

FRAME = pl.DataFrame(
    {
        "size": [1, 2, None, 4],
        "color": ["red", "blue", "red", None],
        "day": [datetime.date(2020, 1, d) for d in (1, 2, 3, 31)],
    }
)


PINNED = ["a6a851807a3f6593", "a4568f6c2fd47b7f", "11a0020370e91743", "9d4301646223a55c"]


def table(frame, **given):
    return hash_examples(frame, unit="rows", **given)


def of(frame, training=None, **given):
    hashes = table(frame, **given)
    count = len(hashes.rows)
    chosen = np.arange(count) if training is None else np.asarray(training)
    return Fingerprint(hashes, chosen, np.arange(count) + 1)


@pytest.fixture
def arrays(tmp_path):
    def read(known):
        (tmp_path / "fingerprint.npz").write_bytes(known.to_npz())
        return read_arrays(tmp_path / "fingerprint.npz", fingerprint.ARRAYS, expected="", fix="")

    return read


@pytest.fixture
def difference(arrays):
    def differs(before, now):
        return now.difference(before.stored, arrays(before))

    return differs


@pytest.fixture
def seen(arrays):
    def note(known, frame, **given):
        return note_of_seen(table(frame, **given), known.stored, arrays(known)["training"])

    return note


def test_the_stirring_is_splitmix64():
    # the first numbers from the seed 1234567, as Rosetta Code lists them
    gamma = 0x9E3779B97F4A7C15
    states = np.array([(1234567 + k * gamma) % 2**64 for k in range(3)], np.uint64)
    assert mixed(states).tolist() == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
    ]


def test_hashes_are_pinned_since_runs_keep_them():
    assert [f"{h:016x}" for h in table(FRAME).rows.tolist()] == PINNED
    assert f"{hash_column(pl.Series(['red']))[0]:016x}" == "a3480a2faf17e90d"  # of BLAKE2b


PAIRS = [
    ([1, 2, None], [1.0, 2.0, None]),
    ([1, 2, None], ["1", " 2.0 ", ""]),
    ([0.1, 1e5, -0.0], ["0.10", "100000", "0"]),
    ([True, False], [1, 0]),
    ([float("nan"), 1.0], [None, 1]),
    (["a", None], ["a ", ""]),
    ([datetime.date(2011, 1, 1)], ["2011-01-01"]),
    ([datetime.date(2011, 1, 1)], [datetime.datetime(2011, 1, 1)]),
    ([datetime.datetime(2011, 1, 1, 5)], ["2011-01-01 05:00:00"]),
    (["2011-01-01T05:00:00.500000"], ["2011-01-01 05:00:00.5"]),
    (["2011-01-01T05:00Z"], [datetime.datetime(2011, 1, 1, 5, tzinfo=datetime.UTC)]),
]


@pytest.mark.parametrize("one, two", PAIRS)
def test_a_value_has_one_hash_however_it_is_written(one, two):
    one, two = pl.Series(one), pl.Series(two)
    assert hash_column(one).tolist() == hash_column(two).tolist()


@pytest.mark.parametrize("dtype", [pl.Categorical, pl.Enum(["1.5", "2"]), pl.Float32])
def test_the_type_of_a_column_does_not_count(dtype):
    one = pl.Series(["1.5", "2", None])
    other = one.cast(pl.Decimal(20, 3)).cast(dtype) if dtype == pl.Float32 else one.cast(dtype)
    assert hash_column(other).tolist() == hash_column(one).tolist()
    assert hash_column(one.cast(pl.Decimal(20, 3))).tolist() == hash_column(one).tolist()


def test_different_values_have_different_hashes():
    values = ["1", "1.5", "-1", "a", "A", "nan", "inf", "1 1", "2011-01-01", "2011-01-01 00:01"]
    values += ["2011-01-10", "2011-01-01 05:00:00", "2011-01-01 05:00:00.5", "50%", "é", "", "0"]
    assert len(set(hash_column(pl.Series(values)).tolist())) == len(values)


CELLS = st.one_of(st.none(), st.integers(-(2**50), 2**50))
TABLES = st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=20)


@given(TABLES, st.permutations(["a", "b", "c"]), st.randoms())
def test_order_of_columns_and_added_columns_do_not_count(rows, order, random):
    frame = pl.DataFrame(rows, schema={name: pl.Int64 for name in "abc"}, orient="row")
    hashes = table(frame).rows
    added = frame.select(order).with_columns(d=pl.lit(7))
    assert table(added, columns=["c", "a", "b"]).rows.tolist() == hashes.tolist()
    assert table(added).rows.tolist() != hashes.tolist()
    shuffled = hashes[random.sample(range(len(rows)), len(rows))]
    assert digest_in_any_order(shuffled) == digest_in_any_order(hashes)
    same = shuffled.tolist() == hashes.tolist()
    assert (digest_in_order(shuffled) == digest_in_order(hashes)) is same


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=20))
def test_rows_have_equal_hashes_exactly_if_they_are_equal(rows):
    frame = pl.DataFrame(rows, schema={"a": pl.Int64, "b": pl.Int64}, orient="row")
    hashes = table(frame).rows.tolist()
    for row, one in zip(rows, hashes, strict=True):
        for other, two in zip(rows, hashes, strict=True):
            assert (row == other) == (one == two)


def test_values_of_two_columns_that_change_places_are_another_row():
    one, two = np.array([5], np.uint64), np.array([9], np.uint64)
    assert hash_rows({"a": one, "b": two}) != hash_rows({"a": two, "b": one})
    assert hash_rows({"a": one, "b": one}) != hash_rows({"a": two, "b": two})


def test_rows_of_arrays_count_by_value():
    x = np.arange(12).reshape(3, 2, 2)
    assert hash_arrays(x).tolist() == hash_arrays(x.astype(np.int16)).tolist()
    floats = x.astype(np.float32) * [[1, -0.0], [1, 1]]
    assert hash_arrays(floats).tolist() == hash_arrays(floats + 0.0).tolist()
    assert len(set(hash_arrays(x).tolist())) == 3
    changed = x.copy()
    changed[1, 1, 0] += 1
    assert (hash_arrays(changed) == hash_arrays(x)).tolist() == [True, False, True]


def test_columns_of_arrays_and_lists_are_hashed():
    values = [[1.0, 2.0], [1.0, 3.0], [1.0, 2.0]]
    for dtype in (pl.Array(pl.Float64, 2), pl.List(pl.Float64), pl.Object):
        hashes = hash_column(pl.Series(values, dtype=dtype)).tolist()
        assert hashes[0] == hashes[2] != hashes[1]


# what differs


def test_the_same_data_do_not_differ_however_they_are_written(difference):
    text = FRAME.with_columns(pl.col("size").cast(pl.Float64)).write_csv().encode()
    read = pl.read_csv(text)  # dates as texts
    assert read["day"].dtype == pl.String
    assert difference(of(FRAME), of(read)) is None


CHANGES = {
    "4 rows, now 5; the first difference is in row 5": pl.concat([FRAME, FRAME[:1]]),
    "the same rows in another order; the first difference is in row 2": FRAME[[0, 2, 1, 3]],
    "the column 'size' is changed; the first difference is in row 3": FRAME.with_columns(
        size=pl.Series([1, 2, 3, 4])
    ),
    "its columns are in another order": FRAME.select("color", "size", "day"),
    "the column 'price' is new": FRAME.with_columns(price=1),
    "the column 'day' is gone": FRAME.drop("day"),
}


@pytest.mark.parametrize("words", CHANGES)
def test_a_difference_is_named_with_columns_and_the_first_row(difference, words):
    assert words in difference(of(FRAME), of(CHANGES[words]))


def test_rows_that_are_gone_at_the_end_are_counted(difference):
    assert difference(of(FRAME), of(FRAME[:3])) == "4 rows, now 3"


def test_numbers_of_the_rows_are_those_of_the_source(difference):
    now = of(FRAME.with_columns(size=pl.Series([1, 9, None, 4])))
    numbered = Fingerprint(now.hashes, now.training, np.array([1, 12, 13, 14]))
    assert difference(of(FRAME), numbered).endswith("the first difference is in row 12")


def test_a_fingerprint_without_its_arrays_still_says_that_data_differ():
    before = of(FRAME).stored
    assert of(FRAME).difference(before, None) is None
    now = of(FRAME.with_columns(size=pl.Series([1, 2, 3, 4])))
    assert now.difference(before, None) == "the column 'size' is changed"


# rows seen before


def drawn(count, seed=0, levels=None):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(count, 2)) if levels is None else rng.integers(0, levels, (count, 2))
    return pl.DataFrame(values, schema=["a", "b"], orient="row")


def test_rows_among_the_training_rows_are_counted(seen):
    frame = drawn(150)
    known = of(frame, training=np.arange(120))
    words = "of 150 rows are among the training rows: scores on them say nothing about new data"
    assert seen(known, frame) == f"120 {words}"
    more = pl.concat([frame[149:], drawn(149, 1)])
    assert seen(known, more) is None
    assert seen(known, pl.concat([frame[5:6], drawn(49, 1)])).startswith("1 of 50 rows is among")
    assert seen(known, frame.select("b", "a")[:150].sample(150, shuffle=True)) == f"120 {words}"


def test_rows_that_meet_by_chance_are_no_reason_for_a_warning(seen):
    known = of(drawn(1000, levels=8), training=np.arange(800))
    assert known.stored.twins > 0.99  # 64 different rows
    assert seen(known, drawn(500, 1, levels=8)) is None
    assert "800 of 1,000" not in (seen(known, drawn(1000, 2, levels=8)) or "")
    assert seen(known, drawn(1000, levels=8)).startswith("1,000 of 1,000 rows are")  # the data
    few = of(drawn(1000, levels=1000))  # some twins
    assert 0 < few.stored.twins < 0.01
    assert seen(few, drawn(1000, 1, levels=1000)) is None
    assert seen(few, drawn(1000, levels=1000)[:300]).startswith("300 of 300 rows are")


def test_a_sample_of_the_hashes_estimates_how_many_were_seen(seen, monkeypatch):
    frame = drawn(4000)
    known = of(frame, training=np.arange(2000))
    monkeypatch.setattr(fingerprint, "MOST_KEPT", 500)
    note = seen(known, frame)
    assert note.startswith("about ")
    count = int(note.split()[1].replace(",", ""))
    # 500 of 2,000 keys are kept: the fraction is one of about 1,000 rows
    assert abs(count - 2000) < 4 * 4000 * (0.25 / 1000) ** 0.5


# files


@pytest.fixture
def files(tmp_path):
    for k in range(4):
        (tmp_path / f"{k}.png").write_bytes(bytes([k]) * 100)
    return [tmp_path / f"{k}.png" for k in range(4)]


def pictures(files, **given):
    frame = pl.DataFrame({"path": [str(p) for p in files], "class": [p.stem for p in files]})
    return hash_examples(frame, unit="images", files=("path",), key=("path",), **given)


def of_files(files, may_differ=0, **given):
    hashes = pictures(files, **given)
    every = np.arange(len(files))
    return Fingerprint(hashes, every, every + 1, may_differ)


def test_a_file_counts_by_its_content_and_for_a_resumed_training_by_its_name(
    tmp_path, files, difference, arrays
):
    known = of_files(files)
    assert difference(known, of_files(files)) is None
    moved = tmp_path / "moved.png"
    moved.write_bytes(files[0].read_bytes())
    note = note_of_seen(pictures([moved]), known.stored, arrays(known)["training"])
    assert note.startswith("1 of 1 images is among the training images")
    assert difference(known, of_files([*files, moved])) == f"4 images, now 5; {moved} is new"
    assert difference(known, of_files(files[:3])) == "4 images, now 3; 1 of them is gone"
    files[2].write_bytes(bytes(100))
    assert difference(known, of_files(files)) == f"{files[2]} changed"
    assert difference(known, of_files(files, may_differ=1)) is None
    files[1].write_bytes(b"")
    both = f"{files[1]}, {files[2]} changed"
    assert difference(known, of_files(files, may_differ=1)) == both


def test_files_without_content_are_no_twins(files, arrays):
    for path in files:
        path.write_bytes(b"")
    known = of_files(files)
    assert known.stored.training == 0
    assert note_of_seen(pictures(files), known.stored, arrays(known)["training"]) is None
    assert hash_files(["/nowhere"], sampled=False)[0].tolist() == [UNKNOWN]


def test_of_large_sets_sizes_and_samples_count(tmp_path, files, monkeypatch):
    large = tmp_path / "large"
    content = bytearray(os.urandom(40))
    large.write_bytes(content)
    monkeypatch.setattr(file_hashes, "SAMPLE", 4)
    before = {sampled: hash_files([large], sampled=sampled)[0][0] for sampled in (True, False)}
    for place, is_read in ((0, True), (10, False), (22, True), (39, True)):
        changed = content.copy()
        changed[place] ^= 1
        large.write_bytes(changed)
        differs = hash_files([large], sampled=True)[0] != before[True]
        assert differs.tolist() == [is_read]
        assert hash_files([large], sampled=False)[0][0] != before[False]
    large.write_bytes(content + b"x")
    assert hash_files([large], sampled=True)[0][0] != before[True]
    monkeypatch.setattr(file_hashes, "WHOLE_BYTES", 399)
    assert pictures(files).sampled and not pictures(files[:3]).sampled
    monkeypatch.setattr(file_hashes, "MOST_FILES", 2)
    assert hash_files(files, sampled=True)[1].tolist() == [True, False, False, True]

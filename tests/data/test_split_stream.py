import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.data import (
    ParquetBatches,
    read_table,
    stratified_split,
    students_csv,
    students_path,
)
from cutaway.errors import DataError, OptionError


@given(
    sizes=st.lists(st.integers(1, 40), min_size=2, max_size=5),
    fraction=st.sampled_from([0.1, 0.2, 0.5]),
    seed=st.integers(0, 5),
)
def test_every_class_is_held_out_in_its_share(sizes, fraction, seed):
    y = np.repeat(np.arange(len(sizes)), sizes)
    training, validation = stratified_split(y, fraction, seed=seed)
    assert sorted([*training, *validation]) == list(range(len(y)))
    assert len(validation) == max(1, round(len(y) * fraction))
    for k, size in enumerate(sizes):
        assert (y[training] == k).sum() >= 1 or len(validation) > len(y) - len(sizes) or size == 1
        assert abs((y[validation] == k).sum() - size * fraction) <= 2


def test_splits_repeat_with_the_seed():
    y = np.arange(50) % 3
    for stratify in (True, False):
        a = stratified_split(y, 0.3, seed=1, stratify=stratify)
        b = stratified_split(y, 0.3, seed=1, stratify=stratify)
        c = stratified_split(y, 0.3, seed=2, stratify=stratify)
        np.testing.assert_array_equal(a[1], b[1])
        assert not np.array_equal(a[1], c[1])


def test_splits_that_cannot_be_are_named():
    for fraction in (0, 1, -0.1, float("nan")):
        with pytest.raises(OptionError, match="validation fraction"):
            stratified_split(np.arange(9), fraction, seed=0)
    with pytest.raises(DataError, match="1 rows cannot be split"):
        stratified_split(np.arange(1), 0.5, seed=0)


@pytest.fixture
def parquet(tmp_path):
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({f"x{k}": rng.normal(size=1000) for k in range(3)})
    frame = frame.with_columns(y=pl.Series(rng.integers(0, 3, 1000)))
    path = tmp_path / "t.parquet"
    frame.write_parquet(path, row_group_size=300)
    return path, frame


def test_blocks_hold_every_row_once_in_an_order_of_the_seed(parquet):
    path, frame = parquet
    batches = ParquetBatches(path, target="y", block_rows=128)
    assert (batches.rows, batches.features) == (1000, ["x0", "x1", "x2"])
    blocks = list(batches.blocks(seed=0))
    assert [len(x) for x, _ in blocks].count(128) == 7 and blocks[0][0].dtype == np.float32
    x = np.concatenate([x for x, _ in blocks])
    y = np.concatenate([y for _, y in blocks])
    assert y.dtype == np.int32
    order, truth = np.argsort(x[:, 0]), np.argsort(frame["x0"].to_numpy())
    np.testing.assert_allclose(x[order, 2], frame["x2"].to_numpy()[truth], rtol=1e-6)
    np.testing.assert_array_equal(y[order], frame["y"].to_numpy()[truth])
    first = [block[0][0, 0] for block in blocks]
    assert first == [block[0][0, 0] for block in batches.blocks(seed=0)]
    assert first != [block[0][0, 0] for block in batches.blocks(seed=1)]


def test_streams_that_cannot_be_are_named(parquet, tmp_path):
    path, frame = parquet
    with pytest.raises(DataError, match='did you mean "x0"'):
        ParquetBatches(path, target="y", features=["xx0"])
    with pytest.raises(DataError, match="there is no file"):
        ParquetBatches(tmp_path / "none.parquet", target="y")
    bad = tmp_path / "bad.parquet"
    frame.with_columns(x1=pl.lit("text")).write_parquet(bad)
    with pytest.raises(DataError, match="column 'x1' holds String"):
        ParquetBatches(bad, target="y")
    frame.with_columns(x1=pl.Series([None] * 3 + [1.0] * 997)).write_parquet(bad)
    with pytest.raises(DataError, match=r"'x1' of .* holds 3 missing"):
        list(ParquetBatches(bad, target="y").blocks(0))
    bad.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataError, match="not a valid Parquet file"):
        ParquetBatches(bad, target="y")


def test_the_students_table_is_the_generated_one_and_begins_as_the_textbooks():
    assert students_path().read_text() == students_csv()
    frame = read_table(students_path())
    assert frame.shape == (200, 4)
    assert frame.head(7).rows() == [
        (2, 4, 9, 1),
        (1, 2, 8, 0),
        (5, 1, 9, 1),
        (2, 2, 5, 0),
        (7, 3, 7, 1),
        (2, 5, 8, 0),
        (4, 3, 7, 1),
    ]
    a = frame.to_numpy()
    rule = 1.6 * (a[:, 0] - 3.5) - 0.5 * (a[:, 1] - 3) + 0.6 * (a[:, 2] - 7) > 0
    assert (rule == a[:, 3]).mean() == 0.845  # as the docstring says

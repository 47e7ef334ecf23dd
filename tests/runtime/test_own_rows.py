"""Processes that read their own rows train what one process trains on all of them."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

import cutaway as ct
from cutaway.errors import DataError, OptionError
from tests.runtime.shared_parts import MAKES

TRAININGS = Path(__file__).with_name("shared_parts.py")
SHARES = {1: [71], 2: [39, 32], 3: [32, 32, 7]}  # of 71 files, which are read in chunks of 32


def launched(processes: int, script, *arguments, **environment):
    command = [sys.executable, "-m", "cutaway", "launch", "--processes", str(processes)]
    command += [str(script), *map(str, arguments)]
    environment = {**os.environ, **environment}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False, env=environment
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with images, one of which cannot be read, and with a table."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for k in range(71):
        path = folder / "images" / "train" / "ab"[k % 2] / f"{k:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, size=(6, 6, 3)) // (1 + k % 2)
        Image.fromarray(pixels.astype(np.uint8)).save(path)
    (folder / "images" / "train" / "a" / "40.png").write_bytes(b"no picture")
    x = rng.normal(size=(89, 2))
    pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "y": x.sum(axis=1)}).write_parquet(
        folder / "table.parquet", row_group_size=20
    )
    return folder


@pytest.fixture(scope="module")
def by_one(folder, tmp_path_factory):
    """A function of the name of a training: what one process has learned."""
    out = tmp_path_factory.mktemp("one")

    def trained(name: str):
        path = out / f"{name}-0.npz"
        if not path.exists():
            subprocess.run([sys.executable, TRAININGS, folder, out, name], check=True, timeout=300)
        return np.load(path)

    return trained


def expect_equal(out: Path, processes: int, name: str, alone) -> None:
    found = [np.load(out / f"{name}-{process}.npz") for process in range(processes)]
    for part in set(alone.files) - {"decoded"}:
        if alone[part].dtype.kind == "U":
            assert found[0][part].tolist() == alone[part].tolist()
        else:
            close = {"rtol": 1e-5, "atol": 1e-5, "err_msg": f"{name} {part}"}
            np.testing.assert_allclose(found[0][part], alone[part], **close)
        assert all(np.array_equal(other[part], found[0][part]) for other in found), part


@pytest.mark.slow
def test_two_processes_with_unequal_parts_train_what_one_trains(folder, by_one, tmp_path):
    done = launched(2, TRAININGS, folder, tmp_path, "classes")
    assert done.returncode == 0, done.stderr
    expect_equal(tmp_path, 2, "classes", by_one("classes"))


@pytest.mark.slow
@pytest.mark.parametrize("processes", [2, 3])
def test_arrays_trees_files_and_tables_in_parts_train_what_one_trains(
    folder, by_one, processes, tmp_path
):
    done = launched(processes, TRAININGS, folder, tmp_path, ",".join(MAKES))
    assert done.returncode == 0, done.stderr
    for name in MAKES:
        expect_equal(tmp_path, processes, name, by_one(name))


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2, 3])
def test_each_process_decodes_its_share_of_the_files_and_no_others(folder, processes, tmp_path):
    done = launched(processes, TRAININGS, folder, tmp_path, "folder_of_images")
    assert done.returncode == 0, done.stderr
    names = [f"folder_of_images-{process}.npz" for process in range(processes)]
    decoded = [int(np.load(tmp_path / name)["decoded"]) for name in names]
    # in two epochs, and before them to check the first block
    assert all(count <= 3 * most for count, most in zip(decoded, SHARES[processes], strict=True))
    assert sum(decoded) == 3 * 71 - 2  # what one process could not read, none tries again


@pytest.mark.slow
def test_no_compiled_step_gets_the_rows_of_others_or_reduces_by_scattering(folder, tmp_path):
    dump = tmp_path / "programs"
    flags = f"--xla_dump_to={dump} --xla_dump_hlo_as_text"
    done = launched(
        2,
        TRAININGS,
        folder,
        tmp_path,
        "classes",
        XLA_FLAGS=flags,
        JAX_ENABLE_COMPILATION_CACHE="false",
    )
    assert done.returncode == 0, done.stderr
    programs = [path.read_text() for path in dump.glob("*after_optimizations.txt")]
    assert any("f32[59,6]" in text for text in programs)  # the longer part has 59 rows
    assert not any("f32[118,6]" in text for text in programs)
    assert not any("reduce-scatter" in text for text in programs)


DIFFERENT = """
import sys
import numpy as np
import cutaway as ct

ct.distributed.start()
me, what, folder = ct.distributed.process_index(), *sys.argv[1:3]
x, y = np.ones((20, 3), np.float32), np.arange(20) % 2
if me == 1 and what == "columns":
    x = x[:, :2]
if me == 1 and what == "dtypes":
    x = x.astype(int)
if me == 1 and what == "trees":
    x = {"a": x}
if me == 1 and what == "texts":
    y = y.astype(str)
if me == 1 and what == "finite":
    x[3, 1] = np.nan
net = ct.Linear(3, 2)
trainer = ct.Trainer(net, loss=ct.losses.sparse_categorical_cross_entropy_with_logits)
class Loader:
    def __iter__(self):
        yield from [(x[:9] + me, y[:9]), (x[9:], y[9:])]

rows = Loader() if what == "loader" else ct.distributed.OwnRows(x, y)
try:
    trainer.fit(rows, epochs=1, batch_size=8, progress=False)
except ct.errors.CutawayError as error:
    open(f"{folder}/{me}", "w").write(str(error))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "said"),
    [
        (
            "columns",
            "process 1: x is float32 of shape (rows, 2)\n  expected: float32 of shape (rows, 3)",
        ),
        ("dtypes", "process 1: x is int32 of shape (rows, 3)"),
        ("trees", "process 1: x is missing"),
        ("texts", "process 0 has numbers as labels, others have texts"),
        ("loader", "process 1 has rows in a block other than those of process 0"),
        ("finite", "x contains NaN or infinity in 1 of 20 rows, in column 1"),
    ],
)
def test_parts_that_do_not_fit_are_refused_in_all_processes(what, said, tmp_path):
    script = tmp_path / "different.py"
    script.write_text(DIFFERENT)
    done = launched(2, script, what, tmp_path)
    assert done.returncode == 0, done.stderr
    for process in "01":
        assert said in (tmp_path / process).read_text()


def test_in_one_process_own_rows_are_all_rows():
    x = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    rows, losses = ct.distributed.OwnRows(x, x[:, :1], np.arange(20.0)), []
    for given in ((rows,), (rows.x, rows.y)):
        ct.seed(0)
        trainer = ct.Trainer(ct.Linear(3, 1), loss=ct.losses.mean_squared_error)
        weights = {} if given[0] is rows else {"weights": rows.weights}
        history = trainer.fit(*given, **weights, epochs=2, batch_size=5, seed=0, progress=False)
        losses.append([row["loss"] for row in history.rows])
        losses[-1].append(trainer.evaluate(*given, **weights)["loss"])
    assert losses[0] == losses[1]
    with pytest.raises(OptionError, match="OwnRows and targets beside them"):
        trainer.fit(rows, rows.y, epochs=1)


def test_moments_of_many_rows_are_those_of_numpy():
    x = np.random.default_rng(0).normal(3, 2, size=(9001, 2, 3)).astype(np.float32)
    mean, std = ct.distributed.mean_and_std(x)
    np.testing.assert_allclose(mean, x.astype(float).mean(axis=(0, 1)), rtol=1e-12)
    np.testing.assert_allclose(std, x.astype(float).std(axis=(0, 1)), rtol=1e-12)
    assert ct.distributed.own_part(7) == slice(0, 7)
    with pytest.raises(DataError, match="no rows"):
        ct.distributed.mean_and_std(x[:0])

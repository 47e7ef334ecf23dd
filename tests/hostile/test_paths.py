"""A path is a path everywhere; what is no file is said, and a pipe is read once."""

import ast
import io
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest

import cutaway
from cutaway.data import (
    ParquetBatches,
    Tokenizer,
    WordPiece,
    find_images,
    read_idx,
    read_image,
    read_table,
    read_text,
    read_texts,
    read_ucr,
    read_wav,
    students_path,
)
from cutaway.errors import CutawayError, DataError, RunError
from cutaway.runs import Run, prepare, recognize
from cutaway.runs.experiment import IN_MEMORY
from cutaway.runs.explain import training_data_of
from cutaway.runs.run_folder import RunFolder
from cutaway.weights import read_weights
from tests.cli.conftest import run_cutaway

# patterns of shells and of polars, what begins like a home folder or an address, spaces
NAMES = ("a[1]", "a*", "a?", "{a,b}", "a b", "~", "s3:", "%41", "a;b", "a#b", "-x", "day=1")
NOT_UTF8 = os.fsdecode(b"caf\xe9")
QUICK = {"epochs": 1, "layers": (2,), "batch_size": 2}


def frame(number: int) -> pl.DataFrame:
    return pl.DataFrame({"a": [float(number)] * 3, "y": [0, 1, 0]})


@pytest.mark.parametrize("name", [*NAMES, NOT_UTF8])
def test_the_file_of_exactly_this_name_is_read(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    for number, other in enumerate(("a1", "a", "aa", "b", "A"), 2):
        frame(number).write_parquet(f"{other}.parquet")
        frame(number).write_csv(f"{other}.csv")
    for suffix in (".parquet", ".csv"):
        with open(name + suffix, "wb") as file:
            frame(1).write_parquet(file) if suffix == ".parquet" else frame(1).write_csv(file)
        assert read_table(name + suffix)["a"].to_list() == [1.0] * 3
    stream = ParquetBatches(f"{name}.parquet", target="y")
    assert [x.tolist() for x, _ in stream.blocks(0)] == [[[1.0]] * 3]
    os.remove(f"{name}.parquet")
    with pytest.raises(DataError, match="there is no file"):
        read_table(f"{name}.parquet")


def test_probes_of_a_run_in_a_folder_whose_name_is_a_pattern_are_its_own(tmp_path):
    for name, number in (("r1", 2), ("r[1]*", 1)):
        (tmp_path / name).mkdir()
        content = io.BytesIO()
        frame(number).write_parquet(content)
        folder = RunFolder(tmp_path / name)
        folder.write(folder.probes, content.getvalue())
    run = SimpleNamespace(folder=RunFolder(tmp_path / "r[1]*"))
    assert Run.probes.fget(run)["a"].to_list() == [1.0] * 3


def test_a_name_that_is_not_utf8_is_trained_on_and_shown(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with open(f"{NOT_UTF8}.csv", "wb") as file:
        file.write(students_path().read_bytes())
    command = [sys.executable, "-m", "cutaway", "train", f"{NOT_UTF8}.csv", "--target", "passed"]
    command += ["--epochs", "1", "--layers", "2", "--no-preflight"]
    done = subprocess.run([*command, "--out", "run"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert r"caf\udce9.csv: 200 rows" in done.stdout
    run = Run.open("run")
    assert run.config["data"] == f"{NOT_UTF8}.csv" and read_table(run.config["data"]).height == 200
    assert r"caf\udce9.csv" in (tmp_path / "run" / "report.html").read_text()
    with pytest.raises(RunError, match="cannot be written: its name is not UTF-8"):
        RunFolder(NOT_UTF8).expect_free()


def test_files_in_class_folders_that_are_not_utf8_are_named(tmp_path):
    for name in ("a", NOT_UTF8):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").write_bytes(b"")
    from cutaway.runs.images import read_sets

    assert len(find_images(tmp_path)["train"]) == 2
    with pytest.raises(DataError, match=r"caf\\udce9/1\.png is not UTF-8"):
        read_sets(tmp_path)


READERS = (
    read_table, read_text, read_texts, read_idx, read_image, read_wav, read_ucr, read_weights,
    Tokenizer.load, WordPiece.load, recognize,
    lambda path: ParquetBatches(path, target="y"),
)  # fmt: skip
LONG = "a" * 300


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".txt", ".png", ".safetensors"])
def test_names_that_no_file_can_have_are_files_that_are_not_there(tmp_path, reader, suffix):
    for name in (LONG + suffix, f"a\0b{suffix}", f"none/{LONG}/b{suffix}"):
        with pytest.raises(CutawayError, match=r"there is no|cannot be read"):
            reader(tmp_path / name)


@pytest.mark.parametrize("reader", READERS)
def test_devices_and_sockets_are_refused_in_words(tmp_path, monkeypatch, reader):
    with pytest.raises(CutawayError, match="/dev/zero is a device"):
        reader("/dev/zero")
    monkeypatch.chdir(tmp_path)
    for suffix in ("csv", "parquet"):
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(f"s.{suffix}")
            with pytest.raises(CutawayError, match=rf"s\.{suffix} is a socket"):
                reader(f"s.{suffix}")


@pytest.mark.parametrize("reader", [read_text, read_idx, read_image, read_wav, read_weights])
def test_folders_are_refused_in_words(tmp_path, reader):
    with pytest.raises(CutawayError, match=f"{tmp_path.name} is a folder"):
        reader(tmp_path)


def test_a_run_cannot_have_a_name_that_no_folder_can_have(tmp_path):
    with pytest.raises(RunError, match="cannot be written: File name too long"):
        RunFolder(tmp_path / LONG).expect_free()
    with pytest.raises(RunError, match="is not a folder"):
        Run.open(tmp_path / LONG)


def piped(tmp_path, content: bytes):
    """A pipe without a suffix that holds the content."""
    path = tmp_path / f"pipe{len(list(tmp_path.iterdir()))}"
    os.mkfifo(path)
    threading.Thread(target=path.write_bytes, args=(content,), daemon=True).start()
    return path


def test_a_pipe_is_read_once_whatever_is_in_it(tmp_path):
    import gzip

    text = students_path().read_bytes()
    whole = read_table(students_path())
    whole.write_parquet(tmp_path / "a.parquet")
    for content in (text, gzip.compress(text), (tmp_path / "a.parquet").read_bytes()):
        assert read_table(piped(tmp_path, content)).equals(whole)
    with pytest.raises(DataError, match="pipe4 is empty"):
        read_table(piped(tmp_path, b""))
    experiment = prepare(piped(tmp_path, text), "passed", **QUICK)
    assert experiment.kind == "table" and experiment.frame.equals(whole)
    lines = "".join(f"{'ab'[k % 2]}\tsome words that follow {k}\n" for k in range(40))
    assert read_text(piped(tmp_path, lines.encode())).count("\n") == 40


@pytest.mark.slow
@pytest.mark.parametrize(
    "script",
    [
        "$TRAIN <(gzip -c $DATA) $OPTIONS",
        "cat $DATA | $TRAIN /dev/stdin $OPTIONS",
        "$TRAIN /dev/stdin $OPTIONS < $DATA",
    ],
)
def test_the_command_line_trains_on_a_stream_of_the_shell(tmp_path, script):
    words = {
        "DATA": str(students_path()),
        "TRAIN": f"{sys.executable} -m cutaway train",
        "OPTIONS": "--target passed --epochs 1 --layers 2 --no-preflight --out run",
    }
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=os.environ | words,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "200 rows" in done.stdout and (tmp_path / "run" / "weights.safetensors").exists()


def test_explanations_of_a_run_on_a_pipe_say_that_it_is_not_kept():
    for data, words in ((IN_MEMORY, "in memory or from a pipe"), ("gone.csv", "no longer at gone")):
        with pytest.raises(DataError, match=rf"{words}[\s\S]*--input FILE"):
            training_data_of(SimpleNamespace(source=lambda data=data: data))


def test_modules_that_lie_in_the_current_folder_are_not_run(tmp_path):
    for name in ("numpy", "json", "polars", "typer", "jax", "msgspec", "rich"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    done = run_cutaway("summary", "4,3,2", folder=tmp_path)
    assert done.returncode == 0 and "trainable parameters" in done.stdout, done.stderr
    assert not (tmp_path / "ran").exists()


def test_no_child_process_looks_for_modules_in_the_current_folder():
    found = 0
    for path in Path(cutaway.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.List) and node.elts:
                words = [ast.unparse(part) for part in node.elts]
                # of a user's own script, Python looks in the folder of the script
                if words[0] == "sys.executable" and words[1] != "str(script)":
                    found += 1
                    assert words[1] == "'-P'", f"{path}:{node.lineno}"
    assert found

"""Commands write over nothing that is not theirs: inputs, a run's files, what others wrote."""

import os
import shutil

import pytest

from cutaway.cli.products import product, product_folder
from cutaway.errors import OptionError
from cutaway.files import Manifest, write_atomically
from cutaway.runs import own_files


@pytest.fixture(autouse=True)
def notes(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setattr(own_files, "_folder", lambda: folder / "written")
    return folder


def write(path, content=b"ours", **options):
    with product(path, "--out", **options):
        write_atomically(path, content)


def test_what_cutaway_wrote_is_replaced_and_what_others_wrote_is_not(tmp_path):
    path = tmp_path / "predictions.csv"
    write(path)
    write(path, b"again")
    assert path.read_bytes() == b"again"
    path.write_bytes(b"mine")
    with pytest.raises(OptionError, match="exists, and Cutaway did not write it"):
        write(path)
    assert path.read_bytes() == b"mine"
    write(path, force=True)
    write(path, b"and again")
    assert path.read_bytes() == b"and again"


def test_without_a_folder_for_notes_a_file_is_not_replaced_without_force(tmp_path, notes):
    path = tmp_path / "predictions.csv"
    write(path)
    shutil.rmtree(notes / "written")
    with pytest.raises(OptionError, match="--force"):
        write(path)


def test_the_input_is_never_written_over_also_by_another_name(tmp_path):
    data = tmp_path / "data.csv"
    data.write_bytes(b"mine")
    os.link(data, tmp_path / "hard.csv")
    (tmp_path / "soft.csv").symlink_to(data)
    for name in ("data.csv", "hard.csv", "soft.csv"):
        with pytest.raises(OptionError, match="is the file that is read"):
            write(tmp_path / name, inputs=[data, None], force=True)
    assert data.read_bytes() == b"mine"


@pytest.mark.parametrize("name", ["weights.safetensors", "history.csv", "manifest.json"])
def test_a_file_of_a_run_is_never_written_over(tmp_path, name):
    Manifest(tmp_path).write({"weights.safetensors": b"w", "history.csv": b"h"})
    before = (tmp_path / name).read_bytes()
    with pytest.raises(OptionError, match=f"{name} is a file of the run {tmp_path}"):
        write(tmp_path / name, force=True)
    write(tmp_path / "network.onnx")  # a product may stand in the run's folder
    assert (tmp_path / name).read_bytes() == before


def test_a_folder_and_an_empty_name_are_no_files(tmp_path):
    with pytest.raises(OptionError, match=f"--out {tmp_path} is a folder"):
        write(tmp_path)
    with pytest.raises(OptionError, match="--out is empty"):
        write("")


def test_after_an_error_nothing_is_remembered(tmp_path):
    path = tmp_path / "file"

    def fail():
        with product(path, "--out"):
            path.write_bytes(b"half")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        fail()
    with pytest.raises(OptionError):
        write(path)


def test_a_folder_of_products_keeps_what_others_wrote_and_its_inputs(tmp_path):
    def write(names, **options):
        with product_folder(tmp_path / "out", "--out", names, **options) as put:
            for name in names:
                put(name, b"new")

    write(["a.png", "deep/b.png"])
    write(["a.png"])  # its own
    (tmp_path / "out" / "c.png").write_bytes(b"theirs")
    with pytest.raises(OptionError, match=r"c\.png exists, and Cutaway did not write it"):
        write(["new.png", "c.png"])
    assert not (tmp_path / "out" / "new.png").exists()  # all are looked at before the first
    assert (tmp_path / "out" / "c.png").read_bytes() == b"theirs"
    write(["c.png"], force=True)
    with pytest.raises(OptionError, match=r"a\.png is the file that is read"):
        write(["a.png"], inputs=[tmp_path / "out" / "a.png"], force=True)
    with (
        pytest.raises(OptionError, match=r"a\.png is a file\n"),
        product_folder(tmp_path / "out" / "a.png", "--out", ["x"]),
    ):
        pass


def test_a_product_of_a_folder_may_be_written_by_a_function(tmp_path):
    with product_folder(tmp_path / "out", "--out", ["a.txt"]) as put:
        put("a.txt", lambda path: path.write_text("by itself"))
    assert (tmp_path / "out" / "a.txt").read_text() == "by itself"

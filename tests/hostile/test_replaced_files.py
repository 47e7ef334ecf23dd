"""Files of other content in the place of those of a run, or of data: named, with exit code 2."""

import io
import json
import re
import shutil
import struct
import sys

import numpy as np
import pytest

from cutaway.cli.app import app
from cutaway.cli.app import run as run_cutaway
from cutaway.errors import RunError
from cutaway.runs import Run
from cutaway.runs.run_folder import RunFolder
from tests.hostile.run_samples import write_runs
from tests.hostile.test_sizes import npz, tiff, wav


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kinds")
    return folder, write_runs(folder)


def cutaway(*arguments):
    app(args=[str(a) for a in arguments], prog_name="cutaway", standalone_mode=False)


@pytest.fixture
def refused(monkeypatch, capsys):
    """What a command that ends with exit code 2 says."""

    def outcome(*arguments):
        monkeypatch.setattr(sys, "argv", ["cutaway", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            run_cutaway()
        said = capsys.readouterr()
        assert ended.value.code == 2 and "Traceback" not in said.err + said.out
        return " ".join(said.err.split())

    return outcome


def replaced(path, name, content) -> None:
    """Put a file into a run, with a checksum that matches."""
    (path / name).write_bytes(content)
    RunFolder(path).accept([name])


def with_value(content: dict, place, value) -> bytes:
    part = content
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = value
    return json.dumps(content).encode()


# values at places where another type, or a number in reason, is expected
CHANGES = [
    ("regression", "config.json", ["batch_size"], 1e308),
    ("regression", "config.json", ["network", "init"], "/etc/passwd"),
    ("series", "config.json", ["kind"], [None, None, None]),
    ("series", "config.json", ["network", "hidden"], "32"),
    ("table", "config.json", ["lr"], None),
    ("images", "config.json", ["options"], []),
    ("text", "preprocessing.json", ["length"], "../../etc/passwd"),
    ("text", "preprocessing.json", ["target", "counts"], ["80"]),
    ("series", "preprocessing.json", ["column"], 1e308),
    ("series", "preprocessing.json", ["every"], [1, "; rm"]),
    ("images", "preprocessing.json", ["size"], [10**9, 10**9, 3]),
    ("masks", "preprocessing.json", ["coding"], 5),
]


@pytest.mark.parametrize("kind, name, place, value", CHANGES)
def test_a_changed_value_is_damage_of_the_named_file(
    tmp_path, kinds, refused, kind, name, place, value
):
    folder, data = kinds
    run = tmp_path / "run"
    shutil.copytree(folder / "runs" / kind, run)
    content = json.loads((run / name).read_bytes())
    replaced(run, name, with_value(content, place, value))
    for command in (("predict", run, data[kind]), ("evaluate", run, data[kind])):
        assert f"the file {run / name} of this run is damaged: " in refused(*command)


@pytest.mark.parametrize("name", ["config.json", "preprocessing.json"])
@pytest.mark.parametrize("other", ["series", "text"])
def test_a_file_of_another_run_in_its_place_is_damage(tmp_path, kinds, refused, name, other):
    folder, data = kinds
    run = tmp_path / "run"
    shutil.copytree(folder / "runs" / "table", run)
    replaced(run, name, (folder / "runs" / other / name).read_bytes())
    said = refused("evaluate", run, data["table"])
    # the config of another run describes a network that the weights do not fit
    assert f"the file {run}" in said and "of this run is damaged: " in said


def test_a_config_of_an_earlier_format_is_refused_as_such(tmp_path, kinds, refused):
    folder, data = kinds
    run = tmp_path / "run"
    shutil.copytree(folder / "runs" / "table", run)
    content = json.loads((run / "config.json").read_bytes())
    replaced(run, "config.json", with_value(content, ["format"], 1))
    assert "is a run of format 1" in refused("predict", run, data["table"])


HISTORIES = [
    b"epoch,loss,lr,val_loss,seconds\n1,0.9,0.004,0.8,21.7\n2,0.6,0.001\n",  # cut off
    b"epoch,loss\n1,high\n",
    b"epoch,loss,loss\n1,2,3\n",
    b"\xff\xfe\x00",
    b'epoch,loss\n1,"0.5\n',
]


@pytest.mark.parametrize("content", HISTORIES)
def test_a_damaged_history_is_named_and_predictions_do_not_need_it(
    tmp_path, kinds, capsys, content
):
    folder, data = kinds
    run = tmp_path / "run"
    shutil.copytree(folder / "runs" / "table", run)
    replaced(run, "history.csv", content)
    cutaway("predict", run, data["table"])
    assert capsys.readouterr().out.count("\n") == 41
    words = f"the file {run / 'history.csv'} of this run is damaged: "
    with pytest.raises(RunError, match=re.escape(words)):
        Run.open(run).history  # noqa: B018


def safetensors(shape) -> bytes:
    header = {"w": {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]}}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text


def bare_array() -> bytes:
    file = io.BytesIO()
    np.save(file, np.ones(3))
    return file.getvalue()


def hashes(**arrays) -> bytes:
    file = io.BytesIO()
    np.savez(file, **{"rows": np.ones(9), "names": np.ones(0), "training": np.ones(9), **arrays})
    return file.getvalue()


WEIGHTS = [safetensors([0] * 35), safetensors([2**40]), bare_array(), b""]
HASHES = [bare_array(), npz(rows=(10**11,), names=(1,), training=(1,)), hashes(), b"PK\x05\x06"]


@pytest.mark.parametrize(
    "name, content",
    [("weights.safetensors", w) for w in WEIGHTS] + [("fingerprint.npz", h) for h in HASHES],
)
def test_arrays_of_another_form_or_size_are_damage(tmp_path, kinds, refused, name, content):
    folder, data = kinds
    run = tmp_path / "run"
    shutil.copytree(folder / "runs" / "table", run)
    replaced(run, name, content)
    said = refused("evaluate", run, data["table"])
    assert str(run / name) in said and ("is damaged" in said or "is corrupted" in said)


FILES = {
    "wide.tif": ("images", tiff(1, 67_108_884), "an image of 1 x 67,108,884 pixels: 256.0 MiB"),
    "fast.wav": ("recordings", wav(4_294_967_295), "resampling from 4,294,967,295"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_declared_size_is_refused_by_a_limit_that_is_said(tmp_path, kinds, refused, name):
    kind, content, words = FILES[name]
    folder, data = kinds
    shutil.copytree(data[kind], tmp_path / "data")
    label = next(path for path in (tmp_path / "data").iterdir() if path.is_dir())
    (label / name).write_bytes(content)
    run = folder / "runs" / kind
    for command in (("train", tmp_path / "data"), ("predict", run, label / name)):
        said = refused(*command)
        assert name in said and words in said and "at most 128.0 MiB (for a small file)" in said
        assert "raise the limit: --max-bytes" in said
        assert ("--skip-unreadable 1" in said) is (command[0] == "train")

"""What was written is there; what is damaged is said."""

import os
import re
import signal
import subprocess
import sys

import pytest

from cutaway.errors import RunError
from cutaway.files import Manifest

CONTENTS = {"a.json": b'{"a": 1}', "b.bin": bytes(range(64))}


@pytest.fixture
def folder(tmp_path):
    Manifest(tmp_path).write(CONTENTS)
    return tmp_path


def test_every_flipped_bit_of_a_file_is_noticed(folder):
    for name, content in CONTENTS.items():
        for bit in range(8 * len(content)):
            changed = bytearray(content)
            changed[bit // 8] ^= 1 << bit % 8
            (folder / name).write_bytes(changed)
            with pytest.raises(RunError, match=re.escape(f"{folder / name} is damaged")):
                Manifest(folder).read(name)
        (folder / name).write_bytes(content)
        assert Manifest(folder).read(name) == content


def test_no_flipped_bit_of_the_manifest_changes_what_is_believed(folder):
    path = folder / "manifest.json"
    whole = path.read_bytes()
    for bit in range(8 * len(whole)):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        try:
            assert {n: Manifest(folder).read(n) for n in Manifest(folder).names} == CONTENTS
        except RunError as error:
            assert "manifest.json is damaged" in str(error)


def test_a_kill_at_any_moment_leaves_only_whole_files_that_match(tmp_path):
    code = """
import sys
from cutaway.files import Manifest
manifest = Manifest(sys.argv[1])
for k in range(10**6):
    manifest.write({"a": b"a%d" % k, "b": b"b%d" % k})
    print(k, flush=True)
"""
    for round_ in range(12):
        child = subprocess.Popen(
            [sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE, text=True
        )
        for _ in range(3 + round_):
            child.stdout.readline()
        child.send_signal(signal.SIGKILL)
        child.communicate()
        manifest = Manifest(tmp_path)
        assert manifest.problems() == {} and manifest.names == ["a", "b"]
        a, b = int(manifest.read("a")[1:]), int(manifest.read("b")[1:])
        assert a in (b, b + 1)  # they are exchanged in order


def test_a_file_that_was_changed_on_purpose_can_be_accepted(folder):
    (folder / "a.json").write_bytes(b'{"a": 2}')
    manifest = Manifest(folder)
    assert manifest.problems() == {"a.json": "is damaged: its content is not what was written"}
    with pytest.raises(RunError, match=r"cutaway verify .* --accept a\.json"):
        manifest.read("a.json")
    manifest.accept(["a.json"])
    assert Manifest(folder).read("a.json") == b'{"a": 2}' and Manifest(folder).problems() == {}


def test_a_missing_file_a_missing_manifest_and_a_file_without_checksum_are_named(folder):
    os.unlink(folder / "b.bin")
    with pytest.raises(RunError, match=r"b\.bin cannot be read: No such file"):
        Manifest(folder).read("b.bin")
    (folder / "c").write_bytes(b"c")
    with pytest.raises(RunError, match="c has no checksum in"):
        Manifest(folder).read("c")
    os.unlink(folder / "manifest.json")
    with pytest.raises(RunError, match=r"manifest\.json cannot be read"):
        Manifest(folder).read("a.json")
    Manifest(folder).accept(["a.json"])
    assert Manifest(folder).read("a.json") == CONTENTS["a.json"]


def test_checksums_are_those_of_sha256sum(folder):
    import hashlib
    import json

    found = json.loads((folder / "manifest.json").read_text())["files"]
    assert found == {n: [hashlib.sha256(c).hexdigest()] for n, c in CONTENTS.items()}

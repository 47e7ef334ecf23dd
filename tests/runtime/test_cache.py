"""Compiled programs on disk: found again, the same bits, and never a word about it."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from cutaway.runtime import cache

SCRIPT = """
import hashlib
import jax
import numpy as np
import cutaway as ct

counts = {"hits": 0, "misses": 0}
def listen(event, **_):
    for kind in counts:
        counts[kind] += event == f"/jax/compilation_cache/cache_{kind}"
jax.monitoring.register_event_listener(listen)

ct.seed(0)
net = ct.models.mlp((4, 8, 1), dropout=0.1)
trainer = ct.Trainer(net, loss=ct.losses.mean_squared_error)
x = np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32)
trainer.fit(x, x.sum(axis=1), epochs=3, batch_size=16, validation=0.25, seed=0)
bits = b"".join(value.tobytes() for value in net.state_dict().values())
print(counts["hits"], counts["misses"], hashlib.sha256(bits).hexdigest())
"""


def process(folder, **environment):
    """(hits, misses, hash of the trained weights) of a new process; silent, or it fails."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("JAX_")}
    env |= {"XDG_CACHE_HOME": str(folder), "PYTHONWARNINGS": "error", **environment}
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=env, capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    hits, misses, bits = done.stdout.split()
    return int(hits), int(misses), bits


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="XDG_CACHE_HOME is Linux's")
def test_a_second_process_compiles_nothing_and_gives_the_same_bits(tmp_path):
    folder = tmp_path / "cache"
    hits, compiled, bits = process(folder)
    assert compiled > 0
    hits, misses, again = process(folder)
    assert (hits, misses, again) == (compiled, 0, bits)

    for file in folder.rglob("*-cache"):  # as a killed process or a full disk leave them
        file.write_bytes(file.read_bytes()[:100])
    hits, _, damaged = process(folder)
    assert (hits, damaged) == (0, bits)

    off = tmp_path / "off"
    assert process(off, JAX_ENABLE_COMPILATION_CACHE="false") == (0, 0, bits)
    assert not off.exists()
    (tmp_path / "file").write_text("")
    assert process(tmp_path / "file") == (0, 0, bits)  # a folder that cannot be made


def test_jax_settings_come_first(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "_decided", False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    before = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", "somewhere")
    try:
        cache.cache_programs_by_default()
        assert jax.config.jax_compilation_cache_dir == "somewhere" and not any(tmp_path.iterdir())
    finally:
        jax.config.update("jax_compilation_cache_dir", before)


def test_the_folder_follows_the_platform(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache.user_folder() == Path("/somewhere/cutaway")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # the standard: to be ignored
    assert cache.user_folder() == Path.home() / ".cache/cutaway"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache.user_folder() == Path.home() / "Library/Caches/cutaway"


def test_the_programs_that_were_not_used_for_longest_are_deleted(tmp_path, monkeypatch):
    for age in range(6):
        file = tmp_path / hashlib.sha256(bytes([age])).hexdigest()
        file.write_bytes(bytes(100))
        os.utime(file, (1e9 - age, 1e9 - age))
    newest = {hashlib.sha256(bytes([age])).hexdigest() for age in range(2)}
    monkeypatch.setattr(cache, "LIMIT_BYTES", 600)
    cache._sweep(tmp_path)
    assert len(os.listdir(tmp_path)) == 6
    monkeypatch.setattr(cache, "LIMIT_BYTES", 500)
    cache._sweep(tmp_path)
    assert set(os.listdir(tmp_path)) == newest


def test_what_one_core_compiled_is_not_run_on_two(monkeypatch):
    monkeypatch.delenv("NPROC", raising=False)
    names = set()
    for cores in ({0}, {0, 1}, {0, 1, 2}):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, cores=cores: cores, raising=False)
        names.add(cache._machine())
    monkeypatch.setenv("NPROC", "1")  # XLA's own limit
    assert cache._machine() in names and len(names) == 3

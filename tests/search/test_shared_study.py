"""Several workers on one study: all trials are done, none is lost, none is there twice."""

import json
import os
import signal
import subprocess
import sys
import time

import optuna
import pytest

import cutaway as ct
from cutaway.errors import OptionError, RunError
from cutaway.search import shared_study

WORKER = """
import json, sys
import cutaway as ct
from cutaway.search import shared_study
shared_study.HEARTBEAT_SECONDS, shared_study.STALE_SECONDS = 0.3, 4.0
shared_study.WAIT_SECONDS = 0.2
study, out, epochs = sys.argv[1:]
found = ct.tune(
    None, trials=6, study=study, out=out, layers=(4,), epochs=int(epochs), seed=0,
    on_trial=lambda trials: print(len(trials), flush=True),
)
print(json.dumps(found.summary))
"""
FIXED = {"layers": (4,), "epochs": 2, "seed": 0}


def begun(study, out, epochs=2):
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, str(study), str(out), str(epochs)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def trials_of(study) -> list:
    if "://" in str(study):
        storage = optuna.storages.RDBStorage(str(study))
    else:
        journal = optuna.storages.journal
        storage = optuna.storages.JournalStorage(journal.JournalFileBackend(str(study)))
    return optuna.load_study(study_name="cutaway", storage=storage).get_trials()


def counted(study) -> list:
    """The trials that count: finished, and not given back."""
    return [t for t in trials_of(study) if "interrupted" not in t.user_attrs]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGKILL")
@pytest.mark.parametrize("kind", ["journal", "sqlite"])
def test_of_two_workers_one_is_killed_and_the_other_does_its_trial_anew(kind, tmp_path):
    study = tmp_path / "study.journal" if kind == "journal" else f"sqlite:///{tmp_path}/study.db"
    victim = begun(study, tmp_path / "victim", epochs=400)
    until = time.monotonic() + 120
    running = []
    while not running and time.monotonic() < until:
        time.sleep(0.2)
        assert victim.poll() is None, victim.stderr.read()
        if kind == "journal" and not study.exists():
            continue
        try:
            running = [t for t in trials_of(study) if t.state.name == "RUNNING" and t.params]
        except Exception:  # it is being made
            continue
    others = [begun(study, tmp_path / f"worker{k}", epochs=400) for k in range(2)]
    victim.kill()
    victim.communicate()
    running = [t for t in trials_of(study) if t.state.name == "RUNNING" and t.params]
    told = [worker.communicate(timeout=400) for worker in others]
    assert [worker.returncode for worker in others] == [0, 0], told
    found = counted(study)
    assert len(found) == 6 and {t.state.name for t in found} <= {"COMPLETE", "PRUNED"}
    everything = trials_of(study)
    (dead,) = [t for t in everything if t.number == running[0].number]
    assert (dead.state.name, dead.user_attrs["interrupted"]) == ("FAIL", True)
    (again,) = [t for t in found if t.user_attrs.get("tried_before_as") == dead.number]
    assert again.params == dead.params
    assert len({json.dumps(t.params, sort_keys=True) for t in found}) == 6
    assert not [t for t in everything if t.state.name in ("RUNNING", "WAITING")]
    first, second = (json.loads(out.splitlines()[-1]) for out, _ in told)
    assert first["best"] == second["best"] and first["scores"] == second["scores"]
    assert [t["trial"] for t in first["trials"]] == sorted(t.number + 1 for t in found)


@pytest.mark.slow
def test_a_study_alone_has_the_default_first_and_goes_on_where_it_was(tmp_path):
    study = tmp_path / "study.journal"
    found = ct.tune(None, trials=1, study=study, out=tmp_path / "a", **FIXED)
    assert found.summary["default"] == found.summary["best"] == 1
    more = ct.tune(None, trials=3, study=study, out=tmp_path / "b", **FIXED)
    assert [t["trial"] for t in more.summary["trials"]] == [1, 2, 3]
    # the run of the default was on another machine: trained again, it is the same
    scores = [one.summary["scores"]["default"] for one in (found, more)]
    assert scores[0] == scores[1]
    with pytest.raises(RunError, match=r"the encoded rows, seed \(0 there, 1 here\)"):
        ct.tune(None, trials=3, study=study, out=tmp_path / "c", **{**FIXED, "seed": 1})


@pytest.mark.slow
def test_ctrl_c_gives_the_trial_back(tmp_path):
    study = tmp_path / "study.journal"
    worker = begun(study, tmp_path / "out", epochs=3000)
    while not study.exists() or not any(t.user_attrs.get("heartbeat") for t in trials_of(study)):
        assert worker.poll() is None, worker.stderr.read()
        time.sleep(0.2)
    time.sleep(2)
    os.kill(worker.pid, signal.SIGINT)
    worker.communicate(timeout=100)
    found = trials_of(study)
    assert [t.user_attrs.get("interrupted") for t in found if t.state.name == "FAIL"] == [True]
    assert [t.state.name for t in found].count("WAITING") == 1


def test_a_study_that_cannot_be_reached_is_said_without_its_password(tmp_path):
    out = tmp_path / "o"
    with pytest.raises(RunError, match=r"gone/study\.journal cannot be read or written"):
        ct.tune(
            None, trials=1, study=tmp_path / "gone" / "study.journal", out=tmp_path / "o", **FIXED
        )
    with pytest.raises(RunError) as raised:
        ct.tune(None, trials=1, study="nosuch://me:secret@host/name", out=tmp_path / "o", **FIXED)
    assert not out.exists()
    assert "secret" not in str(raised.value) and "host/name" in str(raised.value)
    with pytest.raises(OptionError, match="2 jobs with a study that is shared"):
        ct.tune(None, trials=1, jobs=2, study=tmp_path / "study.journal", **FIXED)


def test_heartbeats_leave_time_for_a_slow_disk():
    assert shared_study.STALE_SECONDS >= 10 * shared_study.HEARTBEAT_SECONDS

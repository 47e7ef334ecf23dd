"""tune: try options on your data, and keep the run of those that did best.

OUT/search.json    what is searched, so that the same call goes on with it
    study.db       the trials, by Optuna
    trials/007/    the run of each trial that went through
    default/       the run of the default options, which is the first trial
    best/          the run of the best
    tune.html      the page
    tune.json      the numbers on it
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from cutaway.errors import OptionError, RunError, expect_range
from cutaway.files import write_atomically
from cutaway.runs import prepare
from cutaway.runtime import device
from cutaway.search.result import Tuned, finish
from cutaway.search.study import Study, import_optuna
from cutaway.search.trial import run_trial

TEST = 0.2  # share of the rows that no trial sees
FORMAT = 1
# the process that starts the others holds three quarters of a GPU; these share the rest of it
_ON_DEMAND = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}


def tune(
    data,
    target: str | None = None,
    *,
    trials: int = 20,
    out=None,
    kind: str | None = None,
    jobs: int = 1,
    on_trial=None,
    **given,
) -> Tuned:
    """Try options on data of any kind; the best run is an ordinary run.

    The first trial has the default options, so that the best is never worse on the rows that
    decide. Those are the held-out ones; being the best of many on them flatters, so a part of the
    rows is kept back that no trial sees, and both are scored on it at the end.

    Args:
        data, target, kind: see runs.prepare.
        trials: how many in all; those of an earlier call with the same `out` count.
        out: folder of the search; None: runs/NAME-tune. If it holds this search, it goes on.
        jobs: processes that try at the same time; more than one needs a path as data.
        on_trial: function of the list of Optuna's trials that have ended, called after each.
        given: options that all trials have, and which are not searched; by default test=0.2.

    Raises:
        DataError, OptionError: input that does not fit; nothing was written.
        RunError: the folder holds something else, or another process is at work in it.
        CutawayError: Optuna is not installed.

    Example:
        >>> found = tune("students.csv", "passed", trials=20)          # doctest: +SKIP
        >>> found.best.predict("new.csv")                              # doctest: +SKIP
    """
    expect_range(trials, what="trials", least=1)
    expect_range(jobs, what="jobs", least=1)
    if jobs > 1 and not isinstance(data, str | Path | None):
        raise OptionError(
            f"{jobs} jobs and data that are in memory",
            expected="a path, which every process can read",
            fix="write the table to a file, or leave out jobs",
        )
    import_optuna()
    given = {"test": TEST, **given}
    asked = {"target": target, "kind": kind, **given}
    base = prepare(data, target, kind=kind, **given)
    base = base.with_options(dataclasses.replace(base.options, epochs=base.epochs))
    space = open_space(base, given)
    out = Path("runs", f"{_plain(Path(base.source).stem)}-tune") if out is None else Path(out)
    began, is_new = time.perf_counter(), _begin(out, base, asked, space)
    with _alone(out):
        study = study_of(out, base, space)
        study.forget_unfinished()
        try:
            _search(out, base, study, data, asked, trials, jobs, on_trial)
        except Exception:
            if is_new and not study.trials():
                _discard(out)
            raise
        return finish(out, base, study, wanted=trials, seconds=time.perf_counter() - began)


def open_space(base, given) -> dict:
    """What is searched: the space of this kind of data without what was given.

    Raises:
        OptionError: nothing is left.
    """
    fixed = {"lr": ("rate_factor",), "layers": ("width", "depth")}
    names = {name for option in given for name in fixed.get(option, (option,))}
    space = base.options.space(base.training_rows)
    left = {name: one for name, one in space.items() if name not in names}
    if not left:
        raise OptionError(
            "every option that could be searched was given",
            expected="one left free of " + ", ".join(space),
            fix="leave some out",
        )
    return left


def study_of(out, base, space) -> Study:
    return Study(
        out / "study.db",
        space,
        higher_is_better=base.options.MONITOR != "val_loss",
        epochs=base.epochs,
        seed=base.options.seed,
    )


def _search(out, base, study, data, asked, trials, jobs, on_trial):
    """Try until there are so many trials, or somebody interrupts."""
    summary = on_trial or (lambda found: None)
    places = _left(study, trials)
    with contextlib.suppress(KeyboardInterrupt):
        if jobs > 1 and len(places) > 1:
            if places[0] == 0:  # the default first, alone: the others are compared with it
                if not run_trial(base, study, 0, out / "trials"):
                    return
                places = places[1:]
                summary(study.trials())
            _work_together(out, study, data, asked, places, jobs, summary)
            return
        for place in places:
            if not run_trial(base, study, place, out / "trials"):
                return
            summary(study.trials())


def _left(study, trials) -> list:
    done = {t.user_attrs["place"] for t in study.trials()}
    return [place for place in range(trials) if place not in done]


def _work_together(out, study, data, asked, places, jobs, summary):
    """The same in several processes, each of which gets its share of the trials."""
    workers, says, seen = [], [], len(study.trials())
    for k in range(min(jobs, len(places))):
        task = {
            "out": str(out),
            "data": None if data is None else str(data),
            "asked": asked,
            "places": places[k::jobs],
            "device": device().kind,
        }
        # a pipe that nobody reads would fill up; closed when it has been read
        said = tempfile.TemporaryFile("w+")  # noqa: SIM115
        says.append(said)
        worker = subprocess.Popen(
            [sys.executable, "-m", "cutaway.search.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=said,
            text=True,
            env={**_ON_DEMAND, **os.environ},
        )
        worker.stdin.write(json.dumps(task))
        worker.stdin.close()
        workers.append(worker)
    try:
        while True:
            working = any(w.poll() is None for w in workers)
            found = study.trials()
            while seen < len(found):
                seen += 1
                summary(found[:seen])
            if not working:
                break
            time.sleep(0.3)
    finally:  # Ctrl-C reaches the workers too, and they end by themselves
        for worker in workers:
            with contextlib.suppress(KeyboardInterrupt):
                worker.wait()
    trouble = []
    for worker, said in zip(workers, says, strict=True):
        with said:
            said.seek(0)
            if worker.returncode not in (0, 130):
                trouble.append(said.read())
    if trouble and not set(places) <= {t.user_attrs["place"] for t in study.trials()}:
        raise RunError(
            f"a process of the search has ended: {trouble[0].strip().splitlines()[-1][:300]}"
            if trouble[0].strip()
            else "a process of the search was killed",
            expected="all of them to work to the end",
            fix="the same command goes on with what is there; with --jobs 1 it needs less memory",
        )


def _begin(out, base, asked, space) -> bool:
    """Make the folder, or see that it holds this search; whether it is new."""
    config = {
        "format": FORMAT,
        "kind": base.kind,
        "data": base.source,
        "rows": _fingerprint(base),
        "asked": asked,
        "space": {name: dataclasses.asdict(one) for name, one in space.items()},
    }
    config = json.loads(json.dumps(config))
    path = out / "search.json"
    if path.exists():
        try:
            before = json.loads(path.read_text())
        except ValueError as error:
            raise RunError(
                f"{path} is damaged: {error}",
                expected="JSON as `cutaway tune` writes it",
                fix="delete the folder, or give another --out",
            ) from error
        if before != config:
            differing = [name for name in config if before.get(name) != config[name]]
            raise RunError(
                f"{out} holds another search: its {', '.join(differing)} differ",
                expected="the same data and options, up to --trials and --jobs",
                fix="give another --out (out=), or delete that folder",
            )
        return False
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RunError(
            f"{out} holds something else than a search",
            expected="a new or empty folder, or one of `cutaway tune`",
            fix="give another --out",
        )
    write_atomically(path, (json.dumps(config, indent=2) + "\n").encode())
    (out / "trials").mkdir(exist_ok=True)
    return True


def _fingerprint(base) -> str:
    """Of the encoded rows: a frame has no name, and a file may have been edited."""
    digest = hashlib.sha256()
    for array in (base.x, base.y):
        if isinstance(array, np.ndarray) and array.dtype != object:
            digest.update(np.ascontiguousarray(array).tobytes())
        else:  # images that are decoded as they are needed
            digest.update(str(len(array)).encode())
    return digest.hexdigest()[:16]


def _discard(out):
    import shutil

    shutil.rmtree(out, ignore_errors=True)


@contextlib.contextmanager
def _alone(out):
    """Nobody else searches in this folder at the same time."""
    try:
        import fcntl
    except ImportError:  # not on this system
        yield
        return
    with open(out / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise RunError(
                f"another process is searching in {out}",
                expected="one at a time; --jobs starts several that know of each other",
                fix="wait for it, or give another --out",
            ) from error
        yield


def _plain(name: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in name)

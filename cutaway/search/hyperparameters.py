"""tune: search for the best hyperparameters for your data.

OUT/search.json    the search space and the data, for resuming
    study.db       Optuna's study
    trials/007/    the run of each completed trial
    default/       the run of the first trial, with the default options
    best/          the run of the best trial
    tune.html      the report
    tune.json      its numbers
"""

import contextlib
import dataclasses
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cutaway
from cutaway.data.read import unpiped
from cutaway.errors import CutawayError, OptionError, RunError, expect_range
from cutaway.files import Manifest, Owner, owner, sweep
from cutaway.files.limits import given_max_bytes
from cutaway.files.manifest import damaged
from cutaway.files.writing import explaining_write
from cutaway.runs import prepare
from cutaway.runtime import device
from cutaway.search.result import Tuned, finish
from cutaway.search.search_config import config_of, differences
from cutaway.search.shared_study import SharedStudy, search_together, train_again
from cutaway.search.study import import_optuna, open_space, study_of
from cutaway.search.trial import run_trial
from cutaway.search.trial_loggers import expect_loggers

TEST = 0.2  # fraction of the rows for the test set
# run without the current folder on the path of modules (-P), which may hold a file numpy.py
_WORKER = (
    "import runpy, sys; sys.path.append(sys.argv.pop(1)); "
    "runpy.run_module('cutaway.search.worker', run_name='__main__')"
)
# the main process preallocates three quarters of a GPU's memory; the workers share the rest
_ON_DEMAND = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}


def tune(
    data,
    target: str | None = None,
    *,
    trials: int = 20,
    out=None,
    kind: str | None = None,
    jobs: int = 1,
    log=(),
    study=None,
    on_trial=None,
    **given,
) -> Tuned:
    """Search for the best options for data of any kind; the best trial is saved as a run.

    The first trial has the default options; of a table those of the recipe "plain", one network
    whose options can be varied. Trials are compared on the validation rows; the best
    of many is optimistically biased there, so the default and the best are finally scored on a
    test set that no trial sees.

    Args:
        data, target, kind: see runs.prepare.
        trials: number of trials, including those of earlier calls with the same `out`.
        out: folder of the search; None: runs/NAME-tune. If it holds this search, it is resumed.
        jobs: number of parallel processes; more than one requires a path as data.
        log: names of loggers that write each trial as a run of its own, in the group of the
            search: "csv", "tensorboard", "wandb", "mlflow"; see cutaway.train.loggers.
        study: where several machines that make the same call meet: path of a journal file on a disk
            that all can write to, or the URL of a database such as postgresql://user@host/name.
            `trials` then counts those of all; each machine has an `out` of its own, and ends with
            the whole result. None: a study in `out`, for this process alone.
        on_trial: function of the list of Optuna's finished trials, called after each trial.
        given: options that are fixed for all trials; by default test=0.2.

    Raises:
        DataError, OptionError: invalid input; nothing was written.
        RunError: the folder is not empty, or another process is using it.
        CutawayError: Optuna is not installed.

    Example:
        >>> import cutaway as ct
        >>> found = ct.tune("students.csv", "passed", trials=20)          # doctest: +SKIP
        >>> found.best.predict("new.csv")                              # doctest: +SKIP
    """
    expect_range(trials, what="trials", least=1)
    expect_range(jobs, what="jobs", least=1)
    if study is not None and jobs > 1:
        raise OptionError(
            f"{jobs} jobs with a study that is shared",
            expected="one process for each call",
            fix="omit jobs, and make the call as often as there are to be processes",
        )
    data = unpiped(data)
    if jobs > 1 and not isinstance(data, str | Path | None):
        raise OptionError(
            f"{jobs} jobs with data in memory",
            expected="a path, which every process can read",
            fix="write the table to a file, or omit jobs",
        )
    expect_loggers(log)
    import_optuna()
    given = {"test": TEST, **given}
    asked = {"target": target, "kind": kind, **given}
    base = prepare(data, target, kind=kind, one_network=True, **given)
    base = base.with_options(dataclasses.replace(base.options, epochs=base.epochs))
    space = open_space(base, given)
    name = f"{_plain(Path(base.source).stem)}-tune"
    if study is not None:
        name += f"-{_plain(platform.node())}-{os.getpid()}"
    out = Path("runs", name) if out is None else Path(out)
    began = time.perf_counter()
    with _alone(out):
        config = config_of(base, asked, space)
        # before the folder is written: a study that cannot be reached leaves none behind
        shared = None if study is None else _shared(study, base, space, config)
        is_new = _begin(out, config)
        found = study_of(out, base, space) if shared is None else shared
        found.forget_unfinished()
        report = on_trial or (lambda trials: None)
        try:
            if shared is not None:
                search_together(base, shared, trials, out / "trials", log, report)
            else:
                _search(out, base, found, data, asked, trials, jobs, log, report)
        except Exception:
            with contextlib.suppress(OSError, CutawayError):  # the disk may be read-only, or gone
                if is_new and not found.trials():
                    shutil.rmtree(out / "trials", ignore_errors=True)
                    for path in out.iterdir():
                        if path.is_file() and path.name != owner.NAME:
                            path.unlink()
            raise
        again = None if shared is None else train_again
        seconds = time.perf_counter() - began
        return finish(out, base, found, wanted=trials, seconds=seconds, train_again=again)


def _shared(source, base, space, config: dict) -> SharedStudy:
    return SharedStudy(
        source,
        space,
        config={name: value for name, value in config.items() if name != "data"},
        higher_is_better=base.options.MONITOR != "val_loss",
        epochs=base.epochs,
        seed=base.options.seed,
    )


def _search(out, base, study, data, asked, trials, jobs, log, report):
    """Run trials until there are enough, or until interrupted."""
    places = _left(study, trials)
    with contextlib.suppress(KeyboardInterrupt):
        if jobs > 1 and len(places) > 1:
            if places[0] == 0:  # the default first: the others are compared with it
                if not run_trial(base, study, 0, out / "trials", log):
                    return
                places = places[1:]
                report(study.trials())
            _run_workers(out, study, data, asked, places, jobs, log, report)
            return
        for place in places:
            if not run_trial(base, study, place, out / "trials", log):
                return
            report(study.trials())


def _left(study, trials) -> list:
    done = {t.user_attrs["place"] for t in study.trials()}
    return [place for place in range(trials) if place not in done]


def _run_workers(out, study, data, asked, places, jobs, log, report):
    """The same in several processes, each with part of the trials."""
    workers, outputs, seen = [], [], len(study.trials())
    for k in range(min(jobs, len(places))):
        task = {
            "out": str(out),
            "data": None if data is None else str(data),
            "asked": asked,
            "places": places[k::jobs],
            "log": list(log),
            "device": device().kind,
            "max_bytes": given_max_bytes(),
        }
        # a file, since an unread pipe would fill up; closed after reading
        output = tempfile.TemporaryFile("w+")  # noqa: SIM115
        outputs.append(output)
        worker = subprocess.Popen(
            [sys.executable, "-P", "-c", _WORKER, str(Path(cutaway.__file__).parents[1])],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=output,
            text=True,
            env={**_ON_DEMAND, **os.environ},
        )
        assert worker.stdin is not None  # a pipe
        worker.stdin.write(json.dumps(task) + "\n")
        worker.stdin.flush()  # and stays open: a worker ends when this process does
        workers.append(worker)
    try:
        while True:
            working = any(w.poll() is None for w in workers)
            found = study.trials()
            while seen < len(found):
                seen += 1
                report(found[:seen])
            if not working:
                break
            time.sleep(0.3)
    finally:  # Ctrl-C reaches the workers too, and they end by themselves
        for worker in workers:
            with contextlib.suppress(KeyboardInterrupt):
                worker.wait()
            if worker.stdin is not None:
                worker.stdin.close()
    failures = []
    for worker, output in zip(workers, outputs, strict=True):
        with output:
            output.seek(0)
            if worker.returncode not in (0, 130):
                failures.append(output.read())
    if failures and not set(places) <= {t.user_attrs["place"] for t in study.trials()}:
        raise RunError(
            f"a worker process failed: {failures[0].strip().splitlines()[-1][:300]}"
            if failures[0].strip()
            else "a worker process was killed",
            expected="all workers to finish",
            fix="repeat the command to resume; --jobs 1 needs less memory",
        )


def _begin(out, config: dict) -> bool:
    """Create the folder, or check that it holds this search; returns whether it is new."""
    manifest, name = Manifest(out), "search.json"
    if (out / name).exists():
        content = manifest.read(name)
        try:
            before = dict(json.loads(content))
        except (ValueError, TypeError, RecursionError) as error:
            raise damaged(out / name, f"it is not a JSON object ({error})") from error
        if before != config:
            raise RunError(
                f"{out} holds another search, with other values: {differences(before, config)}",
                expected="the same data and options, apart from --trials and --jobs",
                fix="choose another --out (out=), or delete that folder",
            )
        return False
    if {p.name for p in out.iterdir()} - {owner.NAME, manifest.path.name}:
        raise RunError(
            f"{out} is not empty and does not hold a search",
            expected="a new or empty folder, or one written by `cutaway tune`",
            fix="choose another --out",
        )
    manifest.write({name: (json.dumps(config, indent=2) + "\n").encode()})
    with explaining_write(out / "trials", None):
        (out / "trials").mkdir(exist_ok=True)
    return True


@contextlib.contextmanager
def _alone(out):
    """Context in which no other process searches in the folder, which is created."""
    is_new = not out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(
            f"{out} cannot be written: {error.strerror or error}",
            expected="a folder that can be written to",
            fix="choose another --out",
        ) from error
    try:
        with Owner(out, "searching"):
            sweep(out)
            yield
    finally:
        if is_new:
            with contextlib.suppress(OSError):  # not empty, or gone
                out.rmdir()


def _plain(name: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in name)

"""One study for several machines: the same command on each takes its share of the trials.

A trial that runs has a counter, its heartbeat, which its worker raises. A worker that has seen the
same count for STALE_SECONDS by its own clock, so that clocks need not agree, takes the trial for
that of a dead worker: it marks it as interrupted, which the storage allows to one worker only, and
gives its values back to be tried anew.
"""

import contextlib
import importlib
import random
import re
import threading
import time
from pathlib import Path

from cutaway.errors import CutawayError, RunError, expect_type
from cutaway.files.content import reason_of
from cutaway.search.search_config import differences
from cutaway.search.study import STARTUP, Study, draw
from cutaway.search.trial import run_trial
from cutaway.search.undamaged import STUDY

HEARTBEAT_SECONDS, STALE_SECONDS = 5.0, 60.0
WAIT_SECONDS = 1.0  # for the trials of other workers
BEAT, INTERRUPTED, AGAIN, SEARCH = "heartbeat", "interrupted", "tried_before_as", "search"


class SharedStudy(Study):
    """A study in a journal file or a database that several workers use at once.

    Args:
        source: path of a journal file on a disk that all can write to, or the URL of a database
            such as postgresql://user@host/name.
        config: what is searched; the same for all workers.
        others: see Study.

    Raises:
        RunError: it cannot be reached, or holds another search.
    """

    def __init__(self, source: str, space: dict, *, config: dict, **others):
        expect_type(source, (str, Path), what="study", expected="a path or the URL of a database")
        self.source = str(source)
        self.name = re.sub(r"//[^@/]*@", "//", self.source)  # without a password
        self.config = config
        self._heart: _Heart | None = None
        self._seen: dict[int, tuple[int, float]] = {}  # trial: (count, since when)
        self._reserved = None
        super().__init__(self.name, space, **others)

    def _open(self):
        errors = self.optuna.exceptions
        with self._explaining():
            options = {
                "storage": self._storage(),
                "study_name": STUDY,
                "direction": "maximize" if self.higher_is_better else "minimize",
            }
            try:
                study = self.optuna.create_study(**options)
                study.set_user_attr(SEARCH, self.config)
                study.enqueue_trial({name: one.first() for name, one in self.space.items()})
            except errors.DuplicatedStudyError:
                study = self.optuna.create_study(**options, load_if_exists=True)
                self._expect_same_search(study)
            return study

    def _storage(self):
        storages = self.optuna.storages
        if "://" not in self.source:
            journal = importlib.import_module("optuna.storages.journal")
            return storages.JournalStorage(journal.JournalFileBackend(self.source))
        waits = {"connect_args": {"timeout": 60}} if self.source.startswith("sqlite") else {}
        return storages.RDBStorage(self.source, engine_kwargs=waits)

    def _expect_same_search(self, study):
        before = study.user_attrs.get(SEARCH)
        for _ in range(20):  # the worker that made the study may be writing it
            if before is not None:
                break
            time.sleep(0.2)
            before = study.user_attrs.get(SEARCH)
        before = before or {}
        found = differences(before, self.config)
        if found:
            raise RunError(
                f"the study {self.name} is of another search, with other values: {found}",
                expected="the same data and options on all machines, apart from --out",
                fix="repeat the options of the other machines, or choose another --study",
            )

    @contextlib.contextmanager
    def _explaining(self):
        try:
            yield
        except CutawayError:
            raise
        except Exception as error:
            cause: BaseException = error
            while cause.__cause__ is not None:
                cause = cause.__cause__
            fix = "check that it can be reached from here, and repeat the command to go on"
            if isinstance(cause, ModuleNotFoundError):
                fix = f"install what speaks to this database: pip install {cause.name}"
            raise RunError(
                f"the study {self.name} cannot be read or written: {reason_of(cause)}",
                expected="a file in a folder that all machines can write to, or the URL of a "
                "database, such as postgresql://user@host/name",
                fix=fix,
            ) from error

    # which trials there are

    def count(self) -> tuple[int, int]:
        """(finished trials, those that run); trials of dead workers are given back first."""
        self._give_back_stale()
        done = len(self.trials())
        return done, len(self._running())

    def _running(self) -> list:
        state = self.optuna.trial.TrialState.RUNNING
        with self._explaining():
            found = self._study.get_trials(deepcopy=False, states=(state,))
        return [trial for trial in found if INTERRUPTED not in trial.user_attrs]

    def forget_unfinished(self) -> None:
        """Nothing: what runs may be of another worker."""

    def _give_back_stale(self):
        now = time.monotonic()
        running = self._running()
        for trial in running:
            count = trial.user_attrs.get(BEAT, 0)
            seen, since = self._seen.get(trial.number, (None, now))
            if seen != count:
                self._seen[trial.number] = count, now
            elif now - since > STALE_SECONDS:
                self._give_back(trial)
        self._seen = {t.number: self._seen[t.number] for t in running if t.number in self._seen}

    def _give_back(self, trial) -> None:
        """End a trial that runs, and have its values tried anew; of several workers one does it."""
        storage, fail = self._study._storage, self.optuna.trial.TrialState.FAIL
        with self._explaining():
            try:
                storage.set_trial_user_attr(trial._trial_id, INTERRUPTED, True)
                is_ours = storage.set_trial_state_values(trial._trial_id, state=fail)
            except self.optuna.exceptions.UpdateFinishedTrialError:
                return
            if is_ours:
                self._again(trial.number, trial.params)

    def _again(self, number: int, params: dict):
        if len(params) == len(self.space):  # otherwise it had not begun
            self._study.enqueue_trial(params, user_attrs={AGAIN: number})

    # a trial of this worker

    def reserve(self, wanted: int) -> bool:
        """Begin a trial, which `ask` returns; False: there are as many as wanted, or too many.

        Two workers may begin the last one at once. Then each sees that of the other, and gives its
        own up; who begins again after a random time finds out whether one is left.
        """
        with self._explaining():
            self._study.sampler = self.optuna.samplers.TPESampler(
                n_startup_trials=STARTUP, seed=random.SystemRandom().getrandbits(32),
                constant_liar=True,
            )  # fmt: skip
            trial = self._study.ask()
            trial.set_user_attr("place", trial.number)
        others = len(self.trials()) + sum(t.number != trial.number for t in self._running())
        if others >= wanted:
            with self._explaining():
                frozen = self._study._storage.get_trial(trial._trial_id)
                fixed = frozen.system_attrs.get("fixed_params", {})
                trial.set_user_attr(INTERRUPTED, True)
                self._study.tell(trial, state=self.optuna.trial.TrialState.FAIL)
                self._again(frozen.user_attrs.get(AGAIN, trial.number), fixed)
            time.sleep(random.SystemRandom().uniform(0, WAIT_SECONDS))
            return False
        self._heart = _Heart(trial)
        self._reserved = trial
        return True

    def ask(self, place):
        trial, self._reserved = self._reserved, None
        assert trial is not None
        with self._explaining():
            return trial, {name: draw(trial, name, one) for name, one in self.space.items()}

    def report(self, trial, value, epoch):
        with contextlib.suppress(self.optuna.exceptions.UpdateFinishedTrialError):  # given back
            trial.report(value, epoch)

    def _tell(self, trial, value, summary):
        if self._heart is not None:
            self._heart.stop()
            self._heart = None
        params = dict(trial.params)
        try:
            super()._tell(trial, value, summary)
        except (self.optuna.exceptions.UpdateFinishedTrialError, ValueError):
            told = self._study._storage.get_trial(trial._trial_id)
            if not told.state.is_finished():
                raise
            return  # it was given back: another worker tries it
        if INTERRUPTED in summary:
            self._again(trial.number, params)


class _Heart:
    """Raises the heartbeat of a trial in a thread, until it is stopped."""

    def __init__(self, trial):
        self._trial = trial
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def stop(self):
        self._ends.set()
        self._thread.join()

    def _beat(self):
        count = 0
        while not self._ends.is_set():
            count += 1
            with contextlib.suppress(Exception):  # given back, or the disk is away for a while
                self._trial.set_user_attr(BEAT, count)
            self._ends.wait(HEARTBEAT_SECONDS)


def search_together(base, study: SharedStudy, trials: int, folder: Path, log, report) -> None:
    """Run trials until all workers together have finished so many, or until interrupted.

    Args:
        base: Experiment with the default options.
        folder: of the runs of this worker's trials.
        log, report: see tune.
    """
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            done, running = study.count()
            if done >= trials:
                return
            if done + running >= trials or not study.reserve(trials):
                time.sleep(WAIT_SECONDS)
                continue
            if not run_trial(base, study, 0, folder, log):
                return
            report(study.trials())


def train_again(base, trial, path: Path) -> None:
    """Train a trial of another machine here: with the same options and seed."""
    experiment = base.with_options(base.options.drawn(trial.params))
    experiment.test = None
    experiment.train(path, progress=False)

"""The study: sampling, pruning and importances, by Optuna.

Optuna stores a study in one SQLite file, so a search can be resumed, and several processes can work
on it.
"""

import warnings
from pathlib import Path

import numpy as np

from cutaway.errors import CutawayError, OptionError, install_extra
from cutaway.files.manifest import damaged
from cutaway.runs.space import Choice, Integer
from cutaway.search.undamaged import (
    STUDY,
    SUM,
    expect_whole_trials,
    explaining_database,
    read_database,
    sum_of,
)

STARTUP = 8  # random trials before the sampler uses the results
BEFORE_PRUNING = 4  # minimum number of trials to compare with
MAX_REPORTS = 30  # per trial: each one writes to the disk
ENOUGH = 10  # completed trials, for importances
WORDS = {
    "rate_factor": "learning rate",
    "batch_size": "batch size",
    "weight_decay": "weight decay",
    "num_layers": "layers",
    "init": "initialization",
}


def import_optuna():
    """Optuna, with warnings turned off.

    Raises:
        CutawayError: it is not installed.
    """
    try:
        with warnings.catch_warnings():  # in a notebook without ipywidgets, of tqdm's bar
            warnings.filterwarnings("ignore", "IProgress not found")
            import optuna
    except ImportError as error:
        raise CutawayError(
            "the search needs Optuna, which is not installed",
            expected='the extra "search"',
            fix=install_extra("search"),
        ) from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


class Study:
    """A study in a file, which is created if it does not exist.

    Args:
        path: of the SQLite file.
        space: {name: Choice, Real or Integer}; see TrainingOptions.space.
        higher_is_better: of the measure.
        epochs: of a whole trial.
        seed: random seed; together with the trials so far it determines the next trial.
    """

    def __init__(self, path, space: dict, *, higher_is_better: bool, epochs: int, seed: int):
        self.optuna = import_optuna()
        self.space = space
        self.higher_is_better = higher_is_better
        self.every = -(-epochs // MAX_REPORTS)
        self.waited = epochs // 4
        self._seed = seed
        self.path = Path(path)
        self._study = self._open()

    def _open(self):
        """Optuna's study, which is made if it does not exist."""
        before = read_database(self.path)
        with self._explaining():
            storage = self.optuna.storages.RDBStorage(
                f"sqlite:///{self.path}", engine_kwargs={"connect_args": {"timeout": 60}}
            )
            study = self.optuna.create_study(
                storage=storage,
                study_name=STUDY,
                direction="maximize" if self.higher_is_better else "minimize",
                load_if_exists=True,
            )
            found = study.get_trials(deepcopy=False)
            attributes = study.user_attrs
        if SUM not in attributes and not found:
            now = read_database(self.path)
            study.set_user_attr(SUM, now.schema)
        elif attributes.get(SUM) != before.schema:
            raise damaged(self.path, "its schema is not what was written")
        expect_whole_trials(self.path, found, at_least=before.trials)
        return study

    def _explaining(self):
        """Context in which what the storage raises is a RunError."""
        return explaining_database(self.path)

    def trials(self) -> list:
        """The finished trials, in the order of their ends: completed, pruned or failed, but not
        interrupted. user_attrs["place"] is the index of each, from 0."""
        with self._explaining():
            found = [
                t
                for t in self._study.get_trials(deepcopy=False)
                if t.state.is_finished() and "interrupted" not in t.user_attrs
            ]
        return sorted(found, key=lambda t: (t.datetime_complete, t.number))

    def forget_unfinished(self) -> None:
        """Discard trials that a killed process left running."""
        state = self.optuna.trial.TrialState
        with self._explaining():
            for trial in self._study.get_trials(deepcopy=False, states=(state.RUNNING,)):
                self._study._storage.set_trial_user_attr(trial._trial_id, "interrupted", True)
                self._study.tell(trial.number, state=state.FAIL)

    def ask(self, place: int):
        """(trial, values): the next trial; the values of place 0 are the defaults.

        Args:
            place: index of the trial, from 0. With one process, a resumed search gives the same
                numbers as one that was not interrupted.
        """
        values = {name: one.first() for name, one in self.space.items()}
        with self._explaining():
            if place == 0:
                self._study.enqueue_trial(values)
            self._study.sampler = self.optuna.samplers.TPESampler(
                n_startup_trials=STARTUP, seed=(self._seed * 1_000_003 + place) % 2**32
            )
            trial = self._study.ask()
            trial.set_user_attr("place", place)
            return trial, {name: draw(trial, name, one) for name, one in self.space.items()}

    def report(self, trial, value: float, epoch: int) -> None:
        """Record the best value of a trial up to an epoch."""
        with self._explaining():
            trial.report(value, epoch)

    def tell(self, trial, value=None, **summary) -> None:
        """Record how a trial ended: with a value, or pruned, failed or interrupted, as a key of
        `summary` says."""
        with self._explaining():
            self._tell(trial, value, summary)

    def _tell(self, trial, value, summary: dict) -> None:
        state = self.optuna.trial.TrialState
        for name, what in summary.items():
            trial.set_user_attr(name, what)
        told = self._study._storage.get_trial(trial._trial_id)
        reached = value
        if "pruned" in summary and told.last_step is not None:
            reached = told.intermediate_values[told.last_step]  # as Optuna has it
        trial.set_user_attr(SUM, sum_of(told, reached))
        if "failed" in summary or "interrupted" in summary:
            self._study.tell(trial, state=state.FAIL)
        elif "pruned" in summary:
            self._study.tell(trial, state=state.PRUNED)
        else:
            self._study.tell(trial, value)

    def is_poor(self, epoch: int, value: float) -> bool:
        """Whether the best value up to this epoch is worse than the median of the trials so far.

        The median rule (Golovin et al. 2017, "Google Vizier", 3.3). Trials pruned earlier count
        with the value they reached: Optuna's MedianPruner ignores them, so it compares with the
        good trials only and prunes three of four.
        """
        if epoch <= self.waited:
            return False
        reached = []
        for trial in self.trials():
            seen = [v for step, v in trial.intermediate_values.items() if step <= epoch]
            if seen:  # each is the best so far
                reached.append((max if self.higher_is_better else min)(seen))
        if len(reached) < BEFORE_PRUNING:
            return False
        median = float(np.median(reached))
        return value < median if self.higher_is_better else value > median

    def state_of(self, trial) -> str:
        """ "complete", "pruned" or "failed"."""
        return {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}[trial.state.name]

    def best(self):
        """The trial with the best value, the first of equals; None without any."""
        found = [t for t in self.trials() if t.value is not None and t.state.name == "COMPLETE"]
        sign = -1 if self.higher_is_better else 1
        return min(found, key=lambda t: (sign * t.value, t.number), default=None)

    def importances(self) -> dict:
        """{option: fraction of the variance between trials that it explains}, largest first.

        By functional ANOVA with a random forest (Hutter, Hoos & Leyton-Brown 2014, "An efficient
        approach for assessing hyperparameter importance") on the trials' ranks, which makes it
        robust against outliers. Empty with too few trials.
        """
        found = [t for t in self.trials() if t.state.name == "COMPLETE"]
        found.sort(key=lambda trial: trial.number)
        if len(found) < ENOUGH:
            return {}
        order = np.argsort([t.value for t in found], kind="stable")
        ranks = {found[k].number: float(rank) for rank, k in enumerate(order)}
        importances = self.optuna.importance.get_param_importances(
            self._study,
            evaluator=self.optuna.importance.FanovaImportanceEvaluator(seed=0),
            target=lambda trial: ranks.get(trial.number, 0.0),
        )
        named = {WORDS.get(name, name): float(value) for name, value in importances.items()}
        return dict(sorted(named.items(), key=lambda pair: -pair[1]))


def draw(trial, name: str, one):
    """The value of an option that the sampler draws for a trial."""
    if isinstance(one, Choice):
        return trial.suggest_categorical(name, one.values)
    if isinstance(one, Integer):
        return trial.suggest_int(name, one.low, one.high, log=one.log)
    return trial.suggest_float(name, one.low, one.high, log=one.log)


def open_space(base, given) -> dict:
    """The search space of this kind of data, without the fixed options.

    Raises:
        OptionError: it is empty.
    """
    fixed = {"lr": ("rate_factor",), "layers": ("width", "depth")}
    names = {name for option in given for name in fixed.get(option, (option,))}
    space = base.options.space(base.training_rows)
    left = {name: one for name, one in space.items() if name not in names}
    if not left:
        raise OptionError(
            "all searchable options are fixed",
            expected="at least one option to search: " + ", ".join(space),
            fix="omit some of the fixed options",
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

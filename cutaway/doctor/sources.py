"""Training plans from a run's folder, or from a name in a Python file."""

import dataclasses
import runpy
import sys
from pathlib import Path

from cutaway.doctor import changes
from cutaway.doctor.finding import Finding, Measure, Prescription
from cutaway.doctor.training_plan import TrainingPlan, evenly_spaced, on_host
from cutaway.errors import CutawayError, DataError, OptionError, counted, did_you_mean
from cutaway.nn.trees import take_rows
from cutaway.optim import OPTIMIZERS
from cutaway.runs import Run, prepare
from cutaway.runs.experiment import Experiment
from cutaway.runs.explain import training_data_of
from cutaway.runs.kinds import KINDS
from cutaway.train import Trainer
from cutaway.train.evaluation import name_of


def experiment_of_run(run: Run, data=None, **instead) -> Experiment:
    """The Experiment of a run, with its data and a reinitialized network.

    Args:
        run: the Run.
        data: where they are now; None: where the run found them.
        instead: options that replace those of the run.

    Raises:
        DataError: the data no longer exist.
        RunError: another user made the run, and it is not trusted.
    """
    config = run.config
    data = training_data_of(run) if data is None else data
    given = options_of_run(run) | instead
    target = config["target"] if KINDS[config["kind"]].takes_target else None
    return prepare(data, target, kind=config["kind"], **given)


def options_of_run(run: Run) -> dict:
    """{option: value} of a run, as `prepare` takes them."""
    given = {name: _plain(value) for name, value in run.config["options"].items()}
    return given | KINDS[run.config["kind"]].own_options(run)


def plan_of(experiment: Experiment, *, rows: int | None = None) -> TrainingPlan:
    """The TrainingPlan of `experiment.train`, without augmentation.

    Args:
        rows: maximum number of training rows and of validation rows, evenly spaced; None: as many
            as the experiment has for the doctor.
    """
    experiment = experiment.opened()
    options = experiment.options
    rows = experiment.DOCTOR_ROWS if rows is None else rows
    examples = (experiment.x, on_host(experiment.targets()))
    training = _some(experiment.training, rows)
    validation = _some(experiment.validation, rows)
    trainer = experiment.make_trainer()
    # a column that a callback of the experiment adds is not there
    own = {f"val_{name_of(metric)}" for metric in trainer.metrics}
    monitor = options.MONITOR if options.MONITOR in own else "val_loss"
    stopping = experiment.stopping_by(monitor)
    return TrainingPlan.of(
        trainer,
        *take_rows(examples, training),
        validation=take_rows(examples, validation) if experiment.has_validation else None,
        epochs=min(experiment.epochs, experiment.DOCTOR_EPOCHS or experiment.epochs),
        batch_size=min(experiment.batch_size, len(training)),
        seed=options.seed,
        callbacks=(stopping,) if experiment.has_validation else (),
        leaks=experiment.leaks,
        is_split_meant=experiment.is_split_meant,
        has_cycles=experiment.has_cycles,
        classes=tuple(map(str, _classes_of(experiment))),
        inputs=tuple(KINDS[experiment.kind].input_names(experiment.preprocessing) or ()),
        seconds=experiment.DOCTOR_SECONDS,
    )


def limits_of(experiment: Experiment, plan: TrainingPlan) -> list[str]:
    """In what a diagnosis of an experiment's plan differs from its training, in sentences."""
    parts, whole = [], experiment.opened()
    if whole is not experiment:
        parts.append(
            f"one of {experiment.spec['members']} networks, on the {whole.training_rows:,} of "
            f"{experiment.training_rows:,} rows that it trains on"
        )
    experiment = whole
    if plan.rows < experiment.training_rows:
        parts.append(f"on {plan.rows:,} of {experiment.training_rows:,} training rows")
    if plan.epochs < experiment.epochs:
        parts.append(f"for {plan.epochs} of {counted(experiment.epochs, 'epoch')}")
    if experiment.transform is not None:
        parts.append("without its augmentation")
    if not parts:
        return []
    return [f"Diagnosed {', '.join(parts)}: how the whole training behaves there was not checked."]


def _classes_of(experiment: Experiment) -> list:
    rows = experiment.preprocessing
    return (rows.classes or []) if rows.task in ("binary", "multiclass") else []


def findings_of(run: Run, experiment: Experiment) -> list[Finding]:
    """What only the kind of data knows to be wrong with a run, as findings."""
    return [
        Finding(
            code=one.code,
            where=one.where,
            evidence=[Measure(what, value) for what, value in one.measures.items()],
            explanation=one.explanation,
            prescriptions=[Prescription(one.fix)],
            confidence=0.9,
        )
        for one in experiment.problems(run)
    ]


def _some(rows, most):
    if most is None or len(rows) <= most:
        return rows
    return rows[evenly_spaced(len(rows), most)]


def options_with(experiment: Experiment, prescribed) -> dict:
    """The training options that implement the prescribed changes.

    Raises:
        OptionError: a change that no option implements.
    """
    names = {field.name for field in dataclasses.fields(experiment.options)}
    options, rows = {}, experiment.training_rows
    for change in prescribed:
        changed = _as_options(change, experiment, options, rows)
        if changed is None or not set(changed) <= names:
            raise OptionError(
                f"no training option implements this change: {change.text}",
                expected="a change of an option of `cutaway train`",
                fix="make this change in Python, with ct.Trainer",
            )
        options |= changed
    return options


def _as_options(change, experiment, so_far, rows):
    options = dataclasses.replace(experiment.options, **so_far)
    epochs = so_far.get("epochs", experiment.epochs)
    if isinstance(change, changes.LearningRate):
        return {"lr": options.rate() * change.factor}
    if isinstance(change, changes.UseOptimizer):
        lr = OPTIMIZERS[change.name].usual_lr if change.lr is None else change.lr
        return {"optimizer": change.name, "lr": lr}
    if isinstance(change, changes.ReplaceActivations) and change.where is None:
        return {"activation": change.to}
    if isinstance(change, changes.Reinitialize) and change.name and change.where is None:
        return {"init": change.name}
    if isinstance(change, changes.SetDropout):
        return {"dropout": change.p}
    if isinstance(change, changes.WeightDecay):
        return {"optimizer": "adamw", "weight_decay": change.value, "lr": options.rate()}
    if isinstance(change, changes.Epochs):
        return {"epochs": max(1, round(epochs * change.factor))}
    if isinstance(change, changes.BatchSize):
        size = so_far.get("batch_size", experiment.batch_size)
        return {"batch_size": min(rows, max(1, round(size * change.factor))), "epochs": epochs}
    if isinstance(change, changes.ReplaceLoss):
        return {"loss": change.name}
    if isinstance(change, changes.Patience):
        return {"patience": change.epochs}
    if isinstance(change, changes.ClassWeights):
        return {"class_weights": "balanced"}
    return None


def plan_in_script(what: str) -> TrainingPlan:
    """The TrainingPlan that a name in a Python file refers to.

    Args:
        what: "script.py:name"; the name is a TrainingPlan, (trainer, x, y), or (trainer, x, y,
            options) with a dict of TrainingPlan's options, or a function without arguments that
            returns one of these.

    Raises:
        DataError: no such file or name, an unsuitable object, or an exception in the script.
    """
    file, _, name = what.rpartition(":")
    path = Path(file)
    if not path.is_file():
        raise DataError(
            f"there is no Python file {file}", expected="script.py:name", fix="check the path"
        )
    sys.path.insert(0, str(path.parent.resolve()))
    try:
        names = runpy.run_path(str(path), run_name="cutaway_doctor")
        if name not in names:
            own = [n for n, v in names.items() if not n.startswith("_")]
            raise DataError(
                f"{file} has no {name!r}",
                expected="a TrainingPlan, (trainer, x, y), or a function that returns one of these",
                fix=did_you_mean(name, own),
            )
        found = names[name]
        if callable(found) and not isinstance(found, TrainingPlan | Trainer):
            found = found()
    except CutawayError:
        raise
    except Exception as error:
        raise DataError(
            f"{file} raised {type(error).__name__}: {error}",
            expected="a script that runs",
            fix=f"run it by itself: python {file}",
        ) from error
    finally:
        sys.path.pop(0)
    if isinstance(found, TrainingPlan):
        return found
    if isinstance(found, tuple) and len(found) in (3, 4) and isinstance(found[0], Trainer):
        trainer, x, y, *options = found
        return TrainingPlan.of(trainer, x, y, **(options[0] if options else {}))
    raise DataError(
        f"{name} in {file} is a {type(found).__name__}",
        expected="a TrainingPlan, (trainer, x, y) or (trainer, x, y, options)",
        fix=f"write {name} = (trainer, x, y, {{'epochs': 50}})",
    )


def _plain(value):
    return tuple(_plain(v) for v in value) if isinstance(value, list) else value

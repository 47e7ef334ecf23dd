"""Transfer learning from a pretrained backbone: what images and texts have in common.

The backbone is frozen and every example goes through it once; the head is trained on these features
in seconds. With `fine_tune` the last stages of the backbone are then trained too, at lower
learning rates.
"""

import dataclasses
from typing import Any

import numpy as np

from cutaway.errors import OptionError
from cutaway.models import features_of, load_backbone, pretrained_backbone
from cutaway.models.pretrained import PretrainedBackbone
from cutaway.nn import Module, seed
from cutaway.ops.precision import matmul_precision
from cutaway.optim import OPTIMIZERS
from cutaway.runs.base_rate import start_at_base_rate
from cutaway.runs.experiment import Experiment
from cutaway.runs.finished_run import Run, trainer_for
from cutaway.runs.nearest_neighbors import ValidationFeatures
from cutaway.runs.networks import transferred
from cutaway.runs.options.transfer import TransferOptions
from cutaway.runs.projection import projection_section

# candidate λ for the head: from almost no regularization to weights near 0
DECAYS = (0.01, 0.03, 0.1, 0.3, 1.0)
# with a momentum of 0.9, this fraction of 1 / (largest curvature of the loss) is fast and does not
# diverge, although a batch may have a larger curvature than all rows together
STEADY = 0.3
ADAPTIVE = 0.128  # divided by the number of features: a logit changes by about 0.1 per step


class _PretrainedExperiment(Experiment):
    """Experiment with pretrained weights."""

    def with_options(self, options):
        raise OptionError(
            f"a search over trainings with the pretrained backbone {self.spec['from']}",
            expected="a network that can be reinitialized for each training",
            fix="omit from_: `cutaway train --from` chooses its own learning rates",
        )

    def train(self, out=None, **options) -> Run:
        """As Experiment.train; also saves the features of the validation rows, for `explain`."""
        initial = self.net.state_dict()
        run = super().train(out, **options)
        self.restore_if_worse(run, initial)
        truth = self.preprocessing.truth(self.y[self.validation])
        features = self.validation_features(run)
        ValidationFeatures.sample(features, truth, self._names()).save(run.folder)
        return run

    def validation_features(self, run) -> np.ndarray:
        """Features (rows, ...) of the validation rows, by the saved weights."""
        with matmul_precision(run.precision):
            return features_of(run.net, self.x[self.validation])

    def restore_if_worse(self, run, initial: dict) -> None:
        """Restore the initial weights in the run if training did not improve on them."""

    def _names(self) -> list:
        """Names of the validation examples: their first text column besides the target."""
        import polars as pl

        texts = self.frame[self.validation].select(pl.col(pl.String).exclude(self.target))
        if not texts.width:
            return [f"row {number}" for number in self.row_numbers[self.validation]]
        return texts.to_series(0).to_list()


@dataclasses.dataclass(kw_only=True)
class HeadExperiment(_PretrainedExperiment):
    """Experiment on features: `net` is the head, `x` the features of the frozen backbone.

    Attributes:
        full: the network saved with the run: backbone and head.
        inputs: (rows, ...) of the backbone.
        backbone: models.PretrainedBackbone.
    """

    full: Module
    inputs: np.ndarray
    backbone: PretrainedBackbone

    def saved_net(self):
        return self.full

    @property
    def input_shape(self):
        return self.inputs.shape[1:]

    def outputs(self, run, rows):
        return run.to_predictions(self._raw(self.x[rows]))

    def inputs_of(self, rows):
        return self.inputs[rows]

    def pictures(self, rows):
        return self.preprocessing.pictures(self.inputs[rows])

    def validation_features(self, run):
        return self.x[self.validation]

    def extra_sections(self, run):
        return transfer_sections(self, run)

    def test_outputs(self, run):
        assert self.test is not None
        return run.to_predictions(self._raw(self.test[0]))

    def _score(self, run, x, y):
        return self.preprocessing.score(y, run.to_predictions(self._raw(x)), x)

    def _raw(self, x):
        """Raw outputs of the trained head for features x."""
        assert self.trainer is not None  # after `train`
        return self.trainer.predict(x)


@dataclasses.dataclass(kw_only=True)
class FineTuningExperiment(_PretrainedExperiment):
    """Experiment on a network whose head is already trained; training fine-tunes the backbone.

    Attributes:
        backbone: models.PretrainedBackbone.
        frozen_scores: {"loss": ...} on the validation rows, with the frozen backbone.
    """

    backbone: PretrainedBackbone
    frozen_scores: dict

    has_checks = False  # they would take minutes

    def restore_if_worse(self, run, initial):
        """Restore the frozen backbone if no epoch was better."""
        losses = [row["val_loss"] for row in run.history.rows if "val_loss" in row]
        if losses and min(losses) > self.frozen_scores["loss"]:
            run.net.load_state_dict(initial)
            sets = {"train": self.training, "validation": self.validation}
            for name, rows in sets.items():
                run.metrics[name] = self._score(run, self.x[rows], self.y[rows])
            if self.test is not None:
                run.metrics["test"] = self._score(run, *self.test)
            run.metrics["best_epoch"] = 0
            run.save()

    def extra_sections(self, run):
        return transfer_sections(self, run)


def transfer_sections(experiment, run) -> list:
    """[a section of the report]: a projection of the validation features."""
    preprocessing = experiment.preprocessing
    kept = ValidationFeatures.read(run.folder)
    body = "frozen" if not experiment.options.fine_tune else "fine-tuned"
    return [
        (
            f"Projection of the {body} features",
            projection_section(kept.features, kept.truth, preprocessing.classes, experiment.target),
        )
    ]


def prepare_transfer(
    ready: dict, options: TransferOptions, outputs: int, loss: str, fine: type[FineTuningExperiment]
) -> Experiment:
    """An experiment on the features of a pretrained backbone, or on the full network.

    Args:
        ready: arguments of Experiment: the data, read and split, and notes.
        options: TransferOptions.
        outputs: number of outputs of the head.
        loss: name of the loss.
        fine: class of the experiment for fine-tuning.

    Raises:
        OptionError: an unknown backbone or stage.
        RunError: its weights are not available.
    """
    backbone, _ = pretrained_backbone(options.from_, ready["kind"])
    seed(options.seed)
    body = load_backbone(options.from_, ready["kind"])
    if options.unfreeze is not None:
        body.stages_before(options.unfreeze)
    spec = {
        "model": "transfer",
        "from": options.from_.partition(":")[0],
        "unfrozen": None,
        "loss": loss,
        "outputs": outputs,
        "dropout": options.dropout,
    }
    full = transferred(spec, body)
    x, test = ready["x"], ready.get("test")
    with matmul_precision(options.precision):
        features = features_of(full, x)
    head: Any = full.head  # a Sequential that begins with a Standardize, see build_head
    scaling = head[0]
    _fit_scale(scaling, features[ready["training"]])
    own = options.for_head()
    if own.lr is None:
        scaled = (features[ready["training"]] - scaling.mean.numpy()) / scaling.std.numpy()
        own = dataclasses.replace(own, lr=_rate(own.optimizer, scaled, loss))
    given = {**ready, "x": features, "spec": spec, "backbone": backbone}
    if test is not None and not options.fine_tune:
        with matmul_precision(options.precision):
            given["test"] = (features_of(full, test[0]), test[1])
    experiment = HeadExperiment(**given, options=own, net=full.head, full=full, inputs=x)
    notes = list(ready["notes"])
    if own.weight_decay is None and OPTIMIZERS[own.optimizer].takes_decay:
        decay, tried = _choose_decay(experiment)
        own = dataclasses.replace(own, weight_decay=decay)
        notes.append(
            f"weight decay of the head: {decay:g}, chosen by validation loss ("
            + ", ".join(f"{k:g}: {v:.4f}" for k, v in tried.items())
            + ")"
        )
    experiment = dataclasses.replace(experiment, options=own, notes=notes)
    seed(options.seed)
    _reset_head(experiment)
    if not options.fine_tune:
        return experiment
    _, loss_before = _train_head(experiment)
    stage = options.unfreeze or full.stages[2 * len(full.stages) // 3]
    full.unfreeze_from(stage)
    options = dataclasses.replace(
        options,
        weight_decay=own.weight_decay,
        lr=options.TUNED_RATE if options.lr is None else options.lr,
    )
    notes.append(
        f"the head was trained first, on the frozen backbone: validation loss "
        f"{loss_before['loss']:.4f}; fine-tuning starts at {stage}, with learning rates that "
        f"decrease by a factor of {options.layer_decay:g} per stage from the head down; "
        "batch-norm statistics stay frozen"
    )
    return fine(
        **{**ready, "notes": notes, "spec": {**spec, "unfrozen": stage}, "backbone": backbone},
        options=options,
        net=full,
        frozen_scores=loss_before,
    )


def _fit_scale(scale, features) -> None:
    """Standardize by these features; constant ones are only centered."""
    mean, std = features.mean(axis=0), features.std(axis=0)
    scale.mean.data = mean.astype(np.float32)
    scale.std.data = np.where(std > 1e-6, std, 1).astype(np.float32)


CURVATURE = {  # upper bound of the second derivative of a loss with respect to the output
    "binary_cross_entropy_with_logits": 0.25,
    "sparse_categorical_cross_entropy_with_logits": 0.5,
    "mean_squared_error": 2.0,
}


def _rate(optimizer: str, features, loss: str) -> float:
    """The learning rate for a linear layer on these standardized features (rows, width).

    Along the direction of largest variance σ² the loss has a curvature of at most CURVATURE σ².
    """
    if OPTIMIZERS[optimizer].steps != "gradient":
        return ADAPTIVE / features.shape[1]
    direction = np.random.default_rng(0).normal(size=features.shape[1])
    variance = 0.0
    for _ in range(20):  # power iteration
        direction = features.T @ (features @ direction) / len(features)
        variance = float(np.linalg.norm(direction))
        direction = direction / (variance or 1.0)
    return float(f"{STEADY / (CURVATURE[loss] * max(variance, 1.0)):.2g}")


def _reset_head(experiment) -> None:
    """Set the head's weights to 0; a single layer has no symmetry to break."""
    head = experiment.net
    head[-1].weight.data = 0 * head[-1].weight.data
    head[-1].bias.data = 0 * head[-1].bias.data
    start_at_base_rate(head, experiment.spec, experiment.preprocessing)


def _choose_decay(experiment) -> tuple:
    """(the best λ, {λ: validation loss})."""
    tried = {}
    for decay in DECAYS:
        seed(experiment.options.seed)
        _reset_head(experiment)
        own = dataclasses.replace(experiment.options, weight_decay=decay)
        history, _ = _train_head(dataclasses.replace(experiment, options=own))
        tried[decay] = min(row["val_loss"] for row in history.rows)
    return min(tried, key=tried.__getitem__), tried


def _train_head(experiment):
    """(history, validation scores): trained in place, with the weights of the best epoch."""
    from cutaway.train import EarlyStopping

    options, y = experiment.options, experiment.targets()
    validation = (experiment.x[experiment.validation], y[experiment.validation])
    optimizer = options.make_optimizer(experiment.net, len(experiment.training))
    trainer = trainer_for(
        experiment.net,
        experiment.spec,
        experiment.preprocessing,
        optimizer,
        precision=options.precision,
    )
    history = trainer.fit(
        experiment.x[experiment.training],
        y[experiment.training],
        epochs=experiment.epochs,
        batch_size=experiment.batch_size,
        validation=validation,
        callbacks=[EarlyStopping(None)],
        seed=options.seed,
        progress=False,
    )
    return history, trainer.evaluate(*validation)

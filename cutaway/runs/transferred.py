"""Runs that begin with the body of a known network: what images and texts have in common.

The body is frozen and every example goes through it once; the head is trained on these features
in seconds. With `fine_tune` the later stages of the body are trained after that, more slowly.
"""

import dataclasses

import numpy as np

from cutaway.errors import OptionError
from cutaway.models import features_of, load_backbone, pretrained_backbone
from cutaway.nn import seed
from cutaway.ops.precision import matmul_precision
from cutaway.optim import OPTIMIZERS
from cutaway.runs.experiment import Experiment
from cutaway.runs.finished_run import Run, trainer_for
from cutaway.runs.nearest_neighbors import KeptFeatures
from cutaway.runs.networks import transferred
from cutaway.runs.projection import projection_section
from cutaway.runs.transfer_options import TransferOptions

# λ of the head that are tried: from a nearly free fit to weights that are nearly 0
DECAYS = (0.01, 0.03, 0.1, 0.3, 1.0)
# with a momentum of 0.9, this share of 1 / (the loss's largest curvature) is quick and never runs
# away, though a batch may be steeper than all rows together
STEADY = 0.3
ADAPTIVE = 0.128  # over the number of features: a logit moves by about 0.1 a step


class _Once(Experiment):
    """Prepared examples of which the network has weights that others trained."""

    def with_options(self, options):
        raise OptionError(
            f"trainings from new weights of a network on {self.spec['from']}",
            expected="a network that is built anew for each training",
            fix="leave out from_: `cutaway train --from` finds its own rates",
        )

    def train(self, out=None, **options) -> Run:
        """As Experiment.train; the run keeps features of held-out rows too, for `explain`."""
        begun = self.net.state_dict()
        run = super().train(out, **options)
        self.settle(run, begun)
        truth = self.preprocessing.truth(self.y[self.held])
        kept = KeptFeatures.chosen(self.held_features(run), truth, self._names())
        kept.save(run.folder.features)
        return run

    def held_features(self, run) -> np.ndarray:
        """Features (rows, ...) of the held-out rows, by the weights that the run keeps."""
        with matmul_precision(run.precision):
            return features_of(run.net, self.x[self.held])

    def settle(self, run, begun: dict) -> None:
        """Decide whether the run keeps its weights or those with which it began."""

    def _names(self) -> list:
        """What the held-out examples are, in words: the first column of text beside the target."""
        import polars as pl

        texts = self.frame[self.held].select(pl.col(pl.String).exclude(self.target))
        if not texts.width:
            return [f"row {number}" for number in self.row_numbers[self.held]]
        return texts.to_series(0).to_list()


@dataclasses.dataclass
class HeadExperiment(_Once):
    """Prepared features: `net` is the head, and `x` what the frozen body says to each example.

    Attributes:
        whole: the network that the run keeps: body and head.
        raw: the inputs (rows, ...) of the body.
        known: models.PretrainedBackbone.
    """

    whole: object = None
    raw: object = None
    known: object = None

    def whole_net(self):
        return self.whole

    @property
    def input_shape(self):
        return self.raw.shape[1:]

    def outputs(self, run, rows):
        return run.meaning(self.trainer.predict(self.x[rows]))

    def pictures(self, rows):
        return self.preprocessing.pictures(self.raw[rows])

    def held_features(self, run):
        return self.x[self.held]

    def more_sections(self, run):
        return transfer_sections(self, run, self.raw)

    def _score(self, run, x, y):
        return self.preprocessing.score(y, run.meaning(self.trainer.predict(x)), x)


@dataclasses.dataclass
class TunedExperiment(_Once):
    """Prepared examples for a network whose head is trained already; training goes deeper.

    Attributes:
        known: models.PretrainedBackbone.
        before: {"loss": ...} of the head on the frozen body, on the held-out rows.
    """

    known: object = None
    before: dict = dataclasses.field(default_factory=dict)

    looked_at = False  # minutes, where the rest takes seconds

    def settle(self, run, begun):
        """If no epoch was better than the frozen body, that is kept."""
        losses = [row["val_loss"] for row in run.history.rows if "val_loss" in row]
        if losses and min(losses) > self.before["loss"]:
            run.net.load_state_dict(begun)
            sets = {"train": self.training, "validation": self.held}
            for name, rows in sets.items():
                run.metrics[name] = self._score(run, self.x[rows], self.y[rows])
            if self.test is not None:
                run.metrics["test"] = self._score(run, *self.test)
            run.metrics["best_epoch"] = 0
            run.save()

    def more_sections(self, run):
        return transfer_sections(self, run, self.x)


def transfer_sections(experiment, run, x) -> list:
    """Of the report: what the features of the held-out rows separate, and where it looked.

    Args:
        x: inputs (rows, ...) of the whole network, of all rows.
    """
    held, preprocessing = experiment.held, experiment.preprocessing
    truth, kept = preprocessing.truth(experiment.y[held]), KeptFeatures.read(run.folder.features)
    body = "frozen" if not experiment.options.fine_tune else "fine-tuned"
    found = [
        (
            f"What the {body} features separate",
            projection_section(kept.features, kept.truth, preprocessing.classes, experiment.target),
        )
    ]
    if experiment.known.examples == "images":
        from cutaway.runs.saliency import saliency_section

        outputs = experiment.outputs(run, held)
        found.append(("Where it looked", saliency_section(run.net, x[held], truth, outputs, run)))
    return found


def prepare_transfer(
    ready: dict, options: TransferOptions, outputs: int, loss: str, fine
) -> Experiment:
    """The head on the features of a known body, or all of it to be fine-tuned.

    Args:
        ready: arguments of Experiment: the data, read and split, and notes.
        options: TransferOptions.
        outputs: of the head.
        loss: name of the loss.
        fine: class of what is made for fine-tuning, a TunedExperiment.

    Raises:
        OptionError: an unknown network or stage.
        RunError: its weights are not here.
    """
    known, _ = pretrained_backbone(options.from_, ready["kind"])
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
    whole = transferred(spec, body)
    x, test = ready["x"], ready.get("test")
    with matmul_precision(options.precision):
        features = features_of(whole, x)
    _fit_scale(whole.head[0], features[ready["training"]])
    own = options.for_head()
    if own.lr is None:
        scaled = (features[ready["training"]] - whole.head[0].mean.numpy()) / whole.head[
            0
        ].std.numpy()
        own = dataclasses.replace(own, lr=_rate(own.optimizer, scaled, loss))
    given = {**ready, "x": features, "spec": spec, "known": known}
    if test is not None and not options.fine_tune:
        with matmul_precision(options.precision):
            given["test"] = (features_of(whole, test[0]), test[1])
    experiment = HeadExperiment(**given, options=own, net=whole.head, whole=whole, raw=x)
    notes = list(ready["notes"])
    if own.weight_decay is None and OPTIMIZERS[own.optimizer].takes_decay:
        decay, tried = _choose_decay(experiment)
        own = dataclasses.replace(own, weight_decay=decay)
        notes.append(
            "weight decay of the head, chosen by its loss on the held-out part: "
            + ", ".join(f"{k:g}: {v:.4f}" for k, v in tried.items())
        )
    experiment = dataclasses.replace(experiment, options=own, notes=notes)
    seed(options.seed)
    _renew(whole.head)
    if not options.fine_tune:
        return experiment
    _, loss_before = _train_head(experiment)
    stage = options.unfreeze or whole.stages[2 * len(whole.stages) // 3]
    whole.unfreeze_from(stage)
    options = dataclasses.replace(
        options,
        weight_decay=own.weight_decay,
        lr=options.TUNED_RATE if options.lr is None else options.lr,
    )
    notes.append(
        f"the head was trained first, on the frozen body: loss {loss_before['loss']:.4f} on the "
        f"held-out part; now the body learns from {stage} on, at rates that fall by "
        f"{options.layer_decay:g} a stage; batch norms keep their statistics"
    )
    return fine(
        **{**ready, "notes": notes, "spec": {**spec, "unfrozen": stage}, "known": known},
        options=options,
        net=whole,
        before=loss_before,
    )


def _fit_scale(scale, features) -> None:
    """Standardize by these features; one that is always the same is left as it is."""
    mean, std = features.mean(axis=0), features.std(axis=0)
    scale.mean.data = mean.astype(np.float32)
    scale.std.data = np.where(std > 1e-6, std, 1).astype(np.float32)


CURVATURE = {  # of a loss by the output, at most
    "binary_cross_entropy_with_logits": 0.25,
    "sparse_categorical_cross_entropy_with_logits": 0.5,
    "mean_squared_error": 2.0,
}


def _rate(optimizer: str, features, loss: str) -> float:
    """The learning rate for a linear layer on these standardized features (rows, width).

    Along the direction of largest spread σ² the loss bends by at most CURVATURE σ².
    """
    if OPTIMIZERS[optimizer].steps != "gradient":
        return ADAPTIVE / features.shape[1]
    direction = np.random.default_rng(0).normal(size=features.shape[1])
    spread = 0.0
    for _ in range(20):  # power iteration
        direction = features.T @ (features @ direction) / len(features)
        spread = float(np.linalg.norm(direction))
        direction = direction / (spread or 1.0)
    return float(f"{STEADY / (CURVATURE[loss] * max(spread, 1.0)):.2g}")


def _renew(head) -> None:
    """The head as it begins, at 0: with one layer there is nothing that would stay alike."""
    head[-1].weight.data = 0 * head[-1].weight.data
    head[-1].bias.data = 0 * head[-1].bias.data


def _choose_decay(experiment) -> tuple:
    """(the best λ, {λ: loss on the held-out rows})."""
    tried = {}
    for decay in DECAYS:
        seed(experiment.options.seed)
        _renew(experiment.net)
        own = dataclasses.replace(experiment.options, weight_decay=decay)
        history, _ = _train_head(dataclasses.replace(experiment, options=own))
        tried[decay] = min(row["val_loss"] for row in history.rows)
    return min(tried, key=tried.get), tried


def _train_head(experiment):
    """(history, scores on the held-out rows): trained in place, the best epoch kept."""
    from cutaway.train import EarlyStopping

    options, y = experiment.options, experiment.targets()
    held = (experiment.x[experiment.held], y[experiment.held])
    optimizer = options.make_optimizer(experiment.net, len(experiment.training))
    trainer = trainer_for(
        experiment.net,
        experiment.spec["loss"],
        experiment.preprocessing,
        optimizer,
        precision=options.precision,
    )
    history = trainer.fit(
        experiment.x[experiment.training],
        y[experiment.training],
        epochs=experiment.epochs,
        batch_size=experiment.batch_size,
        validation=held,
        callbacks=[EarlyStopping(None)],
        seed=options.seed,
        progress=False,
    )
    return history, trainer.evaluate(*held)

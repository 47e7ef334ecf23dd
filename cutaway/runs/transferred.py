"""Runs that begin with the body of a known network: what images and texts have in common.

The body is frozen and every example goes through it once; the head is trained on these features
in seconds. With `fine_tune` the later stages of the body are trained after that, more slowly.
"""

import dataclasses
import math

import numpy as np

from cutaway.errors import OptionError, expect_range
from cutaway.models import features_of, known_body, load_body
from cutaway.nn import seed
from cutaway.optim import OPTIMIZERS, AdamW, Cosine, Warmup
from cutaway.runs.networks import build_head, transferred
from cutaway.runs.options import DEFAULT_RATES, TrainingOptions
from cutaway.runs.prepared import Prepared
from cutaway.runs.projection import projection_section
from cutaway.runs.run import Run, trainer_for

# λ of AdamW that are tried for the head. A weight of logistic regression then stays below about
# 1/λ: 1 leaves it alone, 300 lets 1000 features together move a logit by a few units.
DECAYS = (1.0, 30.0, 100.0, 300.0)
RATE = 0.128  # of the head, over the number of its features: a logit moves by about 0.1 a step
WARM = 0.1  # share of the steps of fine-tuning in which the rate rises


@dataclasses.dataclass(frozen=True, kw_only=True)
class TransferOptions(TrainingOptions):
    """Options of a training that begins with a known body.

    Attributes:
        from_: the network: "efficientnet-lite0", "minilm", ... (models.KNOWN_BODIES), or
            "NAME:WEIGHTS" with the path or address of weights.
        fine_tune: whether stages of the body are trained after the head.
        unfreeze: the first stage that is then trained; None: about half-way.
        layer_decay: each stage's learning rate in fine-tuning is that of the next one times this.
        lr: of the head; in fine-tuning, of everything, before layer_decay.
        weight_decay: λ of AdamW for the head; None: the one of a few with the best loss on the
            held-out rows. The body's weights do not decay.
        others: see TrainingOptions.
    """

    LEAST_STEPS, LEAST_EPOCHS, MOST_EPOCHS = 600, 20, 100
    LEAST_BATCH, MOST_BATCH = 32, 64
    TUNED_EPOCHS, TUNED_BATCH, TUNED_RATE = 5, 32, 3e-4

    from_: str
    fine_tune: bool = False
    unfreeze: str | None = None
    layer_decay: float = 0.7
    weight_decay: float | None = None
    dropout: float = 0.0

    def __post_init__(self):
        super().__post_init__()
        expect_range(self.layer_decay, what="layer decay", above=0, most=1)
        if self.unfreeze is not None and not self.fine_tune:
            raise OptionError(
                f"unfreeze={self.unfreeze!r} without fine_tune",
                expected="a stage to train from, for fine-tuning",
                mend="add fine_tune=True (--fine-tune), or leave out unfreeze (--unfreeze)",
            )

    def count_epochs(self, rows: int) -> int:
        if self.fine_tune and self.epochs is None:
            return self.TUNED_EPOCHS
        return super().count_epochs(rows)

    def batch(self, rows: int) -> int:
        if self.fine_tune and self.batch_size is None:
            return min(rows, self.TUNED_BATCH)
        return super().batch(rows)

    def for_head(self, width: int) -> "TransferOptions":
        """The options of the head's training, on `width` features."""
        lr = self.lr
        if self.fine_tune:
            lr = None
        if lr is None:
            lr = DEFAULT_RATES.get(self.optimizer, RATE / width)
        epochs, batch_size = (None, None) if self.fine_tune else (self.epochs, self.batch_size)
        return dataclasses.replace(
            self, fine_tune=False, unfreeze=None, lr=lr, epochs=epochs, batch_size=batch_size
        )

    def make_optimizer(self, net, rows: int):
        if not self.fine_tune:
            return super().make_optimizer(net, rows)
        steps = math.ceil(rows / self.batch(rows)) * self.count_epochs(rows)
        warm = max(1, round(WARM * steps))
        then = Cosine(max(1, steps - warm)) if self.schedule == "cosine" else None
        given = {"schedule": Warmup(warm, then), "groups": net.rates(self.layer_decay)}
        kind = OPTIMIZERS[self.optimizer]
        if kind is AdamW:
            return AdamW(net, self.rate(), weight_decay=self.weight_decay, decays=_is_head, **given)
        return kind(net, self.rate(), **given)


def _is_head(path, parameter) -> bool:
    return path.startswith("head.") and parameter.ndim > 1


@dataclasses.dataclass
class HeadPrepared(Prepared):
    """Prepared features: `net` is the head, and `x` what the frozen body says to each example.

    Attributes:
        whole: the network that the run keeps: body and head.
        raw: the inputs (rows, ...) of the body.
        known: models.KnownBody.
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

    def more_sections(self, run):
        return transfer_sections(self, run, self.raw, self.x[self.held])

    def _score(self, run, x, y):
        return self.preprocessing.score(y, run.meaning(self.trainer.predict(x)), x)


@dataclasses.dataclass
class TunedPrepared(Prepared):
    """Prepared examples for a network whose head is trained already; training goes deeper.

    Attributes:
        known: models.KnownBody.
        before: {"loss": ...} of the head on the frozen body, on the held-out rows.
    """

    known: object = None
    before: dict = dataclasses.field(default_factory=dict)

    looked_at = False  # minutes, where the rest takes seconds

    def train(self, out=None, **options) -> Run:
        """As Prepared.train; if no epoch was better than the frozen body, that is kept."""
        frozen = self.net.state_dict()
        run = super().train(out, **options)
        losses = [row["val_loss"] for row in run.history.rows if "val_loss" in row]
        if losses and min(losses) > self.before["loss"]:
            run.net.load_state_dict(frozen)
            sets = {"train": self.training, "validation": self.held}
            for name, rows in sets.items():
                run.metrics[name] = self._score(run, self.x[rows], self.y[rows])
            if self.test is not None:
                run.metrics["test"] = self._score(run, *self.test)
            run.metrics["best_epoch"] = 0
            run.save()
        return run

    def more_sections(self, run):
        features = features_of(run.net, self.x[self.held])
        return transfer_sections(self, run, self.x, features)


def transfer_sections(prepared, run, x, features) -> list:
    """Of the report: what the features of the held-out rows separate, and where it looked.

    Args:
        x: inputs (rows, ...) of the whole network, of all rows.
        features: of the held-out rows.
    """
    held, preprocessing = prepared.held, prepared.preprocessing
    truth = preprocessing.truth(prepared.y[held])
    body = "frozen" if not prepared.options.fine_tune else "fine-tuned"
    found = [
        (
            f"What the {body} features separate",
            projection_section(features, truth, preprocessing.classes, prepared.target),
        )
    ]
    if prepared.known.things == "images":
        from cutaway.runs.looking import looking_section

        outputs = prepared.outputs(run, held)
        found.append(("Where it looked", looking_section(run.net, x[held], truth, outputs, run)))
    return found


def prepare_transfer(
    ready: dict, options: TransferOptions, outputs: int, loss: str, fine
) -> Prepared:
    """The head on the features of a known body, or all of it to be fine-tuned.

    Args:
        ready: arguments of Prepared: the data, read and split, and notes.
        options: TransferOptions.
        outputs: of the head.
        loss: name of the loss.
        fine: class of what is made for fine-tuning, a TunedPrepared.

    Raises:
        OptionError: an unknown network or stage.
        RunError: its weights are not here.
    """
    known, _ = known_body(options.from_, ready["kind"])
    seed(options.seed)
    body = load_body(options.from_, ready["kind"])
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
    features = features_of(whole, x)
    _fit_scale(whole.head[0], features[ready["training"]])
    own = options.for_head(body.num_features)
    given = {**ready, "x": features, "spec": spec, "known": known}
    if test is not None and not options.fine_tune:
        given["test"] = (features_of(whole, test[0]), test[1])
    prepared = HeadPrepared(**given, options=own, net=whole.head, whole=whole, raw=x)
    notes = list(ready["notes"])
    if own.weight_decay is None and own.optimizer == "adamw":
        decay, tried = _choose_decay(prepared)
        own = dataclasses.replace(own, weight_decay=decay)
        notes.append(
            "weight decay of the head, chosen by its loss on the held-out part: "
            + ", ".join(f"{k:g}: {v:.4f}" for k, v in tried.items())
        )
    prepared = dataclasses.replace(prepared, options=own, notes=notes)
    seed(options.seed)
    _renew(whole.head, spec, body.num_features)
    if not options.fine_tune:
        return prepared
    history, loss_before = _train_head(prepared)
    del history
    stage = options.unfreeze or whole.stages[len(whole.stages) // 2]
    whole.unfreeze_from(stage)
    options = dataclasses.replace(
        options,
        weight_decay=own.weight_decay if own.weight_decay is not None else 0.0,
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
    """Standardise by these features; one that is always the same is left as it is."""
    mean, std = features.mean(axis=0), features.std(axis=0)
    scale.mean.data = mean.astype(np.float32)
    scale.std.data = np.where(std > 1e-6, std, 1).astype(np.float32)


def _renew(head, spec, width) -> None:
    """New weights for the head's last layer."""
    fresh = build_head(spec, width)[-1]
    head[-1].load_state_dict(fresh.state_dict())


def _choose_decay(prepared) -> tuple:
    """(the best λ, {λ: loss on the held-out rows})."""
    tried = {}
    for decay in DECAYS:
        seed(prepared.options.seed)
        _renew(prepared.net, prepared.spec, prepared.x.shape[1])
        own = dataclasses.replace(prepared.options, weight_decay=decay)
        history, _ = _train_head(dataclasses.replace(prepared, options=own))
        tried[decay] = min(row["val_loss"] for row in history.rows)
    return min(tried, key=tried.get), tried


def _train_head(prepared):
    """(history, scores on the held-out rows): trained in place, the best epoch kept."""
    from cutaway.train import EarlyStopping

    options, y = prepared.options, prepared.targets()
    held = (prepared.x[prepared.held], y[prepared.held])
    optimizer = options.make_optimizer(prepared.net, len(prepared.training))
    trainer = trainer_for(prepared.net, prepared.spec["loss"], prepared.preprocessing, optimizer)
    history = trainer.fit(
        prepared.x[prepared.training],
        y[prepared.training],
        epochs=prepared.epochs,
        batch_size=prepared.batch_size,
        validation=held,
        callbacks=[EarlyStopping(None)],
        seed=options.seed,
        progress=False,
    )
    return history, trainer.evaluate(*held)

"""uint8 pictures: prepared batch by batch on the device, in training and evaluation."""

import numpy as np
import pytest

import cutaway as ct
from cutaway import losses
from cutaway.engine import Tensor
from cutaway.errors import TrainingError
from cutaway.nn import Buffer, Module
from cutaway.train.blocks import to_device
from cutaway.train.evaluation import batch_rows

RNG = np.random.default_rng(0)
PICTURES = RNG.integers(0, 256, (80, 6, 6, 1), dtype=np.uint8)
KINDS = (PICTURES[:, :3].mean(axis=(1, 2, 3)) > 127).astype(np.int32)


def scaled(x):
    return x / 255 - 0.5


class Flipped(Module):
    """Turns pictures around by chance, in training only; counts its batches."""

    def __init__(self):
        self.batches = Buffer(np.int32(0))

    def forward(self, x):
        if not self.training:
            return scaled(x)
        self.batches.data = self.batches.data + 1
        return scaled(x[:, :, ::-1])


def made(prepare, **options):
    ct.seed(0)
    net = ct.Sequential(ct.Flatten(), ct.Linear(36, 2))
    loss = losses.sparse_categorical_cross_entropy_with_logits
    options = {"optimizer": ct.Adam(net, lr=0.05), "metrics": [ct.metrics.accuracy], **options}
    return ct.Trainer(net, loss=loss, prepare=prepare, **options)


def fitted(trainer, x, **options):
    trainer.fit(x, KINDS, epochs=6, batch_size=16, validation=(x, KINDS), seed=0, **options)
    return trainer


def test_a_function_is_applied_as_if_to_the_whole_set():
    ours = fitted(made(scaled), PICTURES)
    whole = fitted(made(None), scaled(PICTURES.astype(np.float32)))
    for column in ("loss", "val_loss", "val_accuracy"):
        np.testing.assert_allclose(ours.history[column], whole.history[column], rtol=1e-4)
    direct = ours.net(scaled(PICTURES.astype(np.float32))).numpy()
    np.testing.assert_allclose(ours.predict(PICTURES), direct, rtol=1e-4, atol=1e-5)
    assert sorted(ours.net.state_dict()) == ["1.bias", "1.weight"]


def test_a_module_changes_training_only_and_its_state_is_kept(tmp_path):
    prepare = Flipped()
    ours = fitted(made(prepare), PICTURES, callbacks=[ct.Checkpoints(tmp_path)])
    turned = fitted(made(None), scaled(PICTURES[:, :, ::-1].astype(np.float32)))
    np.testing.assert_allclose(ours.history["loss"], turned.history["loss"], rtol=1e-4)
    assert prepare.batches.item() == 6 * 5 and not prepare.training
    again = Flipped()
    made(again).fit(PICTURES, KINDS, epochs=7, batch_size=16, validation=(PICTURES, KINDS),
                    seed=0, callbacks=[ct.Checkpoints(tmp_path, resume=True)])  # fmt: skip
    assert again.batches.item() == 7 * 5


def test_preparing_mixing_and_accumulating_go_together():
    trainer = fitted(made(scaled, mix=ct.CutMix(1.0), precision="bfloat16"), PICTURES, accumulate=2)
    assert trainer.history["loss"][-1] < trainer.history["loss"][0]


def test_the_whole_set_is_never_converted():
    trainer = made(scaled)
    x = np.zeros((5000, 6, 6, 1), np.uint8)
    x, y = to_device(x, np.zeros(5000, np.int32))
    assert x.dtype == np.uint8
    rows = np.arange(16, dtype=np.int32)
    lowered = trainer._runner.steps._once.lower(rows, Tensor(x), Tensor(y))
    assert lowered.compile().memory_analysis().temp_size_in_bytes < x.nbytes / 4
    trainer._runner.evaluator.net.eval()
    batches = np.arange(5000, dtype=np.int32).reshape(50, 100)
    lowered = trainer._runner.evaluator._scores.lower(
        batches, batches.ravel(), Tensor(x), Tensor(y)
    )
    assert lowered.compile().memory_analysis().temp_size_in_bytes < x.nbytes


def test_batches_of_large_pictures_are_small():
    shapes = [(9, 4), (9, 28, 28, 1), (9, 32, 32, 3), (9, 224, 224, 3), (9,)]
    assert [batch_rows(np.empty(s)) for s in shapes] == [1024, 1024, 256, 16, 1024]


def test_a_loss_that_becomes_nan_is_traced_through_what_was_prepared():
    trainer = made(lambda x: ct.ops.log(x / 255 - 0.5))
    with pytest.raises(TrainingError, match=r"step 1: it began in the inputs of the network"):
        trainer.fit(PICTURES, KINDS, epochs=1, batch_size=16)

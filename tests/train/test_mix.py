"""Mixup and CutMix: the mixed examples are what the papers' formulas say."""

import numpy as np
import pytest
import scipy.stats

import cutaway as ct
from cutaway import losses
from cutaway.engine import Tensor
from cutaway.errors import DataError, OptionError, ShapeError
from cutaway.train import CutMix, Mixup

RNG = np.random.default_rng(0)
LABELS = np.arange(6, dtype=np.int32)


def test_mixup_mixes_rows_by_the_share_that_it_returns():
    x = RNG.normal(size=(6, 3)).astype(np.float32)
    mix = Mixup(1.0)
    for _ in range(3):
        mixed, partners, share = mix(Tensor(x), Tensor(LABELS))
        order = partners.numpy()  # the labels are row numbers
        assert sorted(order) == list(range(6)) and 0 <= share.item() <= 1
        expected = share.item() * x + (1 - share.item()) * x[order]
        np.testing.assert_allclose(mixed.numpy(), expected, rtol=1e-5, atol=1e-6)


def test_shares_are_beta_distributed():
    mix = Mixup(0.4)
    draw = ct.jit(lambda x: mix(x, Tensor(LABELS))[2], mix)
    x = np.ones((6, 1), np.float32)
    shares = [draw(x).item() for _ in range(300)]
    assert scipy.stats.kstest(shares, scipy.stats.beta(0.4, 0.4).cdf).pvalue > 0.01


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
@pytest.mark.parametrize("sizes", [(12, 8), (20,)])
def test_cutmix_pastes_a_box_and_counts_its_pixels(dtype, sizes):
    x = np.broadcast_to(np.arange(6, dtype=dtype).reshape(6, *(1,) * len(sizes), 1), (6, *sizes, 2))
    mix = CutMix(1.0)
    shares = []
    for _ in range(8):
        mixed, partners, share = (t.numpy() for t in mix(Tensor(x), Tensor(LABELS)))
        assert mixed.dtype == dtype
        foreign = (mixed != x).any(axis=-1)
        expected = np.where(foreign[..., None], partners.reshape(6, *(1,) * (len(sizes) + 1)), x)
        np.testing.assert_array_equal(mixed, expected)
        moved = partners != LABELS
        if moved.any():
            box = foreign[moved][0]
            assert (foreign[moved] == box).all()
            assert share == pytest.approx(1 - box.mean(), abs=1e-6)
            corners = np.argwhere(box)
            if len(corners):  # a box: as many pixels as its corners span
                assert np.prod(np.ptp(corners, axis=0) + 1) == box.sum()
        shares.append(float(share))
    assert len(set(shares)) > 4


def trainer(mix, seed=0):
    ct.seed(seed)
    net = ct.Sequential(ct.Flatten(), ct.Linear(32, 16), ct.ReLU(), ct.Linear(16, 2))
    return ct.Trainer(
        net,
        loss=losses.sparse_categorical_cross_entropy_with_logits,
        optimizer=ct.Adam(net, lr=0.01),
        metrics=[ct.metrics.accuracy],
        mix=mix,
    )


PICTURES = RNG.normal(size=(64, 4, 4, 2)).astype(np.float32)
KINDS = (PICTURES.mean(axis=(1, 2, 3)) > 0).astype(np.int32)


def test_the_loss_of_a_mixed_batch_is_that_of_mixed_one_hot_rows():
    mix = Mixup(1.0)
    whole = trainer(mix)
    key = mix.key.numpy()
    whole.fit(PICTURES, KINDS, epochs=1, batch_size=64, seed=0)
    again = trainer(None)  # the same initial weights and order of rows
    mix.key.data = key
    order = np.random.default_rng([0, 0]).permutation(64)
    x, partners, share = mix(Tensor(PICTURES[order]), Tensor(KINDS[order]))
    hot = np.eye(2)[KINDS[order]] * share.item() + np.eye(2)[partners.numpy()] * (1 - share.item())
    expected = losses.categorical_cross_entropy_with_logits(again.net(x), hot)
    assert whole.history["loss"][0] == pytest.approx(expected.item(), rel=1e-5)


def test_networks_learn_from_mixed_examples():
    one = trainer(CutMix(0.3))
    one.fit(PICTURES, KINDS, epochs=40, batch_size=16, validation=(PICTURES, KINDS), seed=0)
    assert one.history["val_accuracy"][-1] > 0.9


def test_a_resumed_training_draws_the_same_mixes(tmp_path):
    def fit(folder, epochs, resume=False):
        ct.seed(1)
        one = trainer(Mixup(0.3))
        kept = ct.Checkpoints(tmp_path / folder, resume=resume)
        one.fit(PICTURES, KINDS, epochs=epochs, batch_size=16, callbacks=[kept], seed=0)
        return one.history["loss"]

    whole = fit("whole", 4)
    fit("parts", 2)
    assert fit("parts", 4, resume=True) == whole


def test_what_cannot_be_mixed_is_named():
    with pytest.raises(DataError, match="Mixup: the inputs are int32"):
        Mixup(0.2)(Tensor(np.ones((2, 2), np.int32)), Tensor([0, 1]))
    with pytest.raises(ShapeError, match=r"CutMix: the inputs have shape \(2, 2\)"):
        CutMix(1.0)(Tensor(np.ones((2, 2), np.float32)), Tensor([0, 1]))
    with pytest.raises(OptionError, match="CutMix: alpha is 0"):
        CutMix(0)

"""A known body with a new head: what is frozen is still, costs nothing, and can be thawed."""

import numpy as np
import pytest

import cutaway as ct
from cutaway.engine.tape import records
from cutaway.errors import OptionError, ShapeError
from cutaway.losses import sparse_categorical_cross_entropy_with_logits as loss_of
from cutaway.models import BasicBlock, BertSentence, BertSize, ResNet
from cutaway.models.backbone import Backbone


def body():
    ct.seed(3)
    return ResNet(BasicBlock, (1, 1, 1), num_classes=7, widths=(4, 8, 8))


def head():
    ct.seed(5)
    return ct.Sequential(ct.Dropout(0.2), ct.Linear(8, 2))


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    y = np.arange(24, dtype=np.int32) % 2
    x = rng.normal(size=(24, 16, 16, 3)).astype(np.float32)
    x[y == 1, :8] += 1
    return x, y


class Noisy(Backbone):
    """A body with batch norm and dropout in every stage."""

    def __init__(self):
        self.stages = ("one", "two")
        self.one = ct.Sequential(ct.Linear(4, 4), ct.BatchNorm(4), ct.Dropout(0.5))
        self.two = ct.Sequential(ct.Linear(4, 4), ct.BatchNorm(4), ct.Dropout(0.5))
        self.pool = ct.Dropout(0.5)
        self.head = ct.Linear(4, 9)
        self.num_features = 4


def test_a_frozen_body_leaves_no_record_and_gets_no_gradient(data):
    x, y = data
    net = ct.transfer(body(), head()).train()
    loss = loss_of(net(x), y)
    paths = {record.module for record in records(loss.record)}
    assert not [path for path in paths if path.startswith("body")]
    loss.backward()
    assert {k for k, p in net.named_parameters().items() if p.grad is not None} == {
        "head.1.weight", "head.1.bias",
    }  # fmt: skip
    net = ct.transfer(body(), head(), freeze="stage3").train()
    loss = loss_of(net(x), y)
    inside = {r.module.split(".")[1] for r in records(loss.record) if r.module.startswith("body.")}
    assert "stage3" in inside and not inside & {"stem", "stage1", "stage2"}


@pytest.mark.slow
def test_a_step_of_a_frozen_body_takes_less_memory(data):
    x, y = data
    taken = []
    for freeze in (False, "stage3", True):
        net = ct.transfer(body(), head(), freeze).train()
        optimizer = ct.SGD(net, lr=0.1)

        def step(x, y, net=net, optimizer=optimizer):
            loss_of(net(x), y).backward()
            optimizer.step()

        compiled = ct.jit(step, net, optimizer).lower(x, y).compile()
        taken.append(compiled.memory_analysis().temp_size_in_bytes)
    assert taken[0] > taken[1] > 0
    assert taken[0] > 1.5 * taken[2]


def test_frozen_stages_stay_in_evaluation_mode_in_training():
    net = ct.transfer(Noisy(), ct.Sequential(ct.Dropout(0.5), ct.Linear(4, 2)))
    x = np.random.default_rng(1).normal(2, 3, size=(16, 4)).astype(np.float32)
    before = net.state_dict()
    net.train()
    assert np.array_equal(net.features(x).numpy(), net.features(x).numpy())  # nothing dropped
    assert net.head.training
    for path, value in net.state_dict().items():
        if not path.startswith("head.0"):
            assert np.array_equal(value, before[path]), path
    net.unfreeze_from("two")
    assert not net.body.one.modules()["2"].training
    assert net.body.two.modules()["2"].training and net.body.pool.training
    assert not net.eval().body.pool.training


@pytest.mark.parametrize("batch_statistics", [False, True])
def test_batch_norm_that_is_trained_learns_statistics_only_if_asked_to(batch_statistics):
    net = ct.transfer(Noisy(), ct.Linear(4, 2), "two", batch_statistics=batch_statistics).train()
    x = np.random.default_rng(1).normal(2, 3, size=(16, 4)).astype(np.float32)
    before = net.state_dict()
    loss_of(net(x), np.arange(16) % 2).backward()
    after = net.state_dict()
    moved = {k for k in before if "running" in k and not np.array_equal(before[k], after[k])}
    wanted = {"body.two.1.running_mean", "body.two.1.running_var"} if batch_statistics else set()
    assert moved == wanted
    assert net.body.two.modules()["1"].weight.grad is not None


def test_training_through_a_frozen_body_is_training_on_its_features(data):
    x, y = data
    through = ct.transfer(body(), head())
    alone = ct.transfer(body(), head())
    features = ct.features_of(alone, x, batch_size=7)
    assert np.allclose(features, alone.eval().features(x).numpy(), rtol=1e-5, atol=1e-6)
    histories = []
    for net, inputs in ((through, x), (alone.head, features)):
        ct.seed(1)
        trainer = ct.Trainer(net, loss=loss_of, optimizer=ct.Adam(net, 1e-2))
        histories.append(trainer.fit(inputs, y, epochs=4, batch_size=8, seed=0))
    losses = [[row["loss"] for row in history.rows] for history in histories]
    assert np.allclose(*losses, rtol=1e-5)
    theirs = alone.state_dict()
    for path, value in through.state_dict().items():
        assert np.allclose(value, theirs[path], rtol=1e-4, atol=1e-6), path


def test_features_of_a_stream_are_those_of_its_rows(data):
    from cutaway.data import ArrayStream

    x, _ = data
    net = body().eval()
    features, labels = ct.features_of(net, ArrayStream(x, np.arange(24)))
    assert sorted(labels) == list(range(24))
    assert np.allclose(features, net.features(x).numpy()[labels], rtol=1e-5, atol=1e-6)


def test_features_of_texts_do_not_depend_on_padding():
    net = BertSentence(BertSize(tokens=40, features=8, num_layers=1, num_heads=2)).eval()
    x = np.zeros((9, 30), np.int32)
    for row, length in enumerate((3, 30, 1, 12, 9, 8, 17, 2, 5)):
        x[row, :length] = 1 + np.arange(length)
    assert np.allclose(ct.features_of(net, x, batch_size=4), net.features(x).numpy(), atol=1e-5)


def test_rates_fall_with_depth_and_every_parameter_of_the_body_has_one(data):
    net = ct.transfer(body(), head(), freeze=False)
    rates = net.rates(0.1)
    assert set(rates) == {k for k in net.named_parameters() if k.startswith("body.")}
    assert rates["body.stage3.0.conv1.weight"] == pytest.approx(0.1)
    assert rates["body.stem.0.weight"] == pytest.approx(1e-4)
    optimizer = ct.SGD(net, lr=1.0, groups=rates)
    before = net.state_dict()
    loss_of(net.train()(data[0]), data[1]).backward()
    gradients = {k: np.asarray(p.grad) for k, p in net.named_parameters().items()}
    optimizer.step()
    after = net.state_dict()
    for path, factor in (("body.stage2.0.conv1.weight", 1e-2), ("head.1.weight", 1.0)):
        moved = before[path] - after[path]
        assert np.allclose(moved, factor * gradients[path], rtol=1e-3, atol=1e-7)


def test_gradual_unfreezing_thaws_a_stage_at_a_time(data):
    net = ct.transfer(body(), head())
    trainer = ct.Trainer(net, loss=loss_of, optimizer=ct.Adam(net, 1e-3, groups=net.rates()))
    seen, weights = [], [net.state_dict()]

    def note(trainer, row):
        weights.append(trainer.net.state_dict())

    class Look(ct.Callback):
        def on_chunk(self, trainer, done, total, loss):
            if done == total:
                seen.append(trainer.net.frozen)

    thaw = ct.GradualUnfreezing(1, until="stage2")
    trainer.fit(*data, epochs=4, batch_size=12, callbacks=[note, Look(), thaw], seed=0)
    assert seen[0] == ("stem", "stage1", "stage2", "stage3")
    assert seen[1] == ("stem", "stage1", "stage2")
    assert seen[2] == seen[3] == ("stem", "stage1")

    def moved(epoch, path):
        return not np.array_equal(weights[epoch][path], weights[epoch + 1][path])

    path = "body.stage{}.0.conv1.weight"
    assert [moved(k, path.format(3)) for k in range(4)] == [False, True, True, True]
    assert [moved(k, path.format(2)) for k in range(4)] == [False, False, True, True]
    assert not any(moved(k, path.format(1)) for k in range(4))


def test_the_backbone_keeps_its_own_head_and_shares_its_stages():
    given = body()
    net = ct.transfer(given, head())
    assert given.head.weight.shape == (8, 7)
    assert net.body.stage1 is given.stage1


def test_what_does_not_fit_is_said():
    with pytest.raises(OptionError, match="no stage 'stage9'") as error:
        ct.transfer(body(), head(), freeze="stage9")
    assert "stem, stage1, stage2, stage3, head" in str(error.value)
    with pytest.raises(OptionError, match="no stage"):
        ct.transfer(body(), head()).unfreeze_from("layer1")
    with pytest.raises(OptionError, match="transfer: the backbone is a Sequential"):
        ct.transfer(ct.Sequential(ct.Linear(2, 2)), head())
    with pytest.raises(ShapeError, match="the head takes 9 features"):
        ct.transfer(body(), ct.Linear(9, 2))
    net = ct.Sequential(ct.Linear(2, 2))
    trainer = ct.Trainer(net, loss=loss_of)
    with pytest.raises(OptionError, match="GradualUnfreezing"):
        trainer.fit(np.ones((4, 2)), np.zeros(4, int), callbacks=[ct.GradualUnfreezing()])

"""Sequence to sequence: against torch's pieces, against brute force, and on strings to reverse."""

import itertools

import numpy as np
import pytest
import torch

import cutaway as ct
from cutaway.errors import DataError, OptionError, ShapeError
from cutaway.models import Translator, masked_cross_entropy, translation_pairs
from cutaway.nn import GRU, LSTM, RNN
from cutaway.nn.trees import map_leaves
from tests.nn.test_recurrent import torchs

pytestmark = pytest.mark.slow  # one network of a kind is in every run: ResNet, BERT, WaveNet


RNG = np.random.default_rng(0)


def strings(count, rng, letters=6, longest=5):
    rows = [
        rng.integers(3, 3 + letters, rng.integers(1, longest + 1)).tolist() for _ in range(count)
    ]
    return rows, [row[::-1] for row in rows]


def tensor(parameter):
    return torch.tensor(parameter.numpy())


@pytest.mark.parametrize("recurrent", [GRU, LSTM, RNN])
def test_logits_are_those_of_torchs_pieces(recurrent):
    net = Translator(9, 8, features=5, hidden_features=6, recurrent=recurrent)
    sources, targets = [[3, 4, 5, 6], [7, 3], [8, 8, 8]], [[3, 4], [5, 5, 6], [7]]
    x, _ = translation_pairs(sources, targets)
    encoder, _ = torchs(net.encoder)
    decoder, _ = torchs(net.decoder)
    lengths = torch.tensor([len(row) for row in sources])
    words = tensor(net.source.weight)[torch.tensor(x["source"]).long()]
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        words, lengths, batch_first=True, enforce_sorted=False
    )
    out, state = encoder(packed)
    memory, _ = torch.nn.utils.rnn.pad_packed_sequence(out, batch_first=True)

    def bridged(s):
        both = torch.cat([s[0], s[1]], -1)
        return torch.tanh(both @ tensor(net.bridge.weight) + tensor(net.bridge.bias))[None]

    state = tuple(map(bridged, state)) if recurrent is LSTM else bridged(state)
    before = torch.tensor(x["target"]).long()
    words = tensor(net.target.weight)[before] * (before != 0)[..., None]
    hidden, _ = decoder(words, state)
    scores = hidden @ tensor(net.query.weight) @ memory.mT / np.sqrt(12)
    there = torch.arange(memory.shape[1]) < lengths[:, None]
    p = scores.masked_fill(~there[:, None], -torch.inf).softmax(-1)
    both = torch.cat([p @ memory, hidden], -1)
    logits = torch.tanh(both @ tensor(net.combine.weight)) @ tensor(net.head.weight)
    np.testing.assert_allclose(net(**x).numpy(), logits.detach().numpy(), rtol=1e-4, atol=1e-5)
    seen = net.weights(**x).numpy()
    np.testing.assert_allclose(seen.sum(-1), 1, rtol=1e-5)
    np.testing.assert_allclose(seen, p.detach().numpy(), atol=1e-5)


def score(net, source, tokens, most):
    """ln p of the row `tokens`, with its end where it has one within `most` steps."""
    logits = np.asarray(net([source], [[1, *tokens]]).numpy()[0], np.float64)
    p = np.log(np.exp(logits) / np.exp(logits).sum(-1, keepdims=True))
    steps = [*tokens, 2][:most]
    return sum(p[t, token] for t, token in enumerate(steps))


@pytest.mark.parametrize("recurrent", [GRU, LSTM])
def test_a_wide_beam_finds_the_likeliest_row_and_a_narrow_one_is_greedy(recurrent):
    net = Translator(6, 6, features=4, hidden_features=5, recurrent=recurrent).eval()
    for parameter in net.parameters():  # so that rows differ in likelihood
        parameter.data = parameter.data * 4
    source, most = [3, 5, 4], 2
    rows = [list(r) for n in range(most + 1) for r in itertools.product((3, 4, 5), repeat=n)]
    likeliest = max(rows, key=lambda row: score(net, source, row, most))
    assert net.translate([source], most_tokens=most, beams=12) == [likeliest]
    greedy = []
    while len(greedy) < most:
        ahead = [score(net, source, [*greedy, k], len(greedy) + 1) for k in (3, 4, 5)]
        ends = score(net, source, greedy, len(greedy) + 1)
        if ends > max(ahead):
            break
        greedy.append(3 + int(np.argmax(ahead)))
    assert net.translate([source], most_tokens=most) == [greedy]


def test_a_trainer_takes_source_and_target_by_their_names_and_of_unequal_length():
    x, y = translation_pairs(*strings(64, np.random.default_rng(1), longest=3))
    longer = np.pad(x["source"], ((0, 0), (0, 4)))  # padding changes nothing
    ct.seed(0)
    net = Translator(9, 9, features=8, hidden_features=8)
    trainer = ct.Trainer(net, loss=masked_cross_entropy, optimizer=ct.Adam(net, lr=0.02))
    history = trainer.fit(x, y, epochs=20, batch_size=16, progress=False)
    assert history["loss"][-1] < 0.7 * history["loss"][0]
    logits = trainer.predict(x)
    assert logits.shape == (64, 4, 9)
    assert "Dotted" not in ct.draw(net, x=map_leaves(lambda rows: rows[:1], x)).svg
    padded = trainer.predict({"source": longer, "target": x["target"]})
    np.testing.assert_allclose(padded, logits, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_strings_are_reversed_after_training_and_each_step_looks_at_its_letter():
    rng = np.random.default_rng(1)
    net = Translator(9, 9, features=16, hidden_features=32)
    optimizer = ct.Adam(net, lr=0.01)

    def step(batch):
        loss = masked_cross_entropy(net(**batch["x"]), batch["y"].data)
        loss.backward()
        optimizer.step()
        return loss

    x, y = translation_pairs(*strings(64 * 300, rng))
    batches = map_leaves(lambda rows: rows.reshape(300, 64, -1), {"x": x, "y": y})
    losses = ct.jit(step, net, optimizer).scan(batches).numpy()
    assert losses[-20:].mean() < 0.05
    sources, targets = strings(100, np.random.default_rng(2))
    padded = translation_pairs(sources, targets)[0]["source"]
    written = net.translate(padded, most_tokens=7)
    right = np.mean([a == b for a, b in zip(written, targets, strict=True)])
    assert right >= 0.95
    assert net.translate(padded, most_tokens=7, beams=3) != []
    x, _ = translation_pairs([[3, 4, 5, 6, 7]], [[7, 6, 5, 4, 3]])
    seen = net.weights(**x).numpy()[0]
    np.testing.assert_allclose(seen.sum(-1), 1, rtol=1e-5)


def test_wrong_rows_are_errors():
    with pytest.raises(DataError, match=r"row 1 contains token id 2"):
        translation_pairs([[3], [4]], [[3], [2]])
    with pytest.raises(DataError, match="1 sources and 2 targets"):
        translation_pairs([[3]], [[3], [4]])
    net = Translator(5, 5, features=2, hidden_features=2)
    rows = np.ones((2, 5), np.int32)
    with pytest.raises(ShapeError, match=r"target has shape \(2, 5, 1\)[\s\S]*translation_pairs"):
        net(rows, rows[..., None])
    with pytest.raises(ShapeError, match="different numbers of rows: source 2, target 1"):
        net(rows, rows[:1])
    with pytest.raises(ShapeError, match=r"source has shape \(3,\)"):
        net.translate([3, 4, 3], most_tokens=2)
    with pytest.raises(OptionError, match="beams"):
        net.translate([[3]], most_tokens=2, beams=0)
    with pytest.raises(OptionError, match="target_tokens"):
        Translator(5, 3)

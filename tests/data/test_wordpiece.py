"""Word pieces as BERT's, against transformers' own tokenizer; batches of like lengths."""

import numpy as np
import pytest

from cutaway.data import Tokenizer, TokenStream, WordPiece, batches_by_length
from cutaway.errors import DataError, OptionError
from tests.oracles import oracle

TEXTS = ["Unaffable cats ran.", "a cat", "", "The wörld ran, and a dog ran after it!"]
VOCABULARY = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "a",
    "cat",
    "##s",
    "the",
    "dog",
    "ran",
    "world",
    "un",
    "##aff",
    "##able",
    "and",
    "after",
    "it",
    ".",
    ",",
    "!",
]


@pytest.fixture
def pieces(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(VOCABULARY) + "\n")
    return WordPiece.load(path)


def test_words_are_cut_into_the_longest_pieces(pieces):
    found = [pieces.token(k) for k in pieces.encode(TEXTS[:1]).ids[0]]
    assert found == ["[CLS]", "un", "##aff", "##able", "cat", "##s", "ran", ".", "[SEP]"]
    assert pieces.decode(pieces.encode(TEXTS[:1]).ids[0]) == "unaffable cats ran."


@pytest.mark.parametrize("most", [None, 8])
def test_rows_are_those_of_transformers(pieces, tmp_path, most):
    theirs = oracle("transformers").BertTokenizer(str(tmp_path / "vocab.txt"))
    options = {"truncation": True, "max_length": most} if most else {}
    answer = theirs(TEXTS, padding=True, return_tensors="np", **options)
    if most:
        with pytest.warns(
            UserWarning, match=r"2 of 4 texts have more than 8 tokens and were truncated"
        ):
            ours = pieces.encode(TEXTS, most_tokens=most)
        assert ours.truncated == 2
    else:
        ours = pieces.encode(TEXTS)
    np.testing.assert_array_equal(ours.ids, answer["input_ids"])
    np.testing.assert_array_equal(ours.lengths, answer["attention_mask"].sum(1))


def test_pairs_have_types_and_the_longer_text_is_cut(pieces):
    ours = pieces.encode(["a cat", "a"], seconds=["the dog ran", "it"], pad_to=10)
    assert ours.ids.shape == (2, 10)
    assert ours.types.tolist() == [[0, 0, 0, 0, 1, 1, 1, 1, 0, 0], [0, 0, 0, 1, 1, 0, 0, 0, 0, 0]]
    with pytest.warns(UserWarning, match="1 of 1"):
        cut = pieces.encode(["a cat"], seconds=["the dog ran after it"], most_tokens=7)
    assert [pieces.token(k) for k in cut.ids[0]] == [
        "[CLS]",
        "a",
        "cat",
        "[SEP]",
        "the",
        "dog",
        "[SEP]",
    ]


def test_a_saved_tokenizer_reads_as_the_vocabulary_does(pieces, tmp_path):
    pieces.save(tmp_path / "tokenizer.json")
    again = WordPiece.load(tmp_path)  # the folder
    np.testing.assert_array_equal(again.encode(TEXTS).ids, pieces.encode(TEXTS).ids)


def test_a_mask_in_a_text_is_text(pieces):
    assert pieces.mask not in pieces.encode(["a [MASK] ran"]).ids


def test_trained_pieces_know_their_own_texts():
    texts = ["the cat sat on the mat", "the dog sat on the cat"]
    trained = WordPiece.train(texts, size=60)
    rows = trained.encode(texts)
    assert trained.unknown not in rows.ids
    assert [trained.decode(row) for row in rows.ids] == texts
    stream = TokenStream(rows, np.zeros(2))
    assert sum(len(x) for x, _ in stream.blocks(0)) == 2


def test_batches_hold_every_row_once_and_fit_their_lengths():
    lengths = np.random.default_rng(0).integers(2, 700, 101)
    batches = batches_by_length(lengths, 16)
    assert sorted(np.concatenate([rows for rows, _ in batches])) == list(range(101))
    assert all(lengths[rows].max() <= size for rows, size in batches)
    assert len(batches) == 7


def test_wrong_files_and_texts_are_errors(pieces, tmp_path):
    with pytest.raises(DataError, match=r"no file"):
        WordPiece.load(tmp_path / "other.txt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"no tokenizer[\s\S]*tokenizer.json"):
        WordPiece.load(tmp_path / "empty")
    (tmp_path / "short.txt").write_text("[PAD]\n[UNK]\nword\n")
    with pytest.raises(DataError, match=r"no \[CLS\], \[SEP\], \[MASK\]"):
        WordPiece.load(tmp_path / "short.txt")
    Tokenizer.train(["a cat"], kind="word").save(tmp_path / "words.json")
    with pytest.raises(DataError, match=r"no \[PAD\]"):
        WordPiece.load(tmp_path / "words.json")
    with pytest.raises(OptionError, match="the argument is a string"):
        pieces.encode("a cat")
    with pytest.raises(DataError, match=r"row 3 has 13 tokens[\s\S]*at most 5"):
        pieces.encode(TEXTS, pad_to=5)
    with pytest.raises(DataError, match="none of the 1 texts"):
        WordPiece.train([" "])

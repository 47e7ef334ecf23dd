import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.data import (
    Tokenizer,
    TokenStream,
    bucket_lengths,
    bucketed_order,
    read_text,
    read_texts,
)
from cutaway.data.buckets import buckets_of
from cutaway.data.labeled_lines import labeled_lines
from cutaway.data.tokenizer import Tokens
from cutaway.errors import DataError, OptionError

TEXTS = ["The cat sat on the mat.", "A dog sat.", "the DOG ran, and the cat ran too!"]


def long_texts(count=30):
    rng = np.random.default_rng(0)
    words = ["sun", "rain", "wind", "snow", "cloud", "storm"]
    return [" ".join(rng.choice(words, 6)) + f" {k}" for k in range(count)]


def test_the_text_column_is_the_longest_free_text():
    texts = long_texts()
    frame = pl.DataFrame({"kind": ["a", "b"] * 15, "title": [t[:20] for t in texts], "body": texts})
    read = read_texts(frame, label="kind")
    assert (read.text, read.texts, read.labels) == ("body", texts, ["a", "b"] * 15)
    assert read_texts(frame, text="title").texts[0] == texts[0][:20]
    missing = frame.with_columns(
        kind=pl.Series([None, "b"] * 15), body=pl.Series([None, *texts[1:]])
    )
    read = read_texts(missing, text="body", label="kind")
    assert len(read.texts) == 15 and "skipped 15 rows without a value" in read.notes[0]
    assert read_texts(missing, text="body").texts[0] == ""


@pytest.mark.parametrize("label_first", [True, False])
@pytest.mark.parametrize("header", [True, False])
def test_labeled_lines_are_read_without_suffix_and_header(tmp_path, label_first, header):
    texts = [t + ' said "so' for t in long_texts()]  # one quote: no CSV
    pairs = [("ham", "spam")[k % 2] for k in range(30)]
    rows = list(zip(pairs, texts, strict=True))
    if header:
        rows.insert(0, ("class", "message"))
    lines = ["\t".join(row if label_first else row[::-1]) for row in rows]
    (tmp_path / "Messages").write_text("\n".join(lines) + "\n")
    read = read_texts(tmp_path / "Messages")
    assert (read.texts, read.labels) == (texts, pairs)
    assert read.label == ("class" if header else "label")
    with pytest.raises(DataError, match="there is no column 'body'"):
        read_texts(tmp_path / "Messages", text="body")


def test_other_text_files_are_a_text_a_line(tmp_path):
    (tmp_path / "a.txt").write_bytes("\ufeffanna\r\n\r\nbert\n".encode())
    read = read_texts(tmp_path / "a.txt")
    assert (read.texts, read.labels) == (["anna", "bert"], None)
    with pytest.raises(DataError, match="holds lines, not columns"):
        read_texts(tmp_path / "a.txt", text="name")


def test_texts_that_cannot_be_are_named(tmp_path):
    with pytest.raises(DataError, match="no column holds free text"):
        read_texts({"a": [1, 2], "b": ["x", "y"]})
    with pytest.raises(DataError, match="there is no column 'bdy'"):
        read_texts({"body": long_texts()}, text="bdy")
    empty = pl.DataFrame({"t": pl.Series([None, None], dtype=pl.String), "n": [1, 2]})
    with pytest.raises(DataError, match="the column 't' is empty"):
        read_texts(empty, text="t")
    (tmp_path / "a.txt").write_text(" \n\n")
    with pytest.raises(DataError, match=r"a\.txt is empty"):
        read_text(tmp_path / "a.txt")
    (tmp_path / "a.txt").write_bytes(b"gut\n\x00\x01\x02\x00\x00\xff")
    with pytest.raises(DataError, match=r"a\.txt"):
        read_texts(tmp_path / "a.txt")
    with pytest.raises(DataError, match="cannot be read"):
        read_text(tmp_path / "none.txt")


def test_words_are_numbered_by_how_often_they_occur():
    tokenizer = Tokenizer.train(TEXTS)
    assert (tokenizer.padding, tokenizer.unknown, tokenizer.token(2)) == (0, 1, "the")
    tokens = tokenizer.encode(["the cat flew.", "The"])
    assert tokenizer.decode(tokens.ids[0]) == "the cat <unk> ."
    assert tokens.ids[1].tolist() == [2, 0, 0, 0] and tokens.lengths.tolist() == [4, 1]
    assert tokens.ids.dtype == tokens.lengths.dtype == np.int32
    assert Tokenizer.train(TEXTS, lowercase=False).encode(["The the"]).lengths.tolist() == [2]
    small = Tokenizer.train(TEXTS, size=4)
    assert small.size == 4 and small.encode(["the xyz"]).ids.tolist() == [[2, 1]]
    assert Tokenizer.train(TEXTS, least_count=2).encode(["mat"]).ids.tolist() == [[1]]


@given(text=st.text(st.characters(codec="utf-8", exclude_categories=["Cn", "Co"]), min_size=1))
def test_parts_of_words_give_any_text_back(text):
    import unicodedata

    tokens = BPE.encode_whole(text)
    assert tokens.max() < BPE.size
    # equal texts are made equal first: é and e + accent
    assert BPE.decode(tokens) == unicodedata.normalize("NFC", text)


BPE = Tokenizer.train(TEXTS, kind="bpe", size=300)


def test_characters_give_the_text_back_and_the_lengths_are_those_of_the_texts():
    texts = ["Hello, <pad> world\n", "ab\tc  d"]
    tokenizer = Tokenizer.train(texts, kind="character")
    assert tokenizer.size == len(set("".join(texts))) + 2
    tokens = tokenizer.encode(texts)
    assert tokens.lengths.tolist() == [len(t) for t in texts]
    assert [tokenizer.decode(row) for row in tokens.ids] == texts
    long = "".join(texts) * 1000
    whole = tokenizer.encode_whole(long)
    assert len(whole) == len(long) and tokenizer.decode(whole) == long


def test_the_mark_of_padding_in_a_text_is_text():
    tokenizer = Tokenizer.train([*TEXTS, "<pad>"])
    assert (tokenizer.encode(["a <pad> b"]).ids > 0).all()


@pytest.mark.parametrize("kind", ["word", "bpe", "character"])
def test_tokenizers_survive_their_file_and_repeat(tmp_path, kind):
    tokenizer = Tokenizer.train(TEXTS, kind=kind, size=300)
    tokenizer.save(tmp_path / "tokenizer.json")
    loaded = Tokenizer.load(tmp_path / "tokenizer.json")
    again = Tokenizer.train(TEXTS, kind=kind, size=300)
    for other in (loaded, again, Tokenizer.from_json(tokenizer.to_json())):
        assert (other.size, other.padding, other.unknown) == (
            tokenizer.size,
            tokenizer.padding,
            tokenizer.unknown,
        )
        np.testing.assert_array_equal(other.encode(TEXTS).ids, tokenizer.encode(TEXTS).ids)
    assert json.loads(tokenizer.to_json()) == json.loads(again.to_json())


def test_a_tokenizer_without_padding_gets_one():
    from tokenizers import Tokenizer as Inner
    from tokenizers import models

    tokenizer = Tokenizer(Inner(models.WordLevel({"a": 0, "[UNK]": 1}, unk_token="[UNK]")))
    assert (tokenizer.padding, tokenizer.size, tokenizer.unknown) == (2, 3, 1)


def test_truncation_cuts_the_end_and_is_counted():
    tokenizer = Tokenizer.train(TEXTS)
    full, cut = tokenizer.encode(TEXTS), tokenizer.encode(TEXTS, most_tokens=5)
    assert full.truncated == 0 and cut.truncated == 2
    assert cut.ids.shape == (3, 5) and cut.lengths.tolist() == [5, 4, 5]
    np.testing.assert_array_equal(cut.ids, full.ids[:, :5])


def test_tokenizers_that_cannot_be_are_named(tmp_path):
    with pytest.raises(DataError, match="none of the 2 texts contains a token"):
        Tokenizer.train(["", " \n"])
    with pytest.raises(DataError, match=r"1 of 2 texts have no tokens: row 1, for example ' '"):
        Tokenizer.train(TEXTS).encode(["cat", " "])
    with pytest.raises(OptionError, match="kind of tokenizer 'wrd'"):
        Tokenizer.train(TEXTS, kind="wrd")
    with pytest.raises(OptionError, match="size of the vocabulary is 2"):
        Tokenizer.train(TEXTS, size=2)
    with pytest.raises(OptionError, match="the argument is a string"):
        Tokenizer.train(TEXTS).encode("cat")
    with pytest.raises(OptionError, match="most_tokens"):
        Tokenizer.train(TEXTS).encode(["cat"], most_tokens=0)
    with pytest.raises(DataError, match="there is no file"):
        Tokenizer.load(tmp_path / "none.json")
    (tmp_path / "a.json").write_text('{"version": 1}')
    with pytest.raises(DataError, match="is not a tokenizer"):
        Tokenizer.load(tmp_path / "a.json")


lengths_of_texts = st.lists(st.integers(1, 60), min_size=1, max_size=40)


@given(lengths=lengths_of_texts, count=st.integers(1, 4), multiple=st.sampled_from([1, 8]))
def test_buckets_pad_least_of_all_choices(lengths, count, multiple):
    import itertools

    limits = bucket_lengths(lengths, count, multiple=multiple)
    assert limits == sorted(set(limits)) and len(limits) <= count and limits[-1] == max(lengths)

    def padded(limits):
        return int(np.asarray(limits)[buckets_of(lengths, limits)].sum())

    rounded = sorted({min(-(-n // multiple) * multiple, max(lengths)) for n in lengths})
    choices = itertools.combinations(rounded[:-1], min(count, len(rounded)) - 1)
    if len(rounded) <= 16:
        assert padded(limits) == min(padded([*choice, rounded[-1]]) for choice in choices)


@given(lengths=lengths_of_texts, batch_size=st.integers(1, 7))
def test_every_text_is_in_one_batch_that_is_long_enough(lengths, batch_size):
    limits = bucket_lengths(lengths, 3)
    batches = bucketed_order(lengths, limits, batch_size, np.random.default_rng(0))
    rows = np.concatenate([rows for rows, _ in batches])
    assert sorted(rows) == list(range(len(lengths)))
    for rows, limit in batches:
        assert len(rows) <= batch_size and limit in limits
        assert max(lengths[k] for k in rows) <= limit


def test_a_stream_of_tokens_keeps_every_token_and_few_lengths():
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(["a", "b", "c"], n)) for n in rng.integers(1, 70, 300)]
    tokens = Tokenizer.train(texts).encode(texts)
    y = np.arange(300)
    stream = TokenStream(tokens, y, buckets=3, block_rows=32)
    assert (stream.rows, stream.block_rows, len(stream.limits)) == (300, 32, 3)
    blocks = list(stream.blocks(0))
    assert {x.shape[1] for x, _ in blocks} == set(stream.limits)
    assert sorted(np.concatenate([y for _, y in blocks])) == list(range(300))
    for x, rows in blocks:
        assert x.dtype == np.int32 and len(x) <= 32
        np.testing.assert_array_equal((x != 0).sum(axis=1), tokens.lengths[rows])
        np.testing.assert_array_equal(x, tokens.ids[rows, : x.shape[1]])
    cells = sum(x.size for x, _ in blocks)
    assert stream.padding_fraction == pytest.approx(1 - tokens.lengths.sum() / cells)
    assert stream.padding_fraction < TokenStream(tokens, y, buckets=1).padding_fraction
    again = [y.tolist() for _, y in stream.blocks(0)]
    assert again == [y.tolist() for _, y in blocks]
    assert again != [y.tolist() for _, y in stream.blocks(1)]


def test_streams_of_tokens_that_cannot_be_are_named():
    tokens = Tokens(np.ones((2, 3), np.int32), np.array([3, 2], np.int32), 0, 0)
    with pytest.raises(DataError, match="2 texts and 3 targets"):
        TokenStream(tokens, np.zeros(3))
    with pytest.raises(DataError, match="a text has 9 tokens"):
        buckets_of([9], [4, 8])
    with pytest.raises(DataError, match="no texts"):
        bucket_lengths([], 2)


def test_real_texts_are_read(shared_data):
    spam = read_texts(shared_data / "sms_spam" / "SMSSpamCollection")
    assert len(spam.texts) == 5574 and spam.labels.count("spam") == 747
    for name in ("amazon_cells", "imdb", "yelp"):
        read = read_texts(shared_data / "sentiment_sentences" / f"{name}_labelled.txt")
        assert len(read.texts) == 1000 and read.labels.count("1") == 500
    text = read_text(shared_data / "tinyshakespeare" / "input.txt")
    tokenizer = Tokenizer.train([text], kind="character")
    assert tokenizer.size == 65 + 2
    part = text[:50_000]
    assert tokenizer.decode(tokenizer.encode_whole(part)) == part


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-8-sig"])
def test_lines_and_running_texts_in_other_encodings_are_read_too(tmp_path, encoding):
    words = {"gut": "ein schöner Film für große Kinder", "schlecht": "ein öder Film über Käse"}
    text = "".join(f"{label}\t{words[label]} {k}\n" for k in range(20) for label in words)
    (tmp_path / "t.txt").write_bytes(text.encode(encoding))
    found = labeled_lines(tmp_path / "t.txt")
    assert found.frame["text"][0] == "ein schöner Film für große Kinder 0"
    assert (found.note is None) == (encoding == "utf-8-sig")
    assert read_text(tmp_path / "t.txt").startswith("gut\tein schöner")
    assert read_text(tmp_path / "t.txt", encoding=encoding) == text

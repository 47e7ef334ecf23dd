"""Tokenizers, trained on the data or loaded."""

import dataclasses
import json
from pathlib import Path

import numpy as np

from cutaway.data.tokenizer_json import expect_harmless
from cutaway.errors import DataError, OptionError, expect_choice, expect_integer, expect_range
from cutaway.files.content import naming, read_content
from cutaway.files.panics import silent_panics

KINDS = ("word", "bpe", "character")
PADDING, UNKNOWN = "<pad>", "<unk>"
CHARACTER = r"[\s\S]"
LARGEST_ID = 2**31 - 2  # ids are int32
MOST_BYTES = 4  # of a letter in UTF-8
TRIAL = "A trial of 1 text: é."
PIECE = 10_000  # characters encoded at a time, for character tokens


@dataclasses.dataclass(frozen=True)
class Tokens:
    """Texts as rows of token ids.

    Attributes:
        ids: (rows, longest) int32, padded at the end.
        lengths: (rows,) int32, number of tokens of each text.
        padding: id of the padding token.
        truncated: number of truncated texts.
    """

    ids: np.ndarray
    lengths: np.ndarray
    padding: int
    truncated: int


class Tokenizer:
    """Splits texts into tokens and maps them to ids, by Hugging Face's `tokenizers`.

    Made by `Tokenizer.train` or `Tokenizer.load`.

    Attributes:
        size: size of the vocabulary, with the padding and unknown tokens.
        padding: id of the padding token.
        unknown: id of the unknown token; None if there is none.

    Example:
        >>> from cutaway.data import Tokenizer
        >>> tokenizer = Tokenizer.train(["a cat", "a dog and a cat"], kind="word")
        >>> tokenizer.encode(["a cat", "A bird and a dog"]).ids.tolist()
        [[2, 3, 0, 0, 0], [2, 1, 4, 2, 5]]
    """

    def __init__(self, inner):
        self.inner = inner
        inner.encode_special_tokens = True  # "<pad>" in a text is text
        inner.no_padding()  # `encode` pads, to the longest
        padding = self._special(PADDING, "[PAD]", "<PAD>", "<|padding|>")
        self.unknown: int | None = self._special(UNKNOWN, "[UNK]", "<UNK>")
        if padding is None:
            inner.add_special_tokens([PADDING])
            padding = inner.token_to_id(PADDING)
        self.padding: int = padding
        largest = max(inner.get_vocab().values())
        if largest > LARGEST_ID:
            raise DataError(
                f"the largest id of this tokenizer is {largest:,}",
                expected=f"at most {LARGEST_ID:,}",
                fix="use the tokenizer.json of the model",
            )
        self.size: int = max(inner.get_vocab_size(), largest + 1)  # ids may have gaps
        _try(inner, self.size)

    @classmethod
    def train(cls, texts, *, kind="word", size=10_000, least_count=1, lowercase=None):
        """Train a tokenizer on these texts.

        Args:
            texts: list of str.
            kind: "word": words and runs of punctuation; "bpe": subwords, without unknown
                tokens [1]; "character".
            size: maximum vocabulary size, the most frequent tokens; all characters are kept.
            least_count: minimum frequency; rarer tokens are unknown.
            lowercase: whether to convert to lower case; by default for words only.

        Raises:
            DataError: all texts are empty.

        References:
            [1] Sennrich et al. 2016, "Neural machine translation of rare words with subword
                units", arXiv:1508.07909; over bytes as in Radford et al. 2019.
        """
        expect_choice(kind, KINDS, what="kind of tokenizer")
        least = 3 if kind != "bpe" else 258
        expect_integer(size, what="size of the vocabulary", least=least, most=LARGEST_ID)
        expect_range(least_count, what="least_count", least=1)
        if isinstance(texts, str):
            texts = [texts]
        if not any(text.strip() for text in texts):
            raise DataError(
                f"none of the {len(texts):,} texts contains a token",
                expected="texts with at least one letter",
                fix="choose another column",
            )
        lowercase = kind == "word" if lowercase is None else lowercase
        # texts cannot have more tokens than letters, and the trainers make room for all at once
        size = min(size, least + MOST_BYTES * sum(map(len, texts)))
        return cls(_trained(texts, kind, size, least_count, lowercase))

    @classmethod
    def load(cls, path) -> "Tokenizer":
        """Load a tokenizer.json.

        Raises:
            DataError: no such file, or not a tokenizer.
        """
        content = read_content(path)
        expected = "a tokenizer.json"
        with naming(path, "a tokenizer", expected=expected, failed="is not a tokenizer"):
            return cls(_loaded(content))

    def save(self, path) -> None:
        Path(path).write_text(self.to_json(), encoding="utf-8")

    def to_json(self) -> str:
        return self.inner.to_str()

    @classmethod
    def from_json(cls, text: str) -> "Tokenizer":
        """The tokenizer that `to_json` returned.

        Raises:
            DataError: it is something else.
        """
        expected = "what Tokenizer.to_json returned"
        with naming("the tokenizer", "a tokenizer", expected=expected, failed="cannot be used"):
            return cls(_loaded(text.encode()))

    def encode(self, texts, *, most_tokens=None) -> Tokens:
        """Texts as one padded array.

        Args:
            texts: list of str.
            most_tokens: maximum number of tokens; longer texts are truncated.

        Raises:
            DataError: a text without tokens.
        """
        if isinstance(texts, str):
            raise OptionError(
                "encode: the argument is a string", expected="a list of texts", fix="write [text]"
            )
        if most_tokens is not None:
            expect_range(most_tokens, what="most_tokens", least=1)
        with _named("cannot encode these texts"), silent_panics():
            rows = [encoding.ids for encoding in self.inner.encode_batch_fast(list(texts))]
        full = np.fromiter(map(len, rows), np.int64, len(rows))
        empty = np.flatnonzero(full == 0)
        if len(empty):
            shown = ", ".join(map(str, empty[:5])) + (" ..." if len(empty) > 5 else "")
            raise DataError(
                f"{len(empty):,} of {len(rows):,} texts have no tokens: row {shown}, for example "
                f"{texts[empty[0]]!r}",
                expected="at least one token in every text",
                fix="remove these rows",
            )
        most = int(full.max(initial=0))
        lengths = np.minimum(full, most if most_tokens is None else most_tokens)
        ids = np.full((len(rows), int(lengths.max(initial=0))), self.padding, np.int32)
        for row, (tokens, length) in enumerate(zip(rows, lengths, strict=True)):
            ids[row, :length] = tokens[:length]
        return Tokens(ids, lengths.astype(np.int32), self.padding, int((full > lengths).sum()))

    def encode_whole(self, text: str) -> np.ndarray:
        """One long text as (tokens,) int32, without padding: for language models."""
        pieces = [text]
        if self._takes_characters():
            pieces = [text[k : k + PIECE] for k in range(0, len(text), PIECE)]
        with _named("cannot encode this text"), silent_panics():
            encodings = self.inner.encode_batch_fast(pieces)
        ids = [np.array(encoding.ids, np.int32) for encoding in encodings]
        return np.concatenate(ids) if ids else np.zeros(0, np.int32)

    def decode(self, ids) -> str:
        """The text of a row of ids, without padding."""
        numbers = [int(k) for k in ids if k != self.padding]
        with _named("cannot decode these ids"), silent_panics():
            return self.inner.decode(numbers, skip_special_tokens=False)

    def token(self, number: int) -> str:
        """The token with this id."""
        return self.inner.id_to_token(int(number))

    def _takes_characters(self) -> bool:
        step = json.loads(self.to_json())["pre_tokenizer"] or {}
        return step.get("pattern") == {"Regex": CHARACTER}

    def _special(self, *names):
        numbers = (self.inner.token_to_id(name) for name in names)
        return next((number for number in numbers if number is not None), None)


def _loaded(content: bytes):
    import tokenizers

    expect_harmless(content)
    with silent_panics():
        return tokenizers.Tokenizer.from_buffer(content)


def _named(what: str):
    """Context in which whatever the library raises is an error that says what it could not do."""
    return naming(
        "the tokenizer",
        "a tokenizer",
        expected="a tokenizer that works",
        fix="use the tokenizer.json of the model, or train another one",
        failed=what,
    )


def _try(inner, size: int) -> None:
    """Encode a text and a pair, so that a tokenizer that cannot is found when it is loaded."""
    for pair in (None, TRIAL):
        with silent_panics():
            ids = inner.encode(TRIAL, pair).ids
            inner.decode(ids, skip_special_tokens=False)
        largest = max(ids, default=0)
        if largest >= size:
            raise DataError(
                f"this tokenizer has {size:,} tokens, and encodes a text by the id {largest:,}",
                expected=f"ids below {size:,}",
                fix="use the tokenizer.json of the model",
            )


def _trained(texts, kind, size, least_count, lowercase):
    import tokenizers
    from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

    special = [PADDING, UNKNOWN]
    options = {"vocab_size": size, "min_frequency": least_count, "show_progress": False}
    if kind == "bpe":
        inner = tokenizers.Tokenizer(models.BPE())
        inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        inner.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            special_tokens=[PADDING],
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            **options,
        )
    else:
        inner = tokenizers.Tokenizer(models.WordLevel(unk_token=UNKNOWN))
        if kind == "word":
            inner.pre_tokenizer = pre_tokenizers.Whitespace()
        else:
            inner.pre_tokenizer = pre_tokenizers.Split(tokenizers.Regex(CHARACTER), "isolated")
            inner.decoder = decoders.Fuse()
            options["vocab_size"] = 0x110000
        trainer = trainers.WordLevelTrainer(special_tokens=special, **options)
    steps = [normalizers.NFC()] + [normalizers.Lowercase()] * lowercase
    inner.normalizer = normalizers.Sequence(steps)
    if kind == "character":
        texts = (text[k : k + PIECE] for text in texts for k in range(0, len(text), PIECE))
    inner.train_from_iterator(texts, trainer)
    return inner

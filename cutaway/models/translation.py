"""Sequence to sequence with attention: reads one sequence of tokens and generates another.

    encoder      embedding, recurrent layer in both directions: s_1..s_S       (batch, S, 2 H)
    bridge       tanh([final states of both directions] W + b): the decoder's first state
    decoder      embedding of the previous token, recurrent layer: h_t         (batch, T, H)
    attention    p_ti = softmax_i(h_t W s_i / √(2 H)),  c_t = Σ_i p_ti s_i     (batch, T, 2 H)
    output       tanh([c_t, h_t] W_c) W_o + b: logits of token t               (batch, T, tokens)

Luong, Pham & Manning 2015, "Effective approaches to attention-based neural machine translation",
arXiv:1508.04025: global attention with the "general" score, c_t not fed back into the decoder, so
all steps are computed in parallel in training. The bidirectional encoder is Bahdanau,
Cho & Bengio 2015, arXiv:1409.0473; the division by √(2 H) Vaswani et al. 2017. In training the
decoder receives the true previous token (teacher forcing: Williams & Zipser 1989).
"""

import jax
import jax.numpy as jnp
import numpy as np

from cutaway import ops
from cutaway.engine import Tensor
from cutaway.errors import DataError, ShapeError, expect_range
from cutaway.models.compiled import CompiledCalls, evaluating
from cutaway.models.recurrent import recurrent_layers
from cutaway.nn import GRU, Dropout, Embedding, Linear, Module
from cutaway.nn.trees import map_leaves

PADDING, BEGIN, END = 0, 1, 2


class Translator(Module):
    """Encoder, decoder and attention between them.

    Token ids 0, 1 and 2 are padding, beginning and end of the target; the others are free. Train
    it with `translation_pairs` and `masked_cross_entropy`.

    Args:
        source_tokens, target_tokens: vocabulary sizes, including ids 0 to 2.
        features: size of a token's vector.
        hidden_features: H, of the recurrent layers; of the encoder in each direction.
        dropout: fraction dropped in training, of the embeddings and before the output.
        recurrent: the class GRU, LSTM or RNN.

    Shapes:
        source: (batch, source_time), token ids padded with 0
        target: (batch, target_time), the target with the beginning token before it, padded with 0
        y: (batch, target_time, target_tokens) logits; y[:, t] predicts the token after target[:, t]

    Example:
        >>> from cutaway.models import Translator, translation_pairs
        >>> x, y = translation_pairs([[3, 4, 5]], [[5, 4]])
        >>> Translator(6, 6, features=4, hidden_features=4)(**x).shape, y.tolist()
        ((1, 3, 6), [[5, 4, 2]])
    """

    def __init__(
        self,
        source_tokens: int,
        target_tokens: int,
        *,
        features: int = 64,
        hidden_features: int = 128,
        dropout: float = 0.0,
        recurrent=GRU,
    ):
        for name, count in (("source_tokens", source_tokens), ("target_tokens", target_tokens)):
            expect_range(count, what=f"Translator: {name}", least=END + 2)
        hidden = hidden_features
        self.source = Embedding(source_tokens, features, padding_index=PADDING)
        self.target = Embedding(target_tokens, features, padding_index=PADDING)
        self.encoder = recurrent_layers(recurrent, features, hidden, bidirectional=True)
        self.bridge = Linear(2 * hidden, hidden)
        self.decoder = recurrent_layers(recurrent, features, hidden)
        self.query = Linear(hidden, 2 * hidden, bias=False)
        self.combine = Linear(3 * hidden, hidden, bias=False)
        self.dropout = Dropout(dropout)
        self.head = Linear(hidden, target_tokens)
        self._programs = CompiledCalls()

    def forward(self, source, target):
        source, target = self._expect_tokens(source=source, target=target)
        return self.head(self.dropout(self._decode(target, *self._read(source))[0]))

    def weights(self, source, target) -> Tensor:
        """(batch, target_time, source_time) attention weights; each row sums to 1."""
        source, target = self._expect_tokens(source=source, target=target)
        with evaluating(self):
            memory, mask, state = self._read(source)
            outputs, _ = self.decoder(self.target(target), state)
            mask = mask[:, None, None, :]
            weights = ops.attention_weights(self.query(outputs), memory, mask=mask)
        return weights[:, 0]

    def translate(self, source, *, most_tokens: int, beams: int = 1) -> list:
        """The translation of each row of `source`, as lists of tokens without the end token.

        With one beam, the most probable token is taken at each step (greedy search). With more,
        the `beams` most probable prefixes are kept (beam search), and the most probable complete
        sequence is returned.

        Args:
            source: (batch, tokens), padded with 0.
            most_tokens: maximum length of a translation.
            beams: width of the beam search.

        References:
            Sutskever, Vinyals & Le 2014, arXiv:1409.3215, sec. 3.2: beam search.
        """
        expect_range(most_tokens, what="most_tokens", least=1)
        expect_range(beams, what="beams", least=1)
        (source,) = self._expect_tokens(source=source)
        program = self._programs.get(
            self,
            ("translate", most_tokens, beams),
            lambda source: self._search(source, most_tokens, beams),
        )
        with evaluating(self):
            rows = program(source).numpy()
        ends = [np.flatnonzero(row == END) for row in rows]
        return [
            row[: end[0] if len(end) else None].tolist()
            for row, end in zip(rows, ends, strict=True)
        ]

    def _expect_tokens(self, **given) -> list:
        """Token ids as Tensors (batch, time), with as many rows each."""
        found = [ids if isinstance(ids, Tensor) else Tensor(ids) for ids in given.values()]
        for name, ids in zip(given, found, strict=True):
            if ids.ndim != 2:
                raise ShapeError(
                    f"{self.label()}: {name} has shape {ids.shape}",
                    expected="token ids (batch, time)",
                    fix=f"create them with translation_pairs; for a single row: {name}[None]",
                )
        if len({len(ids) for ids in found}) > 1:
            rows = ", ".join(f"{name} {len(i)}" for name, i in zip(given, found, strict=True))
            raise ShapeError(
                f"{self.label()}: different numbers of rows: {rows}",
                expected="a target for each source",
                fix="create them with translation_pairs",
            )
        return found

    def _read(self, source):
        """(memory (batch, S, 2 H), mask of the source tokens, initial state of the decoder)."""
        mask = source.data != PADDING
        lengths = jnp.maximum(mask.sum(axis=1), 1)
        vectors = self.dropout(self.source(source))
        memory, state = self.encoder(vectors, None, lengths)
        # an empty row attends to its padding, which is 0
        mask = mask | ~mask.any(axis=1, keepdims=True)
        return memory, mask, map_leaves(self._bridged, state)

    def _bridged(self, final):
        """A final state of the encoder, (2 directions, batch, H), as one of the decoder's."""
        both = ops.concatenate([final[0], final[1]], axis=-1)  # (batch, 2 H)
        return ops.tanh(self.bridge(both)).expand_dims(0)  # (1, batch, H)

    def _decode(self, target, memory, mask, state):
        """(tanh([c_t, h_t] W_c) for each token, the final state)."""
        outputs, state = self.decoder(self.dropout(self.target(target)), state)
        mask = mask[:, None, None, :]
        context = ops.attention(self.query(outputs), memory, memory, mask=mask)
        return ops.tanh(self.combine(ops.concatenate([context, outputs], axis=-1))), state

    def _search(self, source, most_tokens, beams):
        """(batch, most_tokens): the most probable sequence found, padded with END."""
        batch = source.shape[0]
        memory, mask, state = self._read(source)
        memory, mask = (jnp.repeat(a, beams, axis=0) for a in (memory.data, mask))
        # beams of a row are adjacent
        state = map_leaves(lambda part: jnp.repeat(part.data, beams, axis=1), state)
        first_row = jnp.arange(batch)[:, None] * beams

        def step(carried, t):
            tokens, last, scores, ended, state = carried
            out, state = self._decode(
                Tensor(last.reshape(-1, 1)), Tensor(memory), mask, map_leaves(Tensor, state)
            )
            logits = self.head(out[:, 0]).data.reshape(batch, beams, -1)
            gain = jax.nn.log_softmax(logits).at[..., :END].set(-jnp.inf)
            # a finished sequence continues with END only, at no cost
            only_end = jnp.where(jnp.arange(gain.shape[-1]) == END, 0.0, -jnp.inf)
            gain = jnp.where(ended[..., None], only_end, gain)
            every = (scores[..., None] + gain).reshape(batch, -1)  # (batch, beams · tokens)
            scores, best = jax.lax.top_k(every, beams)
            beam, last = best // gain.shape[-1], best % gain.shape[-1]
            tokens = jnp.take_along_axis(tokens, beam[..., None], axis=1).at[..., t].set(last)
            ended = jnp.take_along_axis(ended, beam, axis=1) | (last == END)
            kept = (first_row + beam).reshape(-1)
            state = map_leaves(lambda part: jnp.take(part.data, kept, axis=1), state)
            return (tokens, last, scores, ended, state), None

        start = (
            jnp.full((batch, beams, most_tokens), END),
            jnp.full((batch, beams), BEGIN),
            # all beams start out equal: only the first may be continued
            jnp.where(jnp.arange(beams) == 0, jnp.zeros((batch, 1)), -jnp.inf),
            jnp.zeros((batch, beams), bool),
            state,
        )
        (tokens, *_), _ = jax.lax.scan(step, start, jnp.arange(most_tokens))
        return Tensor(tokens[:, 0])


def translation_pairs(sources, targets):
    """(x, y) for training a Translator, from sequences of token ids >= 3.

    Args:
        sources, targets: lists of token sequences.

    Returns:
        x: {"source": (rows, source_time), each source padded with 0; "target": (rows,
            target_time), each target with BEGIN before it, padded with 0}
        y: (rows, target_time), each target with END after it, padded with -1.

    Example:
        >>> from cutaway.models import translation_pairs
        >>> x, y = translation_pairs([[3, 4, 5]], [[5, 4]])
        >>> x["source"].tolist(), x["target"].tolist(), y.tolist()
        ([[3, 4, 5]], [[1, 5, 4]], [[5, 4, 2]])
    """
    if len(sources) != len(targets):
        raise DataError(
            f"{len(sources)} sources and {len(targets)} targets", expected="one target per source"
        )
    rows = len(sources)
    source_time, target_time = (max(map(len, row), default=0) for row in (sources, targets))
    x = {
        "source": np.full((rows, max(source_time, 1)), PADDING, np.int32),
        "target": np.full((rows, 1 + target_time), PADDING, np.int32),
    }
    y = np.full((rows, 1 + target_time), -1, np.int32)
    for row, (source, target) in enumerate(zip(sources, targets, strict=True)):
        if min([*source, *target], default=END + 1) <= END:
            raise DataError(
                f"row {row} contains token id {min([*source, *target])}",
                expected="token ids >= 3: 0, 1 and 2 are padding, beginning and end",
            )
        x["source"][row, : len(source)] = source
        x["target"][row, : len(target) + 1] = [BEGIN, *target]
        y[row, : len(target) + 1] = [*target, END]
    return x, y

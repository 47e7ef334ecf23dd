"""Language models: from a plain text to a network that generates text.

The last part of the text is for validation. Training uses windows of the rest, cut at different
places in every epoch; each starts from a zero state (truncated backpropagation through time,
Williams & Peng 1990, in its simplest form). The scores are those of reading the text from start to
end, with the state carried over.
"""

import dataclasses
import re
from typing import Literal

import jax
import jax.numpy as jnp
import msgspec
import numpy as np

from cutaway.data import TableArrays, Tokenizer, read_text
from cutaway.data.fingerprint import hash_examples
from cutaway.data.json_types import Count, Size
from cutaway.engine import Tensor, as_array, no_grad
from cutaway.errors import DataError, OptionError, expect_range
from cutaway.losses import sparse_categorical_cross_entropy_with_logits
from cutaway.nn import in_mode, jit, seed
from cutaway.nn.trees import map_leaves
from cutaway.ops.precision import matmul_precision
from cutaway.runs.experiment import Experiment
from cutaway.runs.networks import DEFAULT_LOSSES, build_network
from cutaway.runs.options.language import LanguageOptions
from cutaway.runs.preprocessing import Headline, Preprocessing, expect_format
from cutaway.runs.report import language_page
from cutaway.runs.schema import read_form
from cutaway.runs.split import expect_in_order
from cutaway.runs.validation_kind import ValidationKind
from cutaway.train.blocks import expect_batch

READ_ROWS, READ_TOKENS = 32, 256  # for scoring a text: parallel pieces, tokens per step
SAMPLE = 600  # tokens generated for the report


class LanguageForm(msgspec.Struct):
    """preprocessing.json of a language model."""

    tokens: Literal["word", "bpe", "character"]
    length: Size
    counts: list[Count]
    tokenizer: str


class LanguageRows(Preprocessing):
    """Preprocessing of a plain text into tokens, with their frequencies.

    Attributes:
        kind: of the tokens.
        tokenizer: the Tokenizer.
        length: tokens per window.
        counts: (tokens,) frequency of each in the training text.
    """

    examples = "windows"
    headings = ("token", "count", "fraction")

    @property
    def task(self) -> str:
        return "language"

    @property
    def baseline(self) -> str:
        return "the unigram model, which knows only how frequent each token is"

    @property
    def metrics(self) -> list[str]:
        return []

    @property
    def classes(self) -> None:
        return None

    def __init__(self, kind: str, tokenizer: Tokenizer, length: int, counts):
        self.kind = kind
        self.tokenizer = tokenizer
        self.length = length
        self.counts = list(counts)

    @classmethod
    def from_json(cls, value: dict) -> "LanguageRows":
        expect_format(value, "language")
        found = read_form(value, LanguageForm)
        tokenizer = Tokenizer.from_json(found.tokenizer)
        if len(found.counts) != tokenizer.size or not any(found.counts):
            raise ValueError(f"{len(found.counts)} counts of {tokenizer.size} tokens, or all 0")
        return cls(found.tokens, tokenizer, found.length, found.counts)

    def to_json(self) -> dict:
        return {
            "kind": "language",
            "format": 1,
            "tokens": self.kind,
            "length": self.length,
            "counts": self.counts,
            "tokenizer": self.tokenizer.to_json(),
        }

    def expect_network(self, spec: dict) -> None:
        if spec["tokens"] != self.tokenizer.size:
            raise ValueError(
                f"the network has {spec['tokens']} tokens, the tokenizer {self.tokenizer.size}"
            )

    def read(self, source):
        """The text of a file, as a frame with one row."""
        import polars as pl

        return pl.DataFrame({"text": [read_text(source)]})

    def hashes(self, frame, *, sampled=None):
        """Of the sentences of the text."""
        import polars as pl

        found = sentences(frame["text"][0])
        return hash_examples(pl.DataFrame({"sentence": found}), unit="sentences")

    def transform(self, frame, *, with_target: bool = True) -> TableArrays:
        """One row: all tokens of the text except the last, and as y the token after each."""
        if not with_target:
            raise OptionError(
                "a language model has no target to predict",
                expected="a run that was trained on a table, images or labeled texts",
                fix="generate text with it: cutaway generate RUN --prompt TEXT",
            )
        ids = self.encode(frame["text"][0])
        if len(ids) < 2:
            raise DataError(f"the text has {len(ids)} tokens", expected="at least 2")
        return TableArrays(ids[None, :-1], ids[None, 1:], np.arange(1), self.unknown_notes(ids))

    def encode(self, text: str) -> np.ndarray:
        return self.tokenizer.encode_whole(text)

    def unknown_notes(self, ids) -> list:
        unknown = int((ids == self.tokenizer.unknown).sum()) if self.tokenizer.unknown else 0
        return [f"{unknown:,} of {len(ids):,} tokens are unknown"] if unknown else []

    def score_run(self, run, x, y) -> dict:
        """Scores on x (rows, tokens), where each row continues the previous one.

        Returns:
            nats_per_character; perplexity: exp of the mean of -ln p of a token; baseline...: of
            the unigram model, which knows only the frequency of each token.
        """
        x, y = np.concatenate(x), np.concatenate(y)
        with matmul_precision(run.precision):
            nats = read_through(run.net, x, y)
        frequencies = (np.asarray(self.counts) + 1) / (sum(self.counts) + len(self.counts))
        baseline = float(-np.log(frequencies[y]).mean())
        characters = len(self.tokenizer.decode(y)) if self.kind != "character" else len(y)
        per = len(y) / max(1, characters)
        return {
            "nats_per_character": nats * per,
            "perplexity": float(np.exp(nats)),
            "baseline_nats_per_character": baseline * per,
        }

    def headline(self, scores, target, rows, kind=ValidationKind.VALIDATION):
        baseline = scores["baseline_nats_per_character"]
        return Headline(
            f"{kind.capitalize()} loss: ",
            f"{scores['nats_per_character']:.3f}",
            f" nats per character; unigram baseline: {baseline:.3f}",
        )

    def summary_rows(self) -> list:
        total = sum(self.counts)
        order = np.argsort(-np.asarray(self.counts), kind="stable")[:10]
        rows = [
            (repr(self.tokenizer.token(k)), f"{self.counts[k]:,}", f"{self.counts[k] / total:.1%}")
            for k in order
        ]
        return [*rows, (f"all {np.count_nonzero(self.counts):,}", f"{total:,}", "100.0%")]


def sentences(text: str) -> list[str]:
    """The sentences of a text; a line ends one too."""
    found = (part.strip() for part in re.split(r"[\n.!?]+", text))
    return [part for part in found if part]


class Windows:
    """Windows of a long token sequence, for Trainer.fit: cut at a new place in every epoch.

    Args:
        ids: (tokens,) integers.
        length: tokens per window.
    """

    def __init__(self, ids, length: int):
        self.ids = ids
        self.length = length
        self.rows = self.block_rows = (len(ids) - length - 1) // length

    def blocks(self, seed: int):
        """Yield (x, y), both (rows, length): y holds the token after each token of x."""
        start = int(np.random.default_rng(seed).integers(self.length))
        yield cut(self.ids[start:], self.length, self.rows)


def cut(ids, length: int, rows: int | None = None):
    """(x, y): adjacent windows, (rows, length) each; y is shifted by one token."""
    rows = (len(ids) - 1) // length if rows is None else rows
    end = rows * length
    return ids[:end].reshape(rows, length), ids[1 : end + 1].reshape(rows, length)


def windows_to_explain(arrays: TableArrays, length: int) -> TableArrays:
    """Adjacent windows of the tokens of a text, at most `length` long."""
    assert arrays.y is not None  # the token after each is its target
    ids = np.append(arrays.x[0], arrays.y[0][-1:])
    length = min(length, len(ids) - 1)
    x, y = cut(ids, length)
    return TableArrays(x, y, np.arange(len(x)), arrays.notes)


def loss_of_last(loss, prediction, target):
    """A loss of the last token of each window alone, given all before it."""
    return loss(prediction[:, -1], target[:, -1])


class LanguageExperiment(Experiment):
    """Experiment on a plain text, with windows that are cut anew in every epoch."""

    preprocessing: LanguageRows

    def fit_inputs(self, y):
        ids = self.x[self.training].reshape(-1)
        ids = np.append(ids, y[self.training][-1, -1])
        return (Windows(ids, self.preprocessing.length),), None

    def page(self, run, command: str) -> str:
        data = self.report_data(run, command)
        data = dataclasses.replace(data, use=f"{data.use} --prompt TEXT")
        return language_page(data, generate(run, length=SAMPLE, seed=0))


def prepare_language(path, options: LanguageOptions | None = None, *, why: str = "") -> Experiment:
    """Read, tokenize and split a text, and build a network for it.

    Raises:
        DataError: no text, or one shorter than a few windows.
    """
    import polars as pl

    options = LanguageOptions() if options is None else options
    expect_in_order(options.split, "running text")
    notes: list[str] = []
    text = read_text(path, notes=notes)
    whole = text
    if options.test:
        text = text[: len(text) - max(1, round(len(text) * options.test))]
    place = len(text) - max(1, round(len(text) * options.validation))
    tokenizer = Tokenizer.train([text[:place]], kind=options.tokens, size=options.vocabulary)
    known, validation = tokenizer.encode_whole(text[:place]), tokenizer.encode_whole(text[place:])
    length = options.length
    if len(validation) <= length or len(known) <= 4 * length:
        raise DataError(
            f"{path}: {len(known):,} {options.tokens} tokens for training and "
            f"{len(validation):,} for validation",
            expected=f"more than {4 * length:,} and {length:,}: whole windows of {length} tokens",
            fix="use a longer text, or a smaller length",
        )
    counts = np.bincount(known, minlength=tokenizer.size)
    rows = LanguageRows(options.tokens, tokenizer, length, counts.tolist())
    parts = [cut(known, length), cut(validation, length)]
    x, y = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    training = np.arange(len(parts[0][0]))
    expect_batch(options.batch(len(training)), Windows(known, length).rows)
    tested = None
    if options.test:
        kept = tokenizer.encode_whole(whole[len(text) :])
        if len(kept) <= length:
            raise DataError(
                f"{path}: {len(kept):,} {options.tokens} tokens in the test set",
                expected=f"more than {length:,}: whole windows of {length} tokens",
                fix="use a larger test fraction, or a smaller length",
            )
        tested = cut(kept, length)
    seed(options.seed)
    spec = {
        "model": f"language_{options.model}",
        "loss": DEFAULT_LOSSES["multiclass"],
        "tokens": tokenizer.size,
        "hidden": options.hidden,
        "layers": options.num_layers,
        "dropout": options.dropout,
    }
    if tested is not None:
        notes += [f"the last {len(whole) - len(text):,} characters are the test set"]
    notes.append(
        f"the last {len(text) - place:,} of {len(text):,} characters are used for validation"
    )
    return LanguageExperiment(
        kind="language",
        source=str(path),
        target="next " + ("word" if options.tokens == "word" else options.tokens),
        options=options,
        frame=pl.DataFrame({"window": np.arange(len(x)) + 1}),
        preprocessing=rows,
        training=training,
        validation=len(training) + np.arange(len(parts[1][0])),
        row_numbers=np.arange(len(x)) + 1,
        x=x,
        y=y,
        spec=spec,
        net=build_network(spec),
        notes=[*notes, *rows.unknown_notes(validation)],
        why=why,
        test=tested,
        # the last sentence of the training text may be cut in two
        known=(pl.DataFrame({"text": [whole]}), np.arange(len(sentences(text[:place])) - 1)),
    )


def read_through(net, x, y) -> float:
    """Mean of -ln p of the tokens y, each given all of x before it; the state is carried over.

    Args:
        x, y: (tokens,) integers; a long text is read as several pieces in parallel.
    """
    rows = max(1, min(READ_ROWS, len(x) // READ_TOKENS))
    size = -(-len(x) // rows)
    steps = -(-size // READ_TOKENS)
    shape = (rows, steps * READ_TOKENS)

    def laid_out(values):  # in pieces, each padded at its end
        flat = np.zeros(rows * size, np.float32 if values.dtype.kind == "f" else np.int32)
        flat[: len(values)] = values
        full = np.zeros(shape, flat.dtype)
        full[:, :size] = flat.reshape(rows, size)
        return np.swapaxes(full.reshape(rows, steps, READ_TOKENS), 0, 1)

    counted = laid_out(np.ones(len(x), np.float32))

    @no_grad()
    def step(state, item):
        x, y, counted = item
        logits, state = net.go_on(Tensor(x), map_leaves(Tensor, state))
        each = sparse_categorical_cross_entropy_with_logits(logits, Tensor(y), reduction="none")
        return map_leaves(as_array, state), (each.data * counted).sum()

    def whole(x, y, counted):
        _, start = net.go_on(x[0][:, :1])
        start = map_leaves(lambda part: jnp.zeros_like(part.data), start)
        _, sums = jax.lax.scan(step, start, (x.data, y.data, counted.data))
        return Tensor(sums.sum())

    with in_mode(net, False), no_grad():
        total = jit(whole, net, donate=False)(laid_out(x), laid_out(y), counted)
    return total.item() / len(x)


def generate(
    run, prompt: str = "", length: int = 500, temperature: float = 1.0, seed: int = 0
) -> str:
    """Continue `prompt` token by token, each sampled from the network's distribution.

    p = softmax(logits / temperature), without the padding and unknown tokens. One compiled loop;
    the state is carried from step to step.

    Args:
        run: a Run of kind "language".
        prompt: text to continue; "" starts as after a new line.
        length: tokens to generate.
        temperature: below 1 favors likely tokens; 0 always picks the most likely one.
        seed: random seed.

    Returns:
        the generated text, without the prompt.

    Raises:
        OptionError: a run of another kind, options out of range.
    """
    rows = run.preprocessing
    if not isinstance(rows, LanguageRows):
        raise OptionError(
            f"{run.path} is a run of kind {run.config['kind']!r}, which cannot generate text",
            expected='a run of kind "language"',
            fix="train one on a plain text: cutaway train TEXT.txt",
        )
    expect_range(length, what="length", least=1)
    expect_range(temperature, what="temperature", least=0, below=float("inf"))
    expect_range(seed, what="seed", least=0)
    start = rows.encode(prompt) if prompt else _beginning(rows)
    if not len(start):
        raise DataError(f"the prompt {prompt!r} has no tokens", expected="at least one word")
    net, tokenizer = run.net, rows.tokenizer
    never = [k for k in (tokenizer.padding, tokenizer.unknown) if k is not None]
    barred = np.zeros(tokenizer.size, np.float32)
    barred[never] = -np.inf

    def draw(key, logits):
        logits = logits.data[:, -1] + barred
        if temperature == 0:
            return logits.argmax(axis=-1)
        return jax.random.categorical(key, logits / temperature)

    def write(start, key):
        logits, state = net.go_on(start)
        keys = jax.random.split(key.data, length)
        token = draw(keys[0], logits)

        def step(carried, key):
            token, state = carried
            logits, state = net.go_on(Tensor(token[:, None]), map_leaves(Tensor, state))
            following = draw(key, logits)
            return (following, map_leaves(as_array, state)), following

        _, rest = jax.lax.scan(step, (token, map_leaves(as_array, state)), keys[1:])
        return Tensor(jnp.concatenate([token, rest[:, 0]]))

    with in_mode(net, False), no_grad(), matmul_precision(run.precision):
        ids = jit(write, net, donate=False)(start[None], jax.random.PRNGKey(seed)).numpy()
    return tokenizer.decode(ids)


def _beginning(rows) -> np.ndarray:
    """The prompt for "": a new line, or the most frequent token if there is none."""
    line = rows.encode("\n")
    if len(line) and (line != rows.tokenizer.unknown).all():
        return line
    return np.array([int(np.argmax(rows.counts))], np.int32)

"""Training options for texts."""

import dataclasses

from cutaway.errors import expect_choice, expect_range
from cutaway.runs.options.every_kind import DATA, TrainingOptions
from cutaway.runs.options.flags import MODEL, TEXTS, Flag, option
from cutaway.runs.options.tabular import ReadingOptions
from cutaway.runs.options.transfer import TransferOptions

RATES = {"bag": 5e-3, "lstm": 1e-3, "transformer": 1e-3}  # of AdamW


@dataclasses.dataclass(frozen=True, kw_only=True)
class TextOptions(ReadingOptions, TrainingOptions):
    """Training options for texts; None means a default that depends on the data.

    Attributes:
        model: "bag", "lstm" or "transformer", see models.text.
        text: the text column; None: the free-text column with the longest texts.
        tokens: kind of tokens: "word", "bpe" (subwords) or "character".
        vocabulary: maximum vocabulary size; the most frequent tokens are kept.
        length: maximum tokens per text, longer texts are truncated; None: the 99th percentile of
            the lengths, at most 256.
        task: "binary", "multiclass" or "regression"; None: depends on the target.
        others: see ReadingOptions and TrainingOptions.
    """

    LEAST_STEPS, LEAST_EPOCHS, MOST_EPOCHS = 700, 10, 60
    LEAST_BATCH, MOST_BATCH = 32, 64

    weight_decay: float = 0.1
    dropout: float = 0.3
    model: str = option("bag", MODEL)
    text: str | None = option(
        None,
        Flag("Text column.", TEXTS, metavar="COLUMN", default="the one with the longest texts"),
    )
    tokens: str = option("word", Flag("Tokenizer: word, bpe or character.", TEXTS, default=DATA))
    vocabulary: int = 20_000
    length: int | None = option(None, Flag("Maximum tokens per text.", TEXTS, default=DATA))
    task: str | None = None

    def __post_init__(self):
        from cutaway.data.target import TASKS
        from cutaway.data.tokenizer import KINDS
        from cutaway.models import TEXT_MODELS

        super().__post_init__()
        expect_choice(self.model, TEXT_MODELS, what="model for texts")
        expect_choice(self.tokens, KINDS, what="kind of tokens")
        expect_range(self.vocabulary, what="vocabulary", least=258 if self.tokens == "bpe" else 3)
        if self.length is not None:
            expect_range(self.length, what="length", least=1)
        if self.task is not None:
            expect_choice(self.task, TASKS, what="task")

    ADAPTIVE_RATE = property(lambda self: RATES[self.model])


@dataclasses.dataclass(frozen=True, kw_only=True)
class TextTransferOptions(ReadingOptions, TransferOptions):
    """Options for transfer learning on texts.

    Attributes:
        text: the text column; None: the free-text column with the longest texts.
        length: maximum word pieces per text, longer texts are truncated; None: the length of the
            longest text, at most 256.
        task: "binary", "multiclass" or "regression"; None: depends on the target.
        others: see ReadingOptions and TransferOptions.
    """

    TUNED_EPOCHS, TUNED_BATCH, TUNED_RATE = 4, 32, 1e-4

    text: str | None = None
    length: int | None = None
    task: str | None = None

    def __post_init__(self):
        from cutaway.data.target import TASKS

        super().__post_init__()
        if self.length is not None:
            expect_range(self.length, what="length", least=4)
        if self.task is not None:
            expect_choice(self.task, TASKS, what="task")

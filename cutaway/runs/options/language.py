"""Training options for a language model."""

import dataclasses

from cutaway.errors import expect_choice, expect_range
from cutaway.runs.options.every_kind import TrainingOptions
from cutaway.runs.options.flags import MODEL, option
from cutaway.runs.space import Integer

CELLS = ("lstm", "gru")


@dataclasses.dataclass(frozen=True, kw_only=True)
class LanguageOptions(TrainingOptions):
    """Training options for a language model; None means a default that depends on the data.

    Attributes:
        model: "lstm" or "gru", see models.language.
        hidden: features of the state.
        num_layers: recurrent layers.
        tokens: kind of tokens: "character", "bpe" (subwords) or "word".
        vocabulary: maximum vocabulary size, for words and subwords.
        length: tokens per window, through which gradients flow.
        batch_size: windows per batch.
        validation: fraction of the text used for validation, at its end.
        others: see TrainingOptions.
    """

    ADAPTIVE_RATE = 4e-3
    LEAST_STEPS, LEAST_EPOCHS, MOST_EPOCHS = 4000, 5, 200
    LEAST_BATCH, MOST_BATCH, STEPS_PER_EPOCH = 8, 32, 100

    weight_decay: float = 0.01
    validation: float = 0.1
    model: str = option("lstm", MODEL)
    hidden: int = 256
    num_layers: int = 1
    tokens: str = "character"
    vocabulary: int = 5_000
    length: int = 64

    def __post_init__(self):
        from cutaway.data.tokenizer import KINDS

        super().__post_init__()
        expect_choice(self.model, CELLS, what="language model")
        expect_choice(self.tokens, KINDS, what="kind of tokens")
        expect_range(self.hidden, what="hidden", least=1)
        expect_range(self.num_layers, what="num_layers", least=1)
        expect_range(self.vocabulary, what="vocabulary", least=258 if self.tokens == "bpe" else 3)
        expect_range(self.length, what="length", least=2)

    def space(self, rows):
        low, high = min(64, self.hidden), max(512, self.hidden)
        return super().space(rows) | {
            "hidden": Integer(low, high, start=self.hidden, log=True),
            "num_layers": Integer(1, max(3, self.num_layers), start=self.num_layers),
        }

    def respec(self, spec):
        changed = {"hidden": self.hidden, "layers": self.num_layers}
        return super().respec(spec) | changed

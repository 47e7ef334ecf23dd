"""A plain text, for a language model."""

import functools
from typing import TYPE_CHECKING

from cutaway.runs.kinds.contract import AT_LAST, DataKind, NetworkInput, Sign
from cutaway.runs.options.language import LanguageOptions

if TYPE_CHECKING:
    from cutaway.runs.language import LanguageRows


class LanguageKind(DataKind):
    """A plain text: the network predicts the next token, and so writes."""

    name = "language"
    title = "a plain text"
    takes = "a plain text"
    place = 3
    asked = AT_LAST
    options = LanguageOptions
    network = "an LSTM language model"
    windows = True
    attributes = False

    def recognize(self, source):
        from cutaway.data import read_text

        if source.file is None or source.is_table:
            return None
        read_text(source.file)
        return Sign("lines of text without columns")

    def preprocessing(self):
        from cutaway.runs.language import LanguageRows

        return LanguageRows

    def prepare(self, data, target, options, *, why):
        from cutaway.runs.language import prepare_language

        return prepare_language(data, options, why=why)

    def networks(self):
        from cutaway.nn import GRU, LSTM

        return {"language_lstm": _builder(LSTM), "language_gru": _builder(GRU)}

    def network_inputs(self, rows: "LanguageRows"):
        sentences = [
            f"{rows.length} token ids, from the tokenizer in `preprocessing` ({rows.kind})"
        ]
        return [NetworkInput("tokens", (rows.length,), "int64", sentences)]

    def describe_outputs(self, rows, loss):
        return ["for each position the logits of the next token; softmax gives probabilities"]

    def step_names(self, rows: "LanguageRows", x, frame):
        from cutaway.runs.word_pushes import word_of

        return [word_of(rows, k) for k in x if k != rows.tokenizer.padding]

    def encoding(self, rows: "LanguageRows", x, frame, spec):
        from cutaway.runs.row_encoding import token_encoding

        return token_encoding(rows.tokenizer, x[0], last=True)

    def explained_windows(self, rows: "LanguageRows", arrays):
        from cutaway.runs.language import windows_to_explain

        return windows_to_explain(arrays, rows.length)

    def explained_values(self, rows: "LanguageRows", x):
        return {"text": repr(rows.tokenizer.decode([int(k) for k in x[0]]))}

    def explained_loss(self, loss):
        from cutaway.runs.language import loss_of_last

        return functools.partial(loss_of_last, loss)

    def use(self, run):
        return f"cutaway generate {run}", "generate text"


def _builder(recurrent):
    def built(spec):
        from cutaway.models import LanguageModel

        return LanguageModel(
            spec["tokens"],
            hidden_features=spec["hidden"],
            num_layers=spec["layers"],
            dropout=spec["dropout"],
            recurrent=recurrent,
        )

    return built

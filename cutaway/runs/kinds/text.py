"""Labeled texts, from a table or labeled lines."""

from typing import TYPE_CHECKING

from cutaway.runs.kinds.contract import BY_CONTENTS, CERTAIN, DataKind, NetworkInput, Sign
from cutaway.runs.options.text import TextOptions, TextTransferOptions

if TYPE_CHECKING:
    from cutaway.runs.text import TextRows

LONG_TEXT_WORDS = 5
MAX_OTHER_COLUMNS = 3  # usable columns besides the text in a table of texts


class TextKind(DataKind):
    """Labeled texts."""

    name = "text"
    title = "labeled texts"
    place = 2
    asked = BY_CONTENTS
    options = TextOptions
    network = "a bag of embeddings, which ignores word order (--model lstm or transformer does not)"
    transfer_options = TextTransferOptions
    takes_target = True

    def recognize(self, source):
        from cutaway.data.columns import USED, words_each
        from cutaway.data.labeled_lines import labeled_lines

        if source.file is None:
            return None
        labeled = labeled_lines(source.file) if source.target is None else None
        if labeled is not None:
            reason = f"each line is a {labeled.label}, a tab and a {labeled.text}, in either order"
            return Sign(reason, CERTAIN)
        if not source.is_table or not source.free_texts:
            return None
        texts = source.free_texts
        others = [c for c in source.columns if c.kind in USED and c.name not in texts]
        words = words_each(source.frame[texts[0]].drop_nulls())
        if words < LONG_TEXT_WORDS or len(others) > MAX_OTHER_COLUMNS:
            return None
        return Sign(f"the column {texts[0]!r} holds free text, {words:.0f} words on average")

    def preprocessing(self):
        from cutaway.runs.text import TextRows

        return TextRows

    def prepare(self, data, target, options, *, why):
        from cutaway.runs.text import prepare_text

        return prepare_text(data, target, options, why=why)

    def prepare_transfer(self, data, target, options, *, why):
        from cutaway.runs.transferred_text import prepare_transferred_text

        return prepare_transferred_text(data, target, options, why=why)

    def networks(self):
        from cutaway.models import TEXT_MODELS
        from cutaway.runs.networks import build_transfer

        return {"transfer": build_transfer, **{f"text_{name}": _build for name in TEXT_MODELS}}

    def network_inputs(self, rows: "TextRows"):
        sentences = [
            f"{rows.length} token ids per text, from the tokenizer in `preprocessing` "
            f"({rows.kind}); longer texts are truncated, shorter ones padded with 0",
        ]
        return [NetworkInput("tokens", (rows.length,), "int64", sentences)]

    def attribution_names(self, rows: "TextRows", x, frame):
        return [[rows.tokenizer.decode([int(t)]) if t else "" for t in x[0]]]

    def step_names(self, rows: "TextRows", x, frame):
        from cutaway.runs.word_pushes import word_of

        return [word_of(rows, k) for k in x if k != rows.tokenizer.padding]

    def encoding(self, rows: "TextRows", x, frame, spec):
        from cutaway.runs.row_encoding import token_encoding

        return token_encoding(rows.tokenizer, x[0])

    def baselines(self, experiment):
        from cutaway.runs.baselines import text_baselines

        return text_baselines()


def _build(spec):
    from cutaway.models import text_network

    return text_network(
        spec["tokens"],
        spec["outputs"],
        model=spec["model"].removeprefix("text_"),
        dropout=spec["dropout"],
    )

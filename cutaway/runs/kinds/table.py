"""Tables: a column to predict from the others."""

from typing import TYPE_CHECKING

from cutaway.runs.kinds.contract import AT_LAST, DataKind, NetworkInput, Sign
from cutaway.runs.options.table import TableOptions

if TYPE_CHECKING:
    from cutaway.runs.table import TableRows

MANY = 12  # columns of one encoder
FAR = 4.0  # standard deviations from the training mean beyond which a value is unusual
FAR_SPREADS = 3.0  # interquartile ranges from the training median, about as far


class TableKind(DataKind):
    """A table, of numbers, categories, dates."""

    name = "table"
    title = "a table"
    takes = "a table (.csv, .tsv, .xlsx, .parquet, .jsonl, .arff), with texts or a time series too"
    place = 0
    asked = AT_LAST
    options = TableOptions
    network = "a multilayer perceptron"
    takes_target = True
    new = "NEW.csv", "MORE.csv"
    lists_columns = True

    def recognize(self, source):
        if source.path is None:
            return Sign("a frame in memory")
        if not source.is_table:
            return None
        shape = f"{source.frame.height:,} rows and {source.frame.width} columns"
        texts = source.free_texts
        return Sign(f"{shape}, {texts[0]!r} is only one of them" if texts else shape)

    def preprocessing(self):
        from cutaway.runs.table import TableRows

        return TableRows

    def prepare(self, data, target, options, *, why):
        from cutaway.runs.table import prepare_table

        return prepare_table(data, target, options)

    def options_of_one_network(self):
        return {"recipe": "plain"}

    def networks(self):
        return {"mlp": _build, "table_ensemble": _build_ensemble}

    def network_inputs(self, rows: "TableRows"):
        sentences = [f"{len(rows.features)} numbers, float32, in this order:"]
        sentences += [f"{_shown(e.names)}: {_recipe(e)}" for e in rows.encoders]
        return [NetworkInput("features", (len(rows.features),), "float32", sentences)]

    def input_names(self, rows: "TableRows"):
        return rows.features

    def input_columns(self, rows: "TableRows"):
        from cutaway.runs.input_columns import table_columns

        return table_columns(rows)

    def attribution_names(self, rows: "TableRows", x, frame):
        row = frame.row(0, named=True)
        return [f"{name} = {row[name]}" for name in rows.fitted.feature_sources]

    def encoding(self, rows: "TableRows", x, frame, spec):
        from cutaway.runs.row_encoding import table_encoding

        return table_encoding(rows, x, frame)

    def unusual(self, rows: "TableRows", x):
        from cutaway.data.encoders import Number

        scaled = {e.name: e for e in rows.encoders if isinstance(e, Number)}
        notes = []
        for name, value in zip(rows.features, x[0], strict=True):
            if name in scaled:
                notes += _far_off(scaled[name], float(value))
        return notes

    def baselines(self, experiment):
        from cutaway.runs.baselines import table_baselines

        fitted = experiment.preprocessing.fitted
        return table_baselines(len(fitted.embeddings), sum(text.length for text in fitted.texts))


def _far_off(encoder, encoded: float) -> list[str]:
    """[that a value is far from those of the training], or []."""
    from cutaway.data.robust_scaling import smooth_unclip

    side = "above" if encoded > 0 else "below"
    if encoder.scaling == "standard":
        if abs(encoded) <= FAR:
            return []
        return [
            f"{encoder.name} is {abs(encoded):.1f} standard deviations {side} the training mean"
        ]
    spreads = abs(float(smooth_unclip(encoded)))
    if spreads <= FAR_SPREADS:
        return []
    return [
        f"{encoder.name} is {spreads * encoder.scale:.3g} {side} the training median, "
        f"{spreads:.1f} times its spread in training"
    ]


def _shown(names) -> str:
    """The names of columns, of many the first and the last."""
    return ", ".join(names) if len(names) < MANY else f"{names[0]}, ..., {names[-1]}"


def _recipe(encoder) -> str:
    """How the columns of one encoder are computed from its column of the table."""
    from cutaway.data.encoders import Category, Number
    from cutaway.data.robust_scaling import LIMIT

    if isinstance(encoder, Number):
        x = f"ln(1 + {encoder.name})" if encoder.log else encoder.name
        second = "; then 1 if missing, otherwise 0" if encoder.indicator else ""
        if encoder.scale == 0:
            return f"0, whatever {encoder.name} is: it was constant in training{second}"
        done = f"({x} - {encoder.mean:.6g}) / {encoder.scale:.6g}"
        if encoder.scaling == "robust":
            done = f"u = {done} by median and spread, then u / sqrt(1 + (u / {LIMIT:g})^2)"
        return f"{done}, missing values replaced by {encoder.median:g}{second}"
    if isinstance(encoder, Category):
        return f"one-hot encoding of {encoder.name}"
    return f"from {encoder.name}: {encoder.summary()} (see `preprocessing`)"


def _build_ensemble(spec):
    from cutaway.nn import Ensemble

    return Ensemble(_build_member(spec) for _ in range(spec["members"]))


def _build_member(spec):
    from cutaway.models import TableNetwork
    from cutaway.nn import ACTIVATIONS

    return TableNetwork(
        spec["num_features"],
        spec["embeddings"],
        spec["layers"],
        spec["outputs"],
        texts=spec["texts"],
        activation=ACTIVATIONS[spec["activation"]],
        dropout=spec["dropout"],
        embedding_scale=spec["embedding_scale"],
        periodic=spec["periodic"],
        clip=spec.get("clip"),  # runs of the first version have none
        learned_scale=spec["learned_scale"],
    )


def _build(spec):
    from cutaway.models import TableNetwork, mlp
    from cutaway.nn import ACTIVATIONS, INITIALIZERS, Sigmoid, Softmax

    named = {
        "activation": ACTIVATIONS[spec["activation"]],
        "output": {"sigmoid": Sigmoid, "softmax": Softmax, None: None}[spec["output"]],
        "dropout": spec["dropout"],
        "weights": INITIALIZERS[spec["init"]],
    }
    texts = spec.get("texts", [])
    if spec["embeddings"] or texts:
        return TableNetwork(
            spec["num_features"],
            spec["embeddings"],
            spec["layers"],
            spec["outputs"],
            texts=texts,
            embedding_scale=spec.get("embedding_scale", 1.0),
            **named,
        )
    return mlp((spec["num_features"], *spec["layers"], spec["outputs"]), **named)

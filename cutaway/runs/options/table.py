"""Training options for tables."""

import dataclasses
from typing import Literal

from cutaway.errors import OptionError, expect_choice, expect_range
from cutaway.runs.options.every_kind import TrainingOptions
from cutaway.runs.options.flags import LOSS, TABLES, Flag, option, parse_sizes
from cutaway.runs.options.quoted import parse_names
from cutaway.runs.options.tabular import ReadingOptions
from cutaway.runs.space import Choice, Integer

TARGET = "depends on the target"
RECIPES = ("plain", "ensemble")
# what the ensemble decides itself
OF_PLAIN = (
    *("layers", "activation", "init", "loss", "optimizer", "lr", "schedule"),
    *("weight_decay", "dropout", "class_weights", "validation"),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TableOptions(ReadingOptions, TrainingOptions):
    """Training options for tables; None means a default that depends on the data.

    Which recipe is taken by default, `runs.table_recipe.chosen` decides.

    Attributes:
        layers: sizes of the hidden layers.
        activation: name of the activation after each hidden layer.
        loss: name of the loss.
        init: name of the weight initializer.
        task: "binary", "multiclass" or "regression".
        ignore: columns to ignore.
        recipe: "plain", one small network; or "ensemble", several networks on different folds of
            the rows, see runs.table_recipe, which decides itself what OF_PLAIN names. None: the
            ensemble, but "plain" below 100 rows, for the bundled table, and if one of OF_PLAIN is
            given.
        decision_threshold: of two classes, the probability of the second one from which on it is
            predicted. None: 0.5; of a rare class the one with the best F1, see runs.decision.
        target_transform: of a numeric target: "log1p", networks learn ln(1 + value), and
            predictions are limited to the range of the training rows; or "none". None: what a
            trial finds better, if the ensemble is trained and the target is skewed, see
            runs.target_trial; otherwise "none".
        others: see ReadingOptions and TrainingOptions.
    """

    layers: tuple[int, ...] = option(
        (128, 128),
        Flag('Sizes of the hidden layers; "" for none.', TABLES, metavar="N,N", parse=parse_sizes),
    )
    activation: str = option("relu", Flag("Activation of the hidden layers.", TABLES))
    loss: str | None = option(None, LOSS)
    init: str = option("glorot_uniform", Flag("Weight initializer.", TABLES, metavar="NAME"))
    task: str | None = option(
        None, Flag("binary, multiclass or regression.", TABLES, default=TARGET)
    )
    ignore: tuple[str, ...] = option(
        (), Flag("Columns to ignore.", TABLES, metavar="COLUMN,...", parse=parse_names)
    )

    recipe: str | None = option(
        None,
        Flag(
            "plain (one small network) or ensemble (several networks on different folds of the "
            "rows, averaged).",
            TABLES,
            metavar="NAME",
            default="ensemble; plain below 100 rows and if layers, lr and the like are given",
        ),
    )

    decision_threshold: float | None = option(
        None,
        Flag(
            "Of two classes, the probability of the second one from which on it is predicted.",
            TABLES,
            metavar="P",
            default="0.5; if one class is rare, the one with the best F1",
        ),
    )

    target_transform: Literal["none", "log1p"] | None = option(
        None,
        Flag(
            "log1p (networks learn ln(1 + value) of a numeric target) or none.",
            TABLES,
            metavar="NAME",
            default="none; for a skewed target with the ensemble, what is better in a trial",
            parse=str,
        ),
    )

    def __post_init__(self):
        from cutaway.data.target import TASKS, TRANSFORMS
        from cutaway.losses import LOSSES
        from cutaway.nn import ACTIVATIONS, INITIALIZERS

        super().__post_init__()
        for n in self.layers:
            expect_range(n, what="a layer size", least=1, most=2**31 - 1)
        expect_choice(self.activation, ACTIVATIONS, what="activation")
        if self.loss is not None:
            expect_choice(self.loss, LOSSES, what="loss")
        expect_choice(self.init, INITIALIZERS, what="init")
        if self.task is not None:
            expect_choice(self.task, TASKS, what="task")
        if self.recipe is not None:
            expect_choice(self.recipe, RECIPES, what="recipe")
        if self.decision_threshold is not None:
            expect_range(self.decision_threshold, what="decision_threshold", above=0, below=1)
        if self.target_transform is not None:
            expect_choice(self.target_transform, TRANSFORMS, what="target_transform")
        given = self.of_plain()
        if self.recipe == "ensemble" and given:
            raise OptionError(
                f"the recipe ensemble with {', '.join(given)}",
                expected="options that it leaves open: epochs, batch_size, patience, ...",
                fix="omit them, or choose the recipe plain",
            )

    def of_plain(self) -> list[str]:
        """The names of options that were given and belong to the plain network alone."""
        fields = dataclasses.fields(self)
        return [f.name for f in fields if f.name in OF_PLAIN and getattr(self, f.name) != f.default]

    def space(self, rows):
        width = max(self.layers, default=128)
        inits = dict.fromkeys((self.init, "glorot_uniform", "he_normal", "lecun_normal"))
        return super().space(rows) | {
            "width": Integer(min(16, width), max(512, width), start=width, log=True),
            "depth": Integer(1, max(5, len(self.layers)), start=max(1, len(self.layers))),
            "init": Choice(tuple(inits)),
        }

    def drawn(self, values):
        values = dict(values)
        width, depth = values.pop("width", None), values.pop("depth", None)
        if width is not None:
            values["layers"] = (width,) * depth
        return super().drawn(values)

    def respec(self, spec):
        changed = {"layers": list(self.layers), "activation": self.activation, "init": self.init}
        return super().respec(spec) | changed

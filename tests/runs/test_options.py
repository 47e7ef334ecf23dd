"""An option of a training is declared once, and the command line is made of that."""

import dataclasses

import pytest
import typer
from typer.testing import CliRunner

from cutaway.cli.options import settings
from cutaway.cli.training_options import training_options, with_training_options
from cutaway.errors import OptionError, option_name
from cutaway.runs import KINDS
from cutaway.runs.options import Flag, TrainingOptions, declared_options, option
from cutaway.runs.options.flags import parse_sizes
from cutaway.runs.options.masks import MaskTransferOptions
from cutaway.runs.options.quoted import parse_names, parse_pairs
from cutaway.runs.options.tabular import parse_kinds
from cutaway.runs.options.volumes import VolumeOptions


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(TrainingOptions):
    """Options of an example."""

    scale: float = option(1.5, Flag("Factor.", "Arrays", metavar="S"))
    shape: int | tuple | None = option(None, Flag("Size.", "Arrays", default="as it is"))
    flip: bool = option(True, Flag("Flip.", names=("--flip/--no-flip",)))
    names: tuple[str, ...] = option(("a", "b"), Flag("Names.", parse=parse_names))
    hidden: int = 3


def test_a_declared_option_has_its_type_and_its_default_in_words():
    found = declared_options(Options)
    assert "hidden" not in found and list(found)[-4:] == ["scale", "shape", "flip", "names"]
    assert [found[n].type for n in ("scale", "shape", "flip", "names")] == [float, int, bool, str]
    assert [found[n].help for n in ("scale", "shape", "flip", "names", "patience")] == [
        "Factor. [default: 1.5]",
        "Size. [default: as it is]",
        "Flip. [default: yes]",
        "Names. [default: a,b]",
        "Stop after this many epochs without improvement. [default: never]",
    ]
    assert Options().names == ("a", "b") and Options(scale=2.0).scale == 2.0


def test_a_type_that_no_command_line_reads_needs_a_function():
    made = dataclasses.make_dataclass("Made", [("table", dict, option({}.copy, Flag("A table.")))])
    with pytest.raises(OptionError, match="an option of type <class 'dict'> has a flag"):
        declared_options(made)


def test_options_of_every_kind_are_there_in_order():
    names = list(training_options())
    assert names[:3] == ["from_", "fine_tune", "unfreeze"]
    assert names.index("epochs") + 1 == names.index("batch_size") < names.index("layers")
    assert names.index("precision") + 1 == names.index("layers") < names.index("size")
    for kind in KINDS.values():
        for options in filter(None, (kind.options, kind.transfer_options)):
            assert set(declared_options(options)) <= set(names)


def test_the_default_widths_in_words_are_those_of_the_kinds():
    widths = {name: KINDS[name].options().width for name in ("masks", "volumes", "pairs")}
    words = ", ".join(f"{width} for {name}" for name, width in widths.items())
    assert training_options()["width"].flag.default == words


def test_a_command_gets_the_options_that_were_given_parsed(monkeypatch):
    seen = []
    app = typer.Typer()

    @app.command()
    @with_training_options()
    def train(*, given: dict, twice: bool = False):
        seen.append((given, twice))

    line = '--layers 16,8 --loss mse --no-augment --from x --lr 0.5 --ignore "a, b" --twice'
    assert CliRunner().invoke(app, line).exit_code == 0
    given = {"from_": "x", "lr": 0.5, "layers": (16, 8), "ignore": ("a", "b"), "augment": False}
    assert seen == [(given | {"loss": "mean_squared_error"}, True)]


def test_settings_are_read_as_the_flags_are():
    found = settings(["layers=16,8", "lr=0.01", "ignore=a", "loss=mse", "model=lstm", "test=0.3"])
    assert found == {"layers": (16, 8), "lr": 0.01, "ignore": ("a",), "model": "lstm",
                     "loss": "mean_squared_error", "test": 0.3}  # fmt: skip
    with pytest.raises(OptionError, match="the setting 'lr'"):
        settings(["lr"])
    with pytest.raises(OptionError, match="layer sizes 'a'"):
        parse_sizes("a")


@pytest.mark.parametrize(
    "options, given",
    [
        (VolumeOptions, {}),
        (MaskTransferOptions, {"from_": "efficientnet-lite0"}),
    ],
)
def test_dropout_of_a_network_without_it_is_refused_and_not_searched(options, given):
    with pytest.raises(OptionError, match=r"dropout=0\.1") as e:
        options(dropout=0.1, **given)
    assert e.value.expected == "0: this network has no dropout"
    assert "dropout" not in options(**given).space(64)
    unet = VolumeOptions(model="unet", dropout=0.1)
    assert unet.space(64)["dropout"].start == 0.1


def test_stages_of_a_backbone_that_is_tuned_whole_are_no_option():
    with pytest.raises(TypeError, match="unfreeze"):
        MaskTransferOptions(from_="efficientnet-lite0", fine_tune=True, unfreeze="stage5")


def test_lists_of_names_take_quotes_as_a_csv_does():
    import csv

    names = ["a,b", 'say "hi"', '"x', " padded ", "c=d", "plain"]
    written = ",".join(map(option_name, names))
    assert next(csv.reader([written])) == names
    assert parse_names(written) == tuple(names)
    assert parse_names('" padded ", x , ') == (" padded ", "x")


def test_names_with_commas_and_equals_signs_have_a_kind():
    assert parse_kinds('"a,b"=number, c = date') == {"a,b": "number", "c": "date"}
    assert parse_kinds('x=y=category,"p=q"=id') == {"x=y": "category", "p=q": "id"}
    assert parse_pairs('"a ""b"""=1,c') == [('a "b"', "1"), ("c", None)]


@pytest.mark.parametrize("text", ['"a,b=number', '"a"b=number', 'c=date,"a,b"x', '"'])
def test_a_quote_without_its_partner_is_refused(text):
    for parse in (parse_kinds, parse_names):
        with pytest.raises(OptionError, match="double quote") as caught:
            parse(text)
        assert 'begins with a quote is put into double quotes: "a,b"' in str(caught.value)


def test_a_name_that_a_shell_has_robbed_of_its_quotes_is_told_how_to_write_it():
    with pytest.raises(OptionError) as caught:
        parse_kinds("a,b=number")
    assert caught.value.came == "column 'a' without a kind"
    assert "--column '\"a,b\"=number'" in caught.value.fix

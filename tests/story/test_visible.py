"""Names and cells that a terminal, a page or a picture would obey are shown as escapes."""

import json

import pytest

from cutaway.cli.show import escape, print_json
from cutaway.cli.use import formula_notes
from cutaway.errors import CutawayError, visible
from cutaway.story import Story
from cutaway.story.html import page, table
from cutaway.story.svg import picture, text

HOSTILE = ["\x1b[31m", "\x07", "\x9b2J", "\u202e", "\u2066", "\x7f", "\r", "\udc80"]


@pytest.mark.parametrize("mark", HOSTILE)
def test_no_way_out_of_the_program_lets_a_mark_through(mark, capsys):
    name = f"a{mark}b"

    class Named(Story):
        def text(self, width=80):
            return name

        def html(self):
            return name

        def to_dict(self):
            return {"name": name}

    print_json({"name": name, name: [name]})
    ways = [
        visible(name),
        str(CutawayError(name, expected=name, fix=name)),
        CutawayError(name).came,
        escape(name),
        str(Named()),
        Named()._repr_html_(),
        page(name, [table([name], [[name]])]),
        picture([text(0, 0, name)], 9, 9, name).svg,
        capsys.readouterr().out,
    ]
    for shown in ways:
        assert mark[0] not in shown and "a" in shown and "b" in shown


def test_json_still_holds_the_name_itself(capsys):
    name = "a\x1b\u202e\x7fb é 😀"
    print_json({"name": name})
    assert json.loads(capsys.readouterr().out) == {"name": name}


def test_ordinary_texts_stay_as_they_are():
    for name in ("é ü ß", "日本語", "😀👩‍👧", "שלום", "a\tb\nc", "می‌خواهم"):
        assert visible(name) == name


def test_cells_that_a_spreadsheet_would_run_are_named():
    import polars as pl

    cells = ["=cmd()", "+1", "-5.5", "@SUM(A1)", "plain", None, " -x"]
    notes = formula_notes(pl.DataFrame({"text": cells, "n": range(7)}))
    assert notes == [
        "text: a spreadsheet would run 3 cells as a formula, for example '=cmd()'; import the "
        "column as text"
    ]

"""Sheets for print: what TikZ draws, what LaTeX gets, that the PDF is one."""

import pytest

import cutaway as ct
from cutaway.errors import OptionError
from cutaway.story import write_sheet
from cutaway.story.plain_svg import plain_svg
from cutaway.story.sheet import SheetPart, sheet_latex, sheet_pdf
from cutaway.story.svg import picture
from cutaway.story.tikz import tikz
from tests.cli.in_process import cutaway

WHY = ct.explain(
    ct.network(weights=[[[0.5], [-0.25]]]), [2.0, 4.0], [1.0], loss=ct.losses.mean_squared_error
)
STORY = WHY.gradient("0.weight", (0, 0))


def drawn(*elements):
    return tikz(picture(elements, 100, 100, "it").svg).split("\n")[1:-1]


def test_pixels_become_points_of_three_quarters_and_y_points_up():
    (line,) = drawn('<line class="positive" x1="4" y1="8" x2="40" y2="0" stroke-width="2"/>')
    assert line.endswith("line width=1.5bp] (3, -6) -- (30, 0);")
    assert line.startswith("\\draw[draw={rgb,255:red,43;green,123;blue,186}")


def test_a_negative_weight_is_dashed_and_a_group_shifts_what_is_in_it():
    line, text = drawn(
        '<g transform="translate(8 4)"><line class="negative" x1="0" y1="0" x2="4" y2="4"/>'
        '<text x="0" y="4" text-anchor="middle">50% of w_12^(1)</text></g>'
    )
    assert "dash pattern=on 3.75bp off 2.25bp" in line and "(6, -3) -- (9, -6)" in line
    assert "anchor=base," in text and text.endswith("at (6, -6) {50\\% of $w_{12}^{(1)}$};")


def test_paths_of_lines_and_curves():
    path, relative = drawn(
        '<path class="wire" d="M0 0L4 0Q8 0 8 4V8H0Z"/>', '<path class="wire" d="M4 4l4 0v4h-4z"/>'
    )
    assert path.endswith(
        "(0, 0) -- (3, 0) .. controls (5, 0) and (6, -1) .. (6, -3) -- (6, -6) -- (0, -6) -- cycle;"
    )
    assert relative.endswith("(3, -3) -- (6, -3) -- (6, -6) -- (3, -6) -- cycle;")


@pytest.mark.parametrize(
    "net",
    [ct.network((3, 2, 1)), ct.Sequential(ct.Linear(3, 4), ct.ReLU(), ct.LSTM(4, 3))],
    ids=["dense", "recurrent"],
)
def test_every_shape_of_a_drawing_is_drawn(net):
    svg = ct.draw(net).svg
    lines = tikz(svg).split("\n")
    assert sum(line.startswith("\\node") for line in lines) == svg.count("<text")
    assert sum(" circle [" in line for line in lines) == svg.count("<circle")


def test_variables_and_dark_colors_are_written_out():
    text = plain_svg(ct.draw(ct.network((2, 1))).svg)
    assert "var(" not in text and "@media" not in text and "currentColor" not in text


def test_latex_has_the_formula_the_text_and_the_drawing():
    text = sheet_latex("A weight", ["First.\n\nThen 5%.", STORY, WHY.draw(STORY)])
    assert STORY.latex() in text and str(STORY).splitlines()[0] in text
    assert text.count("\\begin{tikzpicture}") == 1 and "Then 5\\%." in text
    assert text.startswith("\\documentclass") and text.endswith("\\end{document}\n")


def test_a_pdf_is_one(tmp_path):
    found = sheet_pdf(
        "A weight", ['A "text" \\ #here', STORY, WHY.draw(STORY), SheetPart("lines", "x")]
    )
    assert found.startswith(b"%PDF-") and len(found) > 10_000
    path = write_sheet(tmp_path / "a.pdf", "A weight", [STORY])
    assert path.read_bytes().startswith(b"%PDF-")
    with pytest.raises(OptionError, match=r"ends in .pdf or .tex"):
        write_sheet(tmp_path / "a.docx", "A weight", [STORY])


def test_exercises_are_written_with_their_solutions_apart(tmp_path):
    code, out, _ = cutaway(
        "exercise", "chain-rule", "--seed", "3", "--count", "2", "--latex", tmp_path / "a.tex"
    )
    assert code == 0 and "a-solutions.tex" in out
    asked, solved = ((tmp_path / name).read_text() for name in ("a.tex", "a-solutions.tex"))
    assert "seed 3" in asked and "seed 4" in asked and "tikzpicture" not in asked
    assert "0.002737" in solved and "0.002737" not in asked
    code, _, err = cutaway("exercise", "chain-rule", "--pdf", tmp_path / "a.tex")
    assert code == 2 and "ends in .pdf" in err
    code, _, err = cutaway("exercise", "chain-rule", "--count", "2")
    assert code == 2 and "--count 2 without a sheet" in err

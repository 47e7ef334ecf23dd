"""Invariant 8: examples in docstrings, in the README and in examples/ run."""

import ast
import builtins
import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import cutaway
from tests.docs.scripts import example

ROOT = Path(__file__).parents[2]
MODULES = sorted(
    m.name
    for m in pkgutil.walk_packages(cutaway.__path__, "cutaway.")
    if not m.name.startswith(("cutaway.cli", "cutaway.__main__"))
)


# packages whose examples train or compile for seconds; the slow call runs them
LONG = ("diagram", "doctor", "estimators", "landscape", "models", "search", "studio")


def _marked(name: str):
    is_long = name.startswith(tuple(f"cutaway.{package}" for package in LONG))
    return pytest.param(name, id=name, marks=[pytest.mark.slow] if is_long else [])


@pytest.mark.parametrize("name", [_marked(name) for name in MODULES])
def test_examples_in_docstrings_are_right_and_can_be_pasted_alone(name):
    module = importlib.import_module(name)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for test in doctest.DocTestFinder(exclude_empty=True).find(module, globs={}):
        assert runner.run(test).failed == 0, test.name


def test_examples_that_are_not_run_use_only_what_they_make_or_import():
    unrun = []
    for name in MODULES:
        found = doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(name))
        unrun += [t for t in found if any(doctest.SKIP in e.options for e in t.examples)]
    assert unrun
    for test in unrun:
        nodes = list(ast.walk(ast.parse("".join(example.source for example in test.examples))))
        names = [node for node in nodes if isinstance(node, ast.Name)]
        made = {node.id for node in names if isinstance(node.ctx, ast.Store)}
        made |= {node.asname or node.name for node in nodes if isinstance(node, ast.alias)}
        assert {node.id for node in names} <= made | {*dir(builtins)}, test.name


@pytest.mark.parametrize("page", ["photographs", "texts"])
def test_the_python_of_a_guide_runs_alone(page):
    (block,) = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs" / f"{page}.md").read_text(), re.DOTALL
    )
    scope = {}
    exec(block, scope)
    assert scope["history"]["loss"][-1] < scope["history"]["loss"][0]


def test_the_python_of_the_pages_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scope = {}
    for page in ("README.md", "docs/explain.md", "docs/python.md"):
        blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
        assert blocks, page
        for block in blocks:
            exec(block, scope)
    assert scope["history"]["loss"][-1] < scope["history"]["loss"][0]


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_pages_name_commands_options_and_files_that_exist(page):
    text = page.read_text()
    from typer.main import get_command

    from cutaway.cli.app import app

    commands = get_command(app).commands
    named = re.findall(r"^(?:\| [^|`\n]* \| `)?cutaway ([a-z]+)([^\n`#]*)", text, re.MULTILINE)
    assert {name for name, _ in named} <= set(commands)
    for name, rest in named:
        known = {flag for p in commands[name].params for flag in (*p.opts, *p.secondary_opts)}
        assert set(re.findall(r"(?<=\s)--[a-z-]+", rest)) <= known | {"--help"}, (name, rest)
    for path in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
        assert (page.parent / path).exists(), path
    for path in re.findall(r"`((?:cutaway|docs|examples|benchmarks)/[\w./]*)`", text):
        assert (ROOT / path).exists(), path


def test_the_readme_names_every_page():
    told = set(re.findall(r"\]\(docs/(\w+)\.md\)", (ROOT / "README.md").read_text()))
    assert told == {page.stem for page in PAGES[1:]}


def test_xor_is_learned_by_2_4_1(capsys):
    assert example("xor").main().tolist() == [0, 1, 1, 0]


def test_the_vanishing_example_shows_both_networks(tmp_path, capsys):
    sigmoid, relu = example("vanishing").main(tmp_path / "page.html")
    assert sigmoid.flow().product < 1e-5 < 1e-2 < relu.flow().product
    assert "the gradient vanishes" in capsys.readouterr().out
    assert "Vanishing gradients" in (tmp_path / "page.html").read_text()


def test_the_students_example_learns(tmp_path):
    students = example("students")
    assert students.custom_loop(steps=1000) < 0.1
    run = students.from_table(tmp_path)
    assert run.metrics["validation"]["accuracy"] > 0.7


@pytest.mark.slow
def test_the_python_of_coming_from_others_runs():
    """PyTorch's and scikit-learn's side as well; Keras's is not run."""
    scope = {}
    blocks = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs/coming_from.md").read_text(), re.DOTALL
    )
    for block in blocks:
        exec(block, scope)
    assert float(scope["loss"]) < 0.7 and scope["history"]["loss"][-1] < 0.7
    assert scope["model"].score(scope["x"], scope["y"]) > 0.7


@pytest.mark.slow
def test_the_bmi_example_learns_on_drawn_people():
    scores = example("bmi").main().metrics["validation"]
    assert scores["accuracy"] > 0.8 > scores["baseline_accuracy"]


def test_the_placement_example_learns():
    by_perceptron, by_network = example("placement").main()
    assert by_network >= 0.85 and by_perceptron > 0.6


@pytest.mark.slow
def test_the_bmi_and_placement_examples_learn_on_real_tables(shared_data):
    path = shared_data / "bmi_500" / "500_Person_Gender_Height_Weight_Index.csv"
    assert example("bmi").main(path).metrics["validation"]["accuracy"] > 0.8
    _, by_network = example("placement").main(shared_data / "placement" / "placement.csv")
    assert by_network > 0.9


def test_mnist_in_short_reaches_88_percent(shared_data):
    accuracy = example("mnist").main(
        shared_data / "mnist", epochs=3, rows=5000, sizes=(784, 64, 10)
    )
    assert accuracy > 0.88


@pytest.mark.slow
def test_the_example_of_two_inputs_and_outputs_learns_explains_and_exports(shared_data, capsys):
    pytest.importorskip("onnxruntime")
    path = shared_data / "student_performance" / "student-mat.csv"
    found = example("two_inputs").main(path)
    assert found["scores"]["accuracy"] > 0.8 and found["scores"]["error"] < 2.5
    assert found["attribution"].is_complete() and found["difference"] < 1e-4
    said = capsys.readouterr().out
    for name in ('x["table"]_1 (age)', 'ŷ["value"]', 'L["value"]', 'x["text"], sum'):
        assert name in said


def test_the_picture_and_the_text_on_the_first_screen_are_those_of_its_python(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    readme = (ROOT / "README.md").read_text()
    scope = {}
    exec(re.findall(r"```python\n(.*?)```", readme, re.DOTALL)[0], scope)
    shown = str(scope["why"].gradient("0.weight", (0, 0))).partition("\n\nThe strongest")[0]
    assert f"```text\n{shown}\n```" in readme
    drawn, kept = (
        re.sub(r"<title>.*?</title>", "", path.read_text())  # of all digits
        for path in (tmp_path / "path.svg", ROOT / "docs" / "pictures" / "path.svg")
    )
    assert drawn == kept

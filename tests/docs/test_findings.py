"""Each symptom of the doctor has a page; its thresholds are the module's, its program has it."""

import ast
import importlib
import re

import pytest

import cutaway as ct
from cutaway.doctor import symptoms
from tests.docs.scripts import ROOT

PAGES = {page.stem: page for page in sorted((ROOT / "docs" / "findings").glob("*.md"))}
SECTIONS = (
    "What you see",
    "Why it happens",
    "How the doctor knows",
    "The smallest program that has it",
    "What to do",
    "What it is not",
)


def test_each_symptom_has_a_page_that_the_doctors_page_names():
    folder = ROOT / "cutaway" / "doctor" / "symptoms"
    assert set(PAGES) == {p.stem for p in folder.glob("*.py")} - {"__init__"}
    named = re.findall(r"\]\(findings/(\w+)\.md\)", (ROOT / "docs" / "doctor.md").read_text())
    assert sorted(named) == list(PAGES)


@pytest.mark.parametrize("code", PAGES)
def test_a_page_has_all_sections_and_the_thresholds_of_its_module(code):
    text = PAGES[code].read_text()
    assert tuple(re.findall(r"^## (.+)$", text, re.MULTILINE)) == SECTIONS
    module = importlib.import_module(f"{symptoms.__name__}.{code}")
    for name, value in re.findall(r"`([A-Z_]+) = ([^`]+)`", text):
        assert getattr(module, name) == ast.literal_eval(value), name
    for path in re.findall(r"\]\(([^)]+)\)", text):
        assert (PAGES[code].parent / path).exists(), path


@pytest.mark.slow
@pytest.mark.parametrize("code", PAGES)
def test_the_program_of_a_page_has_what_the_page_is_about(code, monkeypatch, capsys):
    found = []
    diagnose = ct.diagnose

    def kept(*given, **options):
        found.append(diagnose(*given, **options))
        return found[-1]

    monkeypatch.setattr(ct, "diagnose", kept)
    (program,) = re.findall(r"```python\n(.*?)```", PAGES[code].read_text(), re.DOTALL)
    exec(program, {})
    # mostly the first; where two are as sure, rounding may decide
    assert code in [finding.code for finding in found[0].findings[:2]]
    assert code.replace("_", " ") in capsys.readouterr().out

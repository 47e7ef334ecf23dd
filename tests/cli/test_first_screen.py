"""What a newcomer sees first: the command alone, its help, completion with the tab key."""

import re

import pytest

from cutaway.cli.app import FIRST, app
from tests.cli import in_process
from tests.cli.conftest import ENVIRONMENT, run_cutaway


def test_the_command_alone_says_in_ten_lines_what_to_try_first(cutaway, tmp_path):
    done = cutaway(folder=tmp_path)
    assert done.returncode == 0 and done.stderr == ""
    lines = [line for line in done.stdout.splitlines() if line]
    assert len(lines) <= 10 and max(map(len, lines)) <= 80


def test_the_first_screen_names_commands_that_exist():
    known = {c.name or c.callback.__name__ for c in app.registered_commands}
    named = set(re.findall(r"cutaway ([a-z]\w*)", FIRST))
    assert len(named) >= 6 and named <= known


def test_the_help_lists_every_command_and_the_exit_codes(cutaway, tmp_path):
    printed = cutaway("--help", folder=tmp_path).stdout
    for command in app.registered_commands:
        assert f"│ {command.name or command.callback.__name__} " in printed
    assert "2 invalid input" in " ".join(printed.split())


def test_the_tab_key_completes_commands_and_options(tmp_path, monkeypatch):
    monkeypatch.setitem(ENVIRONMENT, "_CUTAWAY_COMPLETE", "complete_bash")
    for words, count, expected in (
        ("cutaway tr", 1, ["train"]),
        ("cutaway train --fi", 2, ["--fine-tune"]),
        ("cutaway explain --wei", 2, ["--weight", "--weights"]),
    ):
        monkeypatch.setitem(ENVIRONMENT, "COMP_WORDS", words)
        monkeypatch.setitem(ENVIRONMENT, "COMP_CWORD", str(count))
        assert run_cutaway(folder=tmp_path).stdout.split() == expected


@pytest.mark.parametrize(
    "command", [c.callback for c in app.registered_commands], ids=lambda c: c.__name__
)
def test_the_example_of_a_help_is_shown_as_it_is_typed(command):
    _, printed, _ = in_process.cutaway(command.__name__, "--help")
    assert command.epilog.removeprefix("Example: ").strip("*").replace("\\*", "*") in printed


def test_powers_in_a_help_keep_their_stars():
    _, printed, _ = in_process.cutaway("plot", "--help")
    assert "'x**4 - 2*x**2'" in printed.replace("│ │", "").replace("  ", " ")
    assert '"x**2 + 3*y**2"' in in_process.cutaway("race", "--help")[1]

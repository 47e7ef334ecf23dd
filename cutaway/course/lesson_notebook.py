"""A lesson as a notebook: its cells, not yet run, and its text with the numbers in it."""

import json

from cutaway.course.lesson_run import run_lesson
from cutaway.course.lesson_source import CELL, CourseLesson, studio_command, without_roles


def notebook_bytes(lesson: CourseLesson) -> bytes:
    """The notebook's JSON (nbformat 4.5). The lesson is run once, for the numbers in its text."""
    cells = [_cell(found.part, k) for k, found in enumerate(run_lesson(lesson))]
    found = {
        "cells": [cell for cell in cells if cell is not None],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return (json.dumps(found, ensure_ascii=False, indent=1) + "\n").encode()


def _cell(part, number: int) -> dict | None:
    own = {"id": f"part-{number}", "metadata": {}}
    if part.kind == CELL:
        if "check" in part.tags:
            return None
        return {
            **own,
            "cell_type": "code",
            "execution_count": None,
            "outputs": [],
            "source": part.body,
        }
    return {**own, "cell_type": "markdown", "source": _markdown(part)}


def _markdown(part) -> str:
    if part.kind == "formula":
        return f"```text\n{part.body}\n```"
    if part.kind == "studio":
        return f"In a terminal: `{studio_command(part)}`"
    if part.kind == "exercise":
        seed = part.options.get("seed", "0")
        return f"**Exercise**: `!cutaway exercise {part.argument} --seed {seed}`"
    return without_roles(part.body)

"""What lessons have beside MyST-NB's: exercises, formulas, studios, and links to the glossary."""

import hashlib
import json
import re
from html import escape
from pathlib import Path

import docstrings
from docutils import nodes
from docutils.parsers.rst import Directive, directives
from sphinx import addnodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective

import cutaway as ct
from cutaway.course import exercise_named, glossary_terms
from cutaway.course.exercise_kind import CLOSE, TOLERANCE
from cutaway.story.told_html import symbols, told_html
from cutaway.studio.choosing import choose_subject
from cutaway.studio.recorder import record

SKIPPED = (nodes.literal, nodes.literal_block, nodes.reference, nodes.title, nodes.term, nodes.raw)


class FormulaDirective(Directive):
    """Lines of a formula as stories write them, with indices and powers set as such."""

    has_content = True

    def run(self):
        lines = "<br>".join(symbols(line) for line in self.content)
        return [nodes.raw("", f'<p class="course-formula">{lines}</p>', format="html")]


class ExerciseDirective(Directive):
    """An exercise of `cutaway exercise`, with fields that are checked in the page."""

    required_arguments = 1
    option_spec = {"seed": directives.nonnegative_int}  # noqa: RUF012  (docutils' way)

    def run(self):
        drawn = exercise_named(self.arguments[0]).draw(self.options.get("seed", 0))
        return [nodes.raw("", exercise_html(drawn), format="html")]


class StudioDirective(SphinxDirective):
    """A recorded studio in the page: points of a plane, or the bundled table."""

    required_arguments = 1
    option_spec = {  # noqa: RUF012  (docutils' way)
        "frames": directives.positive_int,
        "epochs": float,
        "layers": directives.unchanged,
        "activation": directives.unchanged,
        "init": directives.unchanged,
        "optimizer": directives.unchanged,
        "lr": float,
        "batch-size": directives.positive_int,
    }

    def run(self):
        what, given = self.arguments[0], dict(self.options)
        how = {name: given.pop(name) for name in ("frames", "epochs") if name in given}
        key = hashlib.sha256(json.dumps([what, given, how, ct.__version__]).encode()).hexdigest()
        place = f"_static/studios/{what}-{key[:8]}.html"
        file = Path(self.env.app.outdir) / place
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            if "layers" in given:
                given["layers"] = tuple(map(int, given["layers"].split(",")))
            given = {option.replace("-", "_"): value for option, value in given.items()}
            name, target = (None, "passed") if what == "students" else (what, None)
            ct.seed(0)
            record(choose_subject(name, target, options=given), file, **({"frames": 60} | how))
        up = "../" * self.env.docname.count("/")
        return [
            nodes.raw(
                "",
                f'<iframe class="course-studio" loading="lazy" src="{up}{place}" '
                f'title="A recorded studio: {escape(what)}"></iframe>',
                format="html",
            )
        ]


def exercise_html(drawn) -> str:
    """The question, a field for each number, and the solution folded away."""
    fields = "".join(
        f'<label><span>{symbols(blank.asks)} =</span> <input inputmode="decimal" '
        f'autocomplete="off" data-blank="{escape(_checks(blank))}"><output></output></label>'
        for blank in drawn.blanks
    )
    picture = "" if drawn.picture is None else f'<div class="chart">{drawn.picture.svg}</div>'
    return (
        f'<form class="course-exercise"><h3>Exercise: {escape(drawn.title)}</h3>'
        f"{told_html(drawn.question)}{fields}<button>Check</button>"
        f"<details><summary>Solution</summary>{picture}{_solution(drawn.solution)}</details>"
        f"<p class=soft>Another one: <code>cutaway exercise {drawn.name} --seed {drawn.seed + 1}"
        "</code></p></form>"
    )


def _checks(blank) -> str:
    """What exercise.js compares an answer with, as JSON."""
    return json.dumps(
        {
            "value": blank.value,
            "tolerance": TOLERANCE,
            "close": CLOSE,
            "mistakes": [[mistake.value, mistake.says] for mistake in blank.all_mistakes()],
            "hint": blank.hint(),
        }
    )


def _solution(solution) -> str:
    if isinstance(solution, str):
        return told_html(solution)
    return solution._repr_html_()


class GlossaryLinks(SphinxPostTransform):
    """The first time that a page uses a term of the glossary, it links there."""

    default_priority = 5  # before references are resolved

    def run(self, **_):
        if self.env.docname.endswith("glossary"):
            return
        left = {term.lower(): term for term in glossary_terms()}
        pattern = re.compile(
            r"\b(" + "|".join(sorted(map(re.escape, left), key=len, reverse=True)) + r")\b", re.I
        )
        for text in list(self.document.findall(nodes.Text)):
            if left and not _inside(text):
                _link(text, pattern, left)


def _inside(text) -> bool:
    """Whether a text stands in code, a heading, a link or the like."""
    node = text.parent
    while node is not None:
        if isinstance(node, (*SKIPPED, addnodes.pending_xref, addnodes.toctree)):
            return True
        node = node.parent
    return False


def _link(text, pattern, left: dict[str, str]) -> None:
    whole = text.astext()
    pieces, end = [], 0
    for found in pattern.finditer(whole):
        term = left.pop(found[1].lower(), None)
        if term is None:
            continue
        pieces.append(nodes.Text(whole[end : found.start()]))
        link = addnodes.pending_xref(
            "", refdomain="std", reftype="term", reftarget=term, refexplicit=True, refwarn=True
        )
        link += nodes.inline("", found[1], classes=["xref", "std", "std-term"])
        pieces.append(link)
        end = found.end()
    if pieces:
        text.parent.replace(text, [*pieces, nodes.Text(whole[end:])])


def _skipped(app, what, name, obj, skip, options):  # the signature is Sphinx's
    """Whether a member is left out: another package's, or one of scikit-learn's own methods."""
    own = "cutaway." + app.env.docname.rpartition("/")[2]
    module = getattr(obj, "__module__", None) or own
    is_foreign = what == "module" and not f"{module}.".startswith(f"{own}.")
    return True if is_foreign or re.fullmatch(r"set_\w+_request", name) else None


def setup(app):
    app.add_directive("formula", FormulaDirective)
    app.add_directive("exercise", ExerciseDirective)
    app.add_directive("studio", StudioDirective)
    app.add_post_transform(GlossaryLinks)
    app.connect("autodoc-process-docstring", docstrings.process)
    app.connect("autodoc-skip-member", _skipped)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

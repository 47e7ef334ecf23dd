"""Long lines of preformatted text that break, with hanging indentation.

Text for a terminal has 80 columns, a phone has about 45. Sentences and sums may break there; rows
of tables and matrices, whose columns are aligned by spaces, may not: they scroll.
"""

import re

FITS = 40  # characters that fit on any screen
HANGING = 2  # columns by which the rest of a line is indented further

STYLE = """
.cutaway-story .line { display: inline-block; max-width: 100%; white-space: pre-wrap;
  overflow-wrap: anywhere; vertical-align: top; }
"""

_TEXT = re.compile(r'(<pre class="cutaway-story"[^>]*>)(.*?)(</pre>)', re.DOTALL)
_ALIGNED = re.compile(r"\S {2,}\S|^\s*\[")  # columns, or the row of a matrix


def hanging_lines(html: str) -> str:
    """HTML whose preformatted texts break between words where the page ends; see STYLE.

    Args:
        html: with texts of stories, `<pre class="cutaway-story">`.

    Example:
        >>> from cutaway.story.hanging_lines import hanging_lines
        >>> text = "one  two\\nz = " + "1 + " * 9 + "1 = 10"
        >>> hanging_lines(f'<pre class="cutaway-story">{text}</pre>').count("text-indent:-2ch")
        1
    """
    return _TEXT.sub(lambda m: m[1] + "\n".join(map(_line, m[2].split("\n"))) + m[3], html)


def _line(line: str) -> str:
    plain = re.sub(r"<[^>]*>|&\w+;", lambda m: "" if m[0].startswith("<") else "x", line)
    whole = line.count("<span") == line.count("</span>")  # else an element goes over several lines
    if len(plain) <= FITS or not whole or _ALIGNED.search(plain):
        return line
    indent = len(plain) - len(plain.lstrip())
    if indent == 0 and "=" not in plain:  # a sentence
        return f'<span class="line">{line}</span>'
    indent += HANGING
    return (
        f'<span class="line" style="padding-left:{indent}ch;text-indent:-{indent}ch">{line}</span>'
    )

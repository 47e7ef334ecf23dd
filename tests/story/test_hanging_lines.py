"""Long lines of preformatted text on narrow pages."""

from cutaway.story.hanging_lines import hanging_lines

FORMULA = "  z = " + " + ".join(["0.25 · 4"] * 6) + " = 6"
ROW = "∂L/∂z_1^(2)              0.04596  slope of the loss, 0.04596 - 0"
MATRIX = "  [ -0.6061 ] = [ -0.4604 0.6265 0.459 ] · [ 0.5 ] + [ 0 ]"
SENTENCE = "Shares are of the sum. Paths of opposite sign cancel."


def of(*lines):
    return hanging_lines(f'<pre class="cutaway-story">{chr(10).join(lines)}</pre>')


def test_a_sum_breaks_and_hangs_two_columns_further_in_than_it_begins():
    assert 'style="padding-left:4ch;text-indent:-4ch">  z = ' in of(FORMULA)


def test_sentences_break_without_indentation():
    assert f'<span class="line">{SENTENCE}</span>' in of(SENTENCE)


def test_rows_of_tables_and_matrices_never_break():
    assert of(ROW, MATRIX) == f'<pre class="cutaway-story">{ROW}\n{MATRIX}</pre>'


def test_short_lines_and_texts_of_others_are_left_as_they_are():
    assert of("z = 1") == '<pre class="cutaway-story">z = 1</pre>'
    assert hanging_lines(f"<pre>{FORMULA}</pre>") == f"<pre>{FORMULA}</pre>"


def test_tags_do_not_count_as_characters_and_stay_whole():
    marked = 'z = <span class="exact" title="0.123456789012345">0.1235</span> + 1'
    assert of(marked) == f'<pre class="cutaway-story">{marked}</pre>'
    open_ended = f"<mark><span>{FORMULA}"
    assert of(open_ended, "</span></mark>").count('class="line"') == 0

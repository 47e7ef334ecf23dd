"""Single-byte encodings, told from each other by what they make of the words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.data.encoding import to_utf8
from cutaway.errors import DataError

TEXTS = {
    "German": "Köln, München, Straße, Über, Ärger, Öl, ältere",
    "Spanish": "señor niño García día país aquí corazón música",
    "French": "café très façade cœur où élève naïve sœur",
    "Nordic": "Malmö Åre Västerås Jyväskylä Århus Tromsø",
    "Portuguese": "São Paulo, Ceará, Goiás, Maranhão",
    "English": "don’t it’s “quoted” – the students’ books…",
    "units": "a café at 10 °C costs £5",
}


@pytest.mark.parametrize("encoding", ["cp1252", "mac-roman"])
@pytest.mark.parametrize("language", TEXTS)
def test_words_tell_windows_from_macintosh(language, encoding):
    text = TEXTS[language]
    found, _, note = to_utf8(text.encode(encoding), "a.csv")
    assert found.decode() == text
    assert "the encoding is not UTF-8" in note


@pytest.mark.parametrize("word", ["Škoda", "Œuvre", "5 €", "it’s", "Ñandú"])
def test_a_single_word_of_cp1252(word):
    assert to_utf8(word.encode("cp1252"), "a.csv")[0].decode() == word


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufeff")))
def test_valid_utf8_is_utf8(text):
    content = text.encode()
    assert to_utf8(content, "a.csv") == (content, "utf-8", None)


@given(st.text("abcdefgh,1234\n", min_size=4), st.sampled_from(["utf-16-le", "utf-16-be"]))
def test_utf16_without_a_mark_is_found_by_its_zeros(text, encoding):
    assert to_utf8(text.encode(encoding), "a.csv")[:2] == (text.encode(), encoding)


def test_utf16_of_other_scripts_is_found_by_what_separates_cells():
    text = "имя,город\nИван,Тверь\n"
    assert to_utf8(text.encode("utf-16-be"), "a.csv")[0].decode() == text


def test_what_is_nearly_utf8_or_no_text_is_refused_with_its_line():
    nearly = ("a,b\n" + "Köln,Füssen\n" * 9).encode() + b"M\xfcnchen,1\n"
    with pytest.raises(DataError, match=r"a\.csv: line 11 is not UTF-8 text \(byte 0xfc\)"):
        to_utf8(nearly, "a.csv")
    with pytest.raises(DataError, match="zeros are among its bytes"):
        to_utf8(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0", "a.csv")
    with pytest.raises(DataError, match=r"line 1 is not utf-16-le text \(byte 0x00 at 2\)"):
        to_utf8(b"\xff\xfea\0\x00\xd8", "a.csv")

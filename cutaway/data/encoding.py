"""The encoding of a text file, found in its bytes."""

import codecs
import itertools
import re

from cutaway.errors import DataError, OptionError

# the longer mark first: that of UTF-32 LE begins with that of UTF-16 LE
MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
SAMPLE = 2**16  # bytes in which zeros are counted
ZEROS = 0.1  # fraction of the second bytes that are zero in UTF-16, also of Greek or Russian
ABOVE_ASCII = re.compile(rb"[\x80-\xff]")
HIGH = bytes(range(0x80, 0x100))
MANY = 5000  # bytes above ASCII that are looked at
C1 = re.compile(rb"[\x80-\x9f]")  # control characters in latin-1
UNDEFINED = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")  # in cp1252
# after an apostrophe in English, before one in French and Italian
ENDINGS = re.compile(r"(?:s|t|d|m|re|ll|ve)\b", re.IGNORECASE)
ARTICLES = re.compile(r"(?:\b[cdjlmnst]|\bqu|ll)$", re.IGNORECASE)
RARE = set("ŠŽšžŒœŸ")  # rare in texts of the languages that cp1252 is for


def to_utf8(content: bytes, path, encoding: str | None = None) -> tuple[bytes, str, str | None]:
    """A text as UTF-8 without a byte order mark, its encoding, and a note if that may be wrong.

    A byte order mark decides; then UTF-16 by its zeros; then UTF-8, if all bytes are valid; then
    cp1252, latin-1 or Mac Roman, by what the bytes would make of the words.

    Args:
        content: of the file.
        path: of the file, for errors.
        encoding: what it is known to be, by Python's names; None to find it.

    Raises:
        OptionError: no such encoding.
        DataError: bytes that are invalid in the encoding, or no text.

    Example:
        >>> from cutaway.data.encoding import to_utf8
        >>> text, name, note = to_utf8(b"Z\\xfcrich", "a.csv")
        >>> text.decode(), name
        ('Zürich', 'latin-1')
    """
    if encoding is not None:
        name = _known(encoding)
        return _recoded(content, path, name, given=encoding), name, None
    name = _marked(content) or _of_zeros(content)
    if name is not None:
        note = None if name == "utf-8" else f"the encoding is {name}"
        return _recoded(content, path, name), name, note
    if content.isascii():
        return content, "utf-8", None
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as raised:
        name = _of_bytes(content, path, raised)
        note = (
            f"the encoding is not UTF-8: read as {name} (encoding= or --encoding chooses another)"
        )
        return content.decode(name).encode(), name, note
    return content, "utf-8", None


def _marked(content: bytes) -> str | None:
    return next((name for mark, name in MARKS if content.startswith(mark)), None)


def _known(encoding: str) -> str:
    """Python's name of an encoding of texts."""
    try:
        b"".decode(encoding)
        "a".encode(encoding)
        return codecs.lookup(encoding).name
    except (LookupError, UnicodeError, ValueError, TypeError, AttributeError):
        raise OptionError(
            f"unknown encoding {encoding!r}",
            expected="the name of an encoding, such as utf-8, utf-16, cp1252, latin-1, mac-roman",
            fix="omit it, so that it is found",
        ) from None


def _recoded(content: bytes, path, name: str, given: str | None = None) -> bytes:
    """The text in UTF-8, without its mark; DataError with the first byte that is invalid."""
    marks = (mark for mark, own in MARKS if own.startswith(name.replace("_", "-")))
    content = content.removeprefix(next((m for m in marks if content.startswith(m)), b""))
    try:
        if name == "utf-8":
            if not content.isascii():
                content.decode()
            return content
        return content.decode(name).removeprefix("\ufeff").encode()
    except UnicodeDecodeError as raised:
        before = content[: raised.start].decode(name, errors="ignore")
        raise DataError(
            f"{path}: line {before.count(chr(10)) + 1} is not {given or name} text "
            f"(byte 0x{content[raised.start]:02x} at {raised.start:,})",
            expected=f"a text file in {given or name}",
            fix="omit the encoding, so that it is found" if given else "export the file again",
        ) from raised
    except UnicodeEncodeError as raised:  # halves of characters
        raise DataError(
            f"{path} is not {given or name} text: {raised.reason}",
            expected="a text file",
            fix="name its encoding",
        ) from raised


def _of_zeros(content: bytes) -> str | None:
    """UTF-16 without a mark: one half of each character of ASCII is zero, the other never."""
    sample = content[:SAMPLE]
    half = len(sample) // 2
    if half < 2 or len(content) % 2 or b"\0" not in sample:
        return None
    first, second = sample[: 2 * half : 2].count(0) / half, sample[1::2].count(0) / half
    for name, often, rarely in (("utf-16-le", second, first), ("utf-16-be", first, second)):
        if often > ZEROS and rarely < often / 20:
            return name
    return None


def _of_bytes(content: bytes, path, raised: UnicodeDecodeError) -> str:
    """The single-byte encoding of a text that is not UTF-8."""
    if b"\0" in content[:SAMPLE]:
        raise _error(content, path, raised, "zeros are among its bytes: it is no text")
    text = content.decode("utf-8", errors="replace")
    wrong = text.count("\ufffd")
    right = len(text) - wrong - len(content.translate(None, HIGH))
    if right > 2 * wrong:
        raise _error(content, path, raised, f"most of it is, but for {wrong:,} bytes")
    likely = "cp1252" if C1.search(content) else "latin-1"
    if likely == "cp1252" and UNDEFINED.search(content):
        likely = "latin-1"
    found = itertools.islice(ABOVE_ASCII.finditer(content), MANY)
    places = [byte.start() for byte in found]
    if _fit(content, places, "mac-roman") > _fit(content, places, likely):
        return "mac-roman"
    return likely


def _error(content: bytes, path, raised: UnicodeDecodeError, why: str) -> DataError:
    line = content[: raised.start].count(b"\n") + 1
    return DataError(
        f"{path}: line {line} is not UTF-8 text (byte 0x{content[raised.start]:02x}); {why}",
        expected="a text file in one encoding",
        fix="repair that line, or name the encoding, for example encoding='cp1252'",
    )


def _fit(content: bytes, places: list[int], name: str) -> float:
    """How well the characters above ASCII suit what stands beside them, in one encoding."""
    total = 0.0
    for place in places:
        begin = max(0, place - 3)
        text = content[begin : place + 4].decode(name, errors="replace")
        total += _suits(text, place - begin)
    return total


def _suits(text: str, at: int) -> float:
    """1 for a letter in a word, negative for what does not stand beside letters."""
    char, before, after = text[at], text[at - 1 : at], text[at + 1 : at + 2]
    is_inside = before.isalpha() and after.isalpha()
    if char == "\ufffd" or "\x80" <= char <= "\x9f":  # undefined, a control character
        return -3
    if char.isalpha() and char not in "ªºƒˆπΩıﬁﬂˇµ":
        if char.isupper() and before.islower():
            return -2
        if char.isupper() and before.isupper() and after.islower():
            return -1
        is_name = char.isupper() and not before.isalpha()
        is_rare = char in RARE and not is_name and not (char in "Œœ" and after in ("u", "i"))
        return (0.5 if is_rare else 1) if before.isalpha() or after.isalpha() else 0
    if char in "’‘" and is_inside:
        is_apostrophe = ENDINGS.match(text, at + 1) or ARTICLES.search(text[:at])
        return 1 if is_apostrophe else -0.5
    if is_inside:
        return -1
    opens, closes = not before.isalpha(), not after.isalpha()
    if (char in "“‘" and opens and not closes) or (char in "”’" and closes and not opens):
        return 1
    if char in "–—" and before == after == " ":
        return 1
    return 0.2 if char in "’‘“”–—…€°§£©®•«»½¼²³±×\xa0" else -0.2

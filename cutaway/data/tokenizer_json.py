"""Checks of a tokenizer.json before the library that runs it reads it.

The library ends the process where memory is short, and believes what the file declares: steps that
double a text, ids that leave room for billions of tokens, tables that are longer than they are.
"""

import base64
import binascii
import json

MOST_GROWTH = 1000  # times that the steps together may lengthen a text
MOST_ADDED = 10_000  # letters that they may put in front
GAPS = 100  # ids per token: some vocabularies have gaps
FREE_IDS = 10**6  # besides


def expect_harmless(content: bytes) -> None:
    """Raise ValueError unless a tokenizer.json is of the usual form and grows texts modestly."""
    whole = json.loads(content)
    if not isinstance(whole, dict) or not isinstance(whole.get("model"), dict):
        raise ValueError("it is no JSON object with a model")
    _expect_ids(whole)
    truncation = whole.get("truncation")
    if truncation is not None and not truncation["stride"] < truncation["max_length"]:
        raise ValueError(f"it truncates to {truncation['max_length']} tokens, with a larger stride")
    growth, added = 1.0, 0
    for part in _parts([whole.get(name) for name in whole if name != "model"]):
        kind = part.get("type")
        if kind == "Replace":
            growth *= _growth(part["pattern"], part["content"])
        elif kind == "Prepend":
            added += len(part["prepend"])
        elif kind == "TemplateProcessing":
            growth *= max(1, len(part["single"]), len(part["pair"]))
        elif kind == "Precompiled":
            _expect_table(part["precompiled_charsmap"])
        elif kind == "FixedLength" and part["length"] < 1:
            raise ValueError(f"it splits texts into pieces of {part['length']} letters")
        if not growth <= MOST_GROWTH or added > MOST_ADDED:
            raise ValueError(
                f"its steps make a text up to {growth:,.0f} times as long, and put {added:,} "
                "letters in front"
            )


def _expect_ids(whole: dict) -> None:
    """Raise ValueError if the ids leave room for many more tokens than there are."""
    vocabulary = whole["model"].get("vocab", {})
    ids = [*vocabulary.values()] if isinstance(vocabulary, dict) else [len(vocabulary)]
    ids += [token["id"] for token in whole.get("added_tokens") or ()]
    largest, most = max(ids, default=0), GAPS * len(ids) + FREE_IDS
    if largest > most:
        raise ValueError(f"its largest id is {largest:,}, with {len(ids):,} tokens")


def _parts(waiting: list):
    """All JSON objects inside these values."""
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield value
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _growth(pattern: dict, content: str) -> float:
    """How much longer a text may become if the pattern is replaced by the content everywhere."""
    old = len(pattern.get("String", ""))
    return max(1.0, len(content) / old) if old else 1.0 + len(content)


def _expect_table(text: str) -> None:
    """Raise ValueError unless a table of SentencePiece is as long as it says.

    Its first four bytes are the size of the trie that follows; texts follow that.
    """
    try:
        table = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"its table of characters is damaged: {error}") from error
    size = int.from_bytes(table[:4], "little")
    if len(table) < 4 or size % 4 or not 4 <= size <= len(table) - 4:
        raise ValueError(f"its table of characters has {len(table):,} bytes, and says {size:,}")

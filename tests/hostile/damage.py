"""Damage to files, drawn at random: what disks, networks, programs and strangers do to them."""

import copy
import gzip
import io
import json
import math
import random
import re
import struct
import zipfile
import zlib

HUGE = (0, 1, 2**7, 2**15, 2**16 - 1, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**62, 2**63)
WORDS = (
    b"\0", b"\r", b'"', b"'", b"\xff", b"\xed\xb3\xa9", b",", b"\t", b"\n\n", b"1e39", b"1e999",
    b"-0", b"nan", b"inf", b"9" * 400, b"=cmd()", b"\x1b[2J", b"null", b"{", b"[" * 5000,
    b'{"a":' * 3000, b"x" * 200_000, b"," * 20_000, b'"' * 999,
)  # fmt: skip


def flipped(rnd: random.Random, content: bytes) -> bytes:
    out = bytearray(content)
    for _ in range(rnd.choice((1, 1, 1, 2, 4, 16))):
        if out:
            out[rnd.randrange(len(out))] ^= 1 << rnd.randrange(8)
    return bytes(out)


def cut(rnd, content):
    """Cut off at any place, more often near the ends and behind a separator."""
    ends = [rnd.randrange(len(content) + 1), rnd.randrange(min(64, len(content)) + 1)]
    ends += [max(0, len(content) - rnd.randrange(1, 64))]
    ends += [found.end() for found in re.finditer(rb"[\n\0,{]", content[:4096])][-50:]
    return content[: rnd.choice(ends)]


def without_begin(rnd, content):
    return content[rnd.randrange(min(200, len(content)) + 1) :]


def swapped(rnd, content):
    a, b, c = sorted(rnd.randrange(len(content) + 1) for _ in range(3))
    return content[:a] + content[b:c] + content[a:b] + content[c:]


def doubled(rnd, content):
    a, b = _span(rnd, content)
    return content[:b] + content[a:b] * rnd.choice((1, 1, 2, 50)) + content[b:]


def twice(rnd, content):
    return content + content


def removed(rnd, content):
    a, b = _span(rnd, content)
    return content[:a] + content[b:]


def blanked(rnd, content):
    a, b = _span(rnd, content)
    return content[:a] + rnd.choice((b"\0", b"\xff", b" ")) * (b - a) + content[b:]


def declared(rnd, content):
    """A number in place of another, as headers hold sizes, counts and offsets."""
    form = rnd.choice(("<H", ">H", "<I", ">I", "<I", ">I", "<Q", ">Q"))
    number = struct.pack(form, rnd.choice(HUGE) % 2 ** (8 * struct.calcsize(form)))
    at = rnd.randrange(max(1, min(len(content), rnd.choice((64, 512, len(content) or 1)))))
    return content[:at] + number + content[at + len(number) :]


def declared_in_text(rnd, content):
    """Another number in place of one that is written in digits."""
    found = list(re.finditer(rb"\d+", content))
    if not found:
        return flipped(rnd, content)
    place = rnd.choice(found)
    number = str(rnd.choice(HUGE) * rnd.choice((1, -1, 10**300))).encode()
    return content[: place.start()] + number + content[place.end() :]


def inserted(rnd, content):
    at = rnd.randrange(len(content) + 1)
    return content[:at] + rnd.choice(WORDS) + content[at:]


def random_bytes(rnd, content):
    return rnd.randbytes(rnd.choice((0, 1, 7, 100, 5000)))


def magic_alone(rnd, content):
    """A sound beginning, and noise."""
    return content[: rnd.choice((4, 8, 16, 40))] + rnd.randbytes(rnd.choice((0, 50, 3000)))


ANY = (
    flipped, flipped, flipped, cut, cut, without_begin, swapped, doubled, twice, removed, blanked,
    declared, declared, declared_in_text, inserted, random_bytes, magic_alone,
)  # fmt: skip


def damaged(rnd: random.Random, content: bytes) -> tuple[str, bytes]:
    """(name of the damage, content): at the surface, or inside what is packed."""
    inside = _unpacked(rnd, content)
    if inside is not None and rnd.random() < 0.6:
        name, packed = inside
        return name, packed
    for _ in range(rnd.choice((1, 1, 1, 2))):
        kind = rnd.choice(ANY)
        content = kind(rnd, content)
    return kind.__name__, content


def _unpacked(rnd, content):
    """Damage behind a checksum, which is then right: in gzip, zip and PNG."""
    if content[:2] == b"\x1f\x8b":
        if rnd.random() < 0.1:
            return "gzip bomb", gzip.compress(bytes(rnd.choice((10, 300)) * 2**20), 9)
        name, inner = damaged(rnd, gzip.decompress(content))
        return f"gzip {name}", gzip.compress(inner, 1)
    if content[:4] == b"PK\x03\x04":
        return _in_zip(rnd, content)
    if content[:4] == b"\x89PNG":
        return _in_png(rnd, content)
    if b"}\n{" in content:  # an object per line
        lines = content.split(b"\n")
        place = rnd.randrange(len(lines) - 1)
        return "json line", b"\n".join(
            [*lines[:place], _in_json(rnd, lines[place]), *lines[place + 1 :]]
        )
    if content[:1] == b"{":
        return "json", _in_json(rnd, content)
    if content[8:9] == b"{":  # safetensors
        end = 8 + int.from_bytes(content[:8], "little")
        header = _in_json(rnd, content[8:end])
        return "json header", struct.pack("<Q", len(header)) + header + content[end:]
    return None


def _in_json(rnd, content):
    """Another value somewhere inside, or a key renamed or taken away."""
    whole = json.loads(content)
    holders, waiting = [], [whole]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict | list) and value:
            holders.append(value)
            waiting += value.values() if isinstance(value, dict) else value
    for _ in range(rnd.choice((1, 1, 3))):
        holder = rnd.choice(holders)
        key = rnd.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
        other = rnd.choice((None, -1, 0, 2**31, 2**63, 1e300, "", "x", [], {}, True, [0] * 70))
        action = rnd.randrange(4)
        if action == 0 and isinstance(holder, dict):
            holder["other"] = holder.pop(key)
        elif action == 1 and isinstance(holder, dict):
            del holder[key]
        else:
            holder[key] = rnd.choice((other, rnd.choice(holders))) if action == 2 else other
        holders = [value for value in holders if value] or [[0]]
    try:
        return json.dumps(whole).encode()
    except (ValueError, RecursionError):  # one that holds itself
        return b"{}"


def _in_zip(rnd, content):
    file, kind = io.BytesIO(), rnd.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w") as new:
        names = old.namelist()
        chosen, how = rnd.choice(names), "removed"
        for name in names:
            inner = old.read(name)
            if name == chosen:
                how, inner = damaged(rnd, inner)
                if rnd.random() < 0.1:
                    continue
            new.writestr(rnd.choice((name, name, name, "../x")), inner, kind)
    return f"zip {how}", file.getvalue()


def _in_png(rnd, content):
    """A chunk with other content, and its checksum."""
    chunks, at = [], 8
    while at + 8 <= len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        chunks.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + size]))
        at += 12 + size
    number = rnd.choice((0, 0, rnd.randrange(len(chunks))))
    name, inner = chunks[number]
    how = rnd.choice(ANY)
    inner = how(rnd, inner)
    if name == b"IHDR" and rnd.random() < 0.5:
        sizes = struct.pack(">II", *(rnd.choice((1, 20, 4000, 30_000, 2**31 - 1)) for _ in "wh"))
        how, inner = declared, sizes + chunks[number][1][8:]
    chunks[number] = name, inner
    parts = [
        struct.pack(">I", len(inner)) + name + inner + struct.pack(">I", zlib.crc32(name + inner))
        for name, inner in chunks
    ]
    return f"png {how.__name__}", content[:8] + b"".join(parts)


def _span(rnd, content):
    a = rnd.randrange(len(content) + 1)
    return a, min(len(content), a + rnd.choice((1, 4, 8, 50, 500)))


RETYPED = (None, True, False, 0, -1, 2**31, 2**63, 10**30, 1e-300, 1e300, math.nan, math.inf,
           "", "text", "0", "\x1b[2J", [], {}, [[1]], [0] * 70, {"a": 1})  # fmt: skip


def changed_json(rnd, whole):
    """(what was done and where, JSON value): one place dropped, renamed, retyped, swapped with
    another, nested, or enlarged; JSON within a text, as tokenizers have it, also inside."""
    whole = copy.deepcopy(whole)
    places = [*_places(whole)]
    holder, key, where = rnd.choice(places)
    inner = holder[key]
    if isinstance(inner, str) and inner.startswith("{") and rnd.random() < 0.9:
        how, changed = changed_json(rnd, json.loads(inner))
        holder[key] = json.dumps(changed)
        return f"{where}: {how}", whole
    action = rnd.choice(("drop", "rename", "retype", "retype", "swap", "nest", "enlarge"))
    if action == "drop":
        del holder[key]
    elif action == "rename" and isinstance(holder, dict):
        holder[f"{key}_"] = holder.pop(key)
    elif action == "swap":
        other, there, _ = rnd.choice(places)
        if other is not inner and holder is not other.get(there) if isinstance(other, dict) else 0:
            holder[key], other[there] = copy.deepcopy(other[there]), copy.deepcopy(inner)
    elif action == "nest":
        holder[key] = rnd.choice(([inner], {"value": inner}, [inner, inner]))
    elif action == "enlarge":
        factor = rnd.choice((2, 1000, 10**9))
        if isinstance(inner, str | list):
            holder[key] = inner * min(factor, 1000) or [0] * 1000
        elif isinstance(inner, int | float):
            holder[key] = inner * factor + factor
        elif isinstance(inner, dict):
            holder[key] = {f"{name}{k}": v for name, v in inner.items() for k in range(100)}
    else:
        action, holder[key] = "retype", copy.deepcopy(rnd.choice(RETYPED))
    return f"{action} {where}", whole


def _places(value, where=""):
    """(holder, key, path in words) of every place in a JSON value."""
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield value, key, f"{where}.{key}" if where else str(key)
            yield from _places(value[key], f"{where}.{key}" if where else str(key))

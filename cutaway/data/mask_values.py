"""How the masks of a set are coded, read off the values that occur in them."""

import numpy as np

from cutaway.data.class_names import IGNORED, ClassNames
from cutaway.data.mask_coding import DISTINCT, MaskCoding, unknown_values
from cutaway.data.raw_masks import MaskValues, code_color, color_code
from cutaway.errors import DataError

MOST_VALUES = 64  # different values of a mask without names; more are not classes
DENSE = 32  # ids below this are ids even if many of them do not occur


def find_coding(
    found: list[MaskValues],
    classes: ClassNames | None = None,
    *,
    colors: dict | None = None,
    ignore: int | None = None,
    threshold: int | None = None,
) -> tuple[MaskCoding, list[str], list[str]]:
    """(coding, names of the classes, notes) of masks, from what occurs in them.

    Args:
        found: of the files.
        classes: names, and colors, from a file.
        colors: {name: (r, g, b)}, the table of masks in color; instead of that of the file.
        ignore: value that does not count; by default the largest of its type (255, 65535), where
            the other values are ids or palette indices.
        threshold: gray values above it are class 1, all others class 0.

    Raises:
        DataError: colors without a table; values that are not classes; palettes that differ.
    """
    if threshold is not None:
        notes = [f"values above {threshold} are class 1"]
        coding = MaskCoding("threshold", [0, 1], threshold=threshold, colors=list(DISTINCT[:2]))
        return coding, _two_names(classes, ("0", "1")), notes
    lossy = next((one for one in found if one.raw.is_lossy), None)
    if lossy is not None:
        raise DataError(
            f"the mask {lossy.path} is a JPEG, which changes class ids",
            expected="PNG or another format without loss",
            fix="export the masks as PNG, or, with two classes, "
            "set threshold=127 (--threshold 127)",
        )
    table = _color_table(classes, colors)
    in_color = [one for one in found if one.raw.form == "colors"]
    if any(not one.is_gray for one in in_color):
        return _color_coding(found, table, in_color)
    differing = _differing_palettes(found)
    if differing is not None:
        if table is None:
            raise DataError(
                f"the palettes of {differing[0]} and {differing[1]} differ",
                expected="one palette for all masks, so that an index is a class",
                fix="save them with one palette, or give a table of colors: classes.csv with the "
                "columns name, r, g, b",
            )
        return _color_coding(found, table, found)
    return _gray_coding(found, classes, ignore, bool(in_color))


def _gray_coding(found, classes, ignore, is_rgb):
    notes = ["the three channels of the masks are equal: read as gray"] if is_rgb else []
    values = np.unique(np.concatenate([one.levels for one in found]))
    palettes = any(one.raw.form == "palette" for one in found)
    top = 255 if values.max() <= 255 else 65535
    names = None if classes is None else list(classes.names)
    two = names is None or len(names) <= 2
    if ignore is None and not palettes and two and top in values and set(values) <= {0, 1, top}:
        _expect_one_form(found, top)
    if ignore is None and two and not palettes and set(values) == {0, top}:
        notes.append(f"values 0 and {top}: class 0 is black, class 1 white")
        coding = MaskCoding("levels", [0, top], colors=[(0, 0, 0), (255, 255, 255)])
        return coding, _two_names(classes, ("black", "white")), notes
    if ignore is None and classes is not None and not palettes and set(values) == {0, top}:
        raise DataError(
            f"the masks hold 0 and {top} only, such as "
            f"{next(one.path for one in found if top in one.levels)}",
            expected=f"0 to {len(classes.names) - 1}, the {len(classes.names)} classes of "
            f"{classes.path}",
            fix=f"list two classes there; or, if {top} is not a class, set ignore={top} "
            f"(--ignore-value {top})",
        )
    skipped = [top if ignore is None else ignore]
    rest = np.setdiff1d(values, skipped)
    is_bits = all(one.raw.form == "bits" for one in found)
    largest = int(rest.max(initial=0))
    if names is None:
        is_ids = palettes or largest < max(DENSE, 2 * len(rest))
        if not is_ids and ignore is None:
            rest = values
        worst = max(found, key=lambda one: len(one.values))
        if len(worst.values) > MOST_VALUES or (not is_ids and len(rest) > MOST_VALUES):
            raise DataError(
                f"the masks hold {len(values):,} different values, {worst.path} alone "
                f"{len(worst.values):,}: they are not class ids",
                expected="a value per class, as ids or gray levels",
                fix="numbers of objects or soft edges? set threshold=0 (--threshold 0), or 127 "
                "for a smoothed mask of two classes; or list the classes in classes.txt",
            )
        names = [str(k) for k in (range(largest + 1) if is_ids else rest)]
        if is_bits:
            names = ["black", "white"]
    else:
        is_ids, names, rest = _named_ids(found, names, values, rest, classes, notes)
    used = list(range(len(names))) if is_ids else [int(value) for value in rest]
    dropped = [int(v) for v in values if v not in used]
    if dropped:
        notes.append(f"the value {dropped[0]} is not a class: such pixels are ignored")
    if not is_ids:
        levels = ", ".join(map(str, used[:8])) + (", ..." if len(used) > 8 else "")
        notes.append(f"the values {levels} are the classes 0 to {len(used) - 1}")
    colors = _colors_of(found, classes, len(used))
    if is_bits and len(used) == 2:
        colors = [(0, 0, 0), (255, 255, 255)]
    form = "ids" if is_ids else "levels"
    coding = MaskCoding(form, used, skipped if dropped else [], None, colors)
    return coding, names, notes


def _expect_one_form(found, top: int) -> None:
    """Raise DataError if some masks hold 0 and 1, and others 0 and 255."""
    ones = [one.path for one in found if 1 in one.levels]
    tops = [one.path for one in found if top in one.levels]
    if ones and not set(ones) & set(tops):
        raise DataError(
            f"{ones[0]} holds 0 and 1, {tops[0]} 0 and {top}",
            expected="one of the two for all masks",
            fix="convert them to one form",
        )


def _named_ids(found, names, values, rest, classes, notes):
    """(whether the values are ids, names, values of the classes), where names are given."""
    largest = int(rest.max(initial=0))
    if largest < len(names):
        return True, names, rest
    if (
        largest == len(names)
        and 0 in rest
        and not {"background", *IGNORED} & {*map(str.lower, names)}
    ):
        notes.append(f"{classes.path.name} lists no background: it is class 0")
        return True, ["background", *names], rest
    if len(values) == len(names):
        return False, names, values
    one = next(one for one in found if one.levels.max() >= len(names))
    outside = [int(v) for v in one.levels if v >= len(names)]
    raise DataError(
        f"{one.path} holds the ids {', '.join(map(str, outside[:5]))}",
        expected=f"0 to {len(names) - 1}, the {len(names)} classes of {classes.path}",
        fix="list the missing classes there, or correct the masks",
    )


def _color_coding(found, table, in_color):
    if table is None:
        one = next(one for one in in_color if not one.is_gray)
        shown = ", ".join(str(code_color(value)) for value in one.values[:6])
        more = f" and {len(one.values) - 6:,} more" if len(one.values) > 6 else ""
        raise DataError(
            f"the mask {one.path} is in color, with {shown}{more}, and there is no table of colors",
            expected="class ids in one channel, or the color of each class",
            fix="add classes.csv with the columns name, r, g, b to the folder, or, in Python, set "
            'find_masks(..., colors={"background": (0, 0, 0), ...})',
        )
    names = [name for name in table if name.lower() not in IGNORED]
    skipped = [color_code(color) for name, color in table.items() if name.lower() in IGNORED]
    colors = [table[name] for name in names]
    coding = MaskCoding("colors", [color_code(c) for c in colors], skipped, None, colors)
    known = {*coding.values, *skipped}
    for one in found:
        if one.raw.palette is not None:
            codes = [color_code(color) for color in one.raw.palette.values()]
        else:
            codes = one.values if one.raw.form == "colors" else one.values.astype(int) * 0x10101
        unknown = [int(code) for code in codes if int(code) not in known]
        if unknown:
            raise unknown_values(np.array(unknown), coding, one.path)
    return coding, names, [f"colors of the masks are the classes {', '.join(names[:8])}"]


def _color_table(classes, colors) -> dict | None:
    if colors is not None:
        return {str(name): tuple(color) for name, color in colors.items()}
    if classes is not None and classes.colors is not None:
        return dict(zip(classes.names, classes.colors, strict=True))
    return None


def _differing_palettes(found) -> tuple | None:
    """Two files in which one index has different colors; None without such."""
    seen: dict[int, tuple] = {}
    for one in found:
        for index, color in (one.raw.palette or {}).items():
            before = seen.setdefault(index, (color, one.path))
            if before[0] != color:
                return before[1], one.path
    return None


def _colors_of(found, classes, count: int) -> list:
    colors = [DISTINCT[k % len(DISTINCT)] for k in range(count)]
    if classes is not None and classes.colors is not None and len(classes.colors) == count:
        return list(classes.colors)
    for one in found:
        for index, color in (one.raw.palette or {}).items():
            if index < count:
                colors[index] = color
    return colors


def _two_names(classes, default) -> list[str]:
    if classes is None:
        return list(default)
    if len(classes.names) == 1 and default[0] != classes.names[0]:
        return ["background", *classes.names]
    if len(classes.names) != 2:
        raise DataError(
            f"{classes.path} lists {len(classes.names)} classes, the masks have two",
            expected="two classes",
        )
    return list(classes.names)

"""The visual language: colors, type, spacing. Pages, charts, drawings and the studio take it here.

A color is a token with a value for light and one for dark pages. Charts and drawings carry the
light value with the token's name beside it, `var(--hue-blue, #2b7bba)`, so that a page changes them
with its theme and a file of its own still shows them.

Blue is what raises, orange what lowers. The eight hues of HUES stay apart for the common kinds of
color blindness (simulated as by Machado, Oliveira & Fernandes 2009) and, by their lightness, in
grays too; every one is read as a mark on the page's ground in both themes. Where signs matter, a
dash, a hatch or an underline says the same without color. tests/story/test_design.py measures it.
"""

import re

FONT, MONO = "system-ui, sans-serif", "ui-monospace, monospace"
MATH = '"Latin Modern Math", "STIX Two Math", "Cambria Math", math'

# name -> (on light pages, on dark pages)
COLORS = {
    "ink": ("#1c2430", "#e6eaf0"),  # text
    "soft": ("#566170", "#9aa6b5"),  # text that stands back
    "line": ("#d9dee5", "#37414e"),  # between rows and panels
    "paper": ("#ffffff", "#14191f"),  # the ground
    "tint": ("#f4f6f9", "#1d242c"),  # the ground of what is set apart
    "accent": ("#2b7bba", "#6db3e8"),  # what can be pressed, and what is meant
    "accent-ink": ("#ffffff", "#0e1319"),  # text on the accent
    "link": ("#1f67a0", "#7dbdee"),  # text in the accent's color
    "negative-ink": ("#b34a06", "#f5a06a"),  # text in the color of what lowers
}
# in the order in which charts take them
HUES = {
    "blue": ("#2b7bba", "#6db3e8"),
    "orange": ("#d95f0e", "#ec813c"),
    "green": ("#00684b", "#72e0b5"),
    "teal": ("#0ba3b0", "#0e9ca9"),
    "purple": ("#6432a1", "#9567d9"),
    "pink": ("#bf2a6b", "#c83472"),
    "brown": ("#513d00", "#dfb74e"),
    "slate": ("#263344", "#cedef4"),
}
GRAYS = {"gray": ("#7f8a99", "#8a94a3")}  # of what is compared with, and of reference lines
SIGNS = {"positive": "blue", "negative": "orange"}
# kind of layer -> its hue; the blocks of a drawing are named, so the rare kinds share the gray
KINDS = {
    "dense": "blue",
    "convolution": "green",
    "recurrent": "purple",
    "attention": "pink",
    "embedding": "brown",
    "normalization": "slate",
    "activation": "orange",
    "pooling": "teal",
    "dropout": "gray",
    "parameter": "gray",
    "module": "gray",
}

# of matplotlib and of canvases: amounts from none to much; signs from negative over 0 to positive.
# Both change their lightness in one direction, so that they read in grays.
SEQUENTIAL = ("#f2f7fb", "#a9cfec", "#5b9fd3", "#2b7bba", "#164f86", "#0b2f57")
DIVERGING = ("#ffc199", "#f09a5e", "#c3937a", "#8a8d93", "#5d7fa0", "#2a629b", "#0b3f78")

SIZES = {
    "small": "0.82em",
    "table": "0.9em",
    "lead": "1.25em",
    "heading": "1.15em",
    "title": "1.7em",
}
SPACES = {"1": "0.3rem", "2": "0.8rem", "3": "1.25rem", "4": "2.6rem"}
RADII = {"small": "3px", "": "6px"}

BLUE, ORANGE, GRAY = HUES["blue"][0], HUES["orange"][0], GRAYS["gray"][0]
INK, WHITE, BLACK = COLORS["ink"][0], "#ffffff", "#000000"
CATEGORICAL = tuple(light for light, _ in HUES.values())

_HEX = re.compile(r"#[0-9a-fA-F]{6}\b")
_NAMES = {light: f"hue-{name}" for name, (light, _) in {**HUES, **GRAYS}.items()}


def tokens(theme: int) -> dict[str, str]:
    """{name: value} of all colors in one theme.

    Args:
        theme: 0 light, 1 dark.

    Example:
        >>> from cutaway.story.design import tokens
        >>> tokens(0)["hue-orange"], tokens(1)["negative"]
        ('#d95f0e', '#ec813c')
    """
    found = {name: values[theme] for name, values in COLORS.items()}
    hues = {name: values[theme] for name, values in {**HUES, **GRAYS}.items()}
    found |= {sign: hues[hue] for sign, hue in SIGNS.items()}
    return found | {f"hue-{name}": value for name, value in hues.items()}


def declarations(theme: int, *, leave=()) -> str:
    """The colors of a theme as CSS declarations; see `tokens`."""
    return " ".join(f"--{n}: {v};" for n, v in tokens(theme).items() if n not in leave)


def measures() -> str:
    """Sizes of texts, spaces and radii as CSS declarations."""
    found = {f"size-{name}": value for name, value in SIZES.items()}
    found |= {f"space-{name}": value for name, value in SPACES.items()}
    found |= {f"radius-{name}".rstrip("-"): value for name, value in RADII.items()}
    return " ".join(f"--{name}: {value};" for name, value in found.items())


def hue(name: str) -> str:
    """A hue as CSS that follows the page's theme.

    Example:
        >>> from cutaway.story.design import hue
        >>> hue("blue")
        'var(--hue-blue, #2b7bba)'
    """
    light, _ = {**HUES, **GRAYS}[name]
    return f"var(--hue-{name}, {light})"


def themed(svg: str) -> str:
    """SVG whose hues follow the page's theme.

    Example:
        >>> from cutaway.story.design import themed
        >>> themed('<path stroke="#d95f0e"/>')
        '<path stroke="var(--hue-orange, #d95f0e)"/>'
    """

    def named(found):
        name = _NAMES.get(found[0].lower())
        before = found.string[max(0, found.start() - 2) : found.start()]
        return found[0] if name is None or before == ", " else f"var(--{name}, {found[0]})"

    return _HEX.sub(named, svg)


def shade(value: float, most: float = 70) -> str:
    """A CSS color for -1 to 1: orange or blue on the ground, the stronger the larger.

    Args:
        most: percentage of color at -1 and 1.
    """
    sign = "positive" if value >= 0 else "negative"
    part = min(1.0, abs(value)) * most
    return f"color-mix(in srgb, {hue(SIGNS[sign])} {part:.0f}%, transparent)"


def colormap(anchors, *, backwards: bool = False):
    """A map of matplotlib through these colors."""
    from matplotlib.colors import LinearSegmentedColormap

    ordered = list(anchors)[::-1] if backwards else list(anchors)
    return LinearSegmentedColormap.from_list("cutaway", ordered)


STUDIO = ".cutaway-studio"


def studio_css() -> str:
    """studio/src/styles/tokens.css: the same tokens for the studio."""
    light, dark = (
        "".join(f"  --{name}: {value};\n" for name, value in tokens(theme).items())
        for theme in (0, 1)
    )
    kinds = "".join(f"  --kind-{kind}: var(--hue-{name});\n" for kind, name in KINDS.items())
    radii = "".join(
        f"  --{f'radius-{name}'.rstrip('-')}: {value};\n" for name, value in RADII.items()
    )
    return (
        "/* Written by scripts/studio_tokens.py from cutaway/story/design.py: change it there. */\n"
        f"{STUDIO} {{\n{light}{kinds}{radii}}}\n{STUDIO}.dark {{\n{dark}}}\n"
    )


def studio_ts() -> str:
    """studio/src/tokens.ts: the colors that the studio paints on canvases."""

    def triple(color):
        return "[" + ", ".join(str(int(color[k : k + 2], 16)) for k in (1, 3, 5)) + "]"

    def listed(values):
        return "".join(f"  {triple(v)},\n" for v in values)

    parts = [
        "// Written by scripts/studio_tokens.py from cutaway/story/design.py: change it there.\n",
        "export type Rgb = [number, number, number];\n",
    ]
    for theme, title in enumerate(("LIGHT", "DARK")):
        found = tokens(theme)
        names = ("paper", "ink", "soft", "line", "positive", "negative")
        rows = "".join(f"  {n}: {triple(found[n])} as Rgb,\n" for n in names)
        parts.append(f"\nexport const {title} = {{\n{rows}}};\n")
        hues = listed(values[theme] for values in HUES.values())
        parts.append(f"\nexport const {title}_HUES: Rgb[] = [\n{hues}];\n")
    return "".join(parts)

"""The visual language: one place for colors, read by everyone, in light, dark and gray."""

import itertools
import re
from pathlib import Path

import numpy as np
import pytest

import cutaway
from cutaway.story import design
from cutaway.story.html import STYLE as PAGE
from cutaway.story.notebook import STYLE as NOTEBOOK
from cutaway.story.plot import Plot, side_by_side
from cutaway.story.svg import KINDS, STYLE, picture

PACKAGE = Path(cutaway.__file__).parent
STUDIO = PACKAGE.parent / "studio/src"
THEMES = pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])

# Machado, Oliveira & Fernandes 2009, "A Physiologically-based Model for Simulation of Color Vision
# Deficiency", severity 1.0, on linear RGB
DEFICIENCIES = {
    "none": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
JUST_SEEN = 0.02  # distance in Oklab


def linear(color: str) -> np.ndarray:
    """sRGB as linear RGB (3,), by IEC 61966-2-1."""
    rgb = np.array([int(color[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def luminance(color: str) -> float:
    return float(linear(color) @ [0.2126, 0.7152, 0.0722])


def contrast(a: str, b: str) -> float:
    """WCAG 2.2, contrast ratio."""
    low, high = sorted([luminance(a), luminance(b)])
    return (high + 0.05) / (low + 0.05)


def oklab(rgb) -> np.ndarray:
    """Ottosson 2020, of linear RGB."""
    cones = [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
    axes = [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
    return np.array(axes) @ np.cbrt(np.array(cones) @ np.clip(rgb, 0, 1))


def lightness(color: str) -> float:
    """CIE L*, 0 to 100: what is left of a color in grays."""
    return 116 * np.cbrt(luminance(color)) - 16


def test_black_on_white_has_the_contrast_and_lightness_that_the_standards_say():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)
    assert lightness("#ffffff") == pytest.approx(100)
    np.testing.assert_allclose(oklab(linear("#ffffff")), [1, 0, 0], atol=1e-4)


def test_no_color_is_written_outside_the_design():
    written = re.compile(r"(?<![&\w])#(?:[0-9a-fA-F]{8}|[0-9a-fA-F]{6}|[0-9a-fA-F]{3,4})\b")
    stray = []
    for path in PACKAGE.rglob("*.py"):
        if path.name == "design.py":
            continue
        for line in path.read_text().splitlines():
            if ">>>" not in line and written.search(line):
                stray.append(f"{path.relative_to(PACKAGE)}: {line.strip()}")
    assert stray == []


@THEMES
@pytest.mark.parametrize("text", ["ink", "soft", "link", "negative-ink"])
def test_text_is_read_on_the_page_and_on_what_is_set_apart(theme, text):
    tokens = design.tokens(theme)
    for ground in ("paper", "tint"):
        assert contrast(tokens[text], tokens[ground]) >= 4.5
    assert contrast(tokens["accent-ink"], tokens["accent"]) >= 4.5


@THEMES
def test_every_hue_is_seen_as_a_mark_on_the_page(theme):
    tokens = design.tokens(theme)
    marks = {name for name in tokens if name.startswith("hue-")} | {"positive", "negative"}
    assert len(marks) == len(design.HUES) + len(design.GRAYS) + 2
    for name in marks:
        assert contrast(tokens[name], tokens["paper"]) >= 3, name


@THEMES
@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_hues_stay_apart_for_the_color_blind(theme, deficiency):
    seen = {
        name: oklab(np.array(DEFICIENCIES[deficiency]) @ linear(values[theme]))
        for name, values in design.HUES.items()
    }
    apart = {
        (a, b): float(np.linalg.norm(seen[a] - seen[b])) for a, b in itertools.combinations(seen, 2)
    }
    assert min(apart.values()) > 3 * JUST_SEEN, min(apart, key=apart.__getitem__)


@THEMES
def test_hues_stay_apart_in_grays(theme):
    grays = sorted(lightness(values[theme]) for values in design.HUES.values())
    assert np.diff(grays).min() > 4.5  # of 100, about twice what is just seen


@pytest.mark.parametrize("anchors", [design.SEQUENTIAL, design.DIVERGING])
def test_maps_go_from_light_to_dark_for_everyone(anchors):
    for matrix in DEFICIENCIES.values():
        seen = [oklab(np.array(matrix) @ linear(color))[0] for color in anchors]
        assert np.diff(seen).max() < -0.02


def test_the_diverging_map_has_orange_below_zero_and_blue_above():
    colors = design.colormap(design.DIVERGING)([0.0, 0.5, 1.0])[:, :3]
    red, _, blue = colors.T
    assert red[0] > blue[0] + 0.2 and blue[2] > red[2] + 0.2
    assert np.ptp(colors[1]) < 0.05  # gray at 0


def test_pages_notebooks_and_drawings_declare_the_same_colors():
    for theme in (0, 1):
        for name, value in design.tokens(theme).items():
            assert f"--{name}: {value};" in PAGE
            if name not in ("ink", "soft", "line", "paper", "tint"):  # the notebook's own
                assert f"--{name}: {value};" in NOTEBOOK
    for kind, (_, hue) in KINDS.items():
        assert f".cutaway-net .{kind} {{ fill: {design.hue(hue)}; }}" in STYLE
    alone = picture([], 10, 10, "a").svg
    assert design.declarations(0) in alone and design.declarations(1) in alone


def test_charts_follow_the_theme_and_have_names_and_values_for_those_who_cannot_see_them():
    plot = Plot("loss", x_label="epoch")
    plot.line([1, 2], [0.5, 0.25], color=design.ORANGE, label="training")
    svg = side_by_side([plot])
    assert f'stroke="{design.hue("orange")}"' in svg and f'"{design.ORANGE}"' not in svg
    assert 'role="img" aria-label="loss"' in svg
    assert "epoch 2\ntraining: 0.25</title>" in svg


def test_the_hues_of_matplotlib_follow_the_theme_too():
    from cutaway.story.figures import svg_of
    from cutaway.story.panels import new_axes

    axes = new_axes()
    axes.plot([0, 1], [1, 2])
    axes.set(xlabel="step", ylabel="loss")
    svg = svg_of(axes.figure)
    assert f"stroke: {design.hue('blue')}" in svg  # the first of a figure's colors
    assert 'role="img" aria-label="loss over step"' in svg


def test_a_color_that_follows_the_theme_is_not_wrapped_again():
    once = design.themed(f'stroke="{design.BLUE}"')
    assert design.themed(once) == once


@pytest.mark.parametrize(
    ("file", "made"), [("styles/tokens.css", design.studio_css), ("tokens.ts", design.studio_ts)]
)
def test_the_studio_has_the_tokens_of_the_design(file, made):
    assert (STUDIO / file).read_text() == made(), "run scripts/studio_tokens.py"


def test_the_studio_writes_no_color_of_its_own():
    written = re.compile(r"#[0-9a-fA-F]{3,8}\b")
    sources = [*STUDIO.rglob("*.css"), *STUDIO.rglob("*.ts"), *STUDIO.rglob("*.tsx")]
    stray = [
        f"{path.name}: {line.strip()}"
        for path in sources
        if not path.name.startswith("tokens.")
        for line in path.read_text().splitlines()
        if written.search(line)
    ]
    assert sources and stray == []

import dataclasses
import json

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_series_equal

from cutaway.data.missing_words import as_texts, missing_words_of_text
from cutaway.data.number_recipe import NumberRecipe
from cutaway.data.numeral_codes import is_code
from cutaway.data.numeral_styles import find_decimal
from cutaway.data.numerals import find_numbers
from cutaway.errors import OptionError


def column(cells):
    return pl.Series("c", cells)


def same(numbers):
    """Equal but for a rounding; None only to None."""
    return [None if x is None else pytest.approx(x, rel=1e-15) for x in numbers]


def read(cells, **options):
    recipe = find_numbers(column(cells), **options)
    assert recipe is not None
    return recipe.parse(column(cells)).to_list()


# the inputs of issue 19, written anew: cells, their numbers
NUMBERS = {
    "plain": (["1.5", "-2", "1e3"], [1.5, -2, 1000]),
    "missing word": (["0.346", "missing", "0.822", "-1.303"], [0.346, None, 0.822, -1.303]),
    "Excel's errors": (["#N/A", "0.822", "#DIV/0!", "-1.303"], [None, 0.822, None, -1.303]),
    "thousands": (["345,584", "821,618", "1,303,157"], [345584, 821618, 1303157]),
    "thousands of three digits only": (["345,584", "821,618", "97"], [345584, 821618, 97]),
    "decimal commas": (["0,346", "0,822", "-1,303"], [0.346, 0.822, -1.303]),
    "points and decimal commas": (["10.367,53", "9.913,11"], [10367.53, 9913.11]),
    "points in all groups": (["1.234.567", "2.345", "17"], [1234567, 2345, 17]),
    "spaces": (["1 234", "1 234 567", "5"], [1234, 1234567, 5]),
    "no-break and thin spaces": (
        ["1\u00a0234,5", "1\u202f234", "7\u2009000"],
        [1234.5, 1234, 7000],
    ),
    "Swiss": (["1'234.50", "12’000.00", "5.–"], [1234.5, 12000, 5]),
    "Indian": (["12,34,567", "1,23,456", "999"], [1234567, 123456, 999]),
    "dollars": (["$1.99", "$2.99", "$1,250.00"], [1.99, 2.99, 1250]),
    "euros": (["1,99 €", "1.250,00 €", "7 €"], [1.99, 1250, 7]),
    "currency code": (["USD 5", "usd 7.5"], [5, 7.5]),
    "Brazil": (["R$ 1.500,00", "R$ 3,50"], [1500, 3.5]),
    "rupees": (["Rs.500", "Rs. 1,20,000"], [500, 120000]),
    "negative money": (["-$3", "$-3", "($3.00)", "$(4.50)", "$5"], [-3, -3, -3, -4.5, 5]),
    "ledger": (["17,036.86-", "12.00"], [-17036.86, 12]),
    "percent": (["12.5%", "7 %", "0"], [12.5, 7, 0]),
    "kilograms": (["12 kg", "5.3kg", "13", "8 KG"], [12, 5.3, 13, 8]),
    "years": (["1 year", "2 years", "10 years"], [1, 2, 10]),
    "compound unit": (["0.5 mg/dL", "12 mg/dL"], [0.5, 12]),
    "two values": (["36 months", "60 months", "36 months"], [36, 60, 36]),
    "k and M": (["1.2k", "3M", "950"], [1200, 3e6, 950]),
    "k alone": (["1.2K", "3K", "95K"], [1200, 3000, 95000]),
    "money in millions": (["€110.5M", "€565K", "€0"], [110.5e6, 565e3, 0]),
    "Mio.": (["3,5 Mio. €", "1,25 Mrd. €"], [3.5e6, 1.25e9]),
    "lakh and crore": (["45 Lac", "1.5 Cr"], [4.5e6, 1.5e7]),
    "meters": (["3m", "12.5m"], [3, 12.5]),
    "grams": (["3 g", "12.5 g"], [3, 12.5]),
    "minus": (["−3", "–4", "5"], [-3, -4, 5]),
    "plus": (["+3", "+4.5", "- 5"], [3, 4.5, -5]),
    "exponents": (["1.5E-03", "2e5"], [0.0015, 2e5]),
    "exponents with commas": (["-3,097E-01", "1,234E+02"], [-0.3097, 123.4]),
    "no digit before the point": ([".5", "-.25", "1"], [0.5, -0.25, 1]),
    "spaces around": ([" 3 ", "\u00a04.5", "\t7"], [3, 4.5, 7]),
    "at least": ([f"{n:,}+" for n in range(0, 30_000, 2_000)], [*range(0, 30_000, 2_000)]),
    "engine": (["1.6L", "2.0L"] * 9, [1.6, 2] * 9),
    "rupees and a dash": (["Rs. 500/-", "Rs. 1,20,000/-"], [500, 120000]),
    "currency that is not listed": (["1 200 DA", "900 DA", "0 DA"], [1200, 900, 0]),
    "accounting": (["$ -", "$ 5.00", " $-   ", "(1.50)"], [None, 5, None, -1.5]),
    "per hour": ([f"${n}.50/hr" for n in range(12)], [n + 0.5 for n in range(12)]),
    "infinite": (["inf", "1.5", "-inf", "NaN", "2"], [None, 1.5, None, None, 2]),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_are_read_as_people_mean_them(name):
    cells, numbers = NUMBERS[name]
    assert read(cells) == same(numbers)


@pytest.mark.parametrize("name", NUMBERS)
def test_a_single_row_is_read_as_in_the_column_by_a_stored_recipe(name):
    cells, numbers = NUMBERS[name]
    stored = json.dumps(dataclasses.asdict(find_numbers(column(cells))))
    recipe = msgspec.convert(json.loads(stored), type=NumberRecipe)
    for cell, number in zip(cells, numbers, strict=True):
        assert recipe.parse(column([cell])).to_list() == same([number])


DATES = [(2020 + k % 4, 1 + k % 12, 1 + k % 28) for k in range(60)]
NO_NUMBERS = {
    "ZIP": [f"{n:05d}" for n in range(501, 99_000, 997)],
    "ZIP with missing": ["00501", "10001", "NA", "94105", "unknown"],
    "keys of 20 digits": [f"0{n}000000000000000000" for n in range(1, 9)],
    "long keys": [f"{n}00000000000000000000" for n in range(1, 9)],
    "telephone": [f"0{n}" for n in (171234567, 30901820, 8912345)],
    "telephone with country": [f"+4917{n}" for n in range(12345678, 12345699)],
    "telephone, US": [f"({n}) 555-0{n}" for n in range(200, 260)],
    "telephone, French": [f"06 12 34 56 {n}" for n in range(10, 60)],
    "company": ["732 829 320", "552 100 554", "542 051 180"],
    "hours of two digits": [f"{n:02d}" for n in range(24)],
    "date": [f"{y}-{m:02d}-{d:02d}" for y, m, d in DATES],
    "date, German": [f"{d:02d}.{m:02d}.{y}" for y, m, d in DATES],
    "date, short": [f"{d}.{m}.{y % 100}" for y, m, d in DATES],
    "date, US": [f"{m}/{d}/{y}" for y, m, d in DATES],
    "date, slash": [f"{m}/{d}" for _, m, d in DATES],
    "month": [f"Jan {d}" for _, _, d in DATES],
    "timestamp": [f"{y}-{m:02d}-{d:02d} 00:00:00" for y, m, d in DATES],
    "time": [f"{m}:{d:02d}" for _, m, d in DATES],
    "time, pm": [f"{n} pm" for n in range(1, 13)],
    "duration": [f"{m}h{d:02d}" for _, m, d in DATES],
    "version": [f"1.{n}.{n % 3}" for n in range(40)],
    "range": [f"{n}-{n + 5}" for n in range(0, 90, 5)],
    "age group": ["18-24", "25-34", "55+"] * 9,
    "hexadecimal": [hex(n) for n in range(7, 99_999, 777)],
    "hash": [f"{n * 2654435761 % 2**32:08x}" for n in range(1, 300)],
    "IP": [f"192.168.{n}.{n + 1}" for n in range(60)],
    "fraction": [f"{n}/5" for n in range(40)],
    "ordinal": [f"{n}th" for n in range(4, 60)],
    "seat": [f"{n}{'ABCDEF'[n % 6]}" for n in range(1, 60)],
    "drive": ["2WD", "4WD"] * 9,
    "tire": ["4x4", "4x2"] * 9,
    "screen": [f"{n}x{n + 7}" for n in range(100, 160)],
    "feet and inches": [f"5'{n}\"" for n in range(12)],
    "coordinate": [f"{n}°{n}'N" for n in range(12)],
    "postcode, Dutch": [f"{1000 + n} {chr(65 + n % 26)}B" for n in range(99)],
    "name": [f"item{n}" for n in range(60)],
    "quarter": ["Q1", "Q2", "Q3"] * 9,
    "kilograms and grams": ["5 kg", "500 g", "2 kg"] * 9,
    "currencies": ["$5", "€6", "£8"] * 9,
    "fractions and percent": ["0.5", "50%", "0.25"] * 9,
    "home, draw, away": ["1", "X", "2"] * 9,
    "network": ["3G", "4G", "5G"] * 9,
    "decade": ["1980s", "1990s", "2000s"] * 9,
    "dimension": ["2D", "3D"] * 9,
    "grade": ["1-", "2+", "2", "3-"] * 9,
    "blood group": ["+", "-"] * 9,
    "all in parentheses": [f"({n})" for n in range(60)],
    "mostly unknown": ["unknown"] * 60 + ["1", "2", "3"] * 10,
    "one number": ["1", "unknown"] * 9,
    "list": [f"{n}, {n + 1}" for n in range(60)],
    "point": [f"{n} {n + 1}" for n in range(60)],
    "sentence": [f"the {n} cats of a long tale" for n in range(60)],
    "address": [f"{n} {('Oak', 'Elm', 'Main')[n % 3]} St" for n in range(60)],
    "yes": ["yes", "no"] * 9,
    "true": ["true", "false"] * 9,
    "nothing": ["", None, "NA"],
    "no row": [],
}


@pytest.mark.parametrize("name", NO_NUMBERS)
def test_what_is_no_number_stays_text(name):
    assert find_numbers(pl.Series("c", NO_NUMBERS[name], dtype=pl.String)) is None


def test_a_column_is_one_of_numbers_with_up_to_5_percent_of_other_cells():
    numbers = [f"{k}.5" for k in range(95)]
    assert read([*numbers, "a", "b", "c", "d", "e"])[-6:] == [94.5] + [None] * 5
    assert read([*numbers[:19], "a"])[-2:] == [18.5, None]
    assert find_numbers(column([*numbers, "a", "b", "c", "d", "e", "f"])) is None
    assert find_numbers(column([*numbers[:18], "a"])) is None


def test_words_for_missing_values_do_not_count_as_other_cells():
    numbers = [f"{k}.5" for k in range(10)]
    assert read(["#N/A", "N.A.", "null", "NaN", ""] * 9 + numbers)[45:] == [
        k + 0.5 for k in range(10)
    ]
    assert read(["missing", "-"] * 5 + numbers)[:11] == [None] * 10 + [0.5]
    assert find_numbers(column(["missing", "-"] * 6 + numbers)) is None  # a class, perhaps


def test_words_of_the_user_are_missing():
    cells = ["Varies with device"] * 40 + ["19M", "8.5M", "201k"]
    assert find_numbers(column(cells)) is None
    assert read(cells, missing=["Varies with device"])[39:] == [None, 19e6, 8.5e6, 201e3]
    assert read(["5", "7.5", "-1", "-1.0"], missing=["-1"]) == [5, 7.5, None, None]
    assert read([5.0, 7.5, -1.0], missing=["-1"]) == [5, 7.5, None]


def test_commas_alone_are_decided_over_the_whole_column_or_by_the_table():
    thousands = [f"{n},{n + 1}" for n in range(100, 200)]
    assert read(thousands)[0] == 100101
    assert read(thousands, decimal=",")[0] == pytest.approx(100.101)
    assert read([*thousands, "0,125"])[0] == pytest.approx(100.101)
    assert read([*thousands, *[f"{n},5" for n in range(10)]])[0] == pytest.approx(100.101)
    # one 1,5 among a hundred is a typing error
    assert read([*thousands, "1,5"])[-2:] == [199200, None]
    assert read([*thousands, "1,234,567"], decimal=",")[-1] == 1234567


def test_points_alone_are_decimal_unless_the_table_has_decimal_commas():
    cells = ["1.234", "5.678", "12.345"]
    assert read(cells) == [1.234, 5.678, 12.345]
    assert read(cells, decimal=",") == [1234, 5678, 12345]
    assert read(["1.5", "2.25"], decimal=",") == [1.5, 2.25]
    assert read([*cells, "1.234.567"]) == [1234, 5678, 12345, 1234567]


def test_the_decimal_sign_of_a_table():
    german, plain = column(["1,5", "2,25", "n/a"]), column(["1", "2", "3"])
    either, english = column(["1,234", "5,678"]), column(["0.5", "1.25"])
    assert find_decimal([plain, either, german, pl.Series([1.5])]) == ","
    assert find_decimal([plain, english, either]) == "."
    assert find_decimal([plain, either]) is None
    assert find_decimal([german, english]) is None
    assert find_decimal([column(["1.234,5", "17", "3"])]) == ","
    with pytest.raises(OptionError, match="decimal sign"):
        find_numbers(plain, decimal=";")


def test_a_later_table_may_have_larger_numbers_without_the_unit_and_with_words():
    recipe = find_numbers(column(["$1.99", "$12.50"]))
    later = column(["$1,250.00", "3", "5,5", "€4", "tbd", None, "7 $"])
    assert recipe.parse(later).to_list() == [1250, 3, None, None, None, None, 7]
    recipe = find_numbers(column(["5%", "50%"]))
    assert recipe.percent and recipe.parse(column(["0.5", "7%", "0"])).to_list() == [None, 7, 0]
    recipe = find_numbers(column(["1.2k", "3M"]))
    assert recipe.parse(column(["2B", "7"])).to_list() == [2e9, 7]


def test_integers_stay_integers_and_are_exact():
    assert find_numbers(column(["9007199254740993", "n/a", "1"])).parse(
        column(["9007199254740993", "?"])
    ).to_list() == [9007199254740993, None]
    recipe = find_numbers(column(["1,234", "$5"]))
    assert recipe.integer and recipe.parse(column(["17"])).dtype == pl.Int64
    assert recipe.parse(column(["17.5"])).to_list() == [17.5]
    for cells in (["1.0", "2.0"], ["1e3", "2"], ["1k", "2k"], ["2.00 kg", "3.00 kg"]):
        assert find_numbers(column(cells)).parse(column(["3"])).dtype == pl.Float64


def test_columns_of_numbers_and_categories_are_read_too():
    recipe = find_numbers(column(["1,234", "5"]))
    assert recipe.parse(pl.Series("c", [3, 4])).to_list() == [3, 4]
    assert recipe.parse(pl.Series("c", [3.5, np.nan, np.inf])).to_list() == [3.5, None, None]
    assert recipe.parse(pl.Series("c", [None, None])).to_list() == [None, None]
    assert recipe.parse(pl.Series("c", [], dtype=pl.String)).to_list() == []
    cells = pl.Series("c", ["1,234", "5", None], dtype=pl.Categorical)
    assert find_numbers(cells).parse(cells).to_list() == [1234, 5, None]
    assert find_numbers(pl.Series("c", [True, False])) is None
    assert find_numbers(pl.Series("c", [np.nan, None])) is None


def test_sentinels_of_texts_and_numbers_are_missing_and_counted():
    numbers = [k / 2 for k in range(100)]
    typed = pl.Series("CO", [*numbers, -200.0, -200.0])
    for series in (typed, typed.cast(pl.String), (typed.cast(pl.String) + " ppm")):
        recipe = find_numbers(series)
        assert recipe.sentinels == (-200,)
        assert recipe.parse(series).to_list() == [*numbers, None, None]
        assert recipe.sentences(series)[-1] == (
            "CO: -200 in 2 rows, apart from the others (0 to 49.5), treated as missing"
        )
        assert find_numbers(series, sentinels=False).parse(series).to_list()[-1] == -200


def test_notes_say_what_was_read_how_and_quote_what_became_missing():
    prices = ["$5.99"] * 232 + ["$1,250.00", "soon", "#N/A"]
    cells = pl.Series("price", [*prices, "N/A", "", None])
    assert find_numbers(cells).sentences(cells) == [
        "price: read as numbers without the unit '$', for example '$1,250.00' as 1250",
        "price: 2 of 238 values are not numbers ('#N/A', 'soon'), treated as missing",
    ]
    cells = pl.Series("rate", ["12,5 %", "7 %", "-"])
    assert find_numbers(cells).sentences(cells) == [
        "rate: read as numbers in percent, for example '12,5 %' as 12.5",
        "rate: 1 of 3 values is not a number ('-'), treated as missing",
    ]
    words = ["a", "b", "b", "c", "d", "d", "e"]
    cells = pl.Series("x", [*map(str, range(400)), *words])
    assert find_numbers(cells).sentences(cells) == [
        "x: 7 of 407 values are not numbers ('b', 'd', 'a' and 2 more), treated as missing"
    ]


def test_nothing_is_said_of_plain_numbers():
    for cells in (["1", "2", "NA", ""], ["1.5", " 2e5 ", None], ["+1", "-2"]):
        assert find_numbers(column(cells)).sentences(column(cells)) == []


def test_codes_are_strings_of_digits_that_would_lose_zeros():
    assert is_code(column(["00501", "10001", None, "94105", "n/a"]))
    assert is_code(column([" 007", "012", "1234"]))
    assert not is_code(column(["0", "10", "5"]))
    assert not is_code(column(["0.5", "00.5", "1"]))
    assert not is_code(column([*map(str, range(100)), "05"]))  # a typing error
    assert not is_code(pl.Series("c", [], dtype=pl.String))


def test_a_class_named_NA_stays_in_a_column_of_texts():
    cells = column(["AS", "NA", " EU ", "", None, "None", "?"])
    assert as_texts(cells).to_list() == ["AS", "NA", "EU", None, None, "None", "?"]
    assert as_texts(cells, missing=["?", "None"]).to_list()[-2:] == [None, None]
    assert missing_words_of_text(column(["a", "NA", "NA", "?", "", None])) == {"NA": 2, "?": 1}


GROUPED = {",": ".", ".": ",", " ": ",", "'": ".", "": "."}  # thousands: decimal


def written(number, digits, thousands, style):
    text = f"{abs(number):,.{digits}f}".replace(",", "T").replace(".", "D")
    text = text.replace("T", thousands).replace("D", GROUPED[thousands])
    before, after = style
    return ("-" if number < 0 else "") + before + text + after


@given(
    numbers=st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=40),
    digits=st.sampled_from([1, 2, 4, 6]),
    thousands=st.sampled_from(sorted(GROUPED)),
    style=st.sampled_from(
        [
            ("", ""),
            ("$", ""),
            ("€ ", ""),
            ("", " €"),
            ("", "%"),
            ("CHF ", ""),
            ("", "kg"),
            ("", "\u00a0°C"),
        ]
    ),
)
def test_numbers_written_in_one_style_are_read_back(numbers, digits, thousands, style):
    numbers = [round(x, digits) for x in [*numbers, 1.5, -2.5]]
    cells = column([written(x, digits, thousands, style) for x in numbers])
    found = find_numbers(cells, sentinels=False)
    assert found.parse(cells).to_list() == pytest.approx(numbers, rel=1e-15, abs=1e-15)
    assert found.unit == style[0].strip() + style[1].strip()


@given(
    numbers=st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=40),
    thousands=st.sampled_from([",", ".", " ", "\u202f", "'"]),
    where=st.integers(0, 1000),
)
def test_integers_in_groups_are_read_back_and_one_row_as_all(numbers, thousands, where):
    numbers = [*numbers, 1234567, 12]
    cells = column([f"{n:,}".replace(",", thousands) for n in numbers])
    recipe = find_numbers(cells, sentinels=False)
    assert recipe.parse(cells).to_list() == numbers
    row = where % len(numbers)
    assert recipe.parse(cells[row : row + 1]).to_list() == numbers[row : row + 1]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=30))
def test_any_floats_that_polars_writes_are_read_back_bit_for_bit(numbers):
    cells = pl.Series("c", numbers, dtype=pl.Float64).cast(pl.String)
    recipe = find_numbers(cells, sentinels=False)
    assert_series_equal(recipe.parse(cells), pl.Series("c", numbers, dtype=pl.Float64))


@given(st.lists(st.text(max_size=12), max_size=30), st.sampled_from([None, ".", ","]))
def test_any_texts_are_read_or_stay_texts(cells, decimal):
    series = pl.Series("c", cells, dtype=pl.String)
    recipe = find_numbers(series, decimal=decimal)
    if recipe is not None:
        numbers = recipe.parse(series)
        assert len(numbers) == len(cells) and numbers.drop_nulls().is_finite().all()
        assert all(isinstance(sentence, str) for sentence in recipe.sentences(series))


CHARACTERS = "0123456789.,' -+()$€%eEkM"


@given(st.lists(st.text(CHARACTERS, min_size=1, max_size=8), min_size=1, max_size=30))
def test_a_row_is_read_the_same_alone_and_among_others(cells):
    recipe = NumberRecipe(".", ",", "$", True, False, (), ())
    series = column(cells)
    alone = [recipe.parse(series[k : k + 1])[0] for k in range(len(cells))]
    assert recipe.parse(series).to_list() == alone

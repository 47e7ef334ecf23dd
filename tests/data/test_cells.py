"""Files as people have them: what is in their cells, and what is said of them."""

import zlib

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.data import read_table
from cutaway.data.cells import holds_table, read_cells
from cutaway.data.delimited import read_delimited
from cutaway.data.header import unique_names
from cutaway.errors import DataError, OptionError


def write(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def cells_of(tmp_path, text, name="t.csv", **options):
    return read_cells(write(tmp_path / name, text), **options)


def test_cells_are_as_they_were_written(tmp_path):
    text = 'zip,price,name,gap\n00501, $1.99 ,NA,\n007,1e3,"say ""hi""",?\n'
    cells = cells_of(tmp_path, text)
    assert cells.frame.dtypes == [pl.String] * 4
    assert cells.frame.rows() == [
        ("00501", " $1.99 ", "NA", None),
        ("007", "1e3", 'say "hi"', "?"),
    ]
    assert (cells.notes, cells.separator, cells.encoding) == ([], ",", "utf-8")
    assert read_table(tmp_path / "t.csv")["name"].to_list() == ["NA", 'say "hi"']


@given(
    st.lists(
        st.lists(st.text("ab,;\t|\"' é1.", max_size=6), min_size=3, max_size=3),
        min_size=2,
        max_size=8,
    )
)
def test_what_polars_writes_is_read_back(rows):
    """Whatever stands in the cells: quotes, separators, blanks."""
    rows = [["x", *row] for row in rows]  # so that no line is blank
    frame = pl.DataFrame(rows, schema=["id", "b", "c", "d"], orient="row")
    written = frame.write_csv(quote_style="always").encode()
    found, *_ = read_delimited(written, "t.csv", header=True, separator=",")
    assert found.columns == frame.columns
    assert found.fill_null("").equals(frame)


# the cases that were refused or misread, written anew


def test_the_header_is_read_by_a_csv_parser(tmp_path):
    rows = "".join(f"{k}.5,{2 * k},{k % 3},{k % 2}\n" for k in range(30))
    frame = read_table(write(tmp_path / "t.csv", '"Name, first",a,"b\nunit",y\n' + rows))
    assert frame.columns == ["Name, first", "a", "b\nunit", "y"]
    assert frame.shape == (30, 4) and frame.row(1) == (1.5, 2, 1, 1)
    assert cells_of(tmp_path, '"a,x","b,x",y\n1,2,3\n').frame.columns == ["a,x", "b,x", "y"]
    assert cells_of(tmp_path, '"say ""hi""",b,y\n1,2,3\n').frame.columns == ['say "hi"', "b", "y"]


def test_repeated_and_missing_names_are_numbered(tmp_path):
    cells = cells_of(tmp_path, "a,a,y\n0.35,0.69,1\n0.82,1.64,1\n")
    assert cells.frame.columns == ["a", "a 2", "y"]
    assert cells.notes == ["several columns are named 'a': all but the first are numbered, as a 2"]
    cells = cells_of(tmp_path, "a,,a 2,a\n1,2,3,4\n5,6,7,8\n")
    assert cells.frame.columns == ["a", "column 2", "a 2", "a 3"]
    assert cells.notes[1] == "columns without a name are numbered: column 2"


@given(st.lists(st.sampled_from(["a", "a 2", "a 3", "column 1", "column 2", None]), max_size=8))
def test_names_are_unique_and_the_first_of_each_stays(names):
    found, _ = unique_names(names)
    assert len(set(found)) == len(names)
    for place, name in enumerate(names):
        if name and name not in names[:place]:
            assert found[place] == name


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("latin-1", "latin-1"),
        ("cp1252", "latin-1"),  # the same bytes
        ("mac-roman", "mac-roman"),
        ("utf-16", "utf-16-le"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("utf-32", "utf-32-le"),
        ("utf-8-sig", "utf-8"),
    ],
)
def test_encodings_are_found_and_said(tmp_path, encoding, name):
    places = ["Köln", "München", "Zürich", "Görlitz", "Füssen", "Lübeck"]
    text = "Stadt;Höhe;y\r\n" + "".join(f"{place};53;0\r\n" for place in places)
    cells = cells_of(tmp_path, text.encode(encoding))
    assert cells.frame.columns == ["Stadt", "Höhe", "y"]
    assert cells.frame["Stadt"].to_list() == places
    assert (cells.encoding, cells.separator) == (name, ";")
    assert any(name in note for note in cells.notes) == (name != "utf-8")


def test_a_given_encoding_is_used_or_refused_with_the_byte(tmp_path):
    path = write(tmp_path / "t.csv", "a,b\n1,ž\n2,x\n".encode("cp1250"))
    assert read_cells(path, encoding="cp1250").frame["b"].to_list() == ["ž", "x"]
    with pytest.raises(DataError, match=r"t\.csv: line 2 is not utf-8 text \(byte 0x9e at 6\)"):
        read_cells(path, encoding="utf-8")
    for unknown in ("latin-99", "hex", "rot13", ""):
        with pytest.raises(OptionError, match="unknown encoding"):
            read_cells(path, encoding=unknown)
    with pytest.raises(OptionError, match="unknown header 'yes'"):
        read_cells(path, header="yes")


def test_a_stray_quote_is_read_as_a_character_with_a_note(tmp_path):
    lines = [f"{'pos' if k % 2 else 'neg'}\tplot film number {k} in" for k in range(240)]
    lines[5] = 'pos\tthis great a nice he said "bad'
    cells = cells_of(tmp_path, "\n".join(["label\ttext", *lines, ""]), "quote.tsv")
    assert cells.frame.height == 240
    assert cells.frame["text"][5] == 'this great a nice he said "bad'
    assert cells.notes == ["line 7: a double quote without its partner is read as a character"]


@pytest.mark.parametrize(
    ("text", "rows", "line"),
    [
        ('a,b\n1,"xy\n2,zw\n3,q\n', [("1", '"xy'), ("2", "zw"), ("3", "q")], 2),
        ('id,t\n1,5" disk\n2,"a, b"\n3,x\n', [("1", '5" disk'), ("2", "a, b"), ("3", "x")], 2),
        # the quotes of two lines pair up, and hide the line between them
        ('a,b\n"1",x\n2,"y\n3,z\n4,w"\n', [("1", "x"), ("2", '"y'), ("3", "z"), ("4", 'w"')], 3),
    ],
)
def test_quotes_that_enclose_nothing(tmp_path, text, rows, line):
    cells = cells_of(tmp_path, text)
    assert cells.frame.rows() == rows
    assert cells.notes == [
        f"line {line}: a double quote without its partner is read as a character"
    ]


def test_a_quote_that_cannot_be_read_either_way_is_named_with_its_line(tmp_path):
    text = "a,b\n" + "1,x\n" * 5 + '2,"open, and\n' + "3,y\n" * 5
    with pytest.raises(DataError, match="line 7 has a double quote that is not closed"):
        cells_of(tmp_path, text)


def test_cells_of_several_lines_are_one_cell(tmp_path):
    cells = cells_of(tmp_path, 'id,text\n1,"two\n\nlines"\n2,one\n3,"a, b"\n')
    assert cells.frame.rows() == [("1", "two\n\nlines"), ("2", "one"), ("3", "a, b")]
    assert cells.notes == []


def test_a_first_row_that_is_longer_than_what_is_looked_at(tmp_path):
    text = "words " * 60_000
    cells = cells_of(tmp_path, f'id,text\n1,"{text}"\n2,x\n')
    assert cells.frame.rows() == [("1", text), ("2", "x")]


def test_carriage_returns(tmp_path):
    with pytest.raises(DataError, match="line 3 has 4 cells"):
        cells_of(tmp_path, b"a,b,y\n1,x\ry,3\n4,5,6,7\n")
    for end in (b"", b"\r", b"\n", b"\r\n"):
        assert cells_of(tmp_path, b"a,b\r1,2\r3,4" + end).frame.rows() == [("1", "2"), ("3", "4")]


def test_labeled_lines_of_one_name(tmp_path):
    lines = [f"{'ab'[k % 2]}\tthis is the message {k} of them" for k in range(12)]
    cells = cells_of(tmp_path, "\n".join(["text\ttext", *lines]), "t.txt")
    assert cells.frame.columns == ["text", "text 2"] and cells.frame.height == 12


def test_damaged_gzip_and_parquet_are_named(tmp_path):
    deflate = bytes.fromhex("9554cb6e843000bc23ed3f44396fa5c40909")  # no sound codes
    with pytest.raises(zlib.error):
        zlib.decompress(deflate, -15)
    path = write(tmp_path / "z.csv.gz", bytes.fromhex("1f8b08000000000002ff") + deflate)
    with pytest.raises(DataError, match=r"z\.csv\.gz cannot be read: not a valid gzip file"):
        read_cells(path)
    pl.DataFrame({"a": [1.5, 2.5], "b": ["x", "y"]}).write_parquet(tmp_path / "d.parquet")
    content = bytearray((tmp_path / "d.parquet").read_bytes())
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    content[footer : footer + 20] = bytes(20)
    with pytest.raises(DataError, match=r"d\.parquet is not a valid Parquet file"):
        read_cells(write(tmp_path / "d.parquet", bytes(content)))


def test_a_name_that_looks_like_a_pattern_is_that_file(tmp_path):
    frames = {"t*": 1, "tSECRET": 777, "sales[1]": 5, "sales1": 9, "a?": 2, "ab": 3}
    for name, value in frames.items():
        pl.DataFrame({"a": [value], "y": [0]}).write_parquet(tmp_path / f"{name}.parquet")
        write(tmp_path / f"{name}.csv", f"a,y\n{value},0\n")
    for name, value in frames.items():
        assert read_cells(tmp_path / f"{name}.parquet").frame.row(0) == (value, 0)
        assert read_cells(tmp_path / f"{name}.csv").frame.row(0) == (str(value), "0")
    (tmp_path / "sales[1].parquet").unlink()
    with pytest.raises(DataError, match="there is no file"):
        read_cells(tmp_path / "sales[1].parquet")


# more files as they are found

NO_HEADER = "there is no header: the first line looks like data, so the columns are numbered"
ROW_NAMES = "the header has one name fewer than the lines have cells"
FILES = [  # (what it is, text, names, first row, separator, notes begin with)
    (
        "a German Excel",
        "Länge,cm;Breite;y\n1,5;2,5;0\n3,5;4,5;1\n",
        ["Länge,cm", "Breite", "y"], ("1,5", "2,5", "0"), ";", [],
    ),
    (
        "decimal commas and as many commas in the header",
        "Netto, EUR;Brutto, EUR;y\n1,5;2,5;0\n3,5;4,5;1\n",
        ["Netto, EUR", "Brutto, EUR", "y"], ("1,5", "2,5", "0"), ";", [],
    ),
    ("a column of decimal commas", "x\n1,5\n2,5\n", ["x"], ("1,5",), ";", []),
    (
        "commas inside quotes",
        'city,note\n"Bonn, Rhein","a; b"\n"Ulm, Donau","c; d"\n',
        ["city", "note"], ("Bonn, Rhein", "a; b"), ",", [],
    ),
    (
        "a header without commas, texts with them",
        "label\ttext\npos\tgood, very\nneg\tbad, very\n",
        ["label", "text"], ("pos", "good, very"), "\t", [],
    ),
    (
        "R's write.table",
        '"mpg" "cyl" "name"\n"Mazda RX4" 21 6 "a b"\n"Fiat" 22.8 4 "c"\n',
        ["row name", "mpg", "cyl", "name"], ("Mazda RX4", "21", "6", "a b"), " ", [ROW_NAMES],
    ),
    (
        "R's row names with commas",
        "mpg,cyl\nMazda,21,6\nFiat,22.8,4\n",
        ["row name", "mpg", "cyl"], ("Mazda", "21", "6"), ",", [ROW_NAMES],
    ),
    (
        "the index of pandas",
        ",a,b\n0,21,6\n1,22.8,4\n",
        ["column 1", "a", "b"], ("0", "21", "6"), ",", ["columns without a name are numbered"],
    ),
    (
        "pandas' names of an array",
        "0,1,2\n0.5,21,6\n1.5,22.8,4\n",
        ["0", "1", "2"], ("0.5", "21", "6"), ",", [],
    ),
    (
        "years as names",
        "country,1990,1995,2000\nA,1,2,3\nB,4,5,6\n",
        ["country", "1990", "1995", "2000"], ("A", "1", "2", "3"), ",", [],
    ),
    (
        "iris of UCI",
        "5.1,3.5,Iris-setosa\n4.9,3.0,Iris-setosa\n7.0,3.2,Iris-versicolor\n",
        ["column 1", "column 2", "column 3"], ("5.1", "3.5", "Iris-setosa"), ",", [NO_HEADER],
    ),
    (
        "digits of MNIST",
        "5,0,0,18\n4,0,0,2\n9,0,0,126\n",
        ["column 1", "column 2", "column 3", "column 4"], ("5", "0", "0", "18"), ",", [NO_HEADER],
    ),
    (
        "dates and values without a header",
        "2024-01-01;1,5\n2024-01-02;2,5\n2024-01-03;?\n",
        ["column 1", "column 2"], ("2024-01-01", "1,5"), ";", [NO_HEADER],
    ),
    (
        "auto-mpg of UCI",
        '18.0   8   307.0\t"chevrolet malibu"\n15.0   8   350.0\t"buick skylark 320"\n'
        '16.0   6   ?\t"amc rebel sst"\n',
        [f"column {k}" for k in (1, 2, 3, 4)], ("18.0", "8", "307.0", "chevrolet malibu"), " ",
        [NO_HEADER],
    ),
    (
        "columns aligned by spaces",
        "   a     b  c\n 1.5    2  x\n10.5   12  y\n",
        ["a", "b", "c"], ("1.5", "2", "x"), " ", [],
    ),
    (
        "comments and blank lines above",
        "# made by a logger\n# units m, s\n\na,b\n1,2\n3,4\n",
        ["a", "b"], ("1", "2"), ",", ["lines of comments (#) above the table: 2"],
    ),
    (
        "numpy's savetxt with its header",
        "# x y z\n1.0 2.0 3.0\n4.0 5.0 6.0\n",
        ["x", "y", "z"], ("1.0", "2.0", "3.0"), " ", ["the names of the columns are those of the"],
    ),
    ("a column named #", "#,name\n1,x\n2,y\n", ["#", "name"], ("1", "x"), ",", ["the names of"]),
    (
        "a title above the header",
        "Sales 2020\n\nregion;total;n\nnorth;1,5;2\nsouth;2,5;3\n",
        ["region", "total", "n"], ("north", "1,5", "2"), ";",
        ["the line 'Sales 2020' above the header is read as a title"],
    ),
    (
        "a title of a spreadsheet, filled up with separators",
        "Sales 2020;;\n;;\nregion;total;n\nnorth;1,5;2\nsouth;2,5;3\n",
        ["region", "total", "n"], ("north", "1,5", "2"), ";",
        ["the line 'Sales 2020' above the header is read as a title"],
    ),
    ("Excel's line that names the separator", "sep=|\na|b\n1|2\n", ["a", "b"], ("1", "2"), "|", []),
    (
        "a separator at the end of each line",
        "a,b,\n1,2,\n3,4,\n",
        ["a", "b"], ("1", "2"), ",", ["dropped the empty column at the end"],
    ),
    (
        "a separator at the end of each line but the header",
        "a,b\n1,2,\n3,4,\n",
        ["a", "b"], ("1", "2"), ",", ["dropped the empty column at the end"],
    ),
    (
        "a blank after each separator, and quotes",
        'a, b, c\n1, "x, y", 2\n2, "z", 3\n',
        ["a", "b", "c"], ("1", "x, y", "2"), ",", [],
    ),
    (
        "a line that was cut off",
        "a,b,c\n1,2,3\n4,5\n",
        ["a", "b", "c"], ("1", "2", "3"), ",", ["line 3 has 2 cells in place of 3"],
    ),
    ("a single column of words", "fruit\napple\npear\n", ["fruit"], ("apple",), ",", []),
]  # fmt: skip


@pytest.mark.parametrize(("what", "text", "names", "row", "separator", "notes"), FILES)
def test_files_as_people_have_them(tmp_path, what, text, names, row, separator, notes):
    cells = cells_of(tmp_path, text)
    assert cells.frame.columns == names
    assert cells.frame.row(0) == row
    assert cells.separator == separator
    assert [note[: len(begin)] for note, begin in zip(cells.notes, notes, strict=True)] == notes


def test_blank_lines_are_no_rows_but_missing_in_a_single_column(tmp_path):
    cells = cells_of(tmp_path, 'a,b\n\n1,2\n\n \n3,"x\n\ny"\n\n')
    assert cells.frame.rows() == [("1", "2"), ("3", "x\n\ny")]
    cells = cells_of(tmp_path, "a\n1\n\n3\n\n")
    assert cells.frame["a"].to_list() == ["1", None, "3"]


def test_errors_count_lines_from_the_top_of_the_file(tmp_path):
    text = "# a comment\n\nSales\n\na,b,c\n1,2,3\n\n4,5,6\n7,8,9,10\n"
    with pytest.raises(DataError, match=r"line 9 has 4 cells\n  expected: 3 cells in every line"):
        cells_of(tmp_path, text)


def test_a_header_can_be_forced_and_forbidden(tmp_path):
    path = write(tmp_path / "t.csv", "1,2\n3,4\n")
    assert read_cells(path).frame.rows() == [("1", "2"), ("3", "4")]
    forced = read_cells(path, header=True)
    assert (forced.frame.columns, forced.frame.rows()) == (["1", "2"], [("3", "4")])
    path = write(tmp_path / "t.csv", "a,b\n")
    assert read_cells(path, header=False).frame.rows() == [("a", "b")]
    with pytest.raises(DataError, match="has a header and no rows"):
        read_cells(path)


def test_notes_are_appended_to_the_given_list(tmp_path):
    notes = ["before"]
    read_table(write(tmp_path / "t.csv", "a,a\n1,2\n"), notes=notes)
    assert notes[0] == "before" and len(notes) == 2


def test_types_of_other_sources_are_kept():
    frame = pl.DataFrame({"id": ["00501", "7"], "n": [1, 2]})
    cells = read_cells(frame)
    assert cells.frame is frame and not cells.is_untyped
    assert read_table(frame)["id"].to_list() == ["00501", "7"]


def test_which_texts_are_tables(tmp_path):
    tables = {
        "r.txt": '"mpg" "cyl"\n"Mazda" 21 6\n"Fiat" 22 4\n',
        "tabs.txt": "a\tb\nx\ty\n",
        "list.json": ' [ {"a": 1}]',
        "u16.txt": "a;b\n1;2\n3;4\n".encode("utf-16"),
    }
    others = {
        "prose.txt": "It was the best of times,\nit was the worst of times,\nand so on\n",
        "verse.txt": "the cat sat\nthe dog ran\nthe owl saw\n",
        "coco.json": '{"images": []}',
        "bytes.txt": bytes(range(256)),
        "a.bin": "a,b\n1,2\n",
    }
    for name, text in {**tables, **others}.items():
        assert holds_table(write(tmp_path / name, text)) == (name in tables), name

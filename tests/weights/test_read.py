"""Files of weights: PyTorch's, old and new, and safetensors; what is no weights is refused."""

import collections
import io
import pickle
import struct
import zipfile
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import torch

from cutaway.errors import RunError
from cutaway.weights import read_weights
from cutaway.weights.files import write_tensors

FORMATS = {"zip": {}, "legacy": {"_use_new_zipfile_serialization": False}}
TYPES = (
    "float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool",
)  # fmt: skip


def numpy_of(tensor):
    if tensor.dtype is torch.bfloat16:
        return tensor.float().numpy().astype(ml_dtypes.bfloat16)
    return tensor.numpy()


@pytest.mark.parametrize("options", FORMATS.values(), ids=FORMATS)
def test_tensors_of_all_types_and_layouts_are_those_that_pytorch_wrote(options, tmp_path):
    torch.manual_seed(0)
    tensors = {name: (torch.randn(3, 4) * 50).to(getattr(torch, name)) for name in TYPES}
    base = torch.randn(4, 6, 5)
    tensors |= {
        "transposed": base.permute(2, 0, 1),
        "strided": base[1::2, ::3],
        "shared": base[2:],
        "expanded": torch.randn(1, 3).expand(4, 3),
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 3),
        "parameter": torch.nn.Parameter(torch.randn(2, 2)),
    }
    path = tmp_path / "weights.pth"
    torch.save(collections.OrderedDict(tensors), path, **options)
    read = read_weights(path)
    assert list(read) == list(tensors)
    for name, tensor in tensors.items():
        expected = numpy_of(tensor.detach())
        assert read[name].dtype == expected.dtype, name
        np.testing.assert_array_equal(read[name], expected)


def test_tensors_that_carry_their_type_themselves(tmp_path):
    tensors = {
        "unsigned": torch.tensor([1, 60000], dtype=torch.uint16),
        "short": torch.tensor([[1.0, 2.0], [0.5, 3.0]]).to(torch.float8_e4m3fn).T,
    }
    torch.save(tensors, tmp_path / "w.pt")
    read = read_weights(tmp_path / "w.pt")
    assert read["unsigned"].tolist() == [1, 60000]
    assert read["short"].astype(np.float32).tolist() == [[1.0, 0.5], [2.0, 3.0]]


@pytest.mark.parametrize("options", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("key", ("state_dict", "model", "something"))
def test_weights_are_found_in_a_checkpoint(key, options, tmp_path):
    net = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.BatchNorm2d(3))
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    checkpoint = {"epoch": 3, key: net.state_dict(), "optimizer": optimizer.state_dict()}
    checkpoint["best"] = np.float64(0.75)
    torch.save(checkpoint, tmp_path / "w.pt", **options)
    assert list(read_weights(tmp_path / "w.pt")) == list(net.state_dict())


def test_a_checkpoint_with_several_sets_asks_which(tmp_path):
    sets = {"student": {"w": torch.ones(2)}, "teacher": {"w": torch.zeros(2)}}
    torch.save(sets, tmp_path / "w.pt")
    with pytest.raises(
        RunError, match=r"unclear which of these are the weights[\s\S]*key='student'"
    ):
        read_weights(tmp_path / "w.pt")
    assert read_weights(tmp_path / "w.pt", key="teacher")["w"].tolist() == [0, 0]
    with pytest.raises(RunError, match=r'did you mean "teacher"'):
        read_weights(tmp_path / "w.pt", key="teaher")


def test_the_other_byte_order_is_turned_round(tmp_path):
    torch.save({"a": torch.tensor([1.0, 2.5]), "b": torch.tensor([1, -2])}, tmp_path / "w.pt")
    types = {"data/0": "f4", "data/1": "i8"}

    def swap(name, content):
        if name in types:
            return np.frombuffer(content, f"<{types[name]}").byteswap().tobytes()
        return b"big" if name == "byteorder" else content

    swapped = repacked(tmp_path / "w.pt", swap)
    (tmp_path / "big.pt").write_bytes(swapped)
    read = read_weights(tmp_path / "big.pt")
    assert read["a"].tolist() == [1.0, 2.5] and read["b"].tolist() == [1, -2]
    assert read["a"].dtype.isnative


def repacked(path, change, compression=zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w", compression) as new:
        for info in old.infolist():
            name = info.filename.partition("/")[2]
            new.writestr(info.filename, change(name, old.read(info)))
    return out.getvalue()


def test_real_files_of_the_field():
    path = Path(__file__).parents[3] / "shared" / "weights" / "resnet20-12fca82f.th"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    read = read_weights(path)
    theirs = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    assert list(read) == list(theirs)
    for name, tensor in theirs.items():
        np.testing.assert_array_equal(read[name], tensor.numpy())


def test_safetensors_with_the_types_that_others_write(tmp_path):
    save = pytest.importorskip("safetensors.torch").save_file
    tensors = {
        "half": torch.randn(3, 2).to(torch.bfloat16),
        "float": torch.randn(2, 2),
        "eight": torch.ones(2).to(torch.float8_e5m2),
    }
    save(tensors, tmp_path / "w.safetensors")
    read = read_weights(tmp_path / "w.safetensors")
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(read[name].astype(np.float32), tensor.float().numpy())
    write_tensors(read, tmp_path / "again.safetensors")
    again = read_weights(tmp_path / "again.safetensors")
    assert {k: v.dtype for k, v in again.items()} == {k: v.dtype for k, v in read.items()}


# ---- pickles that would run a program ------------------------------------------------------

ATTACKS = {
    "REDUCE": b"cos\nsystem\n(S'touch MARKER'\ntR.",
    "REDUCE eval": b'cbuiltins\neval\n(S\'open("MARKER", "w")\'\ntR.',
    "REDUCE nested": b"(dS'state_dict'\n(dS'a'\ncos\nsystem\n(S'touch MARKER'\ntRss.",
    "REDUCE after an allowed name": b"ccollections\nOrderedDict\n)R0cposix\nsystem\n"
    b"(S'touch MARKER'\ntR.",
    "STACK_GLOBAL": b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x0ctouch MARKER\x85R.",
    "INST": b"(S'touch MARKER'\nios\nsystem\n.",
    "OBJ": b"(cos\nsystem\nS'touch MARKER'\no.",
    "NEWOBJ": b"\x80\x02csubprocess\nPopen\n((S'touch'\nS'MARKER'\nlt\x81.",
    "NEWOBJ_EX": b"\x80\x04\x8c\x0asubprocess\x8c\x05Popen\x93\x8c\x06MARKER\x85}\x92.",
    "BUILD": b"cbuiltins\nobject\n)\x81}S'__setstate__'\ncos\nsystem\nsbS'touch MARKER'\nb.",
    "attribute of an allowed module": b"ctorch._utils\n_import_dotted_name\n(S'os.system'\ntR.",
    "dotted name": b"\x80\x04\x8c\x0bcollections\x8c\x16OrderedDict.__init__.x\x93)R.",
    "EXT": b"\x82\x01.",
    "PERSID": b"Pcos\n.",
}


def attacks_in(folder):
    """[(what, file)] of every attack as a bare pickle, a legacy file and a zip archive."""
    marker = folder / "marker"
    start = b"".join(
        pickle.dumps(v, 2) for v in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})
    )
    for what, program in ATTACKS.items():
        program = program.replace(
            b"\x0ctouch MARKER", bytes([6 + len(str(marker))]) + b"touch MARKER"
        )
        program = program.replace(b"\x06MARKER", bytes([len(str(marker))]) + b"MARKER")
        program = program.replace(b"MARKER", str(marker).encode())
        zipped = io.BytesIO()
        with zipfile.ZipFile(zipped, "w") as archive:
            archive.writestr("x/data.pkl", program)
        forms = {"bare": program, "legacy": start + program, "zip": zipped.getvalue()}
        for form, content in forms.items():
            path = folder / f"{len(list(folder.iterdir()))}.pth"
            path.write_bytes(content)
            yield f"{what}, {form}", path, program


def test_a_pickle_that_would_run_a_program_is_refused_and_runs_nothing(tmp_path):
    marker = tmp_path / "marker"
    for what, path, _ in attacks_in(tmp_path):
        with pytest.raises(RunError, match=r"refused to load it: it refers to") as caught:
            read_weights(path)
        assert not marker.exists(), what
        if what.startswith(("REDUCE,", "STACK_GLOBAL", "INST")):
            assert "os.system" in str(caught.value), what


def test_the_attacks_are_real(tmp_path):
    """Python's own unpickler runs the first of them: the proof above looks for the right thing."""
    _, _, program = next(attacks_in(tmp_path))
    pickle.loads(program)
    assert (tmp_path / "marker").exists()


HOSTILE = {
    # Python's own machine hashes 300,000 tuples in each other, and the process is gone
    "nested tuples as a key": b"\x80\x02})" + b"\x85" * 300_000 + b"K\x01s.",
    "nested tuples in pairs": b"\x80\x02(K\x01)" + b"\x85" * 300_000 + b"K\x01K\x02ud.",
    "an encoding of a number": b"\x80\x02c_codecs\nencode\nK\x01X\x06\0\0\0latin1\x86R.",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_file_that_would_break_the_process_is_corrupted(what, tmp_path):
    with zipfile.ZipFile(tmp_path / "w.pth", "w") as archive:
        archive.writestr("x/data.pkl", HOSTILE[what])
    with pytest.raises(RunError, match="corrupted"):
        read_weights(tmp_path / "w.pth")


def test_a_whole_pickled_module_is_refused_by_its_name(tmp_path):
    for options in FORMATS.values():
        torch.save(torch.nn.Linear(2, 2), tmp_path / "net.pt", **options)
        with pytest.raises(RunError, match=r"torch.nn.modules.linear.Linear[\s\S]*state_dict"):
            read_weights(tmp_path / "net.pt")


# ---- damaged files ---------------------------------------------------------------------------


@pytest.mark.parametrize("options", FORMATS.values(), ids=FORMATS)
def test_a_file_that_was_cut_off_is_named_wherever_it_ends(options, tmp_path):
    torch.save({"a": torch.randn(4, 4), "b": torch.ones(3)}, tmp_path / "w.pt", **options)
    whole = (tmp_path / "w.pt").read_bytes()
    for end in (0, 1, 5, 30, *range(60, len(whole) - 1, 37), len(whole) - 1):
        (tmp_path / "cut.pt").write_bytes(whole[:end])
        with pytest.raises(RunError, match=r"cut\.pt"):
            read_weights(tmp_path / "cut.pt")


def test_a_file_with_any_byte_changed_is_read_or_refused_and_never_crashes(tmp_path):
    rng = np.random.default_rng(0)
    for options in FORMATS.values():
        torch.save({"a": torch.randn(4, 4), "b": torch.ones(3)}, tmp_path / "w.pt", **options)
        whole = np.frombuffer((tmp_path / "w.pt").read_bytes(), np.uint8)
        for _ in range(300):
            broken = whole.copy()
            broken[rng.integers(0, min(len(whole), 1200), 2)] = rng.integers(0, 256, 2)
            (tmp_path / "b.pt").write_bytes(broken.tobytes())
            try:
                read_weights(tmp_path / "b.pt")
            except RunError as error:
                assert "b.pt" in str(error)


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path):
    torch.save({"a": torch.zeros(1000, 1000)}, tmp_path / "w.pt")
    bomb = repacked(tmp_path / "w.pt", lambda _, content: content, zipfile.ZIP_DEFLATED)
    (tmp_path / "bomb.pt").write_bytes(bomb)
    with pytest.raises(RunError, match="compressed"):
        read_weights(tmp_path / "bomb.pt")
    torch.save({"a": torch.zeros(10)}, tmp_path / "w.pt")
    content = bytearray((tmp_path / "w.pt").read_bytes())
    entry = content.rindex(b"PK\x01\x02", 0, content.rindex(b"data/0"))
    content[entry + 20 : entry + 28] = struct.pack("<II", 2**31, 2**31)  # sizes of the directory
    (tmp_path / "bomb.pt").write_bytes(content)
    with pytest.raises(RunError, match="would unpack to more"):
        read_weights(tmp_path / "bomb.pt")


@pytest.mark.parametrize(
    "size, stride",
    (((5,), (1,)), ((3, 3), (2, 1)), ((2**40,), (1,)), ((2,), (-1,)), ((2,), (1, 1))),
)
def test_a_tensor_that_reads_beyond_its_storage_is_refused(size, stride, tmp_path):
    def program(numel):
        out = b"\x80\x02}X\x01\x00\x00\x00actorch._utils\n_rebuild_tensor_v2\n("
        out += (
            b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu"
        )
        out += b"I%d\ntQI0\n" % numel
        for numbers in (size, stride):
            out += b"(" + b"".join(b"I%d\n" % n for n in numbers) + b"t"
        return out + b"I00\n}tRs."

    for numel in (4, 2**40, -4):  # the last two are lies about the storage
        with zipfile.ZipFile(tmp_path / "w.pt", "w") as archive:
            archive.writestr("x/data.pkl", program(numel))
            archive.writestr("x/data/0", bytes(16))
        with pytest.raises(RunError, match="corrupted"):
            read_weights(tmp_path / "w.pt")


def test_what_is_no_weights_at_all_is_said(tmp_path):
    with zipfile.ZipFile(tmp_path / "w.zip", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(RunError, match="not a PyTorch file"):
        read_weights(tmp_path / "w.zip")
    (tmp_path / "w.pkl").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(RunError, match="not a PyTorch file"):
        read_weights(tmp_path / "w.pkl")
    torch.save([torch.ones(2)], tmp_path / "list.pt")
    with pytest.raises(RunError, match="contains a list"):
        read_weights(tmp_path / "list.pt")
    torch.save({"lr": 0.1}, tmp_path / "lr.pt")
    with pytest.raises(RunError, match="contains lr"):
        read_weights(tmp_path / "lr.pt")
    with pytest.raises(RunError, match="No such file"):
        read_weights(tmp_path / "none.pth")

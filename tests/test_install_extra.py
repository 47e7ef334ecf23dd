"""The command that installs an extra, in errors about what is missing."""

from pathlib import Path

from cutaway import errors


def test_of_a_checkout_the_checkout_is_installed():
    root = Path(errors.__file__).parents[1]
    assert errors.install_extra("onnx") == f'pip install -e "{root}[onnx]"'


def test_of_an_installed_package_its_name_is(monkeypatch, tmp_path):
    monkeypatch.setattr(errors, "__file__", str(tmp_path / "cutaway" / "errors.py"))
    assert errors.install_extra("onnx") == 'pip install "cutaway[onnx]"'

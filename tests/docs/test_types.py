"""An editor finds nothing red in the programs of the README."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_readmes_programs_have_no_type_errors(tmp_path):
    checker = shutil.which("basedpyright", path=Path(sys.executable).parent)
    assert checker is not None, 'basedpyright is not installed: pip install -e ".[test]"'
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    program = tmp_path / "readme.py"
    for wrong in (False, True):
        program.write_text("\n".join(blocks) + ("\nct.Linaer(2, 1)\n" if wrong else ""))
        done = subprocess.run([checker, program], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == int(wrong), done.stdout
    assert "Linaer" in done.stdout

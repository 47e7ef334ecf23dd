"""Flipped bits in the files of runs and searches: what is damaged is said, or changes nothing.

One drawn bit of one drawn file is flipped, then a command that reads the folder runs in this
process. Its answer must name the file, or be what it was before: the same output for predict,
evaluate, explain, summary and generate, the same files for train --resume and tune.
"""

import collections
import contextlib
import dataclasses
import io
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

from benchmarks.faults.cases import CASES, Case, command_line, environment, write_data
from benchmarks.faults.checks import unequal
from benchmarks.faults.often import saving_often

SECONDS_SHOWN = re.compile(r"\d+(\.\d+)? s\b")
VERDICTS = ("said", "said in a note", "no effect", "believed", "not named", "foreign")
WRONG = ("believed", "not named", "foreign")
ONLY_VERIFIED = ("history.csv", "metrics.json", "probes.parquet", "report.html")
RARE = 0.05  # of the flips in a run of a table are looked at by the doctor, which takes seconds


@dataclasses.dataclass(frozen=True)
class Artifact:
    """A folder whose files are damaged.

    Attributes:
        name: of the folder.
        case: the command that made it.
        state: "finished" or "killed".
        uses: names of the commands that read it; see `Flips.arguments`.
    """

    name: str
    case: Case
    state: str
    uses: tuple[str, ...]


@dataclasses.dataclass
class Flip:
    """One flipped bit and what came of it."""

    number: int
    artifact: Artifact
    file: str
    bit: int
    use: str
    verdict: str
    text: str


@dataclasses.dataclass
class Answer:
    """What a command printed and wrote."""

    code: int
    out: str
    err: str
    written: bytes = b""


class Flips:
    """All flips of one seed in a folder.

    Args:
        folder: an empty one.
        seed: what is drawn follows from it and the number of a flip.
        names: of the cases.
    """

    def __init__(self, folder: Path, seed: int, names=tuple(CASES)):
        self.folder = folder
        self.seed = seed
        self.data = folder / "data"
        self.out = self.data / "out"  # each artifact in turn
        self._answers: dict = {}
        self._resumed: dict[str, Path] = {}
        (folder / "temporary").mkdir()
        self._environment = environment(folder / "caches", folder / "temporary")
        write_data(self.data)
        self.artifacts = []
        for name in names:
            self.artifacts += self._made(CASES[name])

    def _made(self, case: Case) -> list[Artifact]:
        """The folders of a command that ended, and of one that was killed halfway."""
        process = self._start(case)
        if process.wait():
            raise SystemExit(f"{case.name} ends with exit code {process.returncode}")
        uses = {"tune": ("tune",), "language": ("evaluate", "summary", "verify", "generate")}
        finished = uses.get(case.name, ("predict", "evaluate", "explain", "summary", "verify"))
        resumed = ("tune",) if case.command == "tune" else ("resume",)
        found = [Artifact(f"{case.name}, finished", case, "finished", (*finished, *resumed))]
        self._keep(found[0])
        process = self._start(case)
        while process.poll() is None and not self._is_halfway(case):
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        found.append(Artifact(f"{case.name}, killed", case, "killed", resumed))
        self._keep(found[1])
        for artifact in found:
            self._resumed[artifact.name] = self._kept(found[0])
        return found

    def _start(self, case: Case):
        return subprocess.Popen(
            command_line(case, str(self.out)),
            cwd=self.data,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def _is_halfway(self, case: Case) -> bool:
        place = "trials/003" if case.command == "tune" else "checkpoints/epoch-*"
        return len(list(self.out.glob(place))) >= (1 if case.command == "tune" else 2)

    def _kept(self, artifact: Artifact) -> Path:
        return self.folder / "artifacts" / artifact.name

    def _keep(self, artifact: Artifact) -> None:
        self._kept(artifact).parent.mkdir(exist_ok=True)
        self.out.rename(self._kept(artifact))

    def _place(self, artifact: Artifact) -> None:
        shutil.rmtree(self.out, ignore_errors=True)
        shutil.copytree(self._kept(artifact), self.out)

    def arguments(self, artifact: Artifact, use: str) -> list[str]:
        """Of `cutaway`."""
        case, out = artifact.case, str(self.out)
        if use in ("resume", "tune"):
            return case.arguments(out, resume=True)
        return {
            "predict": ["predict", out, case.new, "--out", case.predicted, "--force"],
            "evaluate": ["evaluate", out, case.new],
            "explain": ["explain", out, "--row", "3"],
            "summary": ["summary", out],
            "verify": ["verify", out],
            "generate": ["generate", out, "--prompt", "the quick", "--length", "12"],
            "doctor": ["doctor", out],
        }[use]

    def answer(self, artifact: Artifact, use: str) -> Answer:
        """What a command answers of the folder as it is."""
        place = self.data / artifact.case.predicted
        if place.is_dir():
            shutil.rmtree(place)
        place.unlink(missing_ok=True)
        answer = run_command(self.arguments(artifact, use), self.data)
        written = sorted(place.iterdir()) if place.is_dir() else [place] * place.exists()
        answer.written = b"".join(path.read_bytes() for path in written)
        return answer

    def undamaged(self, artifact: Artifact, use: str) -> Answer:
        """What it answers of the undamaged folder."""
        key = artifact.name, use
        if key not in self._answers:
            self._place(artifact)
            self._answers[key] = self.answer(artifact, use)
        return self._answers[key]

    def run(self, number: int) -> Flip:
        """One flip."""
        rnd = random.Random(f"{self.seed}/{number}")
        artifact = self.artifacts[number % len(self.artifacts)]
        kept = self._kept(artifact)
        files = sorted(p for p in kept.rglob("*") if p.is_file() and p.stat().st_size)
        file = rnd.choice(files).relative_to(kept)
        use = rnd.choice(artifact.uses)
        if file.name in ONLY_VERIFIED and "verify" in artifact.uses:
            use = "verify"
        if artifact.name == "table, finished" and rnd.random() < RARE:
            use = "doctor"
        before = self.undamaged(artifact, use)
        self._place(artifact)
        path = self.out / file
        content = bytearray(path.read_bytes())
        bit = rnd.randrange(8 * len(content))
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        now = self.answer(artifact, use)
        flip = Flip(number, artifact, str(file), bit, use, "", f"{now.out}{now.err}".strip())
        flip.verdict = self._verdict(flip, before, now)
        return flip

    def _verdict(self, flip: Flip, before: Answer, now: Answer) -> str:
        is_named = _is_named(flip.file, now.out + now.err, self.out)
        if now.code != before.code:
            if "this is a bug in Cutaway" in now.err or now.code not in (1, 2):
                return "foreign"
            return "said" if is_named else "not named"
        if flip.use in ("resume", "tune") and now.code == 0:
            different = unequal(self.out, self._resumed[flip.artifact.name])
            # what only the report shows is not read, and stays as it is
            is_same = set(different) <= {flip.file}
            flip.text = f"different: {different}\n{flip.text}"
        else:
            is_same = _same(before, now)
        if is_named and now.err != before.err:
            return "said in a note" if is_same else "believed"
        return "no effect" if is_same else "believed"


def run_command(arguments: list[str], folder: Path) -> Answer:
    """A command of `cutaway` in this process.

    Args:
        arguments: of the command.
        folder: the current folder meanwhile.
    """
    from cutaway.cli.app import run

    out, err = io.StringIO(), io.StringIO()
    before = sys.argv, os.getcwd()
    code: object = 0
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("always", UserWarning)
        try:
            sys.argv = ["cutaway", *arguments]
            os.chdir(folder)
            run()
        except SystemExit as ended:
            code = ended.code
        finally:
            sys.argv = before[0]
            os.chdir(before[1])
    return Answer(int(code or 0), out.getvalue(), err.getvalue())  # pyright: ignore


def _same(before: Answer, now: Answer) -> bool:
    pairs = ((before.out, now.out), (before.err, now.err))
    same = all(SECONDS_SHOWN.sub("", a) == SECONDS_SHOWN.sub("", b) for a, b in pairs)
    return same and before.written == now.written


def _is_named(file: str, text: str, out: Path) -> bool:
    """Whether a text names the file, which a table of `verify` does by its path in the folder."""
    flat = "".join(text.split())
    return "".join(str(out / file).split()) in flat or f"{file}isdamaged" in flat


def run_flips(
    count: int, seed: int, names=tuple(CASES), *, first: int = 0, folder=None, tell=print
) -> list[Flip]:
    """Flip bits; what was believed is told as it comes.

    Args:
        count: number of flips.
        seed: of what is drawn.
        names: of the cases.
        first: number of the first flip.
        folder: for everything; None: a temporary one, removed at the end.
        tell: function of each line.
    """
    place = Path(tempfile.mkdtemp(prefix="cutaway-flips-") if folder is None else folder)
    began = time.perf_counter()
    flips = Flips(place, seed, names)
    made = time.perf_counter() - began
    found = []
    for number in range(first, first + count):
        with saving_often():
            flip = flips.run(number)
        found.append(flip)
        if flip.verdict in WRONG:
            tell(
                f"flip {number} of seed {seed}: bit {flip.bit} of {flip.artifact.name}/{flip.file},"
                f" {flip.use}: {flip.verdict}: {flip.text[:200]} ... {flip.text[-600:]}"
            )
    for line in table(found):
        tell(line)
    seconds = time.perf_counter() - began
    tell(f"\n{count} flips in {seconds / 60:.1f} min ({made / 60:.1f} for the runs), one process.")
    if folder is None:
        shutil.rmtree(place)
    return found


def table(flips: list[Flip]) -> list[str]:
    """Lines of Markdown: for each file and command the number of flips, and of each verdict."""
    lines = [
        "",
        "| file | read by | flips | " + " | ".join(VERDICTS) + " |",
        "| --- | --- | --- |" + " --- |" * len(VERDICTS),
    ]
    groups = collections.defaultdict(list)
    for flip in flips:
        groups[_kind_of_file(flip.file), flip.use].append(flip.verdict)
    everything = ("all", "all"), [flip.verdict for flip in flips]
    for (file, use), found in [*sorted(groups.items()), everything]:
        counts = " | ".join(str(found.count(verdict)) for verdict in VERDICTS)
        lines.append(f"| {file} | {use} | {len(found)} | {counts} |")
    return lines


def _kind_of_file(file: str) -> str:
    """The path in a folder without numbers of trials and epochs."""
    return re.sub(r"\d+", "N", file)

"""Part 3: for the worst ratios, what PyTorch's kernels cost; then torch.compile, while time lasts.

    python -m benchmarks.device.why FOLDER UNTIL NAME ... [--tiny]

Cutaway's own kernels and HLO are kept by part 2, where its programs are compiled anyway. Writes one
JSON object a network to FOLDER/why.jsonl.
"""

import json
import sys
import time
import traceback
from pathlib import Path

from benchmarks.device.fast import compiled, torch_profile
from benchmarks.device.networks import cases

COMPILE_SECONDS = 60


def main():
    folder, until = Path(sys.argv[1]), float(sys.argv[2])
    tiny = "--tiny" in sys.argv
    names = [a for a in sys.argv[3:] if not a.startswith("--")]
    known = cases(tiny)
    tasks = [(c, "torch_kernels", torch_profile, 15) for c in known if c.name in names]
    # tiny ones would compile for as long as large ones: one of them shows that it works
    compiling = [c for c in known if c.compiles][-1 if tiny else 0 :]
    tasks += [(c, "torch_compile", compiled, COMPILE_SECONDS) for c in compiling]
    with (folder / "why.jsonl").open("a") as file:
        for case, key, make, needed in tasks:
            left = until - time.time()
            if left < (0 if tiny else needed):
                result = {"network": case.name, key: None, "skipped": f"{left:.0f} s were left"}
            else:
                try:
                    result = {"network": case.name, key: make(case)}
                except Exception as error:
                    traceback.print_exc()
                    result = {"network": case.name, key: None, "error": str(error)[:300]}
            print(f"{case.name}: {key} {result.get('skipped', 'done')}", flush=True)
            file.write(json.dumps(result) + "\n")
            file.flush()


if __name__ == "__main__":
    main()

#!/usr/bin/env bash
# Cutaway on a GPU, in six minutes: is it right, is it fast, why not, and does the whole work.
#
#   benchmarks/device.sh [--tiny] [--out FOLDER] [--minutes 6] [--parts right,fast,why,whole]
#
# For a bare machine with an NVIDIA card, Python 3.12, JAX with CUDA and PyTorch, and no network:
# packages that are missing there travel as wheels, which benchmarks/device_wheels.sh fetches into
# .wheels/ beforehand. --tiny runs every part to its end on tiny sizes, on any machine.
set -uo pipefail
cd "$(dirname "$0")/.."
export PYTHONUNBUFFERED=1 NO_COLOR=1 XLA_PYTHON_CLIENT_PREALLOCATE=false
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"
python=${PYTHON:-$([ -x .venv/bin/python ] && echo .venv/bin/python || echo python3)}
if compgen -G ".wheels/*.whl" >/dev/null; then
  site=$(mktemp -d)
  "$python" -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --target "$site" \
    .wheels/*.whl || echo "the wheels could not be installed; going on without them"
  export PYTHONPATH="$PYTHONPATH:$site" # last: what the machine has comes first
fi
exec "$python" -m benchmarks.device.run "$@"

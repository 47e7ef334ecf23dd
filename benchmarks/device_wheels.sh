#!/usr/bin/env bash
# Fetch what a bare GPU machine lacks into .wheels/, for Python 3.12 on Linux, x86-64.
#
#   benchmarks/device_wheels.sh [PACKAGE ...]
#
# Without names: what JAX's and PyTorch's usual images lack of Cutaway's dependencies. device.sh
# says at its beginning which imports failed; name those packages. 56 MiB in all at most.
set -euo pipefail
cd "$(dirname "$0")/.."
packages=("$@")
[ ${#packages[@]} -gt 0 ] || packages=(latex2mathml platformdirs polars polars-runtime-32 pooch)
platforms=()
for version in 2_28 2_27 2_24 2_17; do platforms+=(--platform "manylinux_${version}_x86_64"); done
rm -rf .wheels
python3 -m pip download -q --no-deps --only-binary=:all: --python-version 3.12 \
  --implementation cp "${platforms[@]}" --platform manylinux2014_x86_64 -d .wheels "${packages[@]}"
size=$(du -sb .wheels | cut -f1)
ls -l .wheels
echo "$((size / 1048576)) MiB in $(ls .wheels | wc -l) wheels"
if [ "$size" -ge $((56 * 1048576)) ]; then
  echo "more than 56 MiB: too large to travel" >&2
  exit 1
fi

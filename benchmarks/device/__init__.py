"""The prepared run on a GPU: benchmarks/device.sh."""

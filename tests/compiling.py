"""XLA's flags with which the tests compile: most of their time is compiling.

These save a third of it, and half if LLVM leaves the programs slow, as those may be that run for
moments.
"""

QUICK_FLAGS = "--xla_cpu_parallel_codegen_split_count=1 --xla_cpu_use_fusion_emitters=false"
SLOW_PROGRAMS = "--xla_backend_optimization_level=0"

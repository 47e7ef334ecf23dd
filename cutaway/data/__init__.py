"""Data: tables, IDX files, streams. Knows no Tensor."""

from cutaway.data.columns import Column
from cutaway.data.idx import read_idx
from cutaway.data.preprocessing import TableArrays, TablePreprocessing
from cutaway.data.read import read_table
from cutaway.data.split import stratified_split
from cutaway.data.stream import ParquetBatches
from cutaway.data.students import students_csv, students_path

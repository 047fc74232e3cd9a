"""The blocks of params.yaml as frozen, strict models; the labels are those of the method's notes.

They say what a value may be. The values themselves stand in params.yaml alone.
"""

from capnet.settings.block import Block, Name
from capnet.settings.datasets import Benchmark, Check, Dataset, Synthetic
from capnet.settings.study import Evaluate, Grid, Report, Rerank
from capnet.settings.training import Attention, Model, Run, Train, Variant

__all__ = [
    "Attention",
    "Benchmark",
    "Block",
    "Check",
    "Dataset",
    "Evaluate",
    "Grid",
    "Model",
    "Name",
    "Report",
    "Rerank",
    "Run",
    "Synthetic",
    "Train",
    "Variant",
]

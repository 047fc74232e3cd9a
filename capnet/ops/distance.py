"""Squared Euclidean distances between embeddings, block by block.

|q - g|^2 = |q|^2 + |g|^2 - 2 <q, g>, so the work is one matrix product. On L2-normalised embeddings
(A16) this is 2 - 2 cos, which orders like the cosine and like the Euclidean distance.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

Floats = NDArray[np.floating[Any]]

# The CPU's libraries multiply narrower matrices by kernels that round otherwise (MKL and OpenBLAS
# with AVX-512: below 16 rows or 192 columns), so that one image would lie at two distances.
LEAST_QUERIES, LEAST_GALLERY = 16, 256

_PRECISION = {
    torch.float16: torch.float32,
    torch.bfloat16: torch.float32,
    torch.float32: torch.float32,
    torch.float64: torch.float64,
}


def comparable(query: Tensor, gallery: Tensor) -> tuple[Tensor, Tensor]:
    """Return both (Q, D), (G, D) without gradients, half precision copied to float32.

    ValueError as `check_comparable`.
    """
    check_comparable(query, gallery)
    precision = _PRECISION[query.dtype]
    return query.detach().to(precision), gallery.detach().to(precision)


def check_comparable(query: Tensor, gallery: Tensor) -> None:
    """Raise ValueError for what is wrong with one of them or does not fit between them."""
    for name, value in (("query", query), ("gallery", gallery)):
        check_tensor(name, value)
        if value.ndim != 2 or 0 in value.shape:
            raise ValueError(f"{name} must be (images, D), not empty; got {tuple(value.shape)}")
        if value.dtype not in _PRECISION:
            raise ValueError(f"{name} must be floating point, got {value.dtype}; convert it first")
    for what, ours, theirs in (
        ("width", query.shape[1], gallery.shape[1]),
        ("dtype", query.dtype, gallery.dtype),
        ("device", query.device, gallery.device),
    ):
        if ours != theirs:
            raise ValueError(f"query and gallery differ in {what}: {ours} and {theirs}")


def check_tensor(name: str, value: Tensor) -> None:
    """Raise TypeError where it is something else, such as a NumPy array."""
    if not isinstance(value, Tensor):
        kind = type(value).__name__
        raise TypeError(f"{name} must be a torch tensor, got {kind}; torch.as_tensor makes one")


def squared_norms(embeddings: Tensor, name: str) -> Floats:
    """Return |x|^2 of each row (N, D) -> (N,).

    ValueError names the rows of `name` that hold NaN or infinity or whose distances would overflow.
    """
    norms: Floats
    if embeddings.device.type == "cpu":
        with np.errstate(over="ignore", invalid="ignore"):  # refused below
            norms = np.vecdot(embeddings.numpy(), embeddings.numpy())  # no copy
    else:
        norms = embeddings.square().sum(1).cpu().numpy()
    usable = norms < np.finfo(norms.dtype).max / 4
    if not usable.all():
        raise ValueError(f"{name} has NaN, infinite or huge values in {name_rows(~usable)}")
    return norms


def shifted_distances(query: Tensor, gallery: Tensor, gallery_norms: Floats, out: Floats) -> Floats:
    """Return |g|^2 - 2 <q, g> in `out` (Q, G): the squared distance less its row's own |q|^2.

    The shift is one number per row, so each row's order is that of the distances. On the CPU a pair
    has one distance, to the last bit, whatever else is multiplied with it. The product has torch's
    float32 matmul precision, which is full unless somebody lowered it.
    """
    rows, columns = out.shape
    if rows < LEAST_QUERIES or columns < LEAST_GALLERY:
        query, gallery = _at_least(LEAST_QUERIES, query), _at_least(LEAST_GALLERY, gallery)
        wide = np.empty((len(query), len(gallery)), out.dtype)
        _multiply(query, gallery, wide)
        out[...] = wide[:rows, :columns]
    else:
        _multiply(query, gallery, out)
    product = torch.from_numpy(out)
    torch.add(torch.from_numpy(gallery_norms), product, alpha=-2, out=product)
    return out


def _multiply(query: Tensor, gallery: Tensor, out: Floats) -> None:
    if query.device.type == "cpu" and not _torch_multiplies():
        np.matmul(query.numpy(), gallery.numpy().T, out=out)
        return
    with torch.autocast(query.device.type, enabled=False):
        if query.device.type == "cpu":
            torch.mm(query, gallery.T, out=torch.from_numpy(out))
        else:
            torch.from_numpy(out).copy_(query @ gallery.T)


def _at_least(rows: int, embeddings: Tensor) -> Tensor:
    return F.pad(embeddings, (0, 0, 0, max(0, rows - len(embeddings))))


@cache
def _torch_multiplies() -> bool:
    """Tell whose product on the CPU is faster: MKL's, which torch has, is on Intel's processors.

    On others OpenBLAS's, NumPy's, is up to twice as fast. Never measured at run time: processes
    that chose differently would round differently.
    """
    cpuinfo = Path("/proc/cpuinfo")
    is_intel = cpuinfo.is_file() and "GenuineIntel" in cpuinfo.read_text()
    return is_intel and torch.backends.mkl.is_available()  # type: ignore[no-untyped-call]


def name_rows(bad: NDArray[np.bool_], start: int = 0) -> str:
    """Name the rows that are set, counted from `start`; the first ten of them."""
    rows = np.flatnonzero(bad) + start
    more = f" and {len(rows) - 10} more" if len(rows) > 10 else ""
    return f"rows {rows[:10].tolist()}{more}"

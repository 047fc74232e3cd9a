"""What memory this machine grants, asked before a piece of work that needs much."""

from __future__ import annotations

import logging
import os
from pathlib import Path

log = logging.getLogger(__name__)

_GIB = 2**30
_GRANTED = (  # to a container or a job; a number of bytes, or a word where there is no limit
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def machine_memory() -> int:
    """Return the bytes of memory of the machine, or those that its container is granted."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for file in _GRANTED:
        if file.is_file() and (text := file.read_text().strip()).isdigit():
            limits.append(int(text))
    return min(limits)


def check_memory(needed: int, work: str, remedy: str) -> None:
    """Log what memory the work needs; MemoryError, with the remedy, where there is less."""
    granted = machine_memory()
    log.info("%s needs about %.1f GiB", work, needed / _GIB)
    if needed > granted:
        raise MemoryError(
            f"{work} needs about {needed / _GIB:.1f} GiB, this machine has {granted / _GIB:.1f}; "
            f"{remedy}"
        )

"""What the authors' code that runs in a process of its own sees of this process's environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ")
SET = {
    "PYTHONHASHSEED": "0",  # sets iterate alike in every run
    # One thread each: nodes run side by side, and each thread of OpenBLAS takes 32 MiB.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    # Arrow's own allocator takes 1 GiB of writable memory at its first table.
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    # And has a thread, which forks would be without.
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}


def authors_environment(own: Mapping[str, str], scratch: Path) -> dict[str, str]:
    """The variables that such a process has: no secret, no address of this machine's services.

    Args:
        own: The variables of this process.
        scratch: The folder for its temporary files.
    """
    kept = {name: own[name] for name in KEPT if name in own}
    return {**kept, **SET, "TMPDIR": str(scratch)}

"""How `make test` shares the tests out between its processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

# What takes longest comes first, or one process would be left with it at the end.
LONGEST = ("tests/e2e", "tests/e2e/test_stopping.py", "tests/cli/test_platform.py")
# These start platforms of their own; the others in their room share one.
ALONE = ("tests/e2e/test_stopping.py",)


class ByFile(LoadScopeScheduling):
    """A file's tests stay in one process, and so do all that share the running project.

    Unlike `--dist loadgroup` it leaves the tests' names alone, so that one which failed can be
    given to `make test` as it was printed.
    """

    def _split_scope(self, nodeid: str) -> str:
        return part_of(nodeid)


def part_of(nodeid: str) -> str:
    """What a test is handed out with."""
    file = nodeid.partition("::")[0]
    return "tests/e2e" if file.startswith("tests/e2e/") and file not in ALONE else file


def longest_first(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """The tests in the order in which they are handed out."""
    places = {part: place for place, part in enumerate(LONGEST)}
    return sorted(items, key=lambda item: places.get(part_of(item.nodeid), len(places)))

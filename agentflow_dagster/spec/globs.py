"""Globs over paths with `/`: `*` and `?` within a part, `[…]`, and `**` for any number of parts."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

_WILD = re.compile(r"[*?\[]")


def leads_out(pattern: str) -> bool:
    """Whether it is no path below a folder."""
    absolute = pattern.startswith(("/", "~")) or re.match(r"[A-Za-z]:", pattern) is not None
    return absolute or "\\" in pattern or ".." in pattern.split("/")


def problem_of(pattern: str) -> str:
    """Why this is no glob; "" where it is one."""
    parts = pattern.split("/")
    if "" in parts or "." in parts:
        return "it has an empty part"
    if "\0" in pattern:
        return "it holds a zero character"
    if any("**" in part and part != "**" for part in parts):
        return "`**` stands alone between slashes"
    if parts[-1] == "**":
        return "`**` matches folders; end with a name, such as `**/*.csv`"
    if any(re.search(r"\[[^\]]*$", part) for part in parts):
        return "`[` is never closed"
    return ""


def matches(path: str, pattern: str) -> bool:
    """Whether a path is one that the glob describes; names that begin with a dot only where the
    glob says the dot."""
    parts = pattern.split("/")
    reached = {0}  # How many of the glob's parts may be used up by now.
    for name in path.split("/"):
        reached = _closed(reached, parts)
        reached = {at if parts[at] == "**" else at + 1 for at in reached if _fits(name, parts, at)}
    return len(parts) in reached


def base_of(pattern: str) -> tuple[str, ...]:
    """The folders that a glob names outright, before its first wildcard."""
    base: list[str] = []
    for part in pattern.split("/")[:-1]:
        if _WILD.search(part):
            break
        base.append(part)
    return tuple(base)


def _closed(reached: set[int], parts: list[str]) -> set[int]:
    """With the places to which `**` leads by standing for nothing."""
    found: set[int] = set()
    for start in reached:
        at = start
        found.add(at)
        while at < len(parts) and parts[at] == "**":
            at += 1
            found.add(at)
    return found


def _fits(name: str, parts: list[str], at: int) -> bool:
    if at == len(parts):
        return False
    part = parts[at]
    if name.startswith(".") and not part.startswith("."):
        return False
    return part == "**" or fnmatchcase(name, part)

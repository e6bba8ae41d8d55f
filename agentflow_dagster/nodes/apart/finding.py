"""Finds values by JSONPath or by a regular expression, for `transform.extract`."""

from __future__ import annotations

from itertools import islice


def work(
    *, source: object, paths: dict[str, str], pattern: str, most: int, every: bool
) -> dict[str, object]:
    """What is found.

    Args:
        source: JSON, or a text.
        paths: JSONPath by name; empty where `pattern` is searched for.
        pattern: A regular expression with named groups.
        most: Most matches of each.
        every: Whether every match of the pattern is wanted, or the first.
    """
    if paths:
        return _by_path(source, paths, most)
    return _by_pattern(str(source), pattern, most if every else 1, every=every)


def _by_path(source: object, paths: dict[str, str], most: int) -> dict[str, object]:
    from jsonpath import JSONPathEnvironment

    environment = JSONPathEnvironment(strict=True)
    found: dict[str, object] = {}
    for name, path in paths.items():
        query = environment.compile(path)
        try:
            matches = [m.obj for m in islice(query.finditer(source), most + 1)]  # pyright: ignore[reportArgumentType]
        except Exception as problem:  # noqa: BLE001 - the library's errors and Python's own
            return {"failure": f"{path!r} cannot be followed: {type(problem).__name__}: {problem}."}
        if len(matches) > most:
            return {"failure": f"{path!r} finds more than {most:,} values."}
        found[name] = matches
    return {"result": found}


def _by_pattern(source: str, pattern: str, most: int, *, every: bool) -> dict[str, object]:
    import re

    matches = re.finditer(pattern, source)
    found = [match.groupdict("") for match in islice(matches, most + 1 if every else 1)]
    if len(found) > most:
        return {"failure": f"The pattern is found more than {most:,} times."}
    return {"result": found}

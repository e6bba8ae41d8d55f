"""Judges a value by a JSON Schema and by Great Expectations, for `transform.validate`."""

from __future__ import annotations

import math
from typing import Any, cast

_SHOWN = 10


def work(
    *,
    value: object,
    schema: dict[str, object] | None,
    expectations: list[dict[str, object]],
    most: int,
) -> dict[str, object]:
    """`[{check, passed, problems, facts}]`, the schema's first.

    Args:
        value: What is judged; a table or a list of objects where there are expectations.
        schema: JSON Schema, or None. A table is judged as the list of its rows.
        expectations: `{name, type, kwargs}` each.
        most: Most problems that are told of each check.
    """
    found: list[dict[str, object]] = []
    if schema is not None:
        found.append(_by_schema(value, schema, most))
    if expectations:
        judged = _by_expectations(value, expectations)
        if isinstance(judged, str):
            return {"failure": judged}
        found += judged
    return {"result": found}


def _by_schema(value: Any, schema: dict[str, object], most: int) -> dict[str, object]:
    import sys

    modules = cast("dict[str, object]", sys.modules)
    modules.setdefault("rfc3987_syntax", None)  # a grammar that takes a second to load
    from itertools import islice

    import referencing
    from jsonschema import Draft202012Validator

    if hasattr(value, "to_dict"):
        value = value.to_dict("records")
    registry: Any = referencing.Registry[Any]()  # an empty one: nothing is fetched
    validator: Any = Draft202012Validator(schema, registry=registry)
    problems = [
        f"{''.join(f'/{step}' for step in error.absolute_path) or 'the value'}: "
        f"{str(error.message)[:300]}"
        for error in islice(validator.iter_errors(value), most)
    ]
    return {"check": "schema", "passed": not problems, "problems": problems, "facts": {}}


def _by_expectations(
    value: Any, expectations: list[dict[str, object]]
) -> list[dict[str, object]] | str:
    import os

    os.environ["TQDM_DISABLE"] = "1"  # no bars in the log
    import pandas as pd

    if isinstance(value, list):
        value = pd.DataFrame.from_records(cast("list[Any]", value))
    if not isinstance(value, pd.DataFrame):
        return "Expectations judge a table or a list of objects, and this is neither."
    # Without a context of Great Expectations: none of its stores, and nothing that it sends.
    import great_expectations.expectations.core  # noqa: F401  # pyright: ignore[reportUnusedImport] - they register themselves
    from great_expectations.execution_engine.pandas_execution_engine import (
        PandasExecutionEngine,
    )
    from great_expectations.expectations.expectation_configuration import (
        ExpectationConfiguration,
    )
    from great_expectations.validator.validator import Validator

    engine: Any = PandasExecutionEngine(batch_data_dict={"value": value})
    validator: Any = Validator(execution_engine=engine)
    judged: list[dict[str, object]] = []
    for given in expectations:
        asked: Any = ExpectationConfiguration(
            type=cast("str", given["type"]), kwargs=cast("dict[str, Any]", given["kwargs"])
        )
        try:
            asked.to_domain_obj()
        except Exception as problem:  # noqa: BLE001 - pydantic's, of either version
            return f"The expectation {given['name']!r} cannot be used: {problem}"
        (outcome,) = validator.graph_validate(
            configurations=[asked], runtime_configuration={"result_format": "BASIC"}
        )
        judged.append(_told(str(given["name"]), outcome))
    return judged


def _told(name: str, outcome: Any) -> dict[str, object]:
    facts = {
        str(key): _plain(value)
        for key, value in dict(outcome.result).items()
        if key != "partial_unexpected_list"
    }
    if unexpected := outcome.result.get("partial_unexpected_list"):
        facts["unexpected"] = [_plain(value) for value in unexpected[:_SHOWN]]
    problems: list[str] = []
    if not outcome.success:
        problems = [_raised(outcome.exception_info) or _unmet(facts)]
    return {"check": name, "passed": bool(outcome.success), "problems": problems, "facts": facts}


def _raised(info: Any) -> str:
    """What hindered the judgement, such as a column that is missing."""
    told = cast("dict[str, Any]", info or {})
    inner = [cast("dict[str, Any]", v) for v in told.values() if isinstance(v, dict)]
    for entry in (told, *inner):
        if message := entry.get("exception_message"):
            return str(message)[:300]
    return ""


def _unmet(facts: dict[str, Any]) -> str:
    if "unexpected_count" in facts:
        samples = ", ".join(repr(value) for value in facts.get("unexpected", [])[:3])
        told = f": {samples}" if samples else ""
        return f"{facts['unexpected_count']} of {facts.get('element_count')} values{told}"
    return f"it is {facts['observed_value']!r}" if "observed_value" in facts else "not met"


def _plain(value: Any) -> Any:
    """JSON of what a library gives: numbers of numpy, dates, tuples."""
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in cast("dict[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in cast("list[Any]", value)[:_SHOWN]]
    return str(value)

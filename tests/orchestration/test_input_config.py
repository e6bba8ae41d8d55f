"""The launchpad takes what the agent's JSON Schema takes, and names what is wrong with the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from dagster import (
    AssetKey,
    Definitions,
    OpDefinition,
    in_process_executor,
    validate_run_config,
)
from dagster._core.errors import DagsterInvalidConfigError
from dagster._core.snap.snap_to_yaml import default_values_yaml_from_type_snap
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentflow_dagster.errors import UsageError
from agentflow_dagster.graph.inputs import complete_input
from agentflow_dagster.nodes import builtin_kinds
from agentflow_dagster.orchestration.location import compile_version
from agentflow_dagster.orchestration.run_config import run_config
from tests.orchestration.bench import version_of

if TYPE_CHECKING:
    from dagster import JobDefinition

    from agentflow_dagster.spec.values import JsonSchema

TICKET: JsonSchema = {
    "type": "object",
    "required": ["body"],
    "properties": {
        "subject": {"type": "string", "default": "(none)", "description": "Its subject line"},
        "body": {"type": "string"},
        "urgent": {"type": "boolean"},
        "count": {"type": "integer"},
        "share": {"type": "number"},
        "lines": {"type": "array", "items": {"type": "string"}},
        "from": {
            "type": "object",
            "required": ["name"],
            "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
        },
        "closed": {
            "type": "object",
            "properties": {"a": {"type": "string"}},
            "additionalProperties": False,
        },
        "note": {"type": ["string", "null"]},
        "priority": {"enum": ["low", "high"]},
        "anything": {},
        "whatever": True,
    },
}
CHAT: dict[str, Any] = {"kind": "ai.chat", "with": {"prompt": "hello"}}


def job(schema: JsonSchema | None) -> JobDefinition:
    document: dict[str, Any] = {
        "apiVersion": "agentflow.io/v1",
        "kind": "Agent",
        "metadata": {"name": "ticket"},
        "spec": {"nodes": {"first": CHAT, "second": {**CHAT, "after": ["first"]}}},
    }
    if schema is not None:
        document["spec"]["inputs"] = schema
    agent = compile_version(version_of(document), builtin_kinds())
    resources = dict.fromkeys(["model", "code", "secrets", "stores"], "none")
    definitions = Definitions(
        assets=agent.assets, jobs=[agent.job], resources=resources, executor=in_process_executor
    )
    return definitions.resolve_job_def("ticket_job")


@pytest.fixture(scope="module")
def ticket() -> JobDefinition:
    return job(TICKET)


def taken(job: JobDefinition, input_: Any) -> Any:
    """What an op would get of it."""
    config = run_config("ticket", input_)
    validate_run_config(job, config)
    from dagster._core.system_config.objects import ResolvedRunConfig

    given_: Any = ResolvedRunConfig.build(job, config).ops["ticket.first"].config
    return given_["input"]


def test_defaults_are_filled_in(ticket: JobDefinition) -> None:
    assert taken(ticket, {"body": "b"}) == {"subject": "(none)", "body": "b"}


def prefilled(job: JobDefinition) -> list[str]:
    """The words that the launchpad opens with."""
    snapshot = job.get_job_snapshot()
    schema = snapshot.config_schema_snapshot
    root = schema.get_config_snap(str(snapshot.mode_def_snaps[0].root_config_key))
    return default_values_yaml_from_type_snap(schema, root).split()


def test_the_launchpad_is_filled_with_defaults_and_nothing_else(ticket: JobDefinition) -> None:
    assert prefilled(ticket) == ["ops:", "ticket:", "config:", "input:", "subject:", "(none)"]


def test_the_launchpad_of_some_nodes_takes_the_newest_run(ticket: JobDefinition) -> None:
    part = ticket.get_subset(asset_selection={AssetKey(["ticket", "second"])})
    assert prefilled(part) == ["ops:", "ticket:", "config:", "source_run:", "newest"]
    validate_run_config(part, run_config("ticket", {"body": "b", "priority": "low"}))


@pytest.mark.parametrize(("schema", "asking"), [(TICKET, {"ticket__first"}), (None, set[str]())])
def test_nodes_that_begin_a_run_ask_for_config_where_it_needs_an_input(
    schema: JsonSchema | None, asking: set[str]
) -> None:
    """For them Dagster's UI opens its launchpad; for others it launches a run at once."""
    ops = [node for node in job(schema).all_node_defs if isinstance(node, OpDefinition)]
    required = {op.name for op in ops if op.config_schema.as_field().is_required}
    assert required == asking


@pytest.mark.parametrize(
    "given_",
    [
        {"urgent": True},
        {"count": 3},
        {"share": 0.5},
        {"share": 2},
        {"lines": ["a", "b"]},
        {"from": {"name": "N", "age": 4}},
        {"from": {"name": "N", "more": {"than": ["is", "said", None]}}},
        {"closed": {"a": "x"}},
        {"note": None},
        {"note": "n"},
        {"priority": "low"},
        {"anything": [1, None, {"a": "b"}]},
        {"whatever": 1},
    ],
)
def test_what_the_schema_allows_is_taken(ticket: JobDefinition, given_: dict[str, Any]) -> None:
    assert taken(ticket, {"body": "b", **given_}) == {"subject": "(none)", "body": "b", **given_}


@pytest.mark.parametrize(
    ("given_", "named"),
    [
        ({}, "body"),
        ({"body": 3}, "body"),
        ({"body": None}, "body"),
        ({"body": "b", "urgent": "yes"}, "urgent"),
        ({"body": "b", "count": "3"}, "count"),
        ({"body": "b", "count": 3.5}, "count"),
        ({"body": "b", "share": "half"}, "share"),
        ({"body": "b", "lines": "one"}, "lines"),
        ({"body": "b", "lines": [1]}, "lines"),
        ({"body": "b", "from": {}}, "name"),
        ({"body": "b", "from": {"name": "N", "age": "old"}}, "age"),
        ({"body": "b", "closed": {"b": 1}}, "b"),
        ({"body": "b", "note": 4}, "note"),
        ({"body": "b", "priority": "middling"}, "priority"),
        ({"body": "b", "unheard_of": 1}, "unheard_of"),
    ],
)
def test_dagster_refuses_the_rest_before_a_run_is_made(
    ticket: JobDefinition, given_: dict[str, Any], named: str
) -> None:
    with pytest.raises(DagsterInvalidConfigError, match=named):
        validate_run_config(ticket, run_config("ticket", given_))


def test_an_agent_that_requires_input_is_not_launched_without(ticket: JobDefinition) -> None:
    with pytest.raises(DagsterInvalidConfigError, match=r"input.*body|ops"):
        validate_run_config(ticket, {})


def test_input_and_source_run_are_a_choice(ticket: JobDefinition) -> None:
    validate_run_config(ticket, {"ops": {"ticket": {"config": {"source_run": "newest"}}}})
    both = {"input": {"body": "b"}, "source_run": "newest"}
    with pytest.raises(DagsterInvalidConfigError):
        validate_run_config(ticket, {"ops": {"ticket": {"config": both}}})


@pytest.mark.parametrize(
    "schema",
    [
        None,
        {"type": "object"},
        {"type": "object", "properties": {}},
        {"type": "object", "properties": {"a": {"type": "string"}}},
        {"required": ["a"], "properties": {"a": {"type": "string", "default": ""}}},
    ],
)
def test_an_agent_that_requires_no_input_is_launched_empty(schema: JsonSchema | None) -> None:
    validate_run_config(job(schema), {})


def test_without_properties_any_field_is_taken() -> None:
    assert taken(job({"type": "object"}), {"a": 1, "b": [None]}) == {"a": 1, "b": [None]}


@pytest.mark.parametrize("extra", [True, {}, {"type": "integer"}])
def test_additional_properties_are_taken_where_the_schema_says_so(extra: Any) -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "additionalProperties": extra,
    }
    assert taken(job(schema), {"a": "x", "b": 1}) == {"a": "x", "b": 1}
    with pytest.raises(DagsterInvalidConfigError):
        taken(job(schema), {"a": 1})


@pytest.mark.parametrize(
    ("inner", "default"),
    [
        ({"type": "integer"}, 3.0),
        ({"type": "number"}, 3),
        ({"type": ["string", "null"]}, None),
        ({"type": "array", "items": {}}, [None, 1]),
        ({"type": "object", "properties": {"n": {"type": "integer"}}}, {"n": 1.0, "m": None}),
        ({"enum": ["a", "b"]}, "b"),
        ({"type": ["string", "null"], "enum": ["a", None]}, "a"),
        ({}, {"any": ["thing"]}),
    ],
)
def test_any_sound_default_makes_a_job(inner: JsonSchema, default: Any) -> None:
    schema = {"type": "object", "properties": {"a": {**inner, "default": default}}}
    validate_run_config(job(schema), {})
    assert taken(job(schema), {}).get("a") == default


SCALARS = st.sampled_from(
    [
        ({"type": "string"}, st.text(max_size=5)),
        ({"type": "integer"}, st.integers() | st.integers(-9, 9).map(float)),
        ({"type": "number"}, st.integers() | st.floats(allow_nan=False, allow_infinity=False)),
        ({"type": "boolean"}, st.booleans()),
        ({"enum": ["a b", "", "ü"]}, st.sampled_from(["a b", "", "ü"])),
        ({"type": ["integer", "null"]}, st.none() | st.integers()),
        ({"enum": [1, "a", None]}, st.sampled_from([1, "a", None])),
        ({"const": "x"}, st.just("x")),
        ({}, st.sampled_from([None, 1, "a", [None], {"b": {"c": None}}])),
        (True, st.sampled_from([None, 1.5, [[None]]])),
        ({"$ref": "#/$defs/size"}, st.sampled_from(["s", "l"])),
    ]
)
KEYS = st.sampled_from(["a", "b c", "d.e", "$f", "", "ops", "type", "Ü"])


def fields(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """`(schema, values)` of objects."""

    @st.composite
    def drawn(draw: st.DrawFn) -> Any:
        some = draw(st.dictionaries(KEYS, inner, max_size=3))
        required = [n for n in some if draw(st.booleans())]
        schema: dict[str, Any] = {
            "type": "object",
            "properties": {n: s for n, (s, _) in some.items()},
            "required": required,
        }
        extra = draw(st.sampled_from([None, True, False, {}]))
        if extra is not None:
            schema["additionalProperties"] = extra
        values = st.fixed_dictionaries(
            {n: some[n][1] for n in required},
            optional={n: v for n, (_, v) in some.items() if n not in required},
        )
        if extra is not False and draw(st.booleans()):
            values = values.map(lambda v: {"zzz": [None, {"y": None}], **v})
        return schema, values

    return drawn()


def arrays(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return inner.map(lambda s: ({"type": "array", "items": s[0]}, st.lists(s[1], max_size=3)))


SCHEMAS = fields(st.recursive(SCALARS, lambda s: fields(s) | arrays(s), max_leaves=6))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(drawn=SCHEMAS, data=st.data())
def test_what_meets_the_schema_passes_dagster(drawn: Any, data: st.DataObject) -> None:
    schema, values = drawn
    schema = {**schema, "$defs": {"size": {"enum": ["s", "l"]}}}
    given_ = data.draw(values)
    try:
        complete = complete_input(schema, given_)
    except UsageError:
        assert "zzz" in given_  # `inputs` itself takes no others unless it says so
        return
    assert taken(job(schema), complete) == complete

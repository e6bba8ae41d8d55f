"""Whatever an authenticated stranger sends is accepted or refused; nothing breaks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from tests.gateway.conftest import FrontDoor

METHODS = ["POST", "PUT", "GET", "HEAD", "OPTIONS", "DELETE"]
KINDS = ["application/json", "text/plain", "application/x-ndjson", "application/JSON;charset=x", ""]

ALL = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(1 << 70), 1 << 70)
    | st.floats()
    | st.text(st.characters(), max_size=20)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["text", "number", "body", "$part"]) | st.text(max_size=5), inner
        )
    ),
    max_leaves=20,
)
bodies = st.binary(max_size=200) | values.map(lambda value: json.dumps(value).encode())
tickets = st.fixed_dictionaries({"text": scalars, "number": scalars}).map(
    lambda value: json.dumps(value).encode()
)
header_values = st.text(
    st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=600
).map(lambda text: text.strip().encode("latin-1"))


@settings(max_examples=150, suppress_health_check=ALL, deadline=None)
@given(
    method=st.sampled_from(METHODS),
    path=st.sampled_from(["/any/thing", "/particular"]) | st.text(max_size=30).map("/{}".format),
    query=st.text(max_size=50),
    kind=st.sampled_from(KINDS),
    key=st.none() | header_values,
    body=bodies,
)
def test_no_call_breaks_the_front_door(
    front: FrontDoor,
    *,
    method: str,
    path: str,
    query: str,
    kind: str,
    key: bytes | None,
    body: bytes,
) -> None:
    headers: dict[Any, Any] = {b"content-type": kind.encode()}
    if key is not None:
        headers[b"idempotency-key"] = key
    answer = front.call(
        method,
        f"/hooks{quote(path, errors='replace')}",
        params={"q": query.encode("utf-8", "replace").decode()},
        headers=headers,
        content=body,
    )
    assert answer.status_code in {202, 400, 404, 405, 422}, answer.text
    if answer.status_code == 202:
        assert front.stored(answer)["method"] == method


@settings(max_examples=100, suppress_health_check=ALL, deadline=None)
@given(body=tickets)
def test_no_value_breaks_an_expression(front: FrontDoor, body: bytes) -> None:
    answer = front.call("POST", "/hooks/particular", content=body)
    assert answer.status_code in {202, 400, 422}, answer.text
    if answer.status_code == 202:
        json.dumps(front.stored(answer), allow_nan=False).encode()

"""Talks to a Dagster webserver over GraphQL: launches, reloads, reads the record of runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict, cast

from agentflow_dagster.errors import RunError
from agentflow_dagster.orchestration import names
from agentflow_dagster.orchestration.run_config import run_config

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

    from agentflow_dagster.spec.values import JsonObject, JsonValue

REPOSITORY = "__repository__"
NEW_LOCATIONS_PATH = "/agentflow/new_locations"
"""What the webserver does beside Dagster's own: it looks for new code locations."""

_LAUNCH = """
mutation Launch($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on Error { message }
    ... on RunConfigValidationInvalid { errors { message } }
  }
}"""
_RELOAD = """
mutation Reload($name: String!) {
  reloadRepositoryLocation(repositoryLocationName: $name) {
    __typename
    ... on Error { message }
    ... on WorkspaceLocationEntry {
      locationOrLoadError { __typename ... on PythonError { message } }
    }
  }
}"""
_LOCATIONS = """
query Locations {
  workspaceOrError {
    __typename
    ... on Error { message }
    ... on Workspace {
      locationEntries {
        name
        loadStatus
        locationOrLoadError {
          __typename
          ... on PythonError { message }
        }
      }
    }
  }
}"""
_RUN = """
query Run($id: ID!) {
  runOrError(runId: $id) {
    __typename
    ... on Error { message }
    ... on Run {
      runId
      jobName
      status
      creationTime
      startTime
      endTime
      tags { key value }
      stepStats { stepKey status startTime endTime attempts { startTime } }
    }
  }
}"""
_FAILURES = """
query Failures($id: ID!, $after: String) {
  logsForRun(runId: $id, afterCursor: $after) {
    ... on EventConnection {
      cursor
      hasMore
      events {
        __typename
        ... on ExecutionStepFailureEvent {
          stepKey
          error { message }
          failureMetadata {
            description
            metadataEntries {
              label
              ... on FloatMetadataEntry { floatValue }
              ... on IntMetadataEntry { intValue }
              ... on TextMetadataEntry { text }
            }
          }
        }
        ... on RunFailureEvent { message error { message } }
      }
    }
  }
}"""
_RUNS = """
query Runs($filter: RunsFilter, $limit: Int) {
  runsOrError(filter: $filter, limit: $limit) {
    __typename
    ... on Error { message }
    ... on Runs {
      results { runId jobName status creationTime startTime endTime tags { key value } }
    }
  }
}"""
_SENSOR = """
query Sensor($selector: SensorSelector!) {
  sensorOrError(sensorSelector: $selector) {
    __typename
    ... on Error { message }
    ... on Sensor { sensorState { status } }
  }
}"""
_TERMINATE = """
mutation Terminate($id: String!) {
  terminateRun(runId: $id) { __typename ... on Error { message } }
}"""

_ADD_PARTITION = """
mutation AddPartition($selector: RepositorySelector!, $name: String!, $key: String!) {
  addDynamicPartition(
    repositorySelector: $selector, partitionsDefName: $name, partitionKey: $key
  ) {
    __typename
    ... on Error { message }
  }
}"""

FINISHED = frozenset({"SUCCESS", "FAILURE", "CANCELED"})


class Tag(TypedDict):
    """One tag of a run."""

    key: str
    value: str


class AttemptTold(TypedDict):
    """One attempt of a step."""

    startTime: float | None


class StepTold(TypedDict):
    """A step's figures; times in Unix seconds."""

    stepKey: str
    status: str | None
    startTime: float | None
    endTime: float | None
    attempts: list[AttemptTold]


class RunTold(TypedDict):
    """A run as GraphQL gives it; times in Unix seconds. A list of runs leaves `stepStats` out."""

    runId: str
    jobName: str
    status: str
    creationTime: float
    startTime: float | None
    endTime: float | None
    tags: list[Tag]
    stepStats: NotRequired[list[StepTold]]


@dataclass(frozen=True, slots=True)
class FailureTold:
    """Why a step or a run failed.

    Args:
        message: What is told of it.
        facts: What its attempts took, as on a materialization; nothing where no model was asked.
    """

    message: str
    facts: Mapping[str, JsonValue] = field(default_factory=dict[str, "JsonValue"])


@dataclass(frozen=True, slots=True)
class DagsterClient:
    """One webserver.

    Args:
        url: Where it listens, `http://127.0.0.1:3000`.
        http: The client to send with; its owner closes it.
    """

    url: str
    http: httpx.Client

    def launch(
        self,
        agent: str,
        input_: JsonObject,
        tags: Mapping[str, str],
        *,
        location: str = names.LOCATION,
    ) -> str:
        """Starts a run of an agent's job, which is in that code location; its id.

        Raises:
            RunError: Dagster refused it.
        """
        params = {
            "selector": {
                "repositoryLocationName": location,
                "repositoryName": REPOSITORY,
                "jobName": names.job_name(agent),
            },
            "runConfigData": run_config(names.dagster_name(agent), input_),
            "executionMetadata": {"tags": [{"key": k, "value": v} for k, v in tags.items()]},
        }
        result = self._ask(_LAUNCH, {"params": params})["launchRun"]
        if result["__typename"] != "LaunchRunSuccess":
            said = result.get("message") or "; ".join(
                e["message"] for e in result.get("errors", [])
            )
            raise RunError(f"Dagster did not start {agent!r}: {said or result['__typename']}.")
        return str(result["run"]["runId"])

    def sensor_on(self, name: str, *, location: str = names.LOCATION) -> bool:
        """Whether a sensor is switched on.

        Raises:
            RunError: there is none of that name, or Dagster does not answer.
        """
        selector = {
            "repositoryLocationName": location,
            "repositoryName": REPOSITORY,
            "sensorName": name,
        }
        found = self._ask(_SENSOR, {"selector": selector})["sensorOrError"]
        if found["__typename"] != "Sensor":
            said = found.get("message") or found["__typename"]
            raise RunError(f"Dagster has no sensor {name!r} in {location!r}: {said}.")
        return found["sensorState"]["status"] == "RUNNING"

    def add_partition(self, name: str, key: str, *, location: str = names.LOCATION) -> None:
        """Adds a key to a dynamic set of partitions of a code location, unless it is there.

        Raises:
            RunError: Dagster refused it.
        """
        selector = {"repositoryName": REPOSITORY, "repositoryLocationName": location}
        variables = {"selector": selector, "name": name, "key": key}
        result = self._ask(_ADD_PARTITION, variables)["addDynamicPartition"]
        if result["__typename"] not in {
            "AddDynamicPartitionSuccess",
            "DuplicateDynamicPartitionError",
        }:
            said = result.get("message") or result["__typename"]
            raise RunError(f"Dagster did not add the partition {key!r} to {name!r}: {said}.")

    def reload(self, location: str = names.LOCATION) -> None:
        """Has a code location built again, so that it serves what is live now.

        Raises:
            RunError: it cannot be loaded.
        """
        result = self._ask(_RELOAD, {"name": location})["reloadRepositoryLocation"]
        loaded = result.get("locationOrLoadError") or result
        if loaded["__typename"] != "RepositoryLocation":
            raise RunError(f"Dagster could not load the agents: {loaded.get('message')}")

    def locations(self) -> dict[str, str | None]:
        """The code locations that the webserver has, by name, and what is wrong with each; those
        being loaded left out.
        """
        found: dict[str, str | None] = {}
        workspace = self._ask(_LOCATIONS, {})["workspaceOrError"]
        for entry in workspace.get("locationEntries") or ():
            loaded = entry.get("locationOrLoadError")
            if not loaded or entry["loadStatus"] == "LOADING":
                continue
            sound = loaded["__typename"] == "RepositoryLocation"
            found[entry["name"]] = None if sound else str(loaded.get("message"))
        return found

    def find_new_locations(self) -> None:
        """Has the webserver serve code locations that its workspace file has got since.

        Raises:
            RunError: it does not answer.
        """
        import httpx

        try:
            self.http.post(f"{self.url}{NEW_LOCATIONS_PATH}").raise_for_status()
        except httpx.HTTPError as problem:
            raise RunError(f"Dagster at {self.url} does not answer: {problem!r}.") from problem

    def run(self, run_id: str) -> RunTold:
        """The run as GraphQL gives it.

        Raises:
            RunError: no such run.
        """
        found = self._ask(_RUN, {"id": run_id})["runOrError"]
        if found["__typename"] != "Run":
            raise RunError(f"Dagster has no run {run_id!r}.", retryable=False)
        return cast("RunTold", found)

    def runs(self, tags: Mapping[str, str], *, limit: int = 25) -> list[RunTold]:
        """The newest runs that have all of these tags."""
        filter_ = {"tags": [{"key": k, "value": v} for k, v in tags.items()]} if tags else {}
        return self._ask(_RUNS, {"filter": filter_, "limit": limit})["runsOrError"]["results"]

    def failures(self, run_id: str) -> dict[str, FailureTold]:
        """What went wrong, by step key; "" is the run itself."""
        told: dict[str, FailureTold] = {}
        cursor: str | None = None
        while True:
            page = self._ask(_FAILURES, {"id": run_id, "after": cursor})["logsForRun"]
            for event in page["events"]:
                if event["__typename"] == "ExecutionStepFailureEvent":
                    told[event["stepKey"]] = FailureTold(_said(event), _facts(event))
                elif event["__typename"] == "RunFailureEvent":
                    told[""] = FailureTold(_said(event) or event["message"])
            if not page["hasMore"]:
                return told
            cursor = page["cursor"]

    def terminate(self, run_id: str) -> None:
        """Asks Dagster to stop a run."""
        self._ask(_TERMINATE, {"id": run_id})

    def run_url(self, run_id: str) -> str:
        """The run's page in the UI."""
        return f"{self.url}/runs/{run_id}"

    def _ask(self, query: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        import httpx

        try:
            answer = self.http.post(
                f"{self.url}/graphql", json={"query": query, "variables": dict(variables)}
            )
            told = cast("dict[str, Any]", answer.json())
        except (httpx.HTTPError, ValueError) as problem:
            raise RunError(
                f"Dagster at {self.url} does not answer: {problem!r}.",
                hint="Is `agentflow up` still running?",
            ) from problem
        if errors := told.get("errors"):
            raise RunError(f"Dagster at {self.url} refused a query: {errors[0].get('message')}.")
        return told["data"]


def _said(event: dict[str, Any]) -> str:
    """The author's side of a failed step; the error behind it where there is none."""
    described: dict[str, Any] = event.get("failureMetadata") or {}
    error: dict[str, Any] = event.get("error") or {}
    return str(described.get("description") or error.get("message") or "")


def _facts(event: dict[str, Any]) -> dict[str, JsonValue]:
    """What a step that failed took, among what is told of it."""
    described: dict[str, Any] = event.get("failureMetadata") or {}
    found: dict[str, JsonValue] = {}
    for entry in described.get("metadataEntries") or ():
        kinds = ("floatValue", "intValue", "text")
        found[entry["label"]] = next((entry[kind] for kind in kinds if kind in entry), None)
    return found


def code_server_answers(host: str, port: int) -> bool:
    """Whether a code server listens there and has loaded its definitions, or says why it cannot."""
    from dagster._core.errors import DagsterUserCodeUnreachableError
    from dagster._grpc.client import DagsterGrpcClient

    try:
        DagsterGrpcClient(host=host, port=port).list_repositories()
    except DagsterUserCodeUnreachableError:
        return False
    return True

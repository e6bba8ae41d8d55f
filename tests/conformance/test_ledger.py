"""How money is set aside and spent: what every implementation of the ledger must do."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentflow_dagster.engine.memory_ledger import MemoryLedger
from agentflow_dagster.errors import BudgetError
from agentflow_dagster.stores.engine import create_engine
from agentflow_dagster.stores.ledger import PostgresLedger
from tests.support.at_once import at_once
from tests.support.model_calls import planned, used
from tests.support.properties import patiently

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from agentflow_dagster.engine.set_aside import SetAside
    from agentflow_dagster.ports.ledger import Alert, Overrun, PlannedCall, Reservation

    AnyLedger = MemoryLedger | PostgresLedger


@dataclass
class Clock:
    """The time, which a test sets."""

    now: datetime = datetime(2026, 11, 21, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Told:
    """What a ledger has told."""

    alerts: list[Alert] = field(default_factory=list)
    overruns: list[Overrun] = field(default_factory=list)

    @property
    def shares(self) -> list[tuple[str, int]]:
        return [(alert.scope, alert.percent) for alert in self.alerts]


@dataclass
class Ledgers:
    """Makes ledgers of one kind that share what they keep, as processes would."""

    make: Callable[..., AnyLedger]
    clock: Clock
    told: Told

    def __call__(self, workspace: str | None = None) -> AnyLedger:
        return self.make(
            None if workspace is None else Decimal(workspace),
            now=self.clock,
            on_alert=self.told.alerts.append,
            on_overrun=self.told.overruns.append,
        )


@pytest.fixture(params=["memory", "postgres"])
def ledgers(request: pytest.FixtureRequest) -> Generator[Ledgers]:
    if request.param == "memory":
        yield Ledgers(MemoryLedger, Clock(), Told())
        return
    engine = create_engine(request.getfixturevalue("database_url"))
    made: list[PostgresLedger] = []

    def make(*args: Any, **options: Any) -> PostgresLedger:
        made.append(PostgresLedger(engine, *args, **options))
        return made[-1]

    yield Ledgers(make, Clock(), Told())
    for ledger in made:
        ledger.close()
    engine.dispose()


@pytest.fixture
def ledger(ledgers: Ledgers) -> AnyLedger:
    return ledgers()


async def granted(ledger: AnyLedger, call: PlannedCall) -> SetAside | None:
    """The reservation; None where the call is refused."""
    try:
        return await ledger.reserve(call)
    except BudgetError:
        return None


async def test_without_a_budget_nothing_is_limited(ledger: AnyLedger) -> None:
    for most in ("1000", None):
        reservation = await ledger.reserve(planned(most))
        assert reservation.granted_usd is None
        reservation.settle(used("70"))
    assert await ledger.spent_by("run") == 140


@pytest.mark.parametrize("budget", ["per_run", "monthly"])
async def test_a_budget_grants_what_is_asked_for_and_then_what_is_left(
    ledger: AnyLedger, budget: str
) -> None:
    limit: Any = {budget: "0.25"}
    first, second, third = [await ledger.reserve(planned(**limit)) for _ in range(3)]
    grants = [first.granted_usd, second.granted_usd, third.granted_usd]
    assert grants == [Decimal("0.10"), Decimal("0.10"), Decimal("0.05")]
    with pytest.raises(BudgetError, match=r"0\.01 USD at least") as refused:
        await ledger.reserve(planned(**limit))
    assert refused.value.budget == {"per_run": "run", "monthly": "agent"}[budget]
    assert (refused.value.limit_usd, refused.value.left_usd) == (Decimal("0.25"), 0)
    assert "0.25 USD" in str(refused.value)
    assert not refused.value.retryable
    first.settle(used("0.03"))
    again = await ledger.reserve(planned(**limit))
    assert again.granted_usd == Decimal("0.07")


async def test_the_workspaces_budget_is_for_all_agents(ledgers: Ledgers) -> None:
    ledger = ledgers("0.15")
    assert await granted(ledger, planned(agent="one", run="1"))
    with pytest.raises(BudgetError) as refused:
        await ledger.reserve(planned(agent="two", run="2", least="0.06"))
    assert (refused.value.budget, refused.value.left_usd) == ("workspace", Decimal("0.05"))


async def test_the_least_of_several_budgets_is_granted(ledgers: Ledgers) -> None:
    ledger = ledgers("0.08")
    reservation = await ledger.reserve(planned(per_run="0.09", monthly="0.06"))
    assert reservation.granted_usd == Decimal("0.06")


async def test_a_call_that_is_refused_by_one_budget_takes_nothing_of_the_others(
    ledgers: Ledgers,
) -> None:
    ledger = ledgers("1")
    assert not await granted(ledger, planned(least="0.5", most="0.5", monthly="0.4"))
    whole = await ledger.reserve(planned("1", "1", agent="other"))
    assert whole.granted_usd == 1


async def test_a_price_that_is_not_known_is_refused_under_a_budget(ledger: AnyLedger) -> None:
    for limit in ({"per_run": "1"}, {"monthly": "1"}):
        with pytest.raises(BudgetError, match=r"price of 'gpt-4o-mini'.*not known"):
            await ledger.reserve(planned(None, **limit))  # type: ignore[arg-type]


async def test_what_costs_nothing_is_granted_where_nothing_is_left(ledger: AnyLedger) -> None:
    whole = await ledger.reserve(planned("0.10", per_run="0.10", monthly="0.10"))
    whole.settle(used("0.10"))
    local = await ledger.reserve(planned("0", "0", per_run="0.10", monthly="0.10"))
    assert local.granted_usd == 0


async def test_a_childs_calls_count_for_its_parents(ledger: AnyLedger) -> None:
    own = await ledger.reserve(planned(run="parent", per_run="0.25"))
    own.settle(used("0.10"))
    child = planned(run="child", agent="other", parents=["parent", "grand"])
    (await ledger.reserve(child)).settle(used("0.10"))
    last = await ledger.reserve(child)
    assert last.granted_usd == Decimal("0.05")
    with pytest.raises(BudgetError, match="run parent"):
        await ledger.reserve(child)
    last.settle(used("0.02"))
    spent = [await ledger.spent_by(run) for run in ("child", "parent", "grand", "other")]
    assert spent == [Decimal("0.12"), Decimal("0.22"), Decimal("0.12"), 0]


@pytest.mark.parametrize(
    ("outcome", "cost", "left"),
    [
        ("answered", "0.04", "0.06"),
        ("answered", None, "0.00"),
        ("invalid", "0.04", "0.06"),
        ("lost", "0.09", "0.01"),
        ("lost", None, "0.00"),
        ("refused", None, "0.10"),
        ("kept", "0", "0.10"),
    ],
)
@pytest.mark.parametrize("budget", ["per_run", "monthly"])
async def test_what_a_call_counts_for(
    ledger: AnyLedger, budget: str, outcome: Any, cost: str | None, left: str
) -> None:
    limit: Any = {budget: "0.10"}
    (await ledger.reserve(planned(**limit))).settle(used(cost), outcome)
    rest = await granted(ledger, planned(least="0.001", **limit))
    assert (rest.granted_usd if rest else 0) == Decimal(left)


@pytest.mark.parametrize("budget", ["per_run", "monthly"])
async def test_a_cost_beyond_the_bound_is_counted_and_told(
    ledgers: Ledgers, ledger: AnyLedger, budget: str
) -> None:
    limit: Any = {budget: "1"}
    call = planned(**limit)
    (await ledger.reserve(call)).settle(used("0.60"))
    (overrun,) = ledgers.told.overruns
    assert (overrun.call, overrun.cost_usd) == (call, Decimal("0.60"))
    assert overrun.granted_usd == Decimal("0.10")
    await ledger.flush()
    rest = await ledger.reserve(planned("1", **limit))
    assert rest.granted_usd == Decimal("0.40")


async def test_a_call_is_settled_once(ledger: AnyLedger) -> None:
    reservation = await ledger.reserve(planned())
    reservation.settle(used())
    with pytest.raises(RuntimeError, match="settled before"):
        reservation.settle(used())
    assert await ledger.spent_by("run") == Decimal("0.05")


async def test_a_new_month_begins_at_midnight_utc(ledgers: Ledgers, ledger: AnyLedger) -> None:
    ledgers.clock.now = datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC)
    old = await ledger.reserve(planned("1", monthly="1"))
    assert not await granted(ledger, planned(monthly="1"))
    ledgers.clock.now = datetime(2026, 12, 1, tzinfo=UTC)
    new = await ledger.reserve(planned("1", monthly="1"))
    assert new.granted_usd == 1
    old.settle(used("0.25"))
    await ledger.flush()
    ledgers.clock.now = datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC)
    assert (await ledger.reserve(planned("1", monthly="1"))).granted_usd == Decimal("0.75")


async def test_a_limit_that_is_changed_holds_from_then_on(ledger: AnyLedger) -> None:
    (await ledger.reserve(planned("0.50", monthly="0.50"))).settle(used("0.50"))
    assert not await granted(ledger, planned(monthly="0.50"))
    more = await ledger.reserve(planned("1", monthly="0.80"))
    assert more.granted_usd == Decimal("0.30")
    more.settle(used("0"))
    await ledger.flush()
    assert not await granted(ledger, planned(monthly="0.40"))


async def test_shares_of_a_budget_are_told_once(ledgers: Ledgers) -> None:
    ledger = ledgers("100")
    for _ in range(11):
        reservation = await granted(ledger, planned("0.10", "0.10", monthly="1"))
        if reservation:
            reservation.settle(used("0.10"))
            await ledger.flush()
    assert ledgers.told.shares == [("agent/triage", share) for share in (50, 80, 100)]
    first = ledgers.told.alerts[0]
    assert (first.spent_usd, first.limit_usd, first.run_id) == (Decimal("0.5"), 1, "run")
    assert "50 % of the budget agent/triage for 2026-11" in str(first)


async def test_many_at_once_get_what_there_is_and_no_more(ledger: AnyLedger) -> None:
    calls = [planned(run=f"run-{n}", monthly="2.55", per_run="5") for n in range(300)]
    found = [one for one in await asyncio.gather(*(granted(ledger, c) for c in calls)) if one]
    assert len(found) == 26
    assert sum(one.granted_usd or 0 for one in found) == Decimal("2.55")
    for one in found:
        one.settle(used("0.01"))
    assert await granted(ledger, planned("2.29", "2.29", monthly="2.55"))


def test_threads_and_loops_share_it(ledger: AnyLedger) -> None:
    def some(number: int) -> Sequence[SetAside | None]:
        async def all_() -> Sequence[SetAside | None]:
            calls = [planned(run=f"{number}-{n}", monthly="1.00", per_run="5") for n in range(20)]
            return await asyncio.gather(*(granted(ledger, call) for call in calls))

        return asyncio.run(all_())

    found = [one for many in at_once(some, 6) for one in many if one]
    assert sum(one.granted_usd or 0 for one in found) == 1
    assert len(found) == 10
    at_once(lambda n: found[n].settle(used("0.10")), 10)


async def test_one_who_is_cancelled_takes_nothing(ledger: AnyLedger) -> None:
    tasks = [asyncio.create_task(ledger.reserve(planned(monthly="0.50"))) for _ in range(20)]
    await asyncio.sleep(0)
    waiting = [task for task in tasks if task.cancel()]
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    got = [one for one in ended if not isinstance(one, BaseException)]
    assert len(got) + len(waiting) == len(tasks) or isinstance(ledger, MemoryLedger)
    for one in got:
        one.settle(used("0"), "refused")
    await ledger.flush()
    assert (await ledger.reserve(planned("1", monthly="0.50"))).granted_usd == Decimal("0.50")


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["reserve", "reserve", "settle", "settle", "flush"]),
        st.integers(0, 1),  # which ledger
        st.integers(0, 2),  # which run
        st.integers(1, 40),  # cents at most
        st.integers(0, 100),  # percent of the bound
    ),
    max_size=40,
)
_examples = iter(range(10**9))


@given(steps=STEPS)
@settings(
    patiently(120),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_no_budget_is_ever_overspent(ledgers: Ledgers, steps: Any) -> None:
    """However calls follow each other in two processes, where none costs more than its grant."""
    pair = [ledgers("10000")] * 2 if ledgers.make is MemoryLedger else [ledgers(), ledgers()]
    example = next(_examples)
    asyncio.run(_carry_out(pair, steps, f"agent-{example}"))


async def _carry_out(pair: Sequence[AnyLedger], steps: Any, agent: str) -> None:
    open_: list[tuple[str, Reservation]] = []
    run_spent: dict[str, Decimal] = {}
    limits: Any = {"agent": agent, "per_run": "0.80", "monthly": "1.00"}
    for what, which, number, cents, percent in steps:
        # A run is carried out by one process at a time.
        run = f"{agent}-{which}-{number}"
        if what == "reserve":
            most = Decimal(cents) / 100
            one = await granted(pair[which], planned(f"{most}", f"{most / 2}", run=run, **limits))
            if one is not None:
                assert one.granted_usd is not None
                assert most / 2 <= one.granted_usd <= most
                open_.append((run, one))
        elif what == "settle" and open_:
            run, one = open_.pop(cents % len(open_))
            assert one.granted_usd is not None
            cost = one.granted_usd * percent / 100
            one.settle(used(cost))
            run_spent[run] = run_spent.get(run, Decimal(0)) + cost
        elif what == "flush":
            await pair[which].flush()
        held = sum((one.granted_usd or 0 for _, one in open_), Decimal(0))
        assert sum(run_spent.values(), held) <= 1
    for run, spent in run_spent.items():
        held = sum((one.granted_usd or 0 for name, one in open_ if name == run), Decimal(0))
        assert spent + held <= Decimal("0.80")
        assert await pair[int(run.split("-")[2])].spent_by(run) == spent + held
    for ledger in pair:
        if isinstance(ledger, PostgresLedger):
            ledger.close()


def test_a_listener_may_be_told_from_any_thread(ledgers: Ledgers) -> None:
    ledger = ledgers()
    told = threading.Event()
    ledger.on_alert = lambda _: told.set()

    async def spend() -> None:
        (await ledger.reserve(planned("0.60", monthly="1"))).settle(used("0.60"))
        await ledger.flush()

    asyncio.run(spend())
    assert told.wait(10)

"""What was measured last: `benchmarks/results.json`, and the tables in docs/performance.md.

    python benchmarks/results.py

The other programs hand their figures to `record`, which writes both. Run by itself it writes the
tables anew. A figure is kept with what it must reach and what we aim at, whether it holds, when it
was measured, on how many cores, and beside how much other work (the load average before it began).
"""

from __future__ import annotations

import json
import os
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

RESULTS = Path(__file__).parent / "results.json"
PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
_BEGIN, _END = "<!-- figures -->", "<!-- end of figures -->"
_GROWTH_BEGIN, _GROWTH_END = "<!-- growth -->", "<!-- end of growth -->"
GROWTH = (1, 10, 100, 1_000, 10_000)

TARGETS: dict[str, tuple[float, float, str]] = {
    "start.engine_vs_stock": (50, 200, "stock / engine, from asking until the first `STEP_START`"),
    "start.engine_p50_ms": (20, 5, "100 asked for in a second, until the first step's work"),
    "start.engine_p99_ms": (60, 12, "the same"),
    "start.process_vs_stock": (25, 40, "stock / warm parent, until the first `STEP_START`"),
    "webhook.p99_ms": (60, 20, "200 a second, POST until 202, the event committed"),
    "step.overhead_p50_ms": (8, 2.3, "1,000 steps a second, from one's answer to the next's work"),
    "step.overhead_p99_ms": (15, 4, "the same"),
    "burst.10000_first_step_p99_s": (5, 2, "10,000 of three steps at once, 2 s a step"),
    "burst.10000_total_s": (20, 10, "the same"),
    "burst.10000_peak_mb": (400, 120, "by how much the engine's process grew"),
    "concurrent.max": (10_000, 10_000, "at once, all SUCCESS, every run and event in Dagster"),
    "throughput.runs_per_s": (210, 500, "agents of three nodes, 2,000 together"),
    "recovery.first_step_s": (5, 2, "`kill -9` with 200 in flight, until a step is at work again"),
    "memory.kib_per_waiting_run": (64, 10, "runs in a step that waits"),
    "history.runs_page_ms": (100, 30, "Dagster's page of runs, among 100,000"),
    "notebook.warm_start_ms": (150, 40, "papermill's start until the author's first cell"),
    "notebook.warm_start_vs_stock": (10, 60, "the command `papermill` / that"),
    "notebook.pool_refill_s": (1, 0.2, "a kernel taken, until another is ready in its place"),
    "notebook.compile_ms": (300, 100, "50 cells that are new, from the file to the plan"),
    "notebook.recompile_ms": (50, 20, "the same, one cell of it edited"),
    "notebook.dataflow_precision": (0.95, 1, "text and ipyflow, 36 held-out pairs of cells"),
    "notebook.dataflow_recall": (0.99, 1, "the same: 26 edges"),
    "models.overhead_ms_p50": (
        1.5,
        0.5,
        "beyond `litellm.acompletion`: CPU, wall; 1, 16 at once",
    ),
    "models.fallback_ms": (5, 5, "a refusal (500, 429) sent, until the next provider has the call"),
    "models.cache_hit_ms": (1, 1, "a kept reply, read from PostgreSQL"),
    "models.first_token_ms": (5, 5, "a stream's first bytes sent, until the listener hears them"),
    "models.budget_overspend_usd": (0, 0, "1,000 runs at once, by the server's bill"),
    "routing.saving_pct": (30, 30, "300 tasks, beside always the strongest of three models"),
    "routing.needs_missed": (0, 0, "of them, with a model below what they state"),
}
"""What each figure must reach, what we aim at, and how it is measured."""
_MORE_IS_BETTER = frozenset(
    {
        *("start.engine_vs_stock", "start.process_vs_stock", "concurrent.max"),
        *("throughput.runs_per_s", "notebook.warm_start_vs_stock"),
        *("notebook.dataflow_precision", "notebook.dataflow_recall", "routing.saving_pct"),
    }
)


def record(figures: Mapping[str, float], *, load: float) -> None:
    """Keeps figures, instead of those of the same names.

    Args:
        figures: By name.
        load: The machine's load average before they were measured.
    """
    known = read()
    for name, value in figures.items():
        kept: dict[str, Any] = {"value": value}
        if name in TARGETS:
            must, aim, _ = TARGETS[name]
            holds = value >= must if name in _MORE_IS_BETTER else value <= must
            kept |= {"must": must, "aim": aim, "holds": holds}
        kept |= {
            "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ"),
            "cores": os.cpu_count(),
            "load": round(load, 1),
        }
        known[name] = kept
    RESULTS.write_text(json.dumps(dict(sorted(known.items())), indent=2) + "\n")
    write_page(known)


def read() -> dict[str, dict[str, Any]]:
    """The figures that are kept, by name."""
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def write_page(known: Mapping[str, Mapping[str, Any]]) -> None:
    """Writes the tables in docs/performance.md."""
    page = PAGE.read_text()
    page = _between(page, _BEGIN, _END, _table(known))
    page = _between(page, _GROWTH_BEGIN, _GROWTH_END, _growth(known))
    PAGE.write_text(page)


def _table(known: Mapping[str, Mapping[str, Any]]) -> str:
    lines = ["| | figure | must | aim | load | how |", "|---|---|---|---|---|---|"]
    for name, (must, aim, how) in TARGETS.items():
        found = known.get(name)
        if found is None:
            lines.append(f"| `{name}` | not measured | {must:,g} | {aim:,g} | | {how} |")
            continue
        told = f"{found['value']:,g}{'' if found['holds'] else ', **not met**'}"
        lines.append(f"| `{name}` | {told} | {must:,g} | {aim:,g} | {found['load']} | {how} |")
    return "\n".join(lines)


def _growth(known: Mapping[str, Mapping[str, Any]]) -> str:
    rows = [n for n in GROWTH if f"burst.{n}_total_s" in known]
    lines = [
        "| runs at once | first step, p99 | all of it | of that beyond the steps' 6 s, a run |",
        "|---|---|---|---|",
    ]
    for runs in rows:
        first = known[f"burst.{runs}_first_step_p99_s"]["value"]
        total = known[f"burst.{runs}_total_s"]["value"]
        lines.append(f"| {runs:,} | {first} s | {total} s | {(total - 6) * 1000 / runs:.2f} ms |")
    seconds = [known[f"burst.{runs}_total_s"]["value"] for runs in rows]
    firsts = [known[f"burst.{runs}_first_step_p99_s"]["value"] for runs in rows]
    names = ", ".join(f'"{runs:,}"' for runs in rows)
    chart = f"""
```mermaid
xychart-beta
  title "Runs of three steps of 2 s, begun at once: until the first steps, and all of it"
  x-axis "runs" [{names}]
  y-axis "seconds" 0 --> {max([10.0, *seconds]) + 2:.0f}
  line {json.dumps(firsts)}
  line {json.dumps(seconds)}
```"""
    return "\n".join(lines) + "\n" + chart


def _between(page: str, begin: str, end: str, text: str) -> str:
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if not pattern.search(page):
        raise ValueError(f"{PAGE.name} has no {begin}.")
    return pattern.sub(lambda _: f"{begin}\n{text}\n{end}", page)


if __name__ == "__main__":
    sys.exit(write_page(read()))

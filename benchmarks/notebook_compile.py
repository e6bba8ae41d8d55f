"""How soon a notebook is an agent that was checked: at first, and after one cell was edited.

    python benchmarks/notebook_compile.py [--rounds 20] [--record]

A generated notebook of 50 cells, as a text: parameters, setup, `%%agentflow agent`, 29 nodes of
Python of a dozen lines each, 12 that ask models or go ways, and 6 cells for looking around. It is
read, wired, checked and planned as `agentflow check` does it, in a process that has done so with
another one before. *New* is a notebook none of whose texts the process has seen; *edited* is the
same with another line in one cell of Python, each time in another cell. Medians.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from results import record

from agentflow_dagster.nodes import all_kinds
from agentflow_dagster.operations.check import check_file

if TYPE_CHECKING:
    from agentflow_dagster.spec.kind import Catalogue

CODE_NODES = 29
PARAMETERS = """\
body: str = "order,amount,country"  # CSV with one order a line
limit: int = 20  # most rows of a table
rate_{salt}: float = 0.19  # share of tax
"""
SETUP = """\
import csv
import io
import math
from collections import Counter
from dataclasses import dataclass

# Of notebook {salt}.


@dataclass
class Row:
    order: str
    amount: float
    country: str


def money(amount: float, digits: int = 2) -> str:
    return f"{{amount:,.{{digits}}f}} EUR"


def grouped(rows, key):
    found = {{}}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found
"""
AGENT = """\
%%agentflow agent
name: generated-{salt}
description: Fifty cells.
labels: {{team: bench}}
outputs:
  rows: "{{{{step_28.output.rows_28}}}}"
  told_7: "{{{{has(chat_7.output) ? chat_7.output.text : ''}}}}"
  told_14: "{{{{has(chat_14.output) ? chat_14.output.text : ''}}}}"
  told_21: "{{{{has(chat_21.output) ? chat_21.output.text : ''}}}}"
  told_28: "{{{{has(chat_28.output) ? chat_28.output.text : ''}}}}"
triggers:
  mail: {{webhook: {{path: /mail-{salt}}}, input: {{body: "{{{{event.body.text}}}}"}}}}
  nightly: {{schedule: {{cron: "0 3 * * *", timezone: Europe/Berlin}}}}
"""
FIRST = """\
%%node step_0 --timeout 1m
_rows = [Row(**r) for r in csv.DictReader(io.StringIO(body))]
rows_0 = [{{"order": r.order, "amount": r.amount, "country": r.country}} for r in _rows][:limit]
total_0 = sum(row["amount"] for row in rows_0)  # {salt}
"""
CODE = """\
%%node step_{n} --timeout 1m --retry 2
_scale = {n} + len("{salt}") + {edit}
rows_{n} = []
for _row in rows_{before}:
    _copy = dict(_row)
    _copy["amount"] = round(_copy["amount"] * (1 + rate_{salt}) / _scale, 2)
    if _copy["country"] and _copy["amount"] > limit:
        rows_{n}.append(_copy)
_by_country = grouped(rows_{n}, lambda row: row["country"])
counts_{n} = dict(Counter(row["country"] for row in rows_{n}))
total_{n} = total_{before} + math.fsum(row["amount"] for row in rows_{n})
best_{n} = max(rows_{n}, key=lambda row: row["amount"], default=None)
text_{n} = "\\n".join(f"{{name}}: {{money(sum(r['amount'] for r in some))}}"
                     for name, some in sorted(_by_country.items()))
"""
CHAT = """\
%%node chat_{n} --kind ai.chat --after way_{n}.high --timeout 2m
---
system: You sum up figures, briefly. {salt}
---
Sum up what follows, in {{{{limit}}}} words at most, total {{{{total_{n}}}}}:
{{{{text_{n}}}}}
"""
CLASSIFY = """\
%%node sort_{n} --kind ai.classify
---
labels: {{high: much money, low: little money, none: no money at all, odd: "{salt}"}}
---
{{{{text_{n}}}}}
"""
ROUTE = """\
%%node way_{n} --kind logic.switch
cases:
  high: "{{{{sort_{n}.label == 'high' && size(text_{n}) > {n}}}}}"
default: other
"""
LOOK = """\
# {salt}
%matplotlib inline
seen_{n} = [row for row in rows_{n} if row["amount"] > 10]
len(seen_{n}), total_{n}
"""


def notebook(salt: str, edits: dict[int, int] | None = None) -> str:
    """A notebook of 50 cells.

    Args:
        salt: Stands in every cell.
        edits: By node of Python: what was written into it.
    """
    edits = edits or {}
    texts = [PARAMETERS, SETUP, AGENT, FIRST]
    cells = [text.format(salt=salt) for text in texts]
    for n in range(1, CODE_NODES):
        cells.append(CODE.format(n=n, before=n - 1, salt=salt, edit=edits.get(n, 0)))
        if n % 7 == 0:
            cells += [t.format(n=n, salt=salt) for t in (CHAT, CLASSIFY, ROUTE)]
        if n % 4 == 2 and n < 24:
            cells.append(LOOK.format(n=n, salt=salt))
    assert len(cells) == 50, len(cells)
    made = [_cell(text) for text in cells]
    made[0]["metadata"] = {"tags": ["parameters"]}
    made[1]["metadata"] = {"tags": ["setup"]}
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": made})


def _cell(text: str) -> dict[str, Any]:
    return {"cell_type": "code", "metadata": {}, "source": text.rstrip("\n"), "outputs": []}


def milliseconds(path: Path, kinds: Catalogue, text: str) -> float:
    """How long it takes until there is a plan."""
    path.write_text(text)
    gc.collect()
    started = time.perf_counter()
    checked = check_file(path, kinds)
    took = (time.perf_counter() - started) * 1000
    assert checked.plan is not None, [str(d) for d in checked.diagnostics]
    assert checked.diagnostics == (), [str(d) for d in checked.diagnostics]
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description="Times reading and checking a notebook.")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--record", action="store_true", help="keep the figures")
    given = parser.parse_args()
    load = os.getloadavg()[0]
    kinds = all_kinds()
    taken: dict[str, list[float]] = {"new": [], "edited": [], "unchanged": []}
    with TemporaryDirectory(prefix="agentflow-") as folder:
        path = Path(folder) / "agent.ipynb"
        milliseconds(path, kinds, notebook("warm"))
        for turn in range(given.rounds):
            salt, node = f"n{turn}", 1 + turn % (CODE_NODES - 1)
            taken["new"].append(milliseconds(path, kinds, notebook(salt)))
            taken["edited"].append(milliseconds(path, kinds, notebook(salt, {node: 1})))
            taken["unchanged"].append(milliseconds(path, kinds, notebook(salt, {node: 1})))
    for what, values in taken.items():
        low, high = min(values), max(values)
        print(f"{what:10}{statistics.median(values):8.1f} ms   {low:8.1f} to {high:8.1f}")
    kept = {
        "notebook.compile_ms": round(statistics.median(taken["new"]), 1),
        "notebook.recompile_ms": round(statistics.median(taken["edited"]), 1),
    }
    print(json.dumps({"benchmark": "notebook_compile", "load": round(load, 1), **kept}))
    if given.record:
        record(kept, load=load)


if __name__ == "__main__":
    main()

"""A model that calls tools until it has its answer, as `ai.agent` has it.

`loop.py` is what a conversation comes to, turn by turn, each kept in the run's journal; `turns.py`
the form in which it is kept; `calls.py` judges and makes the calls; `fence.py` marks what comes
from outside. `converse.py` has LangChain's agent carry it out, and is imported when the first one
runs: that takes a second or two.
"""

from agentflow_dagster.nodes.tool_loop.calls import Consent, Tool
from agentflow_dagster.nodes.tool_loop.loop import ANSWER, Bounds, LoopOutcome, ToolLoop

__all__ = ["ANSWER", "Bounds", "Consent", "LoopOutcome", "Tool", "ToolLoop"]

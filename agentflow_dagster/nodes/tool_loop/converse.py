"""LangChain's agent, which asks our model and keeps what it does in our journal.

Only this file knows LangChain. Nothing is sent to LangSmith, whatever the environment says, and
there is no checkpointer: `ToolLoop` keeps every turn and call in the run's journal.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from langchain.agents import create_agent  # pyright: ignore[reportUnknownVariableType]
from langchain.agents.middleware import AgentMiddleware, hook_config
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import StructuredTool
from langsmith import tracing_context  # pyright: ignore[reportUnknownVariableType]

from agentflow_dagster.errors import RunError
from agentflow_dagster.ports.model import Message, ToolCall

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from langchain.agents.middleware import ModelRequest, ModelResponse
    from langchain_core.messages import BaseMessage
    from langchain_core.runnables import Runnable

    from agentflow_dagster.nodes.tool_loop.calls import Said
    from agentflow_dagster.nodes.tool_loop.loop import ToolLoop
    from agentflow_dagster.ports.model import Model, ModelReply, ToolSpec

_REPLY, _TAINTED, _SHOWN = "agentflow_reply", "agentflow_tainted", "agentflow_images"
_FORMER_TRACING = ("LANGCHAIN_TRACING", "LANGCHAIN_HANDLER")


async def converse(loop: ToolLoop, model: Model) -> None:
    """Carries a loop to its answer.

    Args:
        loop: What is asked, and what becomes of it.
        model: Who answers.

    Raises:
        RunError: it came to no answer.
    """
    for name in _FORMER_TRACING:
        if name in os.environ:
            raise RunError(
                f"The environment variable {name} is set, with which LangChain does not run.",
                hint="Unset it.",
                retryable=False,
            )
    agent: Any = create_agent(
        _PortModel(port=model, first=loop.request, specs=loop.tools),
        [_declared(spec) for spec in loop.tools.values()],
        system_prompt=loop.system,
        middleware=[_Journaled(loop)],
    )
    asked = [
        HumanMessage(one.content, additional_kwargs={_SHOWN: one.images}) for one in loop.asked
    ]
    with tracing_context(enabled=False):
        await agent.ainvoke({"messages": asked})


class _PortModel(BaseChatModel):
    """Our model, as LangChain asks one."""

    port: Any
    first: Any
    specs: dict[str, Any]
    cache: Any = False
    disable_streaming: Any = True

    @property
    def _llm_type(self) -> str:
        return "agentflow"

    def bind_tools(
        self, tools: Sequence[Any], *, tool_choice: str | None = None, **kwargs: Any
    ) -> Runnable[Any, AIMessage]:
        specs = tuple(self.specs[tool.name] for tool in tools)
        return cast("Any", self).bind(tools=specs, tool_choice=tool_choice or "auto")

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        raise NotImplementedError("It is asked asynchronously.")

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: Any = None,
        *,
        tools: tuple[ToolSpec, ...] = (),
        tool_choice: Any = "auto",
        **kwargs: Any,
    ) -> ChatResult:
        request = replace(
            self.first,
            messages=tuple(map(_message, messages)),
            tools=tools,
            tool_choice=tool_choice,
        )
        reply: ModelReply = await self.port.complete(request)
        said = AIMessage(reply.text, response_metadata={_REPLY: reply})
        return ChatResult(generations=[ChatGeneration(message=said)])


class _Journaled(AgentMiddleware[Any, Any]):
    """Has each turn and call made once, and the calls judged before they are."""

    def __init__(self, loop: ToolLoop) -> None:
        super().__init__()
        self._loop = loop
        self._named = {name: _declared(spec) for name, spec in loop.tools.items()}

    async def awrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]],
    ) -> AIMessage:
        names, choice = self._loop.offer()
        offered: list[Any] = [self._named[name] for name in names]

        async def ask() -> ModelReply:
            answer = await handler(request.override(tools=offered, tool_choice=choice))
            return cast("Any", answer.result[0]).response_metadata[_REPLY]

        turn = await self._loop.turn(ask)
        calls = [
            {"name": call.name, "args": call.arguments, "id": call.id, "type": "tool_call"}
            for call in turn.calls
        ]
        return AIMessage(turn.text, tool_calls=cast("Any", calls))

    @hook_config(can_jump_to=["model", "end"])
    async def aafter_model(self, state: Any, runtime: Any) -> dict[str, Any] | None:
        settled = await self._loop.settle()
        if settled.over:
            return {"jump_to": "end"}
        if settled.reminder:
            return {"messages": [HumanMessage(settled.reminder)], "jump_to": "model"}
        return {"messages": [_answer(call.id, call.name, said) for call, said in settled.answered]}

    async def awrap_tool_call(self, request: Any, handler: Any) -> ToolMessage:
        call = request.tool_call
        return _answer(call["id"], call["name"], await self._loop.call(call["id"]))


def _declared(spec: ToolSpec) -> StructuredTool:
    """A tool as LangChain knows of it; its calls go to the loop, before they reach it."""
    return StructuredTool(name=spec.name, description=spec.description, args_schema=spec.parameters)


def _answer(id_: str, name: str, said: Said) -> ToolMessage:
    return ToolMessage(
        said.text,
        tool_call_id=id_,
        name=name,
        additional_kwargs={_TAINTED: said.tainted},
    )


def _message(message: BaseMessage) -> Message:
    """A message of LangChain's as the port has it."""
    text = str(cast("object", message.content))  # pyright: ignore[reportUnknownMemberType] - ours are texts
    match message:
        case SystemMessage():
            return Message("system", text)
        case ToolMessage():
            tainted = bool(message.additional_kwargs.get(_TAINTED))
            return Message("tool", text, tool_call_id=message.tool_call_id, tainted=tainted)
        case AIMessage():
            calls = tuple(
                ToolCall(str(call["id"]), call["name"], call["args"]) for call in message.tool_calls
            )
            return Message("assistant", text, tool_calls=calls)
        case _:
            return Message("user", text, message.additional_kwargs.get(_SHOWN, ()))

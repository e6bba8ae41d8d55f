"""Reads a conversation as a task: what is asked, of which text, with what to answer from.

Two ways of writing are understood, those of our `ai.*` kinds:

- A system message says what to do and what to know; the user message is the text.
- One prompt holds both: the request first (`Reply to this ticket: …`, or a paragraph of its own),
  then the text; or named sections (`Context:`, `Ticket:`, `Question:`); or a fence around the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentflow_dagster.models.extractive.sentences import sentences

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentflow_dagster.ports.model import Message


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be done.

    Args:
        request: What is asked; empty where there is only a text.
        text: What it is asked of; empty where there is only a request.
        passages: Texts given to answer from.
    """

    request: str = ""
    text: str = ""
    passages: tuple[str, ...] = ()


_REFERENCE = (
    "context|references?|knowledge|sources?|documentation|docs|faq|background|passages|notes"
)
_TEXT = (
    "ticket|text|message|e-?mail|input|question|document|body|data|article|review|comment|"
    "transcript|conversation"
)
_HEADING = re.compile(
    rf"^[#*\s]*(?:(?P<reference>{_REFERENCE})|(?P<text>(?:the |customer )?(?:{_TEXT}))|"
    r"(?P<request>instructions?|task))\**\s*:\**[ \t]*",
    re.IGNORECASE | re.MULTILINE,
)
_FENCE = re.compile(
    r"```[^\n]*\n(?P<code>.*?)```|\"\"\"(?P<quoted>.*?)\"\"\"|<(?P<tag>\w+)>(?P<tagged>.*?)</(?P=tag)>",
    re.DOTALL,
)
_ASKING = re.compile(
    r"^(?:please |now |then |kindly )*(?:write|reply|respond|answer|draft|summari[sz]e|shorten|"
    r"condense|classify|categori[sz]e|translate|extract|list|explain|describe|give|tell|find|"
    r"identify|decide|determine|rewrite|compose|generate|create|return|read|look|say|what|which|"
    r"who|when|where|why|how|is|are|does|do|can|could|should|will|would)\b",
    re.IGNORECASE,
)
_BEHAVIOUR = re.compile(r"^(?:you|your|be|act|never|always|do not|don't|use|keep)\b", re.IGNORECASE)


def read_task(messages: Sequence[Message], *, structured: bool) -> Task:
    """The task of a conversation.

    Args:
        structured: The reply has a schema. A user message under a system message is then the text,
            whole, whatever it looks like: a text to classify may itself be a request.
    """
    system = "\n\n".join(m.content for m in messages if m.role == "system").strip()
    turns = [m for m in messages if m.role != "system"]
    last = turns[-1].content.strip() if turns else ""
    earlier = tuple(m.content.strip() for m in turns[:-1] if m.content.strip())
    task = _told(system)
    if system and structured:
        return Task(task.request, last, (*task.passages, *earlier))
    asked = _split(last)
    if system and not asked.text:
        asked = Task(text=asked.request, passages=asked.passages)
    request = "\n".join(part for part in (task.request, asked.request) if part)
    return Task(request, asked.text, (*task.passages, *asked.passages, *earlier))


def asks(sentence: str) -> bool:
    """Whether a sentence reads as a request or a question."""
    return sentence.endswith("?") or bool(_ASKING.match(sentence))


def _told(system: str) -> Task:
    """A system message: sentences on behaviour are the request, the others something to know."""
    if _HEADING.search(system):
        sections = _sections(system)
        return Task(sections.request, "", (*sections.passages, *_only(sections.text)))
    first, *rest = [p.strip() for p in re.split(r"\n\s*\n", system)]
    orders: list[str] = []
    known: list[str] = []
    for sentence in sentences(first):
        (orders if asks(sentence) or _BEHAVIOUR.match(sentence) else known).append(sentence)
    return Task(" ".join(orders), "", (*known, *(p for p in rest if p)))


def _split(prompt: str) -> Task:
    """A prompt that may hold a request, a text and passages."""
    if _HEADING.search(prompt):
        return _sections(prompt)
    if fence := _FENCE.search(prompt):
        inside = next(v for k, v in fence.groupdict().items() if k != "tag" and v is not None)
        outside = f"{prompt[: fence.start()]} {prompt[fence.end() :]}".strip(" :\n")
        return Task(" ".join(outside.split()), inside.strip())
    lead, colon, rest = prompt[:300].partition(":")
    if colon and prompt[len(lead) + 1 : len(lead) + 2].isspace() and rest.strip():
        said = sentences(lead)
        if said and _ASKING.match(said[-1]):
            return Task(" ".join(lead.split()), prompt[len(lead) + 1 :].strip())
    first, *more = [p.strip() for p in re.split(r"\n\s*\n", prompt) if p.strip()] or [""]
    if more and asks(first):
        return Task(first, "\n\n".join(more))
    if more and asks(more[-1]):
        return Task(more[-1], "\n\n".join([first, *more[:-1]]))
    return Task(request=prompt) if asks(first) and not more else Task(text=prompt)


def _sections(prompt: str) -> Task:
    found = list(_HEADING.finditer(prompt))
    request = [prompt[: found[0].start()].strip()]
    text: list[str] = []
    passages: list[str] = []
    ends = [match.start() for match in found[1:]] + [len(prompt)]
    for match, end in zip(found, ends, strict=True):
        content = prompt[match.end() : end].strip()
        if match["reference"]:
            passages += [p.strip() for p in re.split(r"\n\s*\n", content) if p.strip()]
        elif match["text"]:
            text += _only(content)
        else:
            request += _only(content)
    return Task("\n".join(r for r in request if r), "\n\n".join(text), tuple(passages))


def _only(content: str) -> tuple[str, ...]:
    return (content,) if content else ()

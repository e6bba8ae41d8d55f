"""The wire protocols of providers, from the provider's side: a file each.

Written after the providers' own descriptions, not after what LiteLLM expects of them.
"""

from agentflow_dagster.testing.protocols.anthropic import Anthropic
from agentflow_dagster.testing.protocols.asked import Asked
from agentflow_dagster.testing.protocols.cohere import Cohere
from agentflow_dagster.testing.protocols.gemini import Gemini
from agentflow_dagster.testing.protocols.ollama import Ollama
from agentflow_dagster.testing.protocols.openai import OpenAI
from agentflow_dagster.testing.protocols.wire import Event, WireProtocol

PROTOCOLS: tuple[WireProtocol, ...] = (OpenAI(), Anthropic(), Gemini(), Ollama(), Cohere())

__all__ = ["PROTOCOLS", "Asked", "Event", "WireProtocol"]

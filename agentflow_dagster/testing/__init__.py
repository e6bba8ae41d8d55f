"""The testing kit: what stands in for providers of models in your tests.

`ScriptedModel` is a model that says what is scripted; a `Cassette` replays what a real one said;
`ModelServer` speaks the providers' protocols over real HTTP and answers as scripted; `faults` is
what they do wrong. `docs/guides/test-with-models.md` shows each. Importing this room loads no heavy
library.
"""

from agentflow_dagster.models.scripted import use_scripted
from agentflow_dagster.testing import faults
from agentflow_dagster.testing.answers import Answer, Call, Damaged, Refusal, Reply
from agentflow_dagster.testing.cassettes import Cassette
from agentflow_dagster.testing.model_server import ModelServer, Script
from agentflow_dagster.testing.protocols import Asked
from agentflow_dagster.testing.received import Bill, Price, Received
from agentflow_dagster.testing.scripted import ScriptedModel, Turn

__all__ = [
    "Answer",
    "Asked",
    "Bill",
    "Call",
    "Cassette",
    "Damaged",
    "ModelServer",
    "Price",
    "Received",
    "Refusal",
    "Reply",
    "Script",
    "ScriptedModel",
    "Turn",
    "faults",
    "use_scripted",
]

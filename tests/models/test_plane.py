from __future__ import annotations

import subprocess
import sys

from agentflow_dagster.models import ModelPlane
from agentflow_dagster.ports.model import Message, ModelRequest

ASKED = ModelRequest((Message("user", "Reply to: my screen is black."),), model="gpt-4o-mini")


async def test_the_usage_says_who_stood_in():
    reply = await ModelPlane({}).complete(ASKED)
    assert (reply.usage.model, reply.usage.provider) == ("offline/extractive", "offline")
    assert "my screen is black" in reply.text


def test_offline_never_loads_litellm():
    code = """
import asyncio, sys
from agentflow_dagster.models import ModelPlane
from agentflow_dagster.ports.model import Message, ModelRequest
request = ModelRequest((Message("user", "Reply to: it broke."),), model="gpt-4o-mini")
asyncio.run(ModelPlane({}).complete(request))
print("litellm" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"

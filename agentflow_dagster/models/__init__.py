"""The model plane: answers the requests that `ports.model` describes.

`ModelPlane` ranks, asks, tries again, reserves and accounts; `OfflineModel` needs no provider;
`SentenceModel` is the embedded model beneath it, also for search; `close_connections` is for who
ends an event loop in which models were asked. Importing this room loads no
model and no heavy library.
"""

from agentflow_dagster.models.embedding import SentenceModel
from agentflow_dagster.models.litellm_loading import close_connections
from agentflow_dagster.models.offline import OfflineModel
from agentflow_dagster.models.plane import ModelPlane
from agentflow_dagster.models.settings import ModelSettings, read_settings

__all__ = [
    "ModelPlane",
    "ModelSettings",
    "OfflineModel",
    "SentenceModel",
    "close_connections",
    "read_settings",
]

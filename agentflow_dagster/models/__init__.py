"""The model plane: answers the requests that `ports.model` describes.

`ConfiguredModel` picks the provider; `OfflineModel` needs none; `SentenceModel` is the embedded
model beneath it, also for search. Importing this room loads no model and no heavy library.
"""

from agentflow_dagster.models.configured import ConfiguredModel
from agentflow_dagster.models.embedding import SentenceModel
from agentflow_dagster.models.offline import OfflineModel

__all__ = ["ConfiguredModel", "OfflineModel", "SentenceModel"]

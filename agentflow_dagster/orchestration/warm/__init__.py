"""The warm parent: one process that has imported what runs need, and forks them.

A new process imports Dagster for a second, LiteLLM for two more; a fork has them. Who wants one
asks over a Unix socket (`asking.py`). The parent itself (`parent.py`) opens no connection and
starts no thread, for neither survives a fork (`forking.py`); whatever has to be told to Dagster a
child tells (`children.py`). Run as `python -m agentflow_dagster.orchestration.warm`.
"""

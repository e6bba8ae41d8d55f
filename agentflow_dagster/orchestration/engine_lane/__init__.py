"""The engine lane: runs of agents in one process that writes Dagster's record of them in groups."""

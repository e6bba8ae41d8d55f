"""Agents as Dagster definitions, and Dagster's record of their runs. Only this room imports dagster."""

"""Agents as Dagster definitions, and the record of their runs. No other room imports dagster."""

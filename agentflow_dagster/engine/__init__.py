"""Runs a plan's steps through ports: expressions, attempts, time limits, redaction.

Knows no Dagster, Jupyter, HTTP or SQL.
"""

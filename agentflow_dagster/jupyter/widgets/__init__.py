"""Widgets for any notebook front end: an agent's graph, its runs and its tests.

Each takes what it needs as callables, so that it knows neither a project nor a platform. Where no
front end is live, and where the bundle was not built, each shows a static picture.
"""

"""The agent document: its model, its diagnostics, its values and the views that read and write it.

Nothing is imported here: a child process that takes `spec.values` alone starts in milliseconds.
"""

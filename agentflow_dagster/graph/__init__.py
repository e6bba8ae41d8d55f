"""An agent's topology, references and types: what `check` judges, and the plan that comes of it.

Nothing is imported here: CEL's library is loaded where an expression is met.
"""

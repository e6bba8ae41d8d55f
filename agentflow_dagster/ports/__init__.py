"""What the engine and the node kinds ask of the outside world, as Protocols.

Adapters stand in the rooms above (`models`, `sandbox`, `stores`); they are built in one place and
handed in.
"""

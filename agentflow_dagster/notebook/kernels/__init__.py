"""Kernels for single use, started before they are asked for.

A process of its own (`__main__.py`, `broker.py`) has imported what kernels need, forks them
(`forking.py`) and has each wait, ready, for an order (`kernel.py`). Whoever runs a notebook borrows
one (`lease.py`) and is its only user. It ends with the lease, the borrower, or the broker.
"""

from agentflow_dagster.notebook.kernels.lease import SOCKET_VARIABLE, Ended, Lease, borrow
from agentflow_dagster.notebook.kernels.order import Order

__all__ = ["SOCKET_VARIABLE", "Ended", "Lease", "Order", "borrow"]

"""What AgentFlow adds to a kernel: the magics `%%node` and `%agentflow`, and `glue`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from agentflow_dagster.jupyter.gluing import glue

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["glue", "load_ipython_extension"]

_AFTER_EACH_CELL = "post_run_cell"


def load_ipython_extension(ipython: InteractiveShell) -> None:
    """Registers the magics with a shell; loading again registers them anew."""
    from agentflow_dagster.jupyter.completion import complete
    from agentflow_dagster.jupyter.injected import InjectedParameters
    from agentflow_dagster.jupyter.magics import AgentFlowMagics
    from agentflow_dagster.jupyter.traced import let_bodies_be_seen

    shell = cast("Any", ipython)
    for callback in list(shell.events.callbacks[_AFTER_EACH_CELL]):
        if isinstance(getattr(callback, "__self__", None), AgentFlowMagics):
            shell.events.unregister(_AFTER_EACH_CELL, callback)
    transformers = shell.input_transformers_post
    transformers[:] = [one for one in transformers if not isinstance(one, InjectedParameters)]
    transformers.append(InjectedParameters(ipython))
    magics = AgentFlowMagics(ipython)
    ipython.register_magics(magics)
    shell.events.register(_AFTER_EACH_CELL, magics.bring_up_to_date)
    let_bodies_be_seen(ipython)
    for pattern in (r"%%?agentflow\b", r"%%?node\b"):
        shell.set_hook("complete_command", complete, re_key=pattern)

"""The HTTP server that the front door stands in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI


def http_server(app: FastAPI, *, host: str, port: int) -> uvicorn.Server:
    """A server for the application; port 0 is any that is free.

    Always h11: it bounds what a caller may send before the token is looked at (64 KiB of headers),
    which uvicorn's faster parser, taken where it happens to be installed, does not.
    """
    import uvicorn

    return uvicorn.Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            http="h11",
            ws="none",
            log_level="warning",
            server_header=False,
        )
    )

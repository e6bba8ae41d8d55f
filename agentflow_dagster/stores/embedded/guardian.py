"""The server's parent: starts it, waits until nobody holds it any more, and stops it.

Run as a script, apart from the process that asked for the server, so that the server outlives that
process where another still holds it. It blocks on a file lock, so it takes no time while it waits,
and a holder that was killed counts as gone at once. Standard library only: it stays in memory for
as long as the server does.

    python guardian.py HOLDERS RUNNING UID GID LOG postgres -D DATA …

HOLDERS is the path of the lock that holders share; RUNNING is an inherited file descriptor whose
lock the server's processes keep for as long as one of them lives; UID and GID are -1 to stay the
user that we are.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys


def main(arguments: list[str]) -> None:
    """Starts the server and returns once it has ended."""
    holders, log, *command = arguments[0], *arguments[4:]
    running, uid, gid = map(int, arguments[1:4])
    if os.fork():
        os._exit(0)  # the starter waits for this one only; what follows belongs to nobody
    os.setsid()  # Ctrl-C in the starter's terminal is not for the server
    quiet = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(quiet, stream)
    os.chdir("/")
    server = os.fork()
    if not server:
        _become_server(running, uid, gid, log, command)
    os.close(running)

    holding = os.open(holders, os.O_RDWR)
    fcntl.flock(holding, fcntl.LOCK_EX)
    ended, _ = os.waitpid(server, os.WNOHANG)
    if not ended:
        os.kill(server, signal.SIGINT)  # "fast shutdown": end the sessions, keep what is committed
        os.waitpid(server, 0)


def _become_server(running: int, uid: int, gid: int, log: str, command: list[str]) -> None:
    try:
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.set_inheritable(running, True)
        if uid >= 0:
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)
        os.execv(command[0], command)
    except OSError as error:
        os.write(2, f"{command[0]}: {error}\n".encode(errors="replace"))
    finally:
        os._exit(127)


if __name__ == "__main__":
    main(sys.argv[1:])

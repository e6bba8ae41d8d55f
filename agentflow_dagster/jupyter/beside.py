"""Work of the engine beside a kernel: in a thread of its own, with people asked in the cell."""

from __future__ import annotations

import asyncio
import queue
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

ResultT = TypeVar("ResultT")

_TURN_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody at the notebook is to type.

    Args:
        text: What they are asked.
        answer: Where what they typed goes.
    """

    text: str
    answer: asyncio.Future[str]


class Beside:
    """One piece of work, which may ask whoever sits at the notebook.

    `input` waits in the kernel's main thread alone, so that questions come there.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._questions: queue.SimpleQueue[Question] = queue.SimpleQueue()

    async def ask(self, text: str) -> str:
        """What somebody types; for the work itself to call.

        Raises:
            Exception: nobody can be asked here, as under papermill; whatever `input` raises.
        """
        question = Question(text, self._loop.create_future())
        self._questions.put(question)
        return await question.answer

    def run(
        self,
        work: Coroutine[object, object, ResultT],
        *,
        each_turn: Callable[[], None] = lambda: None,
    ) -> ResultT:
        """Does the work to its end, the kernel's own loop left alone; an interrupt cancels it.

        Args:
            work: Is done in a thread of its own.
            each_turn: Is called in this one, some ten times a second.
        """
        task = self._loop.create_task(work)

        def carry_out() -> None:
            asyncio.set_event_loop(self._loop)
            try:
                self._loop.run_until_complete(asyncio.wait([task]))
                self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            finally:
                self._loop.close()

        thread = threading.Thread(target=carry_out, name="agentflow-node", daemon=True)
        thread.start()
        try:
            while thread.is_alive():
                thread.join(_TURN_SECONDS)
                if thread.is_alive():
                    each_turn()
                self._put_questions()
        except KeyboardInterrupt:
            with suppress(RuntimeError):  # it has ended meanwhile
                self._loop.call_soon_threadsafe(task.cancel)
            thread.join()
            raise
        return task.result()

    def _put_questions(self) -> None:
        with suppress(queue.Empty):
            question = self._questions.get_nowait()
            try:
                typed = input(question.text)
            except Exception as problem:  # noqa: BLE001 - it is the work's to tell
                told, what = question.answer.set_exception, problem
                self._loop.call_soon_threadsafe(told, what)
            else:
                self._loop.call_soon_threadsafe(question.answer.set_result, typed)

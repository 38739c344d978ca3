"""Where uploads wait: one thread answers those that wait together, and logs each answer before anyone sees it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from evalkit.errors import EvalkitError
from evalkit.watermark.service.answers import Answer
from evalkit.watermark.service.bench import Bench
from evalkit.watermark.service.engine import Engine, Upload
from evalkit.watermark.service.log import AuditLog, answer_entry, ring_entry

TOGETHER = 16  # images of one encoding
T = TypeVar("T")
LOGGER = logging.getLogger("evalkit.watermark.service")


class Busy(Exception):
    """As many images wait as may."""


class Failed(Exception):
    """An answer could not be found, or not be logged."""


@dataclass(frozen=True)
class Waiting:
    """Uploads of one asker, who waits for their answers. `together`: they may be judged by decoy keys."""

    uploads: Sequence[Upload]
    future: asyncio.Future[list[Answer]]
    together: bool = False


class Desk:
    """Answers of an engine for many askers at a time; `most` uploads wait. To be used from one event loop."""

    def __init__(self, engine: Engine, log: AuditLog, *, most: int = 256, every: float = 1.0) -> None:
        """`every`: seconds between two looks at the ring's file."""
        self.engine, self.log, self._every = engine, log, every
        self._queue: asyncio.Queue[Waiting] = asyncio.Queue(most)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="evalkit-answer")
        self._other = ThreadPoolExecutor(1, thread_name_prefix="evalkit-ring")
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to answer; the log says by which ring."""
        await self._in_thread(self.log.write, [ring_entry("start", self.engine.bench.ring)])
        self._tasks = [asyncio.create_task(self._answer_all()), asyncio.create_task(self._watch())]

    async def ask(self, upload: Upload) -> Answer:
        """The answer for one image. Raises `Busy` or `Failed`."""
        (answer,) = await self._asked([upload], together=False)
        return answer

    async def ask_together(self, uploads: Sequence[Upload]) -> list[Answer]:
        """Answers for the images of a batch, which may rest on all of them. Raises `Busy` or `Failed`."""
        return await self._asked(uploads, together=True)

    async def _asked(self, uploads: Sequence[Upload], *, together: bool) -> list[Answer]:
        future: asyncio.Future[list[Answer]] = asyncio.get_running_loop().create_future()
        try:
            self._queue.put_nowait(Waiting(uploads, future, together))
        except asyncio.QueueFull:
            raise Busy from None
        return await future

    async def stop(self) -> None:
        """Answer who still waits, say so in the log, and let everything go."""
        if self._tasks:
            await self._queue.join()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            await self._in_thread(self.log.write, [{"event": "stop"}])
        except OSError as error:
            LOGGER.error("the audit log cannot be written: %s", error.strerror)
        self._thread.shutdown(wait=True)
        self._other.shutdown(wait=True)
        self.engine.close()
        self.log.close()

    async def _answer_all(self) -> None:
        while True:
            batch = [await self._queue.get()]
            while len(batch) < TOGETHER and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            try:
                await self._answer([each for each in batch if not each.future.cancelled()])
            finally:
                for _ in batch:
                    self._queue.task_done()

    async def _answer(self, batch: Sequence[Waiting]) -> None:
        try:
            answers = await self._in_thread(self._work, batch)
        except Exception as error:  # of any kind: it costs these askers their answers, and not the service
            if len(batch) > 1:
                for each in batch:
                    await self._answer([each])
                return
            LOGGER.error("an image could not be looked at: %s", type(error).__name__)
            for each in batch:
                if not each.future.done():
                    each.future.set_exception(Failed())
            return
        for each, found in zip(batch, answers, strict=True):
            if not each.future.done():
                each.future.set_result(found)

    def _work(self, batch: Sequence[Waiting]) -> list[list[Answer]]:
        """The answers of each asker; those whose images are judged one by one share encodings."""
        single = [upload for each in batch if not each.together for upload in each.uploads]
        found = iter(self.engine.look(single) if single else ())
        answers = [
            self.engine.look(each.uploads, together=True) if each.together else [next(found) for _ in each.uploads]
            for each in batch
        ]
        self.log.write([answer_entry(answer) for some in answers for answer in some])
        return answers

    async def _watch(self) -> None:
        """Take a changed ring over; answers go on while its marks are made."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._every)
            try:
                bench = await loop.run_in_executor(self._other, self.engine.changed)
                if bench is not None:
                    await self._in_thread(self._adopt, bench)
            except EvalkitError as error:
                LOGGER.error("the key ring was changed and is not used: %s", error)
            except Exception as error:  # as above
                LOGGER.error("the key ring could not be looked at: %s", type(error).__name__)

    def _adopt(self, bench: Bench) -> None:
        """Between two batches: the log names the ring before any answer rests on it."""
        self.log.write([ring_entry("ring", bench.ring)])
        self.engine.bench = bench

    async def _in_thread(self, work: Callable[..., T], *given: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *given)

import asyncio
import threading
from types import SimpleNamespace

import pytest

from evalkit.watermark.service.answers import Answer, Rate
from evalkit.watermark.service.desk import Busy, Desk, Failed
from evalkit.watermark.service.engine import Upload
from evalkit.watermark.service.ring import Ring


class Engine:
    """Says "not found" of everything when it may; fails on the bytes b"bad"."""

    def __init__(self):
        self.bench, self.open, self.batches, self.closed = SimpleNamespace(ring=Ring()), threading.Event(), [], False
        self.open.set()

    def look(self, uploads):
        self.batches.append(len(uploads))
        self.open.wait(60)
        if any(each.data == b"bad" for each in uploads):
            raise RuntimeError("secret")
        return [Answer(each.id, "0" * 64, Rate(1e-6, 1), "0" * 64) for each in uploads]

    def changed(self):
        return None

    def close(self):
        self.closed = True


class Log:
    def __init__(self):
        self.entries, self.full = [], False

    def write(self, entries):
        if self.full:
            raise OSError(28, "No space left on device")
        self.entries += entries

    def close(self):
        pass


def with_desk(work, **given):
    """What `work(desk)` gives within one event loop, and the log."""
    desk = Desk(Engine(), Log(), **given)

    async def run():
        await desk.start()
        try:
            return await work(desk)
        finally:
            desk.log.full = False
            await desk.stop()

    return asyncio.run(run()), desk


async def until(condition):
    for _ in range(6000):
        if condition():
            return
        await asyncio.sleep(0.01)


def test_uploads_that_wait_together_are_answered_together():
    async def work(desk):
        desk.engine.open.clear()
        asked = [asyncio.create_task(desk.ask(Upload(b"", str(number)))) for number in range(20)]
        await until(lambda: desk._queue.qsize() >= 4 and desk.engine.batches)
        desk.engine.open.set()
        return [(await each).id for each in asked]

    ids, desk = with_desk(work)
    assert ids == [str(number) for number in range(20)]
    assert len(desk.engine.batches) <= 3
    assert [each["event"] for each in desk.log.entries] == ["start", *["answer"] * 20, "stop"]


def test_who_waits_when_it_stops_is_answered():
    async def work(desk):
        desk.engine.open.clear()
        asked = asyncio.create_task(desk.ask(Upload(b"")))
        await until(lambda: desk.engine.batches)
        stopping = asyncio.create_task(desk.stop())
        await asyncio.sleep(0)
        desk.engine.open.set()
        answer = await asked
        await stopping
        return answer, [each["event"] for each in desk.log.entries]

    async def run():
        desk = Desk(Engine(), Log())
        await desk.start()
        return await work(desk)

    answer, events = asyncio.run(run())
    assert answer.verdict == "not found"
    assert events == ["start", "answer", "stop"]


def test_more_than_may_wait_are_told_so():
    async def work(desk):
        desk.engine.open.clear()
        first = asyncio.create_task(desk.ask(Upload(b"")))
        await until(lambda: desk.engine.batches)
        waiting = [asyncio.create_task(desk.ask(Upload(b""))) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await desk.ask(Upload(b""))
        desk.engine.open.set()
        return await asyncio.gather(first, *waiting)

    answers, _ = with_desk(work, most=2)
    assert len(answers) == 3


def test_an_image_that_breaks_the_engine_costs_itself_only(caplog):
    async def work(desk):
        desk.engine.open.clear()
        asked = [asyncio.create_task(desk.ask(Upload(data))) for data in (b"", b"", b"bad", b"")]
        await until(lambda: desk.engine.batches)
        desk.engine.open.set()
        return await asyncio.gather(*asked, return_exceptions=True)

    answers, _ = with_desk(work)
    assert [isinstance(each, Failed) for each in answers] == [False, False, True, False]
    assert "secret" not in caplog.text


def test_no_answer_goes_out_that_is_not_in_the_log():
    async def work(desk):
        desk.log.full = True
        with pytest.raises(Failed):
            await desk.ask(Upload(b""))
        desk.log.full = False
        return await desk.ask(Upload(b""))

    answer, desk = with_desk(work)
    assert answer.verdict == "not found"
    assert [each["event"] for each in desk.log.entries] == ["start", "answer", "stop"]

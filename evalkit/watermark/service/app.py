"""The HTTP service: one image, a batch as JSON lines, health, and a page that says how to ask; verdicts and no numbers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse

from evalkit.jsonio import canonical_json
from evalkit.version import __version__
from evalkit.watermark.service.answers import schema
from evalkit.watermark.service.api import BATCH, HEALTH, IMAGE, api_page
from evalkit.watermark.service.bounds import BUSY, Bounded, Bounds, Refused
from evalkit.watermark.service.desk import Busy, Desk, Failed
from evalkit.watermark.service.engine import Upload
from evalkit.watermark.service.limits import Limits, client_of

LINES = "application/x-ndjson"
FAILED = "the image could not be looked at; ask again later"


class Service:
    """What the routes share: the desk, and what each client may ask."""

    def __init__(self, desk: Desk, limits: Limits, bounds: Bounds) -> None:
        self.desk, self.limits, self.bounds = desk, limits, bounds

    async def image(self, request: Request) -> Response:
        """The answer for the image that is the request's body."""
        self._count(request, 1)
        answer = await self.desk.ask(Upload(await self._body(request)))
        return JSONResponse(answer.as_dict())

    async def batch(self, request: Request) -> Response:
        """A line for each image of a form, in order, each sent when it is known."""
        self._count(request, 1)
        uploads = await self._uploads(request)
        self._count(request, len(uploads) - 1)
        return StreamingResponse(self._lines(uploads), media_type=LINES)

    async def health(self, request: Request) -> Response:
        """Whether answers are given, and by which ring."""
        ring = self.desk.engine.bench.ring
        return JSONResponse({"status": "ok", "evalkit": __version__, "ring": ring.digest})

    def _count(self, request: Request, images: int) -> None:
        wait = self.limits.take(client_of(request.client.host if request.client else None), images)
        if wait:
            raise Refused(429, "you have asked about as many images as you may; ask again later", wait)

    async def _body(self, request: Request) -> bytes:
        pieces, size = [], 0
        async with asyncio.timeout(self.bounds.seconds):
            async for piece in request.stream():
                size += len(piece)
                if size > self.bounds.most_bytes:
                    raise Refused(413, f"an image here has at most {self.bounds.most_bytes:,} bytes")
                pieces.append(piece)
        if not size:
            raise Refused(400, "the body is empty; send an image file's bytes")
        return b"".join(pieces)

    async def _uploads(self, request: Request) -> list[Upload]:
        if not request.headers.get("content-type", "").startswith("multipart/form-data"):
            raise Refused(415, "send images as the files of multipart/form-data")
        async with asyncio.timeout(self.bounds.seconds):
            async with request.form(max_files=self.bounds.images, max_fields=0) as form:
                files = [each for _, each in form.multi_items() if isinstance(each, UploadFile)]
                if not files:
                    raise Refused(400, "the form holds no file; send images as its files")
                if any((each.size or 0) > self.bounds.most_bytes for each in files):
                    raise Refused(413, f"an image here has at most {self.bounds.most_bytes:,} bytes")
                return [Upload(await each.read(), (each.filename or "")[:200] or None) for each in files]

    async def _lines(self, uploads: Sequence[Upload]) -> AsyncIterator[bytes]:
        if self.desk.engine.settings.decoys and len(uploads) > 1:
            async for line in self._together(uploads):
                yield line
            return
        asked = [asyncio.create_task(self.desk.ask(each)) for each in uploads]
        try:
            for upload, task in zip(uploads, asked, strict=True):
                try:
                    yield canonical_json((await task).as_dict()) + b"\n"
                except (Busy, Failed) as error:
                    yield _lost(upload, error)
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)

    async def _together(self, uploads: Sequence[Upload]) -> AsyncIterator[bytes]:
        """Lines of a batch whose images are judged together."""
        try:
            answers = await self.desk.ask_together(uploads)
        except (Busy, Failed) as error:
            for upload in uploads:
                yield _lost(upload, error)
            return
        for answer in answers:
            yield canonical_json(answer.as_dict()) + b"\n"


def _lost(upload: Upload, error: Busy | Failed) -> bytes:
    """The line of an image that has no answer."""
    said = BUSY if isinstance(error, Busy) else FAILED
    return canonical_json({"error": said, "image": {"id": upload.id}}) + b"\n"


def make_app(desk: Desk, limits: Limits, bounds: Bounds) -> FastAPI:
    """The application; it starts and stops the desk."""
    service = Service(desk, limits, bounds)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await desk.start()
        try:
            yield
        finally:
            await desk.stop()

    app = FastAPI(
        title="evalkit watermark detection", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None
    )
    app.add_api_route("/v1/image", service.image, methods=["POST"], **IMAGE)
    app.add_api_route("/v1/images", service.batch, methods=["POST"], **BATCH)
    app.add_api_route("/health", service.health, methods=["GET"], **HEALTH)
    app.add_route("/v1/schema", _schema, include_in_schema=False)
    app.add_route("/", _page, include_in_schema=False)
    app.add_middleware(Bounded, bounds=bounds)
    for kind in (Refused, Busy, Failed, TimeoutError, ClientDisconnect, HTTPException):
        app.add_exception_handler(kind, _refused)
    return app


async def _schema(request: Request) -> Response:
    return JSONResponse(schema(), media_type="application/schema+json")


async def _page(request: Request) -> Response:
    return HTMLResponse(api_page(request.app.openapi()))


async def _refused(request: Request, error: Exception) -> Response:
    """One sentence for everything that is not answered; nothing of the request comes back in it."""
    if isinstance(error, HTTPException):
        error = Refused(error.status_code, STATUS.get(error.status_code, "the request is not understood"))
    elif isinstance(error, Busy):
        error = Refused(503, BUSY, 5)
    elif isinstance(error, TimeoutError | ClientDisconnect):
        error = Refused(408, "the body did not arrive in time")
    return (error if isinstance(error, Refused) else Refused(503, FAILED, 30)).response()


STATUS: dict[int, Any] = {
    400: "the form is damaged, or holds too many files or anything but files",
    404: "there is nothing here; GET / says what there is",
    405: "this address is asked in another way; GET / says how",
}

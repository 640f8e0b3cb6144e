"""The service as an ASGI app: notes in, released and annotated notes out, in their canonical JSON form."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any, Final, TypeAlias

import orjson
from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse, Response

from clinlp.deid import Mode
from clinlp.serve.config import ServeConfig
from clinlp.serve.engine import Kind
from clinlp.serve.guard import OPEN_PATHS, Exchange, Guard, Refusal, error_body, gone
from clinlp.serve.keys import Keys
from clinlp.serve.reading import answer_many, answer_one, read_notes
from clinlp.serve.schemas import (
    ErrorAnswer,
    ModelsRecord,
    NoteRecord,
    NotesRecord,
    StatusRecord,
    request_schemas,
)
from clinlp.serve.service import Service

_JSON: Final = "application/json"
_ABOUT: Final = (
    "De-identifies English and Chinese clinical notes, finds entities and predicts diagnoses. A request holds one "
    "note, or many under `notes`. Offsets count Unicode code points. No answer to a note that failed holds its text."
)
_Deid: TypeAlias = Annotated[
    Mode | None, Query(description="How PHI is replaced; `off` replaces nothing. By default as `/v1/models` says.")
]
_Tokens: TypeAlias = Annotated[bool, Query(description="With the offsets of tokens and sentences.")]
_Model: TypeAlias = Annotated[
    str | None,
    Query(max_length=64, description="A model that `/v1/models` lists under `choices`, in place of the usual."),
]
_Codes: TypeAlias = Annotated[
    int | None, Query(ge=1, le=100, description="So many codes, however improbable; else those the model chooses.")
]
_Checked: TypeAlias = Annotated[
    bool,
    Query(
        description="A person has checked the note: its own `phi` is replaced, no other is looked for. What plainly "
        "looks like PHI is refused still."
    ),
]
_REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": ErrorAnswer, "description": words}
    for status, words in {
        400: "No JSON in UTF-8",
        401: "No API key",
        408: "Too slow",
        413: "Too large",
        415: "No application/json",
        421: "Another Host",
        422: "A note that cannot be read, or failed",
        429: "Queue full: come back after Retry-After seconds",
        500: "Unexpected error",
        503: "The service ends",
        504: "Not done in time",
    }.items()
}
_SCHEMES: Final = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
"""Either way a client may send its key."""
_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {
            _JSON: {
                "schema": {
                    "anyOf": [
                        {"$ref": "#/components/schemas/NoteIn"},
                        {"$ref": "#/components/schemas/NotesIn"},
                    ]
                }
            }
        },
    }
}


def create_app(config: ServeConfig | None = None) -> FastAPI:
    """Make the app; models are loaded when it starts.

    Raises:
        UsageError: A model, the key or the file of API keys is not as it needs to be.
    """
    config = config or ServeConfig()
    keys = Keys.load(config.keys)
    service = Service(config)
    app = FastAPI(
        title="clinlp",
        version=_version(),
        description=_ABOUT,
        docs_url=None,  # its page would ask another site for scripts
        redoc_url=None,
        openapi_url="/openapi.json",
        lifespan=service.lifespan,
    )
    _add_tasks(app, service)
    _add_states(app, service)
    if config.page:
        from clinlp.serve.page import add_page

        add_page(app)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _bad_query)
    paths = [str(path) for route in app.routes if (path := getattr(route, "path", None))]
    app.add_middleware(Guard, config=config, keys=keys, metrics=service.metrics, paths=paths)
    if config.cors_origins:  # around the guard: a page may read why it was refused
        app.add_middleware(
            CORSMiddleware,
            allow_origins=config.cors_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "X-API-Key", "X-Request-ID"],
            expose_headers=["Retry-After", "X-Request-ID"],
        )
    app.openapi = lambda: _openapi(app, keyed=bool(keys))  # type: ignore[method-assign]
    return app


def _add_tasks(app: FastAPI, service: Service) -> None:
    """Add a route for each thing that can be asked of notes."""
    default = service.config.deid
    released: Mode = "tag" if default == "off" else default
    facts: dict[str, Any] = {
        "response_model": NoteRecord | NotesRecord,
        "responses": _REFUSALS,
        "openapi_extra": _BODY,
    }

    async def run(request: Request, kind: Kind) -> Response:
        exchange: Exchange = request.state.exchange
        _refuse_unknown(request)
        asked = read_notes(await request.body())
        results = await _unless_gone(request, service.work(asked, kind, exchange))
        if asked.many:
            return Response(answer_many(results), media_type=_JSON)
        status, body = answer_one(results[0], exchange.request_id)
        return Response(body, status, media_type=_JSON)

    async def annotate(
        request: Request,
        deid: _Deid = None,
        tokens: _Tokens = False,
        phi: _Model = None,
        entities: _Model = None,
        diagnosis: _Model = None,
    ) -> Response:
        """De-identify, find entities and their context, and predict diagnoses."""
        return await run(request, Kind("annotate", deid or default, phi, entities, diagnosis, tokens=tokens))

    async def deidentify(
        request: Request, deid: _Deid = None, phi: _Model = None, checked: _Checked = False
    ) -> Response:
        """Find PHI and replace it; `off` is refused."""
        if deid == "off":
            raise Refusal(422, "deid", "a way to replace PHI needed, got off")
        return await run(request, Kind("deidentify", deid or released, phi, checked=checked))

    async def diagnose(
        request: Request, deid: _Deid = None, phi: _Model = None, diagnosis: _Model = None, codes: _Codes = None
    ) -> Response:
        """Predict diagnoses with their evidence; PHI is replaced as in all answers."""
        return await run(request, Kind("diagnose", deid or default, phi, None, diagnosis, codes))

    app.post("/v1/annotate", **facts)(annotate)
    app.post("/v1/deidentify", **facts)(deidentify)
    if service.config.diagnosis != "off":
        app.post("/v1/diagnose", **facts)(diagnose)


def _add_states(app: FastAPI, service: Service) -> None:
    """Add the routes that say how the service is."""
    config = service.config

    @app.get("/v1/models", response_model=ModelsRecord)
    async def models() -> JSONResponse:
        """Say which models there are, their labels and codes, and the ways to replace PHI."""
        return JSONResponse(
            {
                "version": _version(),
                "models": service.offer.models,
                "deid": service.offer.modes,
                "default_deid": config.deid,
                "choices": config.choices,
            }
        )

    @app.get("/healthz", response_model=StatusRecord)
    async def healthz() -> JSONResponse:
        """Say that the process lives."""
        return JSONResponse({"status": "ok"})

    @app.get("/readyz", response_model=StatusRecord, responses={503: {"model": StatusRecord}})
    async def readyz() -> JSONResponse:
        """Say whether the models are loaded, and work is done in time."""
        stuck = service.batcher.busy_s > config.limit_s
        states = (("closing", service.closing), ("loading", not service.ready), ("busy", stuck))
        status = next((name for name, so in states if so), "ok")
        return JSONResponse({"status": status}, 200 if status == "ok" else 503)

    @app.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def metrics() -> Response:
        """Give counts and times in the text form of Prometheus."""
        return Response(service.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _refuse_unknown(request: Request) -> None:
    """Refuse a query with a name that the path does not know: `mode=surrogate` must not end as tags.

    Raises:
        Refusal: It has one; the name is not repeated, for it may hold anything.
    """
    known = [field.alias for field in request.scope["route"].dependant.query_params]
    if not set(request.query_params) <= set(known):
        raise Refusal(422, "query", f"query: {', '.join(known)} needed, got another name")


async def _unless_gone(request: Request, work: Coroutine[Any, Any, list[Any]]) -> list[Any]:
    """Wait for work; if the client goes meanwhile, give it up, so that what nobody waits for burns no time.

    Raises:
        Refusal: The client is gone.
    """
    working, leaving = asyncio.create_task(work), asyncio.ensure_future(request.receive())
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise gone()
    finally:
        for each in (working, leaving):
            each.cancel()


def _version() -> str:
    try:
        return version("clinlp-emr")
    except PackageNotFoundError:  # a checkout that is not installed
        return "unknown"


async def _http_error(request: Request, error: Exception) -> Response:
    """Answer an unknown path or method in our form."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = error.headers if isinstance(error, HTTPException) else None
    words = {404: "no such path", 405: "another method needed"}
    refusal = Refusal(status, "path", words.get(status, "refused"))
    return Response(error_body(refusal, request.state.exchange.request_id), status, headers, _JSON)


async def _bad_query(request: Request, error: Exception) -> Response:
    """Say which part of the query is wrong, and not what it holds."""
    first = error.errors()[0] if isinstance(error, RequestValidationError) else {}
    where = ".".join(str(part) for part in first.get("loc", ())[:2])
    refusal = Refusal(422, "query", f"{where}: {first.get('msg', 'another value needed')}")
    return Response(error_body(refusal, request.state.exchange.request_id), 422, media_type=_JSON)


def _openapi(app: FastAPI, *, keyed: bool) -> dict[str, Any]:
    """Describe the app, with the schemas of bodies that FastAPI does not read, and where a key is asked for."""
    if app.openapi_schema is None:
        held = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        held.setdefault("components", {}).setdefault("schemas", {}).update(request_schemas())
        if keyed:
            held["components"]["securitySchemes"] = _SCHEMES
            for path in held["paths"].keys() - set(OPEN_PATHS):
                for operation in held["paths"][path].values():
                    operation["security"] = [{name: []} for name in _SCHEMES]
        app.openapi_schema = orjson.loads(orjson.dumps(held))
    return app.openapi_schema

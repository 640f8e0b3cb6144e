"""The service as a program: checks what it was told, listens, and ends when what it took is finished."""

from __future__ import annotations

import signal
import socket
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Final

from clinlp.errors import MissingExtraError, UsageError
from clinlp.serve.config import ServeConfig

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

_KEEP_ALIVE_S: Final = 15
_BACKLOG: Final = 1024
_PACKAGES: Final = ("fastapi", "h11", "starlette", "uvicorn")


def serve(config: ServeConfig) -> None:
    """Serve until a signal comes; then finish what was taken, and return.

    Raises:
        UsageError: An option, a file, a model or the port is not as it needs to be; nothing was started.
        MissingExtraError: The extra `serve` is not installed.
    """
    try:
        import uvicorn

        from clinlp.serve.app import create_app
        from clinlp.serve.logs import log_to_standard_error, tell
        from clinlp.serve.protocol import protocol
    except ModuleNotFoundError as error:
        if error.name not in _PACKAGES:
            raise
        raise MissingExtraError(error.name, "serve") from None
    check(config)
    with listen(config) as listening:
        app = create_app(config)
        log_to_standard_error()
        server = uvicorn.Server(settings(config, app, protocol(config.read_s)))
        port = listening.getsockname()[1]
        tell("listening", {"host": config.host, "port": port, "tls": config.tls_cert is not None})
        if not config.local and config.tls_cert is None:
            tell("no TLS: notes and keys cross the network as they are, unless a proxy encrypts them")
        before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
        try:  # uvicorn raises the signal again once it has ended, which would be the death of a clean exit
            server.run(sockets=[listening])
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        tell("ended")


def check(config: ServeConfig) -> None:
    """Refuse what cannot be served, or what would be open to all.

    Raises:
        UsageError: So it is.
    """
    from clinlp.serve.keys import Keys

    if not config.local and not config.open and not Keys.load(config.keys):
        raise UsageError(
            f"host: API keys needed to listen on {config.host} (clinlp serve-key NAME --keys FILE), got none; "
            "or say --open where a proxy asks for them"
        )
    if config.tls_cert is None or config.tls_key is None:
        return
    for path in (config.tls_cert, config.tls_key):
        if not path.is_file():
            raise UsageError(f"{path}: file in PEM form needed, got none")
    _check_tls(config.tls_cert, config.tls_key)


def _check_tls(cert: Path, key: Path) -> None:
    def no_password() -> str:
        raise UsageError(f"{key}: a key without a password needed, got one that asks for it")

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password=no_password)
    except UsageError:
        raise
    except (ssl.SSLError, OSError) as error:
        raise UsageError(
            f"{cert}: a certificate and its key in PEM form needed, got {error.strerror or type(error).__name__}"
        ) from None


def listen(config: ServeConfig) -> socket.socket:
    """Take the port, before any model is loaded.

    Raises:
        UsageError: It cannot be had.
    """
    where = f"{config.host}:{config.port}"
    try:
        family, _, _, _, address = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except socket.gaierror:
        raise UsageError(f"{where}: an address of this machine needed, got an unknown name") from None
    except OSError as error:
        raise UsageError(f"{where}: a free port of this machine needed, got: {error.strerror}") from None


def settings(config: ServeConfig, app: FastAPI, http: type) -> uvicorn.Config:
    """Give what uvicorn is told."""
    import uvicorn

    return uvicorn.Config(
        app,
        http=http,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=config.connections + 1,  # uvicorn refuses the one that makes so many
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=config.grace_s,
        ssl_certfile=config.tls_cert,
        ssl_keyfile=config.tls_key,
    )

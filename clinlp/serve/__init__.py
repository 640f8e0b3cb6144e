"""The pipeline as a service over HTTP, its page, and a client; the service needs the extra `serve`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # each loaded once it is asked for: the command line needs the options alone
    from clinlp.serve.client import Client, ServiceError
    from clinlp.serve.config import ServeConfig

__all__ = ["Client", "ServeConfig", "ServiceError"]


def __getattr__(name: str) -> Any:
    if name == "ServeConfig":
        from clinlp.serve.config import ServeConfig

        return ServeConfig
    if name in ("Client", "ServiceError"):
        from clinlp.serve import client

        return getattr(client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

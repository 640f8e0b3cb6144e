"""The pipeline as a service over HTTP, its page, and a client; the service needs the extra `serve`."""

from __future__ import annotations

from clinlp.serve.client import Client, ServiceError
from clinlp.serve.config import ServeConfig

__all__ = ["Client", "ServeConfig", "ServiceError"]

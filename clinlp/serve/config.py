"""Options of the service: what is done to notes, who may ask, and how much at once."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Final, Self

from pydantic import Field, model_validator

from clinlp.inference.config import PipelineConfig

TASKS: Final = ("phi", "entities", "diagnosis")
_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^/*?#@A-Z\s]+")
LOCAL_NAMES: Final = ("localhost", "127.0.0.1", "::1")


class ServeConfig(PipelineConfig):
    """Options of the service; all keys stand on one level in a TOML file."""

    max_characters: int = Field(200_000, ge=1, description="A longer note is refused, never cut.")

    host: str = Field("127.0.0.1", min_length=1, description="Address to listen on; by default this machine alone.")
    port: int = Field(8000, ge=0, le=65_535, description="Port to listen on; 0 takes a free one.")
    page: bool = Field(True, description="Serve the page at `/`.")
    switch: bool = Field(True, description="Let requests name a bundled model in place of the one of these options.")
    cors_origins: tuple[str, ...] = Field(
        (), description="Origin, https://NAME, whose pages may read answers; by default none."
    )
    allowed_hosts: tuple[str, ...] = Field(
        (), description="Name that requests may call this service by; by default any with keys, else localhost alone."
    )

    keys: Path | None = Field(
        None, description="File of API keys (`clinlp serve-key`); also the one key in the variable CLINLP_API_KEY."
    )
    open: bool = Field(False, description="Listen beyond this machine without API keys, where a proxy asks for them.")
    tls_cert: Path | None = Field(None, description="Certificate chain, PEM.")
    tls_key: Path | None = Field(None, description="Private key of the certificate, PEM.")

    max_body_bytes: int = Field(8 << 20, ge=1, description="A longer request is refused (413).")
    max_notes: int = Field(256, ge=1, description="Notes in one request (413).")
    queue_notes: int = Field(1024, ge=1, description="Notes that may wait; more are told to come back (429).")
    queue_characters: int = Field(16_000_000, ge=1, description="Characters that may wait (429).")
    batch_notes: int = Field(32, ge=1, description="Notes of all requests that go through the models together.")
    batch_characters: int = Field(100_000, ge=1, description="Characters that go through the models together.")
    batch_wait_ms: float = Field(
        5.0, ge=0, le=1000, description="How long a batch waits for more notes at most; alone, a request never waits."
    )
    limit_s: float = Field(
        60.0, gt=0, allow_inf_nan=False, description="Seconds from a request to its answer at most (504)."
    )
    read_s: float = Field(
        20.0,
        gt=0,
        allow_inf_nan=False,
        description="Seconds in which a request has to arrive (408), and in which a client has to read some of its "
        "answer.",
    )
    grace_s: int = Field(60, ge=0, description="Seconds for what is at work when the service is told to end.")
    connections: int = Field(512, ge=1, description="Connections at once (503).")
    workers: int = Field(
        1,
        ge=1,
        le=256,
        description="Processes that annotate, each with models of its own and `threads`; one works in the service's "
        "own process. More than the machine has cores do not help.",
    )
    threads: int = Field(1, ge=1, description="Threads that the models of each worker compute with.")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        """Refuse what would fail later, or release more than was meant."""
        if self.vault is not None:
            raise ValueError("vault: none needed for a service, got one; seal releases with `clinlp annotate`")
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert: a certificate and its key needed, got one of the two")
        if self.max_notes > self.queue_notes:
            raise ValueError(f"max_notes: at most queue_notes ({self.queue_notes}) needed, got {self.max_notes}")
        if self.max_characters > self.queue_characters:
            raise ValueError(
                f"max_characters: at most queue_characters ({self.queue_characters}) needed, got {self.max_characters}"
            )
        if not all(_ORIGIN.fullmatch(origin) for origin in self.cors_origins):  # as browsers send it, or none matches
            raise ValueError(
                "cors_origins: origins such as https://emr.example.org needed, without a path, got another"
            )
        return self

    @property
    def local(self) -> bool:
        """Whether only this machine can reach the service."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def choices(self) -> dict[str, list[str]]:
        """Names of models that requests may ask for in place of the service's own, by what they find."""
        fixed = {"phi": self.thresholds is not None, "entities": self.keep_entities}
        return {
            task: []
            if not self.switch or fixed.get(task) or getattr(self, task) == "off"
            else [f"{task}-{lang}" for lang in ("en", "zh")]
            for task in TASKS
        }

    def hosts(self, *, with_keys: bool) -> tuple[str, ...]:
        """Names that a request may call the service by; none means any.

        Without keys, a page of another site could reach the service under a name of its own that
        points to this machine (DNS rebinding), and read what it answers.
        """
        if self.allowed_hosts or with_keys or self.open:
            return self.allowed_hosts
        return (*LOCAL_NAMES, self.host)

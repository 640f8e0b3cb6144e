"""`clinlp serve` and `serve-key`: the pipeline as a service over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clinlp.cli.console import RECORDS, remark, say
from clinlp.cli.options import takes
from clinlp.config import Config
from clinlp.inference.config import PipelineConfig
from clinlp.serve.config import ServeConfig

_PANELS: dict[type[Config], str] = {
    PipelineConfig: "What is done",
    ServeConfig: "How it is served",
}
_NAMES = {"keep_fields": "--keep-field", "cors_origins": "--cors-origin", "allowed_hosts": "--allowed-host"}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(rich_help_panel=RECORDS)(serve)
    app.command("serve-key", rich_help_panel=RECORDS)(serve_key)


@takes(ServeConfig, _PANELS, names=_NAMES, hidden=("vault",))
def serve(config: ServeConfig) -> None:
    """Serve de-identification, entities and diagnoses over HTTP.

    `POST /v1/annotate`, `/v1/deidentify` and `/v1/diagnose` take a note as JSON, or many under `notes`, and
    give what `clinlp annotate` writes; `/openapi.json` describes them, `/v1/models` says what is served, and
    `/healthz`, `/readyz` and `/metrics` how it is. Requests that come together go through the models together.

    Listens on this machine alone unless `--host` says otherwise, which needs API keys. Logs are JSON on
    standard error: no text, no query and no name of a note. Ctrl-C or SIGTERM ends it once what it took is
    finished. Needs `pip install 'clinlp-emr[serve]'`.

    **Examples**

    - `clinlp serve`, then `curl localhost:8000/v1/deidentify --json '{"text": "Seen by Dr. Jane Doe."}'`
    - `clinlp serve --deid placeholder --entities models/ours --workers 4`
    - `clinlp serve --host 0.0.0.0 --keys api.keys --tls-cert cert.pem --tls-key key.pem`
    """
    from clinlp.serve.server import serve as run

    run(config)


def serve_key(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who the key is for; it stands in the logs.")],
    keys: Annotated[Path, typer.Option("--keys", metavar="FILE", help="File of keys; it is made if it is not there.")],
) -> None:
    """Make an API key: show it once, and add its hash to a file.

    The file holds no key, only a name and a hash a line; remove a line to take a key back, and start the
    service again.

    **Example**

    - `clinlp serve-key ward-7b --keys api.keys`
    """
    from clinlp.serve.keys import new_key

    say(new_key(keys, name))
    remark(f"this key is shown once and kept nowhere; {keys} holds its hash")

from __future__ import annotations

import ssl
import sys
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from clinlp.cli import main
from clinlp.note import Note
from clinlp.serve import Client, ServeConfig, ServiceError
from clinlp.serve.keys import Keys

from .serve_cases import EN, RULES, running


def said(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, out, err


def test_a_key_is_shown_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "keys"
    code, out, err = said(capsys, "serve-key", "ward-7b", "--keys", path)
    key = out.strip()
    assert code == 0
    assert Keys.load(path).owner(key.encode()) == "ward-7b"
    assert key not in path.read_text("ascii") + err
    code, out, err = said(capsys, "serve-key", "ward-7b", "--keys", path)
    assert (code, out) == (2, "")
    assert err == f"clinlp: {path}: a new name needed, got ward-7b, which has a key; remove its line first\n"


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (("--host", "192.0.2.1"), "clinlp: host: API keys needed to listen on 192.0.2.1"),
        (("--keys", "nowhere"), "clinlp: nowhere: file of keys needed, got none"),
        (("--tls-cert", "x.pem"), "clinlp: options: tls_cert: a certificate and its key needed, got one of the two"),
        (("--entities", "nowhere"), "clinlp: nowhere: a model folder or one of diagnosis-en"),
        (("--deid", "surrogate"), "clinlp: key"),
        (("--cors-origin", "*"), "clinlp: options: cors_origins: origins such as https://emr.example.org needed"),
        (("--queue-notes", "0"), "clinlp: "),
        (("--no-such",), "clinlp: No such option"),
    ],
)
def test_what_cannot_be_served_is_one_line(
    flags: tuple[str, ...], line: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CLINLP_KEY", raising=False)
    code, out, err = said(capsys, "serve", "--port", "0", *flags)
    assert (code, out) == (2, "")
    assert err.startswith(line)
    assert len(err.splitlines()) == 1


def test_without_the_extra_its_name_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    code, _, err = said(capsys, "serve")
    assert code == 2
    assert err == "clinlp: uvicorn: needed here and not installed; pip install 'clinlp-emr[serve]'\n"


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of this machine that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "clinlp")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "cert.pem", folder / "key.pem"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    return files


def test_over_tls_the_client_checks_who_it_talks_to(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    trusting = ssl.create_default_context(cafile=str(cert))
    with running(ServeConfig(**RULES, port=0, tls_cert=cert, tls_key=key), trusting) as (url, _):
        assert url.startswith("https://")
        with Client(url, context=trusting) as client:
            [released] = client.deidentify([Note("1", EN)])
        with Client(url) as client, pytest.raises(ServiceError, match="SSLCertVerificationError"):
            client.deidentify([Note("1", EN)])
    assert isinstance(released, Note)
    assert "Jane" not in released.text

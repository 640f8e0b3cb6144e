"""Files as bytes: compression, encodings, locks, and output that appears only when it is whole."""

from __future__ import annotations

import codecs
import gzip
import io
import os
import re
import shutil
import uuid
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final, cast

from clinlp.errors import DataError, UsageError
from clinlp.records.options import Encoding

COMPRESSIONS: Final = (".gz", ".zst")
BUFFER: Final = 1 << 20
_HEAD: Final = 1 << 16
_CHUNK: Final = 1 << 16  # packed bytes at once: one step unpacks to a few MB at most


def stem(path: Path) -> str:
    """The file's name without its endings: `dump` of `dump.jsonl.gz`."""
    name = path.name
    for ending in COMPRESSIONS:
        name = name.removesuffix(ending)
    return Path(name).stem


def open_bytes(path: Path) -> io.BufferedReader:
    """Open a file for reading, unpacked if it ends with .gz or .zst."""
    raw: Any
    try:
        if path.suffix == ".gz":
            raw = gzip.open(path)  # noqa: SIM115  # closed with the reader around it
        elif path.suffix == ".zst":
            raw = _ZstdFile(path)
        else:
            raw = path.open("rb", buffering=0)
    except FileNotFoundError:
        raise UsageError(f"{path}: file needed, got none") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
    return io.BufferedReader(raw, BUFFER)


@contextmanager
def broken_means_data_error(path: Path) -> Iterator[None]:
    """Turn what a damaged file raises while it is read into one `DataError`."""
    try:
        yield
    except gzip.BadGzipFile:
        raise DataError(f"{path}: gzip data needed, got something else") from None
    except (EOFError, zlib.error):
        raise DataError(f"{path}: compressed data is cut off or damaged") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or 'damaged'})") from None


def check_encoding(file: io.BufferedReader, path: Path, encoding: Encoding, *, skip_lines: int = 0) -> None:
    """Look at the first lines: a file in another encoding is one error, not thousands.

    Raises:
        DataError: More than half of the first lines do not decode, or they are UTF-8 and another was named.
    """
    with broken_means_data_error(path):
        head = file.peek(_HEAD)[:_HEAD]
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise DataError(f"{path}: {encoding} needed, got UTF-16; save it as UTF-8 first")
    _refuse_utf8(head, path, encoding)
    lines = [line for line in head.split(b"\n") if line.strip()]
    whole = len(lines) - 1  # the last line may be cut, within a character too
    decoder = codecs.getincrementaldecoder(encoding)
    bad = 0
    for number, line in enumerate(lines):
        if number >= skip_lines:
            try:
                decoder().decode(line, final=number < whole)
            except UnicodeDecodeError:
                bad += 1
    if bad * 2 > len(lines) - skip_lines:
        raise not_decodable(path, encoding)


def _refuse_utf8(head: bytes, path: Path, encoding: Encoding) -> None:
    """Refuse UTF-8 under another name: it mostly decodes, to words in which nobody finds a name to remove.

    Of GB 18030, what is UTF-8 throughout and has Chinese in it as such is no GB 18030.

    Raises:
        DataError: It is UTF-8.
    """
    if encoding in ("utf-8", "utf-8-sig"):
        return
    try:
        words = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return
    least = "\u2e80" if encoding == "gb18030" else "\x80"
    if head.startswith(codecs.BOM_UTF8) or any(letter >= least for letter in words):
        raise DataError(f"{path}: {encoding} needed, got UTF-8; leave out --encoding, and read files of each apart")


def not_decodable(path: Path, encoding: Encoding) -> DataError:
    """The error for a file whose bytes are not what was said."""
    other = "utf-8" if encoding == "gb18030" else "gb18030"
    return DataError(f"{path}: {encoding} needed, got other bytes; try --encoding {other}")


def decode(data: bytes, path: Path, encoding: Encoding) -> str:
    """Decode a whole file, without its byte order mark.

    Raises:
        DataError: The bytes are not in this encoding, or are UTF-8 and another was named.
    """
    _refuse_utf8(data, path, encoding)
    try:
        return data.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except UnicodeDecodeError:
        raise not_decodable(path, encoding) from None


def encode(text: str, encoding: Encoding, what: str) -> bytes:
    """Encode a text.

    Raises:
        DataError: A character does not exist in this encoding; the message starts with `what`.
    """
    try:
        return text.encode(encoding)
    except UnicodeEncodeError as error:
        raise DataError(f"{what}: {encoding} cannot hold the character at {error.start}") from None


def encode_file(text: str, encoding: Encoding, what: str) -> bytes:
    """Encode a whole file so that `decode` gives it back, even if it starts with U+FEFF."""
    if encoding == "utf-8" and text.startswith("\ufeff"):
        encoding = "utf-8-sig"  # one mark is taken off when it is read
    return encode(text, encoding, what)


def has_surrogate(text: str) -> bool:
    """Say whether a string holds half of a surrogate pair, which no encoding can hold."""
    return not text.isascii() and _SURROGATE.search(text) is not None


_SURROGATE: Final = re.compile("[\ud800-\udfff]")


@contextmanager
def new_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that gets its name only when it was written to the end.

    Raises:
        UsageError: The target cannot be written.
    """
    with _whole(path) as temporary, temporary.open("xb", buffering=BUFFER) as plain:
        if path.suffix == ".gz":
            # no name and no time in the header, so that the same notes give the same bytes
            with gzip.GzipFile("", "wb", 6, plain, mtime=0) as packed:
                yield cast("IO[bytes]", packed)
        elif path.suffix == ".zst":
            import zstandard

            with zstandard.ZstdCompressor(level=3).stream_writer(plain, closefd=False) as stream:
                yield cast("IO[bytes]", stream)
        else:
            yield plain


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Make a folder that gets its name only when all its files are written.

    Raises:
        UsageError: The target holds something already, or cannot be written.
    """
    with _whole(path) as temporary:
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise UsageError(f"{path}: a new or empty folder needed, got one with files in it")
        temporary.mkdir()
        yield temporary
        if path.exists():
            path.rmdir()


def lock(file: int) -> bool:
    """Take a file for this process alone; False if another has it. Where system or disk has no such locks, all may."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; rename it at the end, or remove it after an error."""
    temporary = path.with_name(f".{path.name[:100]}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        if path.exists() and not path.is_file() and not path.is_dir():  # a rename would take its name away
            raise UsageError(f"{path}: a file or folder needed for the output, got a device or a pipe")
        try:
            yield temporary
            temporary.replace(path)
        finally:
            if temporary.is_dir():
                shutil.rmtree(temporary, ignore_errors=True)
            else:
                temporary.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror or os.strerror(error.errno or 0)})") from None


class _ZstdFile(io.RawIOBase):
    """Unpacked bytes of a .zst file; unlike the library's own reader, a cut file is an error."""

    def __init__(self, path: Path) -> None:
        import zstandard

        self._error: type[Exception] = zstandard.ZstdError
        self._new = zstandard.ZstdDecompressor().decompressobj
        self._file = path.open("rb")
        self._frame: Any = None
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            data = (self._frame.unused_data if self._frame and self._frame.eof else b"") or self._file.read(_CHUNK)
            if self._frame is None or self._frame.eof:
                if not data:
                    return 0
                self._frame = self._new()
            elif not data:
                raise EOFError("cut off within a frame")
            try:
                self._left = memoryview(self._frame.decompress(data))
            except self._error:
                raise EOFError("damaged") from None
        n_bytes = min(len(buffer), len(self._left))
        buffer[:n_bytes], self._left = self._left[:n_bytes], self._left[n_bytes:]
        return n_bytes

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()

"""The house rules, read from the code's own syntax: who imports whom, and what the library never does.

Every import counts, also one inside a function or under `if TYPE_CHECKING`: a lazy import saves time,
it does not change what depends on what.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

ROWS = (
    {"note", "spans", "rewrite", "labels", "config", "errors"},
    {"text", "records", "tagging", "models", "metrics"},
    {"deid", "data"},
    {"inference", "report"},
    {"pipes", "batch", "serve", "training"},
    {"cli", "scripts"},
    {"__main__"},
)
ROW = {room: row for row, rooms in enumerate(ROWS, start=1) for room in rooms}

HOMES: Mapping[str, tuple[str, ...]] = {
    "accelerate": ("clinlp.training",),
    "captum": ("clinlp.inference",),
    "cryptography": ("clinlp.deid",),
    "datasets": ("clinlp.data",),
    "faker": ("clinlp.deid",),
    "fastapi": ("clinlp.serve",),
    "huggingface_hub": ("clinlp.models",),  # reached when the user names a hub id, never else
    "matplotlib": ("clinlp.report",),
    "onnx": ("clinlp.models",),
    "onnxruntime": ("clinlp.models",),
    "optuna": ("clinlp.training",),
    "peft": ("clinlp.training",),
    "phonenumbers": ("clinlp.deid",),
    "pypinyin": ("clinlp.deid",),
    "pyarrow": ("clinlp.records", "clinlp.batch"),
    "pyspark": ("clinlp.batch",),
    "rich": ("clinlp.cli", "scripts"),
    "safetensors": ("clinlp.models", "clinlp.training"),
    "seqeval": ("clinlp.metrics",),
    "sklearn": ("clinlp.metrics", "clinlp.training"),
    "spacy": ("clinlp.pipes", "clinlp.records.docbin"),
    "starlette": ("clinlp.serve",),
    "tokenizers": ("clinlp.models", "clinlp.data", "clinlp.tagging"),
    "torch": ("clinlp.models", "clinlp.inference", "clinlp.data", "clinlp.training", "scripts"),
    "transformers": ("clinlp.models",),
    "typer": ("clinlp.cli", "scripts"),
    "uvicorn": ("clinlp.serve",),
}
"""Package -> the only places that import it."""

DISTRIBUTIONS = {"ahocorasick": "pyahocorasick", "sklearn": "scikit_learn"}
"""Package -> the name under which it is installed, where the two differ."""

NETWORK = {"aiohttp", "ftplib", "http", "httpx", "requests", "smtplib", "socket", "urllib3"}
PICKLES = {"cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}
LIGHT_ROOTS = {"clinlp": {"numpy", "orjson", "pydantic", "spacy", "thinc"}, "clinlp.pipes": set[str]()}
"""What is imported without being asked for -> packages that are too heavy there, besides those with a home."""


@dataclass(frozen=True, slots=True)
class Import:
    target: str
    line: int
    lazy: bool  # inside a function, or for the type checker alone


@dataclass(frozen=True, slots=True)
class Module:
    name: str
    source: str
    is_package: bool = False

    @property
    def room(self) -> str:
        parts = self.name.split(".")
        return "scripts" if parts[0] == "scripts" else parts[1] if len(parts) > 1 else ""

    def imports(self, known: set[str]) -> Iterator[Import]:
        """Every import of the source; `from package import module` counts as the module."""
        for node, lazy in walk(ast.parse(self.source)):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield Import(alias.name, node.lineno, lazy)
            elif isinstance(node, ast.ImportFrom):
                base = self.absolute(node)
                for alias in node.names:
                    inner = f"{base}.{alias.name}"
                    yield Import(inner if inner in known else base, node.lineno, lazy)
            elif (isinstance(node, ast.Call) and called(node) in ("import_module", "importlib.import_module")) and (
                node.args and isinstance(node.args[0], ast.Constant)
            ):
                yield Import(str(node.args[0].value), node.lineno, lazy)

    def absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = self.name.split(".")
        parts = parts[: len(parts) - node.level + self.is_package]
        return ".".join([*parts, *filter(None, [node.module])])


def walk(node: ast.AST, lazy: bool = False) -> Iterator[tuple[ast.AST, bool]]:
    """Every node of a tree, and whether importing the module leaves it alone."""
    yield node, lazy
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
        lazy = True
    for name, value in ast.iter_fields(node):
        typing_only = isinstance(node, ast.If) and name == "body" and "TYPE_CHECKING" in ast.dump(node.test)
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from walk(child, lazy or typing_only)


def called(node: ast.Call) -> str:
    return ast.unparse(node.func) if isinstance(node.func, (ast.Name, ast.Attribute)) else ""


@cache
def modules() -> dict[str, Module]:
    found = {}
    for folder in ("clinlp", "scripts"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            is_package = parts[-1] == "__init__"
            name = ".".join(parts[:-1] if is_package else parts)
            found[name] = Module(name, path.read_text("utf-8"), is_package)
    return found


# who imports whom


def crossings(module: Module, known: set[str]) -> Iterator[str]:
    """Imports that do not point down the table, or take a package away from its home."""
    for imported in module.imports(known):
        where = f"{module.name}:{imported.line}"
        top, *rest = imported.target.split(".")
        if top == "clinlp":
            target = rest[0] if rest else ""
            if complaint := direction(module.room, target):
                yield f"{where}: {complaint}"
        elif module.room != "scripts" and top == "scripts":
            yield f"{where}: nothing imports scripts"
        elif not at_home(module.name, top):
            yield f"{where}: {top} is imported in {', '.join(HOMES[top])} alone"
        elif (
            ROW.get(module.room) == 1
            and top not in sys.stdlib_module_names
            and (module.room, top)
            != (
                "config",
                "pydantic",
            )
        ):
            yield f"{where}: row 1 needs the standard library alone, got {top}"


def direction(room: str, target: str) -> str:
    if room == target:
        return ""
    if not target:
        return "" if ROW[room] == 6 else "import the module, not the package's face"
    if target not in ROW:
        return f"{target} has no row in the table"
    if not room:  # the face of the package hands out names of the rooms below the programs
        return "" if ROW[target] <= 4 else f"the package's face imports {target}, a row-{ROW[target]} room"
    if ROW[room] == ROW[target] == 1 or ROW[target] < ROW[room]:
        return ""
    return f"imports point down: {room} (row {ROW[room]}) imports {target} (row {ROW[target]})"


def at_home(name: str, package: str) -> bool:
    if name.startswith("scripts.bench"):  # a benchmark may measure whatever it compares with
        return True
    homes = HOMES.get(package, ("",))
    return any(not home or name == home or name.startswith(f"{home}.") for home in homes)


def test_every_module_has_a_row() -> None:
    assert {module.room for module in modules().values()} - {""} <= ROW.keys()


def test_imports_point_down_and_heavy_packages_have_one_home() -> None:
    known = set(modules())
    assert [line for module in modules().values() for line in crossings(module, known)] == []


def circles(after: Mapping[str, set[str]]) -> set[str]:
    """Modules that stand in a circle of imports, or between two."""
    after = {name: targets - {name} for name, targets in after.items()}
    while free := {name for name, targets in after.items() if not targets & after.keys()}:
        after = {name: targets for name, targets in after.items() if name not in free}
    while free := after.keys() - set().union(*after.values()):
        after = {name: targets for name, targets in after.items() if name not in free}
    return set(after)


def test_modules_do_not_import_each_other_in_a_circle() -> None:
    known = set(modules())
    assert circles({name: {i.target for i in m.imports(known) if not i.lazy} for name, m in modules().items()}) == set()


def test_no_import_in_a_function_hides_a_circle() -> None:
    known = set(modules())
    after = {name: {i.target for i in module.imports(known)} for name, module in modules().items()}
    # The names of effects are asked for where nothing is read; who reads rules needs pydantic.
    after["clinlp.text.rules"] -= {"clinlp.text.rules.merge", "clinlp.text.rules.schema"}
    assert circles(after) == set()


def test_a_circle_is_found() -> None:
    after = {"a": {"b"}, "b": {"c", "z"}, "c": {"b", "d"}, "d": {"e"}, "e": set[str](), "f": {"f", "e"}}
    assert circles(after) == {"b", "c"}


def loaded_by(root: str, known: Mapping[str, Module]) -> dict[str, str]:
    """What importing the root loads, with who asks for it."""
    found, todo = {}, [(root, root)]
    while todo:
        name, asked_by = todo.pop()
        if name in found:
            continue
        found[name] = asked_by
        parts = name.split(".")
        todo += [(".".join(parts[:i]), asked_by) for i in range(1, len(parts)) if parts[0] == "clinlp"]
        if name in known:
            todo += [(i.target, f"{name}:{i.line}") for i in known[name].imports(set(known)) if not i.lazy]
    return found


@pytest.mark.parametrize("root", LIGHT_ROOTS)
def test_nothing_heavy_is_imported_unasked(root: str) -> None:
    if root not in modules():
        pytest.skip(f"{root} is not written yet")
    light = {package for package, homes in HOMES.items() if root in homes}
    heavy = (HOMES.keys() | LIGHT_ROOTS[root] | NETWORK | {"scipy", "sklearn", "pandas"}) - light
    found = loaded_by(root, modules())
    assert {name: by for name, by in found.items() if name.split(".")[0] in heavy} == {}


def test_every_imported_package_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    asked = [*project["dependencies"], *chain(*project.get("optional-dependencies", {}).values())]
    declared = {re.split(r"[^\w-]", line)[0].lower().replace("-", "_") for line in asked}
    declared |= {"clinlp", *sys.stdlib_module_names}
    missing = [
        f"{module.name}:{imported.line}: {top} is not in pyproject.toml"
        for module in modules().values()
        for imported in module.imports(set(modules()))
        if DISTRIBUTIONS.get(top := imported.target.split(".")[0], top) not in declared and module.room != "scripts"
    ]
    assert missing == []


# what the library never does


def sins(module: Module) -> Iterator[str]:
    """What DESIGN's last section forbids, where syntax shows it."""
    tree = ast.parse(module.source)
    for node, _ in walk(tree):
        for sin in (*forbidden_calls(node), *forbidden_forms(node)):
            yield f"{module.name}:{getattr(node, 'lineno', 0)}: {sin}"
    for imported in module.imports(set()):
        parts = imported.target.split(".")
        if parts[0] in PICKLES:
            yield f"{module.name}:{imported.line}: no pickles, got {parts[0]}"
        if (parts[0] in NETWORK or parts[:2] == ["urllib", "request"]) and module.room != "serve":
            yield f"{module.name}:{imported.line}: no network that nobody asked for, got {imported.target}"
    for at, line in enumerate(module.source.splitlines(), start=1):
        if re.search(r"#.*\b(TODO|FIXME|XXX)\b", line):
            yield f"{module.name}:{at}: nothing is left to do in the code"


def forbidden_calls(node: ast.AST) -> Iterator[str]:
    if not isinstance(node, ast.Call):
        return
    name = called(node)
    if name in ("eval", "exec", "__import__", "input", "breakpoint"):
        yield f"no {name}()"
    if name == "print":
        yield "no print in the library"
    if name in ("torch.load", "torch.save", "torch.jit.load"):
        yield f"no pickles, got {name}"
    if name == "logging.basicConfig":
        yield "the program sets up logging, not the library"
    for keyword in node.keywords:
        if keyword.arg in ("allow_pickle", "trust_remote_code") and getattr(keyword.value, "value", None) is not False:
            yield f"no {keyword.arg}"


def forbidden_forms(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Assert):
        yield "no assert on input"
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.args.kwarg:
        passed = {
            ast.unparse(k.value) for n in ast.walk(node) if isinstance(n, ast.Call) for k in n.keywords if not k.arg
        }
        if node.args.kwarg.arg in passed:
            yield f"no **{node.args.kwarg.arg} passed through"
    if isinstance(node, ast.ExceptHandler) and node.type is None:
        yield "no bare except"


def test_the_library_commits_no_sin() -> None:
    library = [module for name, module in modules().items() if name.split(".")[0] == "clinlp"]
    assert [sin for module in library for sin in sins(module)] == []


# the rules can fail

KNOWN = {"clinlp", "clinlp.text", "clinlp.text.tokens", "clinlp.note", "clinlp.deid", "clinlp.cli", "clinlp.spans"}


@pytest.mark.parametrize(
    ("name", "source", "complaint"),
    [
        ("clinlp.text.x", "from clinlp.deid import find_phi", "imports point down: text (row 2) imports deid (row 3)"),
        ("clinlp.text.x", "from clinlp.records import a", "text (row 2) imports records (row 2)"),
        ("clinlp.text.x", "def f():\n    import clinlp.deid.vault", "clinlp.text.x:2: imports point down"),
        ("clinlp.text.x", "if TYPE_CHECKING:\n    from clinlp import deid", "clinlp.text.x:2: imports point down"),
        ("clinlp.text.x", "from ..deid import find_phi", "imports point down"),
        ("clinlp.text.x", "import_module('clinlp.deid')", "imports point down"),
        ("clinlp.text.x", "from clinlp import Note", "import the module, not the package's face"),
        ("clinlp.text.x", "import clinlp.cli", "text (row 2) imports cli (row 6)"),
        ("clinlp.text.x", "import scripts.make", "nothing imports scripts"),
        ("clinlp.text.x", "import clinlp.attic", "attic has no row"),
        ("clinlp.deid.x", "def f():\n    import torch.nn", "torch is imported in clinlp.models"),
        ("clinlp.records.jsonl", "import spacy", "spacy is imported in clinlp.pipes, clinlp.records.docbin alone"),
        ("clinlp.inference.x", "from transformers import AutoModel", "transformers is imported in clinlp.models alone"),
        ("scripts.train", "from accelerate import Accelerator", "accelerate is imported in clinlp.training alone"),
        ("clinlp.spans", "import numpy", "row 1 needs the standard library alone, got numpy"),
        ("clinlp.note", "import pydantic", "row 1 needs the standard library alone, got pydantic"),
        ("clinlp", "def __getattr__(n):\n    import clinlp.training", "the package's face imports training"),
    ],
)
def test_a_crossing_is_found(name: str, source: str, complaint: str) -> None:
    found = list(crossings(Module(name, source), KNOWN))
    assert len(found) == 1
    assert complaint in found[0]


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("clinlp.deid.x", "from clinlp.text.tokens import tokenize\nfrom clinlp import note\nimport numpy"),
        ("clinlp.text.x", "from .tokens import tokenize\nfrom . import tokens\nfrom ..note import Note"),
        ("clinlp.note", "from clinlp.spans import Span\nimport re"),
        ("clinlp.config", "import pydantic"),
        ("clinlp.cli", "from clinlp import Note\nimport typer"),
        ("clinlp.records.docbin", "def f():\n    import spacy"),
        ("scripts.train", "from clinlp.training import loop\nimport torch"),
        ("scripts.bench.speed", "import transformers"),
    ],
)
def test_what_is_allowed_is_no_crossing(name: str, source: str) -> None:
    assert list(crossings(Module(name, source), KNOWN)) == []


@pytest.mark.parametrize(
    ("source", "sin"),
    [
        ("def f(x):\n    assert x", "clinlp.x:2: no assert"),
        ("print('x')", "no print"),
        ("eval('x')", "no eval"),
        ("exec('x')", "no exec"),
        ("def f():\n    import pickle", "no pickles"),
        ("torch.load(path)", "no pickles, got torch.load"),
        ("np.load(path, allow_pickle=True)", "no allow_pickle"),
        ("import requests", "no network"),
        ("from urllib.request import urlopen", "no network"),
        ("def f(**options):\n    return g(1, **options)", "no **options passed through"),
        ("try:\n    f()\nexcept:\n    g()", "no bare except"),
        ("x = 1  # TODO: two", "nothing is left to do"),
        ("logging.basicConfig()", "the program sets up logging"),
    ],
)
def test_a_sin_is_found(source: str, sin: str) -> None:
    found = list(sins(Module("clinlp.x", source)))
    assert len(found) == 1
    assert sin in found[0]


@pytest.mark.parametrize(
    "source", ["re.compile('x')", "model.eval()", "console.print('x')", "def f(**given):\n    return g(given)"]
)
def test_what_only_looks_like_a_sin(source: str) -> None:
    assert list(sins(Module("clinlp.x", source))) == []


def test_an_import_in_a_function_is_not_loaded_with_the_module() -> None:
    known = {
        "clinlp": Module("clinlp", "from clinlp.a import f", is_package=True),
        "clinlp.a": Module(
            "clinlp.a", "import spacy\ndef f():\n    import torch\nif TYPE_CHECKING:\n    import pyarrow"
        ),
    }
    assert loaded_by("clinlp", known) == {"clinlp": "clinlp", "clinlp.a": "clinlp:1", "spacy": "clinlp.a:1"}

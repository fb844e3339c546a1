"""Run real clients against the running server, each from an environment of its own.

    python tests/clients/proxy.py [--only CLIENT …] [--work FOLDER]

For each client of `CLIENTS` a virtual environment or an npm folder is made (in ``--work``, where it is kept and used
again, or in a temporary folder), the client is installed there, and its test in ``tests/test_server_clients.py`` runs:
that starts ``passageguard serve`` from this checkout with this Python, and the client's script of
``tests/clients/scripts`` with the client's own.  Exits with 1 where a test fails or an install does.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
PYTHON: dict[str, tuple[str, ...]] = {
    "openai": ("openai",),
    "cohere": ("cohere",),
    "langchain-openai": ("langchain-openai",),
    "litellm": ("litellm[proxy]",),
    "llamaindex": ("llama-index-core", "llama-index-llms-openai-like"),
    "haystack": ("haystack-ai",),
    "elasticsearch": ("elasticsearch", "aiohttp"),
    "qdrant": ("qdrant-client",),
    "chromadb": ("chromadb",),
    "schemathesis": ("schemathesis",),
}
JAVASCRIPT: dict[str, tuple[str, ...]] = {
    "openai-js": ("openai",),
    "ai-sdk": ("ai", "@ai-sdk/openai-compatible", "zod"),
}
CLIENTS = (*PYTHON, *JAVASCRIPT)
FOLDER = "CLIENTS_FOLDER"  # tells the tests where the environments are


def command(name: str, folder: Path) -> list[str] | None:
    """Return what runs a client's script, or None where the client is not installed in the folder."""
    home = folder / name
    if name in JAVASCRIPT:
        return ["node", str(home / "script.mjs")] if (home / "node_modules").is_dir() else None
    python = home / "bin" / "python"
    return [str(python), str(script(name))] if python.exists() else None


def script(name: str) -> Path:
    return Path(__file__).parent / "scripts" / f"with_{name.replace('-', '_')}.{'mjs' if name in JAVASCRIPT else 'py'}"


def installed(name: str, folder: Path) -> bool:
    """Install a client in its folder; say whether that worked."""
    home = folder / name
    if name in JAVASCRIPT:
        home.mkdir(parents=True, exist_ok=True)
        (home / "package.json").write_text('{"private": true, "type": "module"}\n')
        return _ran(["npm", "install", "--no-audit", "--no-fund", "--silent", *JAVASCRIPT[name]], home)
    if not (home / "bin" / "python").exists():
        venv.create(home, with_pip=True)
    return _ran([str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", *PYTHON[name]], ROOT)


def _ran(arguments: Sequence[str], folder: Path) -> bool:
    return subprocess.run(arguments, cwd=folder).returncode == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", nargs="+", choices=CLIENTS, default=CLIENTS)
    parser.add_argument("--work", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = (options.work or Path(temporary)).absolute()
        failed = [name for name in options.only if not command(name, work) and not installed(name, work)]
        for name in failed:
            print(f"{name}: could not be installed", flush=True)
        chosen = [f"tests/test_server_clients.py::test_a_real_client[{n}]" for n in options.only if n not in failed]
        environment = {**os.environ, FOLDER: str(work)}
        tests = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-v", *chosen]
        sys.exit(1 if subprocess.run(tests, cwd=ROOT, env=environment).returncode or failed else 0)


if __name__ == "__main__":
    main()

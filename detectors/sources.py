"""Where a model comes from: a directory, the local cache of the model hub, or the hub itself.

Knows nothing about what the model is for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from .errors import ConfigError, ModelError

T = TypeVar("T")
HUB_TIMEOUT_S = 10.0


def from_source(source: str, what: str, load: Callable[[str, bool], T]) -> T:
    """Return ``load(source, local_files_only)``, or raise `ModelError` saying what to do.

    A path that does not exist is refused at once.  A name is looked up in the local cache first; the hub is asked
    once whether it knows the name, so that a machine without network hears so within seconds.
    """
    if not source.strip():
        raise ModelError(f"the name of the {what} is empty; give a path or a hub name, or leave it out")
    path = Path(source).expanduser()
    if path.exists():
        try:
            return _quietly(load, str(path), True)
        except ModelError:
            raise
        except Exception as error:  # every library below has its own errors for a bad checkpoint
            advice = "the directory must hold config.json, a tokenizer and intact weights"
            raise ModelError(f"cannot load the {what} {source!r}: {advice} ({_first_line(error)})") from error
    if source.startswith((".", "/", "~")) or source.count("/") > 1:
        raise ModelError(f"no model directory at {source!r}; check the path given for the {what}")
    try:
        return _quietly(load, source, True)
    except ModelError:
        raise
    except Exception:  # not in the cache: ask the hub
        _require_on_hub(source, what)
    try:
        return _quietly(load, source, False)
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(f"cannot load the {what} {source!r} from the model hub ({_first_line(error)})") from error


def content_hash(source: str) -> str | None:
    """Return a hash of all files of a model; None where neither a directory nor the local cache of the hub has it."""
    given = Path(source).expanduser()
    path = given if given.is_dir() else _in_hub_cache(source)
    if path is None:
        return None
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")):
        name = file.relative_to(path)
        if file.is_file() and not any(part.startswith(".") for part in name.parts):
            with file.open("rb") as content:
                digest.update(name.as_posix().encode() + hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()


def _in_hub_cache(name: str) -> Path | None:
    import huggingface_hub

    try:
        known = huggingface_hub.try_to_load_from_cache(name, "config.json")
    except ValueError:  # not a name that the hub could have
        return None
    return Path(known).parent if isinstance(known, str) else None


def require_device(device: str) -> None:
    """Raise `ConfigError` where torch cannot use the device."""
    import torch

    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # torch without CUDA asserts
        raise ConfigError(f"device {device!r} cannot be used here; give 'cpu', or None to let it be chosen") from error


def _require_on_hub(source: str, what: str) -> None:
    import huggingface_hub

    try:
        huggingface_hub.model_info(source, timeout=HUB_TIMEOUT_S)
    except Exception as error:
        raise ModelError(
            f"cannot load the {what} {source!r}: it is no local directory, not in the local cache, and the model hub "
            f"does not give it ({_first_line(error)}); pass the path of a directory, or leave it out to use the "
            "bundled model"
        ) from error


def _quietly(load: Callable[[str, bool], T], source: str, local: bool) -> T:
    with _no_progress_bar():
        return load(source, local)


@contextmanager
def _no_progress_bar() -> Iterator[None]:
    """Keep transformers from drawing bars on stderr, and leave its setting as it was."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]

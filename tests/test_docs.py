"""The detector that docs/architecture.md shows works as it says."""

import importlib.metadata
import re
import sys
import tomllib
import types
from pathlib import Path

from guard import Guard, GuardConfig, Passage

PAGE = (Path(__file__).parent.parent / "docs" / "architecture.md").read_text(encoding="utf-8")


def block(language):
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)
    return found


def test_the_detector_of_the_page_finds_what_it_says(monkeypatch):
    package = types.ModuleType("my_package")
    exec(block("python"), package.__dict__)
    monkeypatch.setitem(sys.modules, "my_package", package)
    ((group, entries),) = tomllib.loads(block("toml"))["project"]["entry-points"].items()
    offered = importlib.metadata.EntryPoints(
        importlib.metadata.EntryPoint(name, value, group) for name, value in entries.items()
    )
    monkeypatch.setattr("detectors.registry.entry_points", offered.select)
    names = re.search(r"GuardConfig\(detectors=\((.*?)\)\)", PAGE)[1]
    config = GuardConfig(detectors=tuple(re.findall(r"\w+", names)))
    passages = [
        Passage("a", "THE SUMMER PARTY IS ON FRIDAY IN THE GARDEN."),
        Passage("b", "The summer party on Friday starts in the garden."),
    ]
    assert [c.detectors for c in Guard(config).check(passages).conflicts] == [("shouting",)]
    assert Guard().check(passages).status == "clean"

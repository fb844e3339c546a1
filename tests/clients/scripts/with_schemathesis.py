"""Schemathesis over the whole OpenAPI document: no error of the server, no answer outside its schema.

Once with upstreams behind the server, once with the local model alone, whose chats are then described, too.  All checks
but one: that whatever fits the schema is taken.  A schema cannot say that two passages must not share an id.
"""

import os
import subprocess
import sys
from pathlib import Path

OPTIONS = "--suppress-health-check all --no-color --seed 1 --exclude-checks positive_data_acceptance".split()
PROGRAM = str(Path(sys.executable).with_name("schemathesis"))


def failed(server, examples):
    command = [PROGRAM, "run", f"{server}/openapi.json", "--max-examples", str(examples), *OPTIONS]
    return subprocess.run(command).returncode


sys.exit(failed(os.environ["SERVER"], 40) or failed(os.environ["ALONE"], 40))

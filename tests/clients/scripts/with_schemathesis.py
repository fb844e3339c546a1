"""Schemathesis over the whole OpenAPI document: no error of the server, no answer outside its schema."""

import os
import subprocess
import sys
from pathlib import Path

EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES", "60")
command = [
    str(Path(sys.executable).with_name("schemathesis")), "run", f"{os.environ['SERVER']}/openapi.json",
    "--max-examples", EXAMPLES, "--suppress-health-check", "all", "--no-color", "--seed", "1",
]  # fmt: skip
sys.exit(subprocess.run(command).returncode)

"""Pages in a real browser, without a screen: Chromium, or what the variable CHROMIUM names."""

import os
import re
import shutil
import subprocess

import pytest

BROWSER = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
needs_browser = pytest.mark.skipif(not BROWSER, reason="no browser; CHROMIUM may name one")


def opened(tmp_path, text):
    """Return the page as it stands in a browser after its scripts have run."""
    file = tmp_path / "report.html"
    file.write_text(text, encoding="utf-8")
    flags = ("--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom")
    waits = "--virtual-time-budget=5000"
    return subprocess.run([BROWSER, *flags, waits, file.as_uri()], capture_output=True, text=True, timeout=60).stdout


def seen_in_browser(tmp_path, text, reader):
    """Return the lines that the script ``reader`` writes to an element ``seen``.

    It acts as the reader of the page, whose own policy would not let it in and is taken out.
    """
    text = re.sub(r"<meta http-equiv[^>]*>", "", text)
    text = opened(tmp_path, text.replace("</body>", f"<script>{reader}</script></body>"))
    return re.search(r'<pre id="seen">(.*?)</pre>', text, re.S)[1].split("\n")

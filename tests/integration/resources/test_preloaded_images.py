"""Runs fork from a process that has the image libraries loaded already: importing them costs each run nothing."""

from __future__ import annotations

import subprocess
import sys


def test_the_code_location_imports_what_exports_need():
    program = "import posegen_assets.definitions, sys; print({'cv2', 'simplejpeg'} <= set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=180, check=True)

    assert done.stdout.splitlines()[-1] == "True"

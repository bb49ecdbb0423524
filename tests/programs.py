"""Programs of others that some tests compare ours with, and the Debian packages that have them.

`python -m tests.programs` prints the packages that are missing; with `--suites`, a line for each suite that they keep
from running.
"""

from __future__ import annotations

import os
import shutil
import sys

import pytest

from tests import libpng

_PACKAGES = {
    "chromium": "chromium",
    "exiftool": "libimage-exiftool-perl",
    "exiv2": "exiv2",
    "identify": "imagemagick",
    "jpeginfo": "jpeginfo",
    "libpng": "libpng16-16",
    "nginx": "nginx-light",
    "openssl": "openssl",
    "pngcheck": "pngcheck",
    "pngtopnm": "netpbm",
    "qpdf": "qpdf",
    "unzip": "unzip",
    "vips": "libvips-tools",
    "vipsheader": "libvips-tools",
    "webpinfo": "webp",
}
_SUITES = {
    "PNG as libpng decodes it": ("libpng", "pngtopnm"),
    "orientation as libvips has it": ("vips",),
    "our files in other programs": tuple(
        name for name in _PACKAGES if name not in ("chromium", "libpng", "nginx", "openssl", "pngtopnm", "vips")
    ),
    "the recipe for nginx": ("nginx", "openssl"),
    "pages in a browser": ("chromium",),
}


def need(suite: str) -> None:
    """Skip the rest of a test, with the reason, when programs of its suite are missing; with CI=true it fails."""
    if missing := _missing(suite):
        reason = f"needs {', '.join(missing)}: apt-get install {' '.join(_packages(missing))}"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)


def _missing(suite: str) -> list[str]:
    return [name for name in _SUITES[suite] if not _is_there(name)]


def _is_there(name: str) -> bool:
    return libpng.LIBRARY is not None if name == "libpng" else shutil.which(name) is not None


def _packages(names: list[str]) -> list[str]:
    return sorted({_PACKAGES[name] for name in names})


def main() -> None:
    """Print what is missing."""
    if sys.argv[1:] == ["--suites"]:
        for suite in _SUITES:
            if missing := _missing(suite):
                print(f"not run: {suite}, needs {', '.join(missing)}")
    else:
        print(" ".join(_packages([name for suite in _SUITES for name in _missing(suite)])))


if __name__ == "__main__":
    main()

"""`posegen up`, whose runs call the rendering service of these tests instead of drawing mannequins."""

from __future__ import annotations

from functools import partial

from posegen.cli import up
from posegen.cli.main import main

if __name__ == "__main__":
    up.PlatformOptions = partial(  # type: ignore[assignment,misc]
        up.PlatformOptions, code_location=("--module-name", "tests.faults.platform_definitions")
    )
    main()

"""What `posegen up` does, for the tests to start, signal and kill: prints a line of JSON when all is ready."""

from __future__ import annotations

import json
import os
from pathlib import Path

from posegen.database.server import open_server
from posegen.settings import load_settings
from posegen.supervisor.environment import child_environment
from posegen.supervisor.local_platform import LocalPlatform, PlatformOptions
from posegen.supervisor.ports import choose_port
from posegen.supervisor.signals import stop_on_signals


def main() -> None:
    """Serve until a signal comes."""
    settings = load_settings()
    definitions = Path(__file__).with_name("dagster_definitions.py")
    options = PlatformOptions(port=choose_port("127.0.0.1", 0), code_location=("--python-file", str(definitions)))
    with open_server(settings) as urls:
        environment = child_environment(os.environ, settings, urls)
        platform = LocalPlatform(settings, environment, options, keep_database=urls.keep_running)
        with stop_on_signals(platform.request_stop):
            if platform.start():
                print(
                    json.dumps({"url": platform.url, "pids": platform.pids(), "database": urls.application}), flush=True
                )
            platform.wait()
            platform.stop()


if __name__ == "__main__":
    main()

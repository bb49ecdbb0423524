"""Dagster's daemon, which looks at its sensors every second instead of every five.

Each sensor still has its own least interval. Without this, a request that comes just after a tick has answered waits
for up to five seconds.
"""

from collections.abc import Sequence

from dagster._daemon import sensor
from dagster._daemon.cli import main as dagster_daemon

from posegen.errors import PlatformUnusable

SENSOR_LOOP_SECONDS = 1


def look_at_sensors_every(seconds: int) -> None:
    """Set the pause of the sensor daemon's loop. Raises `PlatformUnusable` when Dagster has none that we know."""
    if not hasattr(sensor, "MIN_INTERVAL_LOOP_TIME"):
        raise PlatformUnusable(
            "This version of Dagster paces its sensors in another way than resources/daemon.py expects. "
            "Use the version in uv.lock."
        )
    sensor.MIN_INTERVAL_LOOP_TIME = seconds


def main(_: Sequence[str]) -> None:
    """Run the daemon until we are told to end; it reads its options from `sys.argv`."""
    look_at_sensors_every(SENSOR_LOOP_SECONDS)
    dagster_daemon()

"""The rules of work as numbers: how often, how long, how much. What they are applied to lives beside this module."""

from __future__ import annotations

from dataclasses import dataclass

from posegen.settings import Settings


@dataclass(frozen=True)
class TimeLimits:
    """Outer bounds, in seconds.

    `stall`: without progress; `total`: since the start, without outages of the backend; `outage`: of the backend.
    """

    stall: float = 1800
    total: float = 7200
    outage: float = 86_400

    @classmethod
    def of(cls, settings: Settings) -> TimeLimits:
        """As the settings say."""
        return cls(
            stall=settings.posegen_stall_seconds,
            total=settings.posegen_time_limit_seconds,
            outage=settings.posegen_outage_seconds,
        )


@dataclass(frozen=True)
class IntakeLimits:
    """How much may wait, and how many poses of a user are accepted in any hour; 0 stands for no limit."""

    most_queued: int = 0
    most_queued_per_user: int = 0
    poses_per_hour: int = 0

    @classmethod
    def of(cls, settings: Settings) -> IntakeLimits:
        """As the settings say."""
        return cls(
            most_queued=settings.posegen_max_queued,
            most_queued_per_user=settings.posegen_max_queued_per_user,
            poses_per_hour=settings.posegen_poses_per_hour,
        )


@dataclass(frozen=True)
class Prices:
    """What a pose costs, in credits: `pose`, and more for what makes it dearer.

    `hosted_backend`: for a backend that bills us; `print_format`: for each print format; `strict_pose`: for a control
    weight above 1.
    """

    pose: int = 30
    hosted_backend: int = 0
    print_format: int = 0
    strict_pose: int = 0

    @classmethod
    def of(cls, settings: Settings) -> Prices:
        """As the settings say."""
        return cls(
            pose=settings.posegen_credits_per_pose,
            hosted_backend=settings.posegen_credits_hosted_backend,
            print_format=settings.posegen_credits_print_format,
            strict_pose=settings.posegen_credits_strict_pose,
        )

    def of_a_pose(self, *, hosted: bool, print_formats: int, control_weight: float) -> int:
        """The price of one pose.

        >>> Prices(pose=30, print_format=5, strict_pose=2).of_a_pose(hosted=False, print_formats=2, control_weight=1.5)
        42
        """
        strict = self.strict_pose if control_weight > 1 else 0
        return self.pose + (self.hosted_backend if hosted else 0) + self.print_format * print_formats + strict

"""What a request may ask for, as data. The database refuses types and ranges; intake judges the rest by these."""

from __future__ import annotations

MOST_POSES = 50
LONGEST_PROMPT = 2_000
LARGEST_SEED = 2**32 - 1
# Upper bound of one 1024x1024 original with its thumbnail, in bytes: a PNG of noise stays below it.
POSE_RESERVE_BYTES = 4_000_000

"""The other names under which Posegen takes some of its settings, so that operators can bring theirs along.

A name of ours always wins, and values mean the same. `USE_LOCAL_STORAGE` alone says something else: true is the mode
`local`, anything else the bucket that is configured. Reading the environment is `settings.py`'s business.
"""

from __future__ import annotations

from collections.abc import Mapping

OTHER_NAMES: dict[str, tuple[str, ...]] = {
    "STORAGE_MODE": ("STORAGE_TYPE",),
    "STORAGE_LOCAL_PATH": ("UPLOAD_PATH", "UPLOAD_DIR"),
    "R2_ACCOUNT_ID": ("CLOUDFLARE_R2_ACCOUNT_ID",),
    "R2_ACCESS_KEY_ID": ("CLOUDFLARE_R2_ACCESS_KEY_ID",),
    "R2_SECRET_ACCESS_KEY": ("CLOUDFLARE_R2_SECRET_ACCESS_KEY",),
    "R2_BUCKET_NAME": ("CLOUDFLARE_R2_BUCKET_NAME",),
    "R2_PUBLIC_URL": ("CLOUDFLARE_R2_PUBLIC_URL",),
    "R2_JURISDICTION": ("CLOUDFLARE_R2_JURISDICTION",),
    "S3_REGION": ("AWS_REGION",),
    "S3_BUCKET": ("S3_BUCKET_NAME",),
    "S3_ACCESS_KEY_ID": ("AWS_ACCESS_KEY_ID",),
    "S3_SECRET_ACCESS_KEY": ("AWS_SECRET_ACCESS_KEY",),
    "S3_SESSION_TOKEN": ("AWS_SESSION_TOKEN",),
    "CDN_DOMAIN": ("CLOUDFRONT_DOMAIN",),
    "CORS_ORIGINS": ("FRONTEND_URL",),
    "HUGGINGFACE_API_KEY": ("HF_TOKEN",),
}
"""Our name, and the others for the same setting, the first that is set counts."""

USE_LOCAL = "USE_LOCAL_STORAGE"
_YES = {"1", "true", "yes", "on"}
# Our key must never be combined with the secret or token of another account.
_BELONG_TOGETHER = (
    ("R2_ACCESS_KEY_ID", "R2_SECRET_ACCESS_KEY"),
    ("S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY", "S3_SESSION_TOKEN"),
)


def name_in_use(name: str, environment: Mapping[str, str]) -> str:
    """The variable that a setting's value comes from: our name, or another one that is set while ours is not.

    `environment`: by names in upper case.
    """
    partners = next((group for group in _BELONG_TOGETHER if name in group), (name,))
    if any(environment.get(partner) for partner in partners):
        return name
    return next((other for other in OTHER_NAMES.get(name, ()) if environment.get(other)), name)


def values_by_other_names(environment: Mapping[str, str]) -> dict[str, str]:
    """The settings that are set by other names only, by our names. `environment`: by names in upper case."""
    found = {name: environment[other] for name in OTHER_NAMES if (other := name_in_use(name, environment)) != name}
    use_local = environment.get(USE_LOCAL, "").lower()
    if use_local and not environment.get("STORAGE_MODE") and "STORAGE_MODE" not in found:
        elsewhere = "r2" if {**environment, **found}.get("R2_BUCKET_NAME") else "s3"
        found["STORAGE_MODE"] = "local" if use_local in _YES else elsewhere
    return found

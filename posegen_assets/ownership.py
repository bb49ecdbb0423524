"""What all assets of this code location share: groups, owners, code version."""

from importlib.metadata import version

POSE_IMAGES = "pose_images"
POSE_LIBRARY = "pose_library"
VARIANTS = "variants"
DESIGN_PREVIEWS = "design_previews"
UPKEEP = "upkeep"
REPORTS = "reports"
OWNERS = ["team:posegen"]
CODE_VERSION = version("posegen")

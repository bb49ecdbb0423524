"""The backend that Posegen brings: it draws the figure. It needs no network and costs nothing."""

from __future__ import annotations

from posegen.backends.description import DRAWING, Description
from posegen.backends.protocol import LARGEST_SEED, Capabilities, Recipe, Rendering
from posegen.errors import BackendRejected, InvalidSize
from posegen.figure.drawing import LARGEST_SIDE, VERSION, draw

NAME = "mannequin"
CAPABILITIES = Capabilities(
    largest_side=LARGEST_SIDE,
    pose_control=True,
    free_prompt=False,
    ground_truth=True,
    costs_money=False,
    photographic=False,
    # It draws the pose exactly, which is as strict as any weight.
    control_weight=True,
)
DESCRIPTION = Description(NAME, DRAWING, model="figure", version=VERSION, capabilities=CAPABILITIES)


class Mannequin:
    """The figure as a backend; see `posegen.backends.protocol.Backend`."""

    name = NAME
    version = VERSION
    capabilities = CAPABILITIES

    def render(self, recipe: Recipe) -> Rendering:
        """Draws the recipe's figure. Raises `BackendRejected`."""
        _check(recipe)
        size = {"width": recipe.width, "height": recipe.height}
        try:
            drawing = draw(recipe.specification, recipe.avatar, seed=recipe.seed, **size)
        except InvalidSize as invalid:
            raise BackendRejected(str(invalid)) from invalid
        return Rendering(drawing.pixels, drawing.keypoints, drawing.depth, drawing.part_mask)


def _check(recipe: Recipe) -> None:
    if recipe.backend != NAME or recipe.backend_version != VERSION:
        raise BackendRejected(
            f"The recipe is for {recipe.backend} {recipe.backend_version}, this is {NAME} {VERSION}; "
            "make a new recipe for this version."
        )
    if not 0 <= recipe.seed <= LARGEST_SEED:
        raise BackendRejected(f"The seed is {recipe.seed}; it must lie between 0 and {LARGEST_SEED}.")

"""fal's image models: the fields that each endpoint documents, its price, and where its maps are.

Each endpoint's fields are on https://fal.ai/models/ENDPOINT/llms.txt. Stored copies of 2026-11 show the first fields
and the prices of flux-general, z-image and flux-2-pro; the other fields are from callers of these endpoints and from
memory. A field that is refused here may exist: look at the page before a client is changed for it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.wires.fields import Field, Fields, Problem
from tests.wires.pictures import Order, decoded
from tests.wires.wire import picture_in

SIZES = {
    "square_hd": (1024, 1024),
    "square": (512, 512),
    "portrait_4_3": (768, 1024),
    "portrait_16_9": (576, 1024),
    "landscape_4_3": (1024, 768),
    "landscape_16_9": (1024, 576),
}
_TEXT = Field("string")
_ANY = Field("any")
_SHARE = Field("number", least=0, most=1)
_PATH = Field("string", required=True)
_SIZE_FIELDS: Fields = {
    "width": Field("integer", required=True, least=64, most=14142),
    "height": Field("integer", required=True, least=64, most=14142),
}
_COMMON: Fields = {
    "prompt": Field("string", required=True),
    "seed": Field("integer"),
    "sync_mode": Field("boolean"),
    "num_images": Field("integer", least=1, most=4),
    "enable_safety_checker": Field("boolean"),
    "output_format": Field("string", choices=("jpeg", "png")),
}
_SIZED: Fields = {"image_size": Field("string|object", choices=(*SIZES, "auto"), fields=_SIZE_FIELDS)}
_STEPS: Fields = {"num_inference_steps": Field("integer", least=1, most=50)}
_GUIDED: Fields = {"guidance_scale": Field("number", least=0, most=20)}
_FAST: Fields = {"acceleration": Field("string", choices=("none", "regular", "high"))}
_REFERENCES: Fields = {"image_urls": Field("array", required=True, least=1, most=10)}
_REFERENCE: Fields = {"image_url": Field("string", required=True)}

_CONTROL: Fields = {
    "control_image_url": Field("string", required=True),
    "mask_image_url": _TEXT,
    "control_mode": Field(
        "string", required=True, choices=("canny", "tile", "depth", "blur", "pose", "gray", "low-quality")
    ),
    "conditioning_scale": Field("number", least=0, most=2),
    "mask_threshold": _SHARE,
    "start_percentage": _SHARE,
    "end_percentage": _SHARE,
}
_UNION: Fields = {
    "path": _PATH,
    "config_url": _TEXT,
    "variant": _TEXT,
    "controls": Field("array", required=True, least=1, fields=_CONTROL),
}
_CONTROLNET: Fields = {
    "path": _PATH,
    "config_url": _TEXT,
    "variant": _TEXT,
    **{name: field for name, field in _CONTROL.items() if name != "control_mode"},
}
_GENERAL: Fields = {
    **_COMMON,
    **_SIZED,
    **_STEPS,
    **_GUIDED,
    "controlnets": Field("array", fields=_CONTROLNET),
    "controlnet_unions": Field("array", fields=_UNION),
    "negative_prompt": _TEXT,
    "use_real_cfg": Field("boolean"),
    "real_cfg_scale": Field("number", least=0, most=5),
    "use_cfg_zero": Field("boolean"),
    "loras": Field("array"),
    "control_loras": Field("array"),
    "ip_adapters": Field("array"),
    "easycontrols": Field("array"),
    "fill_image": _ANY,
    "reference_image_url": _TEXT,
    "reference_strength": Field("number", least=-3, most=3),
    "reference_start": _SHARE,
    "reference_end": _SHARE,
    "base_shift": Field("number"),
    "max_shift": Field("number"),
    "use_beta_schedule": Field("boolean"),
    "scheduler": _TEXT,
    **{name: Field("number") for name in ("nag_scale", "nag_tau", "nag_alpha", "nag_end")},
}


@dataclass(frozen=True)
class Model:
    """One endpoint. `usd`: for each megapixel begun; `sized`: the size where the body names none, None as the map.

    `flags`: whether its results have `has_nsfw_concepts`; `format`: of the file where the body names none.
    """

    fields: Fields
    usd: float
    sized: tuple[int, int] | None = (1024, 1024)
    flags: bool = True
    format: str = "png"


_KONTEXT: Fields = {
    **_COMMON,
    **_REFERENCE,
    **_STEPS,
    **_GUIDED,
    **_FAST,
    "enhance_prompt": Field("boolean"),
    "resolution_mode": _TEXT,
}
_FLUX_2: Fields = {
    **_COMMON,
    **_SIZED,
    **_GUIDED,
    **_REFERENCES,
    "enable_prompt_expansion": Field("boolean"),
}

MODELS: Mapping[str, Model] = {
    # https://fal.ai/models/fal-ai/flux-general/llms.txt
    "fal-ai/flux-general": Model(_GENERAL, 0.075),
    # https://fal.ai/docs/model-api-reference/image-generation-api/z-image-turbo-controlnet
    "fal-ai/z-image/turbo/controlnet": Model(
        {
            **_COMMON,
            **_SIZED,
            **_REFERENCE,
            **_FAST,
            "num_inference_steps": Field("integer", least=1, most=8),
            "enable_prompt_expansion": Field("boolean"),
            "preprocess": Field("string", choices=("none", "canny", "depth", "pose")),
            "control_scale": _SHARE,
            "control_start": _SHARE,
            "control_end": _SHARE,
        },
        0.0065,
        sized=None,
    ),
    # https://fal.ai/models/fal-ai/flux-1/dev/llms.txt
    "fal-ai/flux/dev": Model({**_COMMON, **_SIZED, **_STEPS, **_GUIDED, **_FAST}, 0.025, (1024, 768), format="jpeg"),
    # https://fal.ai/models/fal-ai/flux-2/edit/llms.txt
    "fal-ai/flux-2/edit": Model({**_FLUX_2, **_STEPS, **_FAST}, 0.012, sized=None),
    # https://fal.ai/models/fal-ai/flux-2/turbo/edit/llms.txt
    "fal-ai/flux-2/turbo/edit": Model(_FLUX_2, 0.008, sized=None),
    # https://fal.ai/models/fal-ai/flux-2-pro/edit/llms.txt
    "fal-ai/flux-2-pro/edit": Model(
        {
            **{name: field for name, field in _COMMON.items() if name != "num_images"},
            **_SIZED,
            **_REFERENCES,
            "safety_tolerance": Field("string", choices=("1", "2", "3", "4", "5")),
        },
        0.03,
        sized=None,
        flags=False,
        format="jpeg",
    ),
    # https://fal.ai/models/fal-ai/qwen-image-edit-2511/llms.txt
    "fal-ai/qwen-image-edit-2511": Model(
        {**_COMMON, **_SIZED, **_STEPS, **_GUIDED, **_FAST, **_REFERENCES, "negative_prompt": _TEXT}, 0.03, sized=None
    ),
    # https://fal.ai/models/fal-ai/flux-kontext/dev/llms.txt
    "fal-ai/flux-kontext/dev": Model(_KONTEXT, 0.025, sized=None, format="jpeg"),
    # https://fal.ai/docs/model-api-reference/image-generation-api/flux-pro-kontext
    "fal-ai/flux-pro/kontext": Model(
        {
            **_COMMON,
            **_REFERENCE,
            **_GUIDED,
            "safety_tolerance": Field("string", choices=("1", "2", "3", "4", "5", "6")),
            "aspect_ratio": _TEXT,
            "enhance_prompt": Field("boolean"),
        },
        0.04,
        sized=None,
        format="jpeg",
    ),
}


def maps_in(inputs: Mapping[str, Any]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """The place and the text of each map and reference in a body."""
    for name in ("controlnet_unions", "controlnets"):
        for index, union in enumerate(inputs.get(name) or ()):
            for number, control in enumerate(union.get("controls", [union])):
                inside = ("controls", number) if "controls" in union else ()
                yield ("body", name, index, *inside, "control_image_url"), control["control_image_url"]
    for name in ("image_url", "reference_image_url"):
        if inputs.get(name):
            yield ("body", name), inputs[name]
    for index, reference in enumerate(inputs.get("image_urls") or ()):
        yield ("body", "image_urls", index), reference


def order_of(model: Model, inputs: Mapping[str, Any], seed: int) -> Order | Problem:
    """The picture that a valid body asks for, or what is wrong with one of its maps."""
    maps = []
    for loc, text in maps_in(inputs):
        try:
            maps.append(picture_in(str(text)))
        except ValueError as error:
            # https://fal.ai/docs/documentation/model-apis/errors.md: image_load_error, file_download_error
            kind = "file_download_error" if str(text).startswith("http") else "image_load_error"
            return Problem(loc, f"Failed to load the image: {error}", kind, text)
    width, height = _size(model, inputs, maps)
    return Order(inputs["prompt"], seed, width, height, tuple(maps), inputs.get("output_format") or model.format)


def price_of(model: Model, order: Order) -> float:
    """USD; fal rounds a picture up to the next whole megapixel."""
    return model.usd * math.ceil(order.width * order.height / 1_048_576)


def _size(model: Model, inputs: Mapping[str, Any], maps: list[bytes]) -> tuple[int, int]:
    size = inputs.get("image_size")
    if isinstance(size, dict):
        return size["width"], size["height"]
    if size in SIZES:
        return SIZES[size]
    if model.sized or not maps:
        return model.sized or (1024, 1024)
    height, width = decoded(maps[0]).shape[:2]
    return width, height

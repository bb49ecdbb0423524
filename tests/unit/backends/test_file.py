"""Operators' own backends: what a file may say, and what is said of one that cannot be used."""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal
from pathlib import Path

import pytest

from posegen.backends.description import Description
from posegen.backends.file import _Abilities, _Table
from posegen.backends.protocol import Capabilities
from posegen.backends.registry import Backends
from posegen.errors import BackendNotConfigured, SettingsInvalid
from posegen.settings import Settings

GOOD = """
[mine]
wire = "openai"
model = "Qwen/Qwen-Image"
address = "http://10.0.0.7:8000/v1"
key_variable = "MINE_KEY"
"""


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FAL_KEY", "BFL_API_KEY", "HUGGINGFACE_API_KEY", "HF_TOKEN", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MINE_KEY", "the key of mine")


@pytest.fixture
def backends(tmp_path: Path):
    def read(text: str | bytes, **settings: object) -> Backends:
        file = tmp_path / "backends.toml"
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        return Backends.of(Settings(posegen_backends_file=file, **settings))

    return read


def problems(backends: Backends) -> list[str]:
    with pytest.raises(SettingsInvalid) as refused:
        backends.check()
    return refused.value.problems


# --- what a file can say ----------------------------------------------------------------------------------------------


def test_a_table_is_the_usual_backend_of_its_wire_with_what_differs(backends):
    found = backends(
        GOOD
        + """
        price = 0.004
        price_date = 2026-11-30
        concurrency = 2
        on_uncertain = "call_again"
        honours_idempotency = true
        capabilities = { control_kinds = ["depth"], negative_prompt = false, longest_prompt = 1500, references = 3 }
        """
    )
    found.check()
    mine = found.describe("mine")

    assert (mine.name, mine.wire, mine.model, mine.version) == (
        "mine",
        "openai",
        "Qwen/Qwen-Image",
        "Qwen/Qwen-Image-1",
    )
    assert (mine.price, mine.price_date, mine.concurrency) == (Decimal("0.004"), "2026-11-30", 2)
    assert (mine.on_uncertain, mine.resend_is_safe, mine.licence) == ("call_again", True, "Qwen-Image")
    can = mine.capabilities
    assert (can.control_kinds, can.negative_prompt, can.longest_prompt, can.references) == (("depth",), False, 1500, 3)
    assert can.seeds
    assert can.photographic
    assert can.costs_money


def test_an_empty_table_but_its_wire_is_the_built_in_backend_under_another_name(backends):
    found = backends('[second]\nwire = "fal"\n', fal_key="a key")

    assert found.describe("second").capabilities == found.describe("fal").capabilities
    assert found.describe("second").price == found.describe("fal").price


def test_another_model_of_a_wire_has_its_own_price_and_licence(backends):
    text = '[z]\nwire = "fal"\nmodel = "fal-ai/z-image/turbo/controlnet"\n[max]\nwire = "bfl"\nmodel = "flux-2-max"\n'
    found = backends(text, fal_key="a key", bfl_api_key="a key")

    assert (found.describe("z").price, found.describe("z").licence) == (Decimal("0.0065"), "Z-Image-Turbo")
    assert (found.describe("max").price, found.describe("max").licence) == (None, "")


def test_a_backend_that_bills_nothing_is_called_again(backends):
    mine = backends(GOOD + "capabilities.costs_money = false\n").describe("mine")

    assert not mine.capabilities.costs_money
    assert (mine.on_uncertain, mine.price) == ("call_again", None)


def test_a_table_takes_the_place_of_the_built_in_backend_of_its_name(backends):
    found = backends('[fal]\nwire = "fal"\nconcurrency = 3\n', fal_key="a key")

    assert found.describe("fal").concurrency == 3
    assert list(found.descriptions) == ["mannequin", "fal"]


def test_the_operators_price_counts_for_a_backend_of_the_file(backends):
    costs = '{"mine": 0.5}'
    assert backends(GOOD, posegen_backend_costs=costs).describe("mine").price == Decimal("0.5")


def test_a_backend_without_its_key_names_the_variable(backends, monkeypatch):
    monkeypatch.delenv("MINE_KEY")

    with pytest.raises(BackendNotConfigured, match=r"no backend 'mine' here: MINE_KEY is not set"):
        backends(GOOD).describe("mine")


def test_the_client_gets_the_key_and_the_address_of_its_table(backends):
    opened = backends(GOOD).open_hosted("mine")

    assert opened.base_url == "http://10.0.0.7:8000/v1"
    assert opened.client._auth == {"Authorization": "Bearer the key of mine"}
    opened.close()


def test_every_capability_and_every_field_of_a_description_is_one_of_the_file_or_is_fixed():
    fixed = {"pose_control", "free_prompt", "ground_truth", "photographic"}
    assert set(_Abilities.model_fields) | fixed == {each.name for each in fields(Capabilities)}
    # Of the file under another name, or of the wire.
    other = {"name", "resend_is_safe"}
    assert {each.name for each in fields(Description)} - other <= set(_Table.model_fields)


# --- licences ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "more", "runs"),
    [
        ("black-forest-labs/FLUX.2-klein-4B", "", True),
        ("black-forest-labs/FLUX.2-klein-9B", "", False),
        ("black-forest-labs/FLUX.2-klein-9B", "sold_by_provider = true", True),
        ("black-forest-labs/FLUX.2-klein-9B", 'licence_accepted = "FLUX.2-klein-9B"', True),
        ("black-forest-labs/FLUX.2-klein-9B", 'licence_accepted = "FLUX.2-klein-4B"', False),
        ("house/tuned", "", False),
        ("house/tuned", 'licence = "Qwen-Image"', True),
        ("house/tuned", 'licence = "Qwen-Image-2.1"', False),
        ("house/tuned", 'licence_accepted = "house/tuned"', True),
    ],
)
def test_a_model_needs_a_licence_for_pictures_that_are_sold(backends, model, more, runs):
    found = backends(GOOD.replace("Qwen/Qwen-Image", model) + more)

    if runs:
        assert found.describe("mine").model == model
        return
    with pytest.raises(BackendNotConfigured, match="may not run on own machines") as refused:
        found.describe("mine")
    assert 'licence_accepted = "' in str(refused.value)


# --- what cannot be used ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("colour = 1", "there is no field 'colour'; known: wire, model,"),
        ("capabilities.wings = true", "there is no field 'capabilities.wings'; known: control_kinds,"),
        ('wire = "comfy"', "wire = 'comfy': Input should be 'fal', 'bfl',"),
        ('licence = "FLUX"', "licence = 'FLUX' is not in the list: FLUX.2-klein-4B,"),
        ('licence = "flux-1-dev"', "is not in the list"),
        ("price = 0\nprice_date = 2026-11-30", "price = 0: Input should be greater than 0"),
        ("price = -0.1\nprice_date = 2026-11-30", "price = -0.1: Input should be greater than 0"),
        ("price = nan\nprice_date = 2026-11-30", "price = nan: Input should be a finite number"),
        ("price = inf\nprice_date = 2026-11-30", "price = inf: Input should be a finite number"),
        ('price = "0.1"\nprice_date = 2026-11-30', "price = '0.1': Input should be a valid number"),
        ("price = 1001\nprice_date = 2026-11-30", "price = 1001"),
        ("price = 0.1", "price_date is missing"),
        ("price_date = 2026-11-30", "price is missing"),
        ('price = 0.1\nprice_date = "yesterday"', "price_date = 'yesterday': write a day, such as 2026-11-30."),
        ("concurrency = 0", "concurrency = 0: Input should be greater than or equal to 1"),
        ("concurrency = 1001", "concurrency = 1001: Input should be less than or equal to 1000"),
        ("concurrency = true", "concurrency = True"),
        ('on_uncertain = "hope"', "on_uncertain = 'hope': Input should be 'fail' or 'call_again'."),
        ("recommended_scale = 3.0", "recommended_scale = 3.0"),
        ("recommended_scale = nan", "recommended_scale = nan"),
        ('model = "two words"', "model = 'two words'"),
        ('prompt_family = "poems"', "prompt_family = 'poems': known are flux, gpt-image,"),
        ("steps = 0", "steps = 0"),
        ("guidance = 31.0", "guidance = 31.0"),
        ("capabilities.largest_side = 512", "capabilities.largest_side = 512: Input should be greater than or equal"),
        ("capabilities.side_multiple = 100", "capabilities.side_multiple = 100: pictures have 1024 pixels a side"),
        ('capabilities.control_kinds = ["canny"]', "Input should be 'openpose' or 'depth'"),
        ("capabilities.control_kinds = []", "capabilities.control_kinds = []"),
        ('capabilities = "all"', "capabilities = 'all'"),
        ("capabilities.costs_money = false\nprice = 1\nprice_date = 2026-11-30", "price: nothing is billed"),
        ('control_parameter = "map"', 'only the wire "huggingface-endpoint" has one'),
        ('key_variable = "DATABASE_URL"', "'DATABASE_URL' is another setting of Posegen"),
        ('address = "http://api.example.com/v1"', "a key is sent to a public address over https:// only"),
        ('address = "http://8.8.8.8/v1"', "over https:// only"),
        ('address = "http://169.254.169.254/v1"', "over https:// only"),
        ('address = "http://[2606:4700::1111]/v1"', "over https:// only"),
        ('address = "ftp://10.0.0.7/"', "it begins with https:// or http://"),
        ('address = "https://x.example/v1?key=1"', "has no query"),
        ('address = "https://[::1/v1"', "its host or port cannot be read"),
        ('address = "https://x.example:port/v1"', "its host or port cannot be read"),
    ],
)
def test_a_field_that_cannot_be_used_is_named_with_its_file_its_backend_and_the_fix(backends, tmp_path, line, words):
    named = {each.partition(" = ")[0] for each in line.splitlines()}
    kept = [each for each in GOOD.splitlines() if each.partition(" = ")[0] not in named]
    found = problems(backends("\n".join([*kept, line])))

    assert any(words in problem for problem in found), found
    assert all(problem.startswith(f"{tmp_path / 'backends.toml'}, backend mine: ") for problem in found)


SECRETS = (
    "sk-proj-4Hd82jxPQ77abcXYZ",
    "hf_AbCdEfGhIjKlMnOpQrStUv",
    "12345678-1234-1234-1234-123456789abc",
    "12345678-1234-1234-1234-123456789abc:0f1e2d3c4b5a69788796a5b4c3d2e1f0",
    "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
    "Bearer something-or-other",
)


@pytest.mark.parametrize("field", ["key", "api_key", "token", "key_variable", "model", "version", "licence"])
@pytest.mark.parametrize("secret", SECRETS)
def test_a_key_that_was_written_into_the_file_is_refused_and_not_shown(backends, field, secret):
    kept = [each for each in GOOD.splitlines() if not each.startswith(f"{field} =")]
    found = problems(backends("\n".join([*kept, f'{field} = "{secret}"'])))

    assert any('key_variable = "MY_KEY"' in problem for problem in found)
    assert secret not in str(found)


def test_a_password_in_an_address_is_refused_and_not_shown(backends):
    (problem,) = problems(backends(GOOD.replace("http://10.0.0.7", "https://me:hunter2@10.0.0.7")))

    assert "address holds a user or a password" in problem
    assert "hunter2" not in problem


@pytest.mark.parametrize(
    "name", ["FLUX.1-dev", "stable-diffusion-xl-base-1.0", "Qwen/Qwen-Image-Edit-2511", "flux-2-max"]
)
def test_the_name_of_a_model_is_no_key(backends, name):
    backends(GOOD.replace("Qwen/Qwen-Image", name)).check()


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:8000/v1",
        "http://localhost:8000/v1",
        "http://[::1]:8000/v1",
        "http://192.168.1.7/v1",
        "http://[fd00::7]/v1",
        "http://vllm:8000/v1",
        "http://gpu.internal/v1",
        "https://api.example.com/v1",
        "https://8.8.8.8/v1",
    ],
)
def test_an_address_of_a_private_network_may_be_http_and_a_public_one_https(backends, address):
    backends(GOOD.replace("http://10.0.0.7:8000/v1", address)).check()


def test_the_usual_key_is_not_sent_to_another_server(backends):
    (problem,) = problems(backends('[mine]\nwire = "openai"\naddress = "https://x.example/v1"\n', openai_api_key="k"))

    assert "key_variable is missing: the key of another server is not sent to this one" in problem


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[mannequin]\nwire = "fal"\n', "this name is that of a backend that draws on this machine"),
        ('[Mine]\nwire = "fal"\n', "a name has lower-case letters"),
        ('["a,b"]\nwire = "fal"\n', "a name has lower-case letters"),
        ("mine = 7\n", "this is no table. Begin it with a line [mine]."),
        ("[mine]\n", "wire is missing. What its server speaks."),
        ('[mine]\nwire = "huggingface-endpoint"\n', "address is missing. URL of the server."),
        ('[a]\nwire = "fal"\n[a]\nwire = "bfl"\n', "is no TOML: Cannot declare ('a',) twice (at line 3"),
        ("[broken", "is no TOML"),
        (b"\xff\xfe", "is no UTF-8 text. Save it as UTF-8."),
        ("a = " + "[" * 100_000, "too deep"),
        ("#" * 2_000_001, "has more than 2,000,000 bytes"),
        ("".join(f'[b{n}]\nwire = "fal"\n' for n in range(101)), "has 101 backends; 100 are the most"),
        (
            '[m]\nwire = "fal"\nmodel = "fal-ai/flux/dev"\n',
            "its input is not known to this wire. Known: fal-ai/flux-ge",
        ),
        ('[m]\nwire = "fal"\nhonours_idempotency = true\n', 'only the wire "openai" sends an Idempotency-Key'),
        ('[m]\nwire = "fal"\nsold_by_provider = false\n', "sells the use. Leave it out."),
        ('[m]\nwire = "bfl"\n[m.capabilities]\nnegative_prompt = true\n', "negative_prompt = True: the wire has False"),
        ('[m]\nwire = "fal"\ncapabilities.costs_money = false\n', "costs_money = False: the wire has True"),
        ('[m]\nwire = "fal"\nreference = "mannequin"\n', "takes no pose as a reference image. Leave it out."),
        ('[m]\nwire = "bfl"\nreference = "photo"\n', 'with a reference image: "map" or "mannequin".'),
        (
            '[m]\nwire = "bfl"\nreference = "mannequin"\ncapabilities.control_kinds = ["depth"]\n',
            'with reference = "mannequin" no map is sent',
        ),
        ('[m]\nwire = "bfl"\ncapabilities.side_multiple = 8\n', "side_multiple = 8: the wire has 16"),
        ('[m]\nwire = "bfl"\nsteps = 8\n', "steps: the model has no such field. Leave it out."),
        ('[m]\nwire = "openai"\nguidance = 2.0\n', "guidance: the model has no such field"),
        ('[m]\nwire = "openai"\ncapabilities.seeds = true\n', "seeds = True: the wire has False"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(backends, tmp_path, text, words):
    found = problems(backends(text))

    assert any(words in problem for problem in found), found
    assert all(problem.startswith(str(tmp_path / "backends.toml")) for problem in found)


def test_a_model_with_a_reference_image_may_be_shown_the_mannequin_instead_of_a_map(backends):
    found = backends('[m]\nwire = "bfl"\nreference = "mannequin"\n', bfl_api_key="a key").describe("m")

    assert (found.shows_mannequin, found.map_kinds) == (True, ())
    usual = backends('[m]\nwire = "bfl"\n', bfl_api_key="a key").describe("m")
    assert (usual.shows_mannequin, usual.map_kinds) == (False, ("openpose", "depth"))


def test_a_file_that_is_not_there_is_named(tmp_path):
    (problem,) = problems(Backends.of(Settings(posegen_backends_file=tmp_path / "none.toml")))

    assert "cannot be read: No such file or directory. Correct POSEGEN_BACKENDS_FILE, or unset it." in problem


def test_everything_that_is_wrong_is_named_at_once(backends):
    assert len(problems(backends('[a]\nwire = "x"\nconcurrency = 0\n[b]\ncolour = 1\n'))) == 4


def test_a_table_that_cannot_be_used_stops_no_other_backend_and_hides_the_built_in_one_of_its_name(backends):
    found = backends(GOOD + '[fal]\nwire = "fal"\nconcurrency = 0\n', fal_key="a key", bfl_api_key="a key")

    assert found.describe("mine").name == "mine"
    assert found.describe("bfl").name == "bfl"
    with pytest.raises(BackendNotConfigured, match=r"no backend 'fal' here: .*concurrency = 0"):
        found.describe("fal")


def test_a_file_that_cannot_be_read_hides_every_hosted_backend_and_no_drawing_one(backends):
    found = backends("[broken", fal_key="a key")

    assert list(found.described) == ["mannequin"]
    with pytest.raises(BackendNotConfigured, match=r"no backend 'fal' here: .*is no TOML"):
        found.describe("fal")

import pytest

from posegen.settings import Settings
from posegen.web.objects import media_path


@pytest.mark.parametrize(
    ("base_url", "path"),
    [
        ("/media", "/media"),
        ("/pictures/", "/pictures"),
        ("https://pictures.example/posegen", "/media"),
        ("//pictures.example/posegen", "/media"),
        ("/", "/media"),
    ],
)
def test_the_pictures_are_where_their_urls_point_unless_that_is_another_server(base_url: str, path: str):
    assert media_path(Settings(storage_base_url=base_url)) == path

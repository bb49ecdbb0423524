"""`posegen delete`, `posegen restore` and `posegen audit`: images go and come back, and it is known who did it."""

from __future__ import annotations

from uuid import uuid4

from posegen.database.connection import Database
from posegen.settings import Settings
from posegen.upkeep.retention import RetentionRule, clean_up_images
from posegen.upkeep.settings_history import record_settings
from tests.adopted import FOLDER, adopt, fill
from tests.builders import SLUGS, execute, finished, rows, running, value


def hidden(database, generation):
    found = rows(
        database,
        "select position from generated_poses where generation_id = %s and delete_after is not null order by position",
        generation,
    )
    return [each["position"] for each in found]


def test_images_are_deleted_and_had_back(database, studio, posegen):
    generation = finished(studio, poses=SLUGS[:3])

    done = posegen("delete", generation, "--poses", "1,3", width=200)

    assert done.code == 0
    assert (
        f"The images of 2 poses are hidden, and deleted in 24 hours. Until then: posegen restore {generation}"
        in done.out
    )
    assert hidden(database, generation) == [0, 2]

    assert posegen("restore", generation, "--poses", "3").out == "The images of 1 pose are there again.\n"
    assert hidden(database, generation) == [0]


def test_scripts_read_json(studio, posegen):
    generation = finished(studio, poses=SLUGS[:2])

    assert posegen("delete", generation, "--grace-hours", 1, "--json").json == {
        "generation": str(generation),
        "poses_hidden": 2,
        "grace_seconds": 3600.0,
        "adopted_files_kept": 0,
    }
    assert posegen("restore", generation, "--json").json == {
        "generation": str(generation),
        "poses_restored": 2,
        "poses_gone": 0,
    }


def test_what_is_deleted_for_good_is_said_to_be(database, studio, posegen):
    generation = finished(studio, poses=SLUGS[:2])
    posegen("delete", generation)
    execute(
        database,
        """
        update generated_poses set images_deleted_at = now(), image_object = null, original_object = null,
            thumbnail_object = null where position = 0
        """,
    )

    done = posegen("restore", generation)

    assert done.code == 0
    assert "of 1 pose are there again" in done.out
    assert "of 1 pose are deleted for good" in done.err
    nothing = posegen("restore", generation)
    assert nothing.code == 1
    assert "the time of grace of 1 is over" in " ".join(nothing.err.split())


def test_rows_that_are_hidden_for_ever_are_passed_over_and_had_back(database, studio, store, posegen):
    """As earlier versions have written them."""
    generation = finished(studio, poses=SLUGS[:3])
    execute(
        database,
        """
        update generated_poses set delete_reason = 'asked',
            delete_after = (array['infinity', '12000-01-01', '9999-12-31'])[position + 1]::timestamptz
        """,
    )

    assert clean_up_images(database, [store], RetentionRule()).due.poses == 0
    assert posegen("delete", generation).code == 1, "they are hidden already"
    assert "of 3 poses are there again" in posegen("restore", generation).out
    assert hidden(database, generation) == []


def test_mistakes_are_named(database, studio, posegen):
    at_work = running(database).id
    generation = finished(studio, poses=SLUGS[:1])

    for arguments, said in [
        (("delete", uuid4()), "There is no generation"),
        (("delete", generation, "--poses", "2"), "2"),
        (("delete", at_work), "cancel it first"),
        (("restore", generation), "none is deleted"),
    ]:
        done = posegen(*arguments)
        assert (done.code, said in done.err) == (1, True), done.err


def test_adopted_files_are_said_to_stay_unless_they_are_to_go(studio, store, posegen):
    files = fill(store._root)
    adopt(studio, store._root)

    kept = posegen("delete", FOLDER, "--poses", 1)
    assert "Adopted files that stay where they are: 2. --delete-files" in kept.out
    assert posegen("delete", FOLDER, "--json").json["adopted_files_kept"] == 3
    assert "stay" not in posegen("delete", FOLDER, "--delete-files", "--grace-hours", 0).out
    assert all(file.exists() for file in files), "they go with the clean-up"


def test_the_audit_says_who_deleted_restored_granted_and_refunded(studio, posegen):
    generation = finished(studio, poses=SLUGS[:1])
    posegen("delete", generation, "--actor", "Budi")
    posegen("restore", generation, "--actor", "Citra")
    posegen("credits", "refund", generation, "--reason", "blurred", "--actor", "Dewi")

    lines = posegen("audit", "--json").json

    assert [(line["actor"], line["action"]) for line in lines] == [
        ("Dewi", "credits_refunded"),
        ("Citra", "images_restored"),
        ("Budi", "images_deleted"),
        ("test", "credits_granted"),
    ]
    assert [line["action"] for line in posegen("audit", "--subject", generation, "--limit", 2, "--json").json] == [
        "credits_refunded",
        "images_restored",
    ]
    assert "Budi" in posegen("audit", "--action", "images_deleted", width=200).out
    assert posegen("audit", "--since", "2099-01-01").out == "Nothing yet.\n"


def test_changed_settings_are_written_down_once_and_secrets_never(database: Database):
    secret = "a-long-signing-secret"
    first = Settings(posegen_max_running=3, storage_signing_secret=secret)

    def record(settings):
        with database.transaction() as connection:
            return record_settings(connection, settings, actor="Ayu")

    assert record(first) == {"POSEGEN_MAX_RUNNING": [None, 3], "STORAGE_SIGNING_SECRET": [None, "(a secret)"]}
    assert record(first) == {}
    assert record(Settings(posegen_max_running=4)) == {
        "POSEGEN_MAX_RUNNING": [3, 4],
        "STORAGE_SIGNING_SECRET": ["(a secret)", None],
    }
    assert value(database, "select count(*) from audit_entries where action = 'settings_changed'") == 2
    assert secret not in str(rows(database, "select * from audit_entries"))

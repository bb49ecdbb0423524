"""Histories for reports: random rows of generations that have ended, written past every trigger, a table at a time.

Everything follows from one seed. What the rows say need not be consistent beyond what reports count.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from posegen.poses.library import LIBRARY

FORMATS = ["tiktok", "shopee", "print_letter"]
KINDS = ["poses", "thumbnails", "exports"]
BEGIN = datetime(2026, 3, 28, tzinfo=UTC)
DAYS = 8

Row = dict[str, Any]
History = dict[str, list[Row]]


def a_history(seed: int, *, generations: int) -> History:
    """Rows of every table that a report reads, spread over eight days that have the change of a month in them."""
    chance = random.Random(seed)
    users = [_uuid(chance) for _ in range(3)]
    history: History = {name: [] for name in _TABLES}
    history["users"] = [{"id": user, "name": f"user {number}"} for number, user in enumerate(users[:2])]
    history["accounts"] = [{"user_id": user["id"], "storage_used": 2**31} for user in history["users"]]
    for _ in range(generations):
        _a_generation(chance, history, chance.choice(users))
    for operation in ("write", "read", "skipped"):
        for day in range(DAYS):
            if chance.random() < 0.6:
                history["store_traffic"].append(
                    {"store": "local", "day": (BEGIN + timedelta(days=day)).date(), "operation": operation,
                     "operations": chance.randrange(1000), "bytes": chance.randrange(10**9)}
                )  # fmt: skip
    return history


def write(url: str, history: Mapping[str, Sequence[Row]]) -> None:
    """Add the rows to a database that has the lists and the store already."""
    with psycopg.connect(url) as connection:
        connection.execute("set session_replication_role = replica")
        for table, rows in history.items():
            if rows:
                columns = list(rows[0])
                statement = sql.SQL("insert into {} ({}) overriding system value values ({})").format(
                    sql.Identifier(table),
                    sql.SQL(", ").join(map(sql.Identifier, columns)),
                    sql.SQL(", ").join(sql.Placeholder() * len(columns)),
                )
                adapted = [
                    [Jsonb(row[name]) if isinstance(row[name], dict) else row[name] for name in columns] for row in rows
                ]
                connection.cursor().executemany(statement, adapted)


_TABLES = ["users", "accounts", "generation_requests", "generations", "objects", "generated_poses", "exports",
           "ledger_entries", "store_traffic", "deleted_objects_by_day"]  # fmt: skip


def _a_generation(chance: random.Random, history: History, user: UUID) -> None:
    generation = _uuid(chance)
    submitted = _moment(chance)
    started = None if chance.random() < 0.2 else submitted + timedelta(seconds=chance.random() * 100)
    finished = None if chance.random() < 0.15 else (started or submitted) + timedelta(seconds=chance.random() * 9000)
    status = (
        "running" if finished is None else chance.choice(["completed", "completed", "partial", "failed", "cancelled"])
    )
    poses = [_a_pose(chance, history, generation, user, position) for position in range(chance.randrange(4))]
    history["generation_requests"].append({"id": generation, "user_id": user, "poses": []})
    history["generations"].append(
        {
            "id": generation, "user_id": user, "status": status, "priority": 0, "submitted_at": submitted,
            "started_at": started, "finished_at": finished,
            "lease_expires_at": submitted if status == "running" else None,
            "error_code": chance.choice(["poisoned", "timed_out"]) if status in {"failed", "cancelled"} else None,
            "poses_total": len(poses), "poses_completed": poses.count("completed"),
            "poses_failed": poses.count("failed"),
        }
    )  # fmt: skip


def _a_pose(chance: random.Random, history: History, generation: UUID, user: UUID, position: int) -> str:
    pose = _uuid(chance)
    status = chance.choice(["completed", "completed", "completed", "failed", "cancelled"])
    done = status == "completed"
    image, thumbnail = (_an_object(chance, history, generation, kind) if done else None for kind in KINDS[:2])
    code = chance.choice(["backend_rejected", "image_invalid"])
    history["generated_poses"].append(
        {
            "id": pose, "generation_id": generation, "user_id": user, "position": position,
            "library_pose": chance.choice(LIBRARY[:6]).slug, "variation": 0, "seed": 0, "prompt_used": "",
            "control_weight": 1.0, "backend": chance.choice(["mannequin", "another"]), "price": 30, "status": status,
            "error_code": code if status == "failed" else None, "recipe_hash": "0" * 64 if done else None,
            "image_object": image, "original_object": image, "thumbnail_object": thumbnail,
            "render_ms": chance.randrange(500) if done else None, "store_ms": chance.randrange(50) if done else None,
            "is_favourite": chance.random() < 0.3, "download_count": chance.randrange(4),
            "completed_at": BEGIN if done else None,
        }
    )  # fmt: skip
    if done:
        _ledger(chance, history, "capture", user, generation, pose)
        if chance.random() < 0.3:
            _ledger(chance, history, "refund", user, generation, pose)
    else:
        _ledger(chance, history, "release", user, generation, pose)
    for format_ in chance.sample(FORMATS, chance.randrange(3)) if done else []:
        made = _an_object(chance, history, generation, KINDS[2]) if (good := chance.random() < 0.8) else None
        history["exports"].append(
            {
                "pose_id": pose, "user_id": user, "format": format_, "status": "completed" if good else "failed",
                "object_id": made, "size": history["objects"][made - 1]["size"] if made else None,
                "error_code": None if good else "storage_failed", "export_ms": chance.randrange(90) if good else None,
            }
        )  # fmt: skip
    return status


def _an_object(chance: random.Random, history: History, generation: UUID, kind: str) -> int:
    number = len(history["objects"]) + 1
    name = hashlib.sha256(str(number).encode()).hexdigest()
    history["objects"].append(
        {
            "id": number, "store": "local", "key": f"{kind}/{generation}/{name}", "sha256": name, "crc32": 0,
            "size": chance.randrange(1, 10**6), "content_type": "image/png", "generation_id": generation,
            "created_at": _moment(chance),
        }
    )  # fmt: skip
    return number


_WAYS = {"capture": ("held", "spent"), "release": ("held", "available"), "refund": ("spent", "available")}


def _ledger(chance: random.Random, history: History, kind: str, user: UUID, generation: UUID, pose: UUID) -> None:
    source, target = _WAYS[kind]
    history["ledger_entries"].append(
        {
            "kind": kind, "user_id": user, "source": source, "target": target, "amount": chance.choice([30, 30, 45]),
            "generation_id": generation, "pose_id": pose, "reason": "x", "actor": "test", "created_at": _moment(chance),
        }
    )  # fmt: skip


def _moment(chance: random.Random) -> datetime:
    # Some lie exactly on midnight, where a day ends and the next one begins.
    if chance.random() < 0.1:
        return BEGIN + timedelta(days=chance.randrange(DAYS))
    return BEGIN + timedelta(seconds=chance.randrange(DAYS * 86400), microseconds=chance.randrange(10**6))


def _uuid(chance: random.Random) -> UUID:
    return UUID(int=chance.getrandbits(128), version=4)

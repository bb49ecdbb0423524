"""What each kind of caller may do, and to whose resources."""

from __future__ import annotations

from uuid import uuid4

from posegen.access.callers import ALLOWED_SCOPES, DEFAULT_SCOPES, Caller, Kind, Scope

USER, OTHER = uuid4(), uuid4()


def a_caller(kind: Kind) -> Caller:
    return Caller("key:x", kind, USER if kind is Kind.USER else None, DEFAULT_SCOPES[kind])


def test_users_reach_their_own_resources_and_others_all() -> None:
    seen = {kind: [a_caller(kind).may_see(each) for each in (USER, OTHER)] for kind in Kind}

    assert seen == {Kind.USER: [True, False], Kind.SERVICE: [True, True], Kind.ADMIN: [True, True]}


def test_the_scopes_of_each_kind_are_the_least_that_it_needs() -> None:
    missing = {kind: set(Scope) - DEFAULT_SCOPES[kind] for kind in Kind}

    assert missing == {
        Kind.USER: {Scope.USERS_WRITE, Scope.KEYS_WRITE, Scope.ADMIN_READ, Scope.ADMIN_WRITE},
        Kind.SERVICE: {Scope.ADMIN_READ, Scope.ADMIN_WRITE},
        Kind.ADMIN: set(),
    }
    assert ALLOWED_SCOPES[Kind.USER] - DEFAULT_SCOPES[Kind.USER] == {Scope.KEYS_WRITE}


def test_keys_are_managed_by_their_users_by_services_for_users_and_by_admins() -> None:
    keys = [(Kind.USER, USER), (Kind.USER, OTHER), (Kind.SERVICE, None), (Kind.ADMIN, None)]

    managed = {kind: [a_caller(kind).may_manage(*each) for each in keys] for kind in Kind}

    assert managed == {
        Kind.USER: [True, False, False, False],
        Kind.SERVICE: [True, True, False, False],
        Kind.ADMIN: [True, True, True, True],
    }


def test_the_actor_of_an_operator_fits_into_the_audit_trail() -> None:
    assert len(Caller.operator("x" * 999).credential) == 200

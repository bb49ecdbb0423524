create table backend_calls (
    id            uuid primary key,
    purpose       text not null constraint purpose_is_known check (purpose in ('pose', 'background', 'replay')),
    pose_id       uuid not null references generated_poses on delete cascade,
    generation_id uuid not null references generations on delete cascade,
    budget        integer not null constraint budget_allows_one check (budget > 0),
    attempt       integer not null constraint attempt_counts_from_1 check (attempt > 0),
    backend       text not null,
    model         text not null,
    recipe        jsonb,
    recipe_hash   text not null,
    seed          bigint not null,
    state         text not null default 'planned' constraint state_is_known check (state in ('planned', 'sent', 'accepted',
                      'delivered', 'used', 'rejected', 'refused', 'failed', 'cancelled', 'uncertain')),
    token         bigint not null,
    sender_run    text,
    sender_home   uuid,
    failures      integer not null default 0,
    far_id        text,
    urls          jsonb not null default '{}',
    expires_at    timestamptz,
    object_id     bigint references objects,
    billed_usd    numeric(12, 6) constraint billed_is_not_negative check (billed_usd >= 0),
    bill_source   text constraint bill_source_is_known check (bill_source in ('response', 'invoice', 'price_list')),
    facts         jsonb not null default '{}',
    error_code    text references error_codes,
    error         text,
    planned_at    timestamptz not null default now(),
    sent_at       timestamptz,
    accepted_at   timestamptz,
    delivered_at  timestamptz,
    ended_at      timestamptz,
    settled_at    timestamptz,
    looked_at     timestamptz,
    constraint each_attempt_once unique (pose_id, purpose, attempt),
    constraint nothing_has_left_while_planned
        check (state in ('cancelled', 'failed') or (sent_at is null) = (state = 'planned')),
    constraint an_accepted_call_has_its_far_id check (state <> 'accepted' or far_id is not null),
    constraint an_ended_call_says_when
        check ((ended_at is not null) = (state in ('used', 'rejected', 'refused', 'failed', 'cancelled', 'uncertain'))),
    constraint a_bill_has_its_source check ((billed_usd is null) = (bill_source is null))
);
create unique index backend_calls_by_far_id on backend_calls (backend, far_id) where far_id is not null;
create unique index one_open_call_for_each_pose on backend_calls (pose_id, purpose)
    where state in ('planned', 'sent', 'accepted', 'delivered');
create index backend_calls_under_way on backend_calls (backend) where state in ('planned', 'sent', 'accepted');
create index backend_calls_by_generation on backend_calls (generation_id);
create index backend_calls_by_object on backend_calls (object_id) where object_id is not null;
create index backend_calls_to_settle on backend_calls (ended_at) where settled_at is null and ended_at is not null;
create index backend_calls_by_planned on backend_calls (planned_at);
comment on table backend_calls is 'calls of hosted backends, each inserted before the first byte leaves';
comment on column backend_calls.budget is 'how many calls of its pose and purpose may be billed, as the settings were when it was planned';
comment on column backend_calls.token is 'of the lease under which it was planned, or sent last';
comment on column backend_calls.sender_run is 'the run that sent it, whose file lock in the folder sender_home tells whether it lives';
comment on column backend_calls.far_id is 'the id that the far end gave it';
comment on column backend_calls.object_id is 'the file as it was delivered';
comment on column backend_calls.looked_at is 'when upkeep last looked for it at the far end, for calls that no worker holds';
comment on column backend_calls.settled_at is
    'when nothing more can be learned of it at the far end; null for an ended call that is still to be cancelled or looked at there';

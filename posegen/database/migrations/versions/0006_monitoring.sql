-- What stores were asked for in vain, and how long it took ---------------------------------------------------------------

alter table store_traffic
    add column errors  bigint not null default 0 check (errors >= 0),
    add column seconds double precision not null default 0 check (seconds >= 0);
comment on column store_traffic.operations is 'answered ones; a missing object is an answer';
comment on column store_traffic.errors is 'operations that the store failed in, beside those in `operations`';
comment on column store_traffic.seconds is 'what operations and errors took together';

-- Numbers that only grow, also when rows that they count are cleaned up -----------------------------------------------------

-- No trigger keeps them: generations that end at the same time would wait for each other on one row. What ended before
-- the mark is in them, what ended since is counted from its rows by an index. The mark is moved by upkeep.
create table tallies (
    name  text not null check (name in ('finished', 'failed', 'requeued')),
    label text not null,
    total bigint not null check (total >= 0),
    primary key (name, label)
);
comment on table tallies is 'counts up to tally_mark: finished by status, failed by error code, requeued by reason';

create table tally_mark (
    the_only_one boolean primary key default true check (the_only_one),
    counted_to   timestamptz not null
);
insert into tally_mark (counted_to) values ('-infinity');

create index events_of_requeues on events (created_at) where kind = 'requeued';
create index generated_poses_by_completion on generated_poses (completed_at) include (backend, render_ms)
    where completed_at is not null;

-- What upkeep found the last time it looked -------------------------------------------------------------------------------

create table upkeep_findings (
    look      text primary key check (look in ('reconcile', 'verify')),
    findings  bigint not null check (findings >= 0),
    looked_at timestamptz not null default now()
);
comment on table upkeep_findings is 'what was not in order after the last pass of each kind';

-- What somebody has to be told of -----------------------------------------------------------------------------------------

create table incidents (
    id        uuid primary key default gen_random_uuid(),
    kind      text not null check (kind ~ '^[a-z][a-z_]{0,62}$'),
    subject   text not null default '' check (length(subject) <= 200),
    severity  text not null check (severity in ('warning', 'critical')),
    summary   text not null check (length(summary) between 1 and 1000),
    opened_at timestamptz not null default now(),
    seen_at   timestamptz not null default now(),
    closed_at timestamptz check (closed_at >= opened_at),
    opening_accepted_at timestamptz,
    closing_accepted_at timestamptz,
    constraint only_what_is_over_was_told_so check (closing_accepted_at is null or closed_at is not null)
);
create unique index one_open_incident_for_a_subject on incidents (kind, subject) where closed_at is null;
create index incidents_to_send on incidents (opened_at)
    where opening_accepted_at is null or (closed_at is not null and closing_accepted_at is null);
comment on table incidents is 'what was wrong from when to when; docs/how-to/monitor.md';
comment on column incidents.subject is 'the backend or store that it is about; empty where there is only one';
comment on column incidents.seen_at is 'when a look has found it the last time; some minutes later it is over';
comment on column incidents.opening_accepted_at is 'when the receiver of the webhook has answered that it knows';

-- Lists go by keyset on (submitted_at, id) and (completed_at, id), the newest first.
drop index generations_by_user;
create index generations_by_user on generations (user_id, submitted_at desc, id desc);
create index generations_by_project on generations (user_id, project_id, submitted_at desc, id desc)
    where project_id is not null;
create index generations_by_time on generations (submitted_at desc, id desc);
drop index designs_by_user;
create index designs_by_user on designs (user_id, submitted_at desc, id desc);
create index designs_by_time on designs (submitted_at desc, id desc);
drop index image_variants_by_user;
create index image_variants_by_user on image_variants (user_id, submitted_at desc, id desc);
create index image_variants_by_time on image_variants (submitted_at desc, id desc);
create index uploads_by_user on uploads (user_id, created_at desc, id desc);
create index uploads_by_time on uploads (created_at desc, id desc);
create index users_by_time on users (created_at desc, id desc);

-- What a request may say beside that.
alter table generation_requests
    add column retry_of uuid references generations,
    add column group_name text constraint group_name_length check (length(group_name) between 1 and 200),
    add column private boolean not null default false,
    add constraint a_group_lies_in_a_project check (group_name is null or project_id is not null);
comment on column generation_requests.retry_of is
    'an ended generation of the same user, whose failed and cancelled poses are made again with their variations and seeds';
comment on column generation_requests.group_name is 'several generations of one project that are priced, cancelled and archived together';
comment on column generation_requests.private is 'the pictures are shown by signed URLs only, in any store';
alter table generations
    add column group_name text,
    add column private boolean not null default false;
create index generations_by_group on generations (user_id, project_id, group_name, submitted_at desc, id desc)
    where group_name is not null;
-- Their further arguments come with the file of the function; grants on it are repeated (`posegen/database/grants.py`).
drop function if exists submit_generation;

-- Whose pose it is, and of which project, for lists of pictures.
alter table generated_poses add column user_id uuid, add column project_id text;
update generated_poses p set user_id = g.user_id, project_id = g.project_id from generations g where g.id = p.generation_id;
alter table generated_poses alter column user_id set not null;
create function own_pose() returns trigger language plpgsql as $$ begin return new; end $$;
create trigger a_pose_belongs_to_its_user before insert on generated_poses for each row execute function own_pose();
create index generated_poses_by_user on generated_poses (user_id, completed_at desc, id desc)
    where status = 'completed' and delete_after is null;
create index generated_poses_favourite on generated_poses (user_id, completed_at desc, id desc)
    where is_favourite and status = 'completed' and delete_after is null;
create index generated_poses_by_project on generated_poses (user_id, project_id, completed_at desc, id desc)
    where project_id is not null and status = 'completed' and delete_after is null;
create index generated_poses_by_library_pose on generated_poses (user_id, library_pose, completed_at desc, id desc)
    where status = 'completed' and delete_after is null;
create index generated_poses_by_time on generated_poses (completed_at desc, id desc)
    where status = 'completed' and delete_after is null;
create index generated_poses_of_user_without_picture on generated_poses (user_id, status, created_at desc, id desc)
    where status <> 'completed';
create index generated_poses_without_picture on generated_poses (status, created_at desc, id desc)
    where status <> 'completed';

-- Whose export it is, so that the exports of one user for one platform are found without a look at each of their poses.
alter table exports add column user_id uuid;
update exports e set user_id = p.user_id from generated_poses p where p.id = e.pose_id;
alter table exports alter column user_id set not null;
create function own_export() returns trigger language plpgsql as $$ begin return new; end $$;
create trigger an_export_belongs_to_its_user before insert on exports for each row execute function own_export();
create index exports_by_user on exports (user_id, format, pose_id) where status = 'completed' and deleted_at is null;

-- Whose event it is, and the transaction that has written it: followers go by the horizon of snapshots, because sequences
-- are drawn before the commit. Events of before are in no follower's future.
alter table events
    add column user_id uuid,
    add column position xid8 not null default '0';
alter table events alter column position set default pg_current_xact_id();
update events e set user_id = g.user_id from generations g where g.id = e.generation_id;
alter table events alter column user_id set not null;
comment on column events.position is 'the transaction that has inserted it; of events from before this column 0';
create function own_event() returns trigger language plpgsql as $$ begin return new; end $$;
create trigger an_event_belongs_to_its_user before insert on events for each row execute function own_event();
create index events_by_user on events (user_id, position);
create index events_by_position on events (position);

-- Who may come in over HTTP. Secrets are random, 256 bits, and only their SHA-256 is stored.
create table api_keys (
    id           text primary key check (id ~ '^[0-9A-Za-z]{12}$'),
    secret       bytea not null check (octet_length(secret) = 32),
    kind         text not null check (kind in ('user', 'service', 'admin')),
    user_id      uuid references users on delete cascade,
    name         text not null check (length(name) between 1 and 200),
    scopes       text[] not null,
    rate         integer constraint rate_in_range check (rate between 1 and 1000000),
    created_by   text not null check (length(created_by) between 1 and 200),
    created_at   timestamptz not null default now(),
    expires_at   timestamptz constraint key_expires_in_range check (expires_at <= '3000-01-01 00:00:00+00'),
    revoked_at   timestamptz,
    last_used_at timestamptz,
    constraint a_users_key_has_its_user check ((kind = 'user') = (user_id is not null))
);
comment on table api_keys is 'keys of applications and people for the HTTP API';
comment on column api_keys.rate is 'requests a minute; null for the default of its kind';
comment on column api_keys.last_used_at is 'noted at most once a minute';
create index api_keys_by_time on api_keys (created_at desc, id desc);
create index api_keys_by_user on api_keys (user_id, created_at desc, id desc) where user_id is not null;

create table sessions (
    id           uuid primary key default gen_random_uuid(),
    secret       bytea not null unique check (octet_length(secret) = 32),
    user_id      uuid not null references users on delete cascade,
    is_admin     boolean not null,
    created_at   timestamptz not null default now(),
    expires_at   timestamptz not null,
    revoked_at   timestamptz,
    last_used_at timestamptz
);
comment on table sessions is 'browsers that are signed in';
create index sessions_by_user on sessions (user_id);
create index sessions_by_end on sessions (expires_at);

create table login_links (
    secret     bytea primary key check (octet_length(secret) = 32),
    user_id    uuid not null references users on delete cascade,
    is_admin   boolean not null,
    created_by text not null check (length(created_by) between 1 and 200),
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    used_at    timestamptz
);
comment on table login_links is 'links that sign a browser in, once each';
create index login_links_by_end on login_links (expires_at);

create table stream_tickets (
    secret     bytea primary key check (octet_length(secret) = 32),
    caller     jsonb not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    used_at    timestamptz
);
comment on table stream_tickets is 'what a page of another origin opens a stream with, once each';
comment on column stream_tickets.caller is 'the key or session that asked for it, and what it may follow';
create index stream_tickets_by_end on stream_tickets (expires_at);

create table share_links (
    id            uuid primary key default gen_random_uuid(),
    secret        bytea not null unique check (octet_length(secret) = 32),
    user_id       uuid not null references users on delete cascade,
    generation_id uuid not null references generations on delete cascade,
    created_by    text not null check (length(created_by) between 1 and 200),
    created_at    timestamptz not null default now(),
    expires_at    timestamptz not null,
    revoked_at    timestamptz
);
comment on table share_links is 'links that show the pictures of one generation to anybody who has them, until they end';
create index share_links_by_user on share_links (user_id, created_at desc, id desc);
create index share_links_by_end on share_links (expires_at);

create table answered_requests (
    caller      text not null check (length(caller) between 1 and 200),
    key         text not null check (length(key) between 1 and 200),
    body_sha256 bytea not null check (octet_length(body_sha256) = 32),
    status      integer not null check (status between 200 and 599),
    response    jsonb not null,
    created_at  timestamptz not null default now(),
    primary key (caller, key)
);
comment on table answered_requests is 'responses by Idempotency-Key, kept for 7 days; stored together with what they describe';
comment on column answered_requests.body_sha256 is 'of method, path and body';
create index answered_requests_by_time on answered_requests (created_at);

-- What a list of library poses shows.
create table library_previews (
    library_pose       text primary key references library_poses on delete cascade,
    specification_hash text not null,
    object_id          bigint not null references objects,
    created_at         timestamptz not null default now()
);
comment on table library_previews is 'the mannequin in each library pose, as a small picture';
create index library_previews_by_object on library_previews (object_id);

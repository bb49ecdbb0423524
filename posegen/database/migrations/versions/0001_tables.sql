-- Who asks, and what they own ------------------------------------------------------------------------------------

create table users (
    id         uuid primary key default gen_random_uuid(),
    name       text not null check (length(name) between 1 and 200),
    created_at timestamptz not null default now()
);

create table accounts (
    user_id           uuid primary key references users on delete restrict,
    credits_granted   bigint not null default 0 check (credits_granted >= 0),
    credits_available bigint not null default 0 constraint credits_available_not_negative check (credits_available >= 0),
    credits_held      bigint not null default 0 check (credits_held >= 0),
    credits_spent     bigint not null default 0 check (credits_spent >= 0),
    storage_used      bigint not null default 0 check (storage_used >= 0),
    storage_reserved  bigint not null default 0 check (storage_reserved >= 0),
    storage_limit     bigint not null default 5368709120 check (storage_limit >= 0),
    constraint credits_balance check (credits_granted = credits_available + credits_held + credits_spent),
    constraint storage_within_limit check (storage_used + storage_reserved <= storage_limit)
);
comment on column accounts.storage_limit is 'bytes; 5 GiB unless an operator says otherwise';

-- What can be asked for ------------------------------------------------------------------------------------------

create table pose_categories (
    slug        text primary key check (slug ~ '^[a-z][a-z0-9_-]{0,62}$'),
    name        text not null,
    description text not null default '',
    position    integer not null default 0
);

create table library_poses (
    slug          text primary key check (slug ~ '^[a-z][a-z0-9_-]{0,62}$'),
    name          text not null,
    category      text not null references pose_categories,
    tags          text[] not null default '{}',
    description   text not null,
    difficulty    text not null check (difficulty in ('easy', 'medium', 'hard')),
    specification jsonb not null check (jsonb_typeof(specification) = 'object'),
    built_in      boolean not null default false,
    enabled       boolean not null default true,
    position      integer not null default 1000,
    created_at    timestamptz not null default now()
);
create index library_poses_by_category on library_poses (category, position);
comment on column library_poses.specification is 'joint angles on the skeleton; docs/reference/poses.md';

create table platforms (
    name         text primary key,
    width        integer not null check (width > 0),
    height       integer not null check (height > 0),
    content_type text not null,
    max_bytes    bigint,
    dpi          integer not null,
    source       text not null,
    read_on      text not null
);

create table avatar_attributes (
    attribute text not null,
    value     text not null,
    position  integer not null,
    primary key (attribute, value)
);

create table error_codes (
    code             text primary key,
    customer_message text not null,
    operator_message text not null
);

-- What was asked: the door for foreign backends --------------------------------------------------------------------

create table generation_requests (
    id              uuid primary key default gen_random_uuid(),
    user_id         uuid not null,
    project_id      text constraint project_id_length check (length(project_id) between 1 and 200),
    poses           text[] not null default '{}' constraint poses_length check (cardinality(poses) <= 1000),
    categories      text[] not null default '{}' constraint categories_length check (cardinality(categories) <= 1000),
    prompt          text constraint prompt_storable check (length(prompt) <= 100000),
    avatar          jsonb not null default '{}' constraint avatar_is_an_object check (jsonb_typeof(avatar) = 'object'),
    variations      integer not null default 1 constraint variations_in_range check (variations between 1 and 50),
    seed            bigint constraint seed_in_range check (seed between 0 and 4294967295),
    formats         text[] not null default '{}' constraint formats_length check (cardinality(formats) <= 1000),
    fit             text constraint fit_known check (fit in ('cover', 'contain')),
    backend         text constraint backend_length check (length(backend) between 1 and 100),
    control_weight  double precision not null default 1.0 constraint control_weight_in_range
                    check (control_weight between 0 and 2),
    priority        smallint not null default 0 constraint priority_in_range check (priority between -10 and 10),
    idempotency_key text constraint idempotency_key_length check (length(idempotency_key) between 1 and 200),
    created_at      timestamptz not null default now() constraint created_at_in_range
                    check (created_at between '2000-01-01' and '3000-01-01'),
    constraint one_request_per_idempotency_key unique (user_id, idempotency_key)
);
comment on table generation_requests is 'INSERT here to get pictures; docs/reference/database.md. A row never changes.';

-- What became of it ------------------------------------------------------------------------------------------------

create table generations (
    id               uuid primary key references generation_requests on delete restrict,
    user_id          uuid not null,
    project_id       text,
    status           text not null default 'submitted' check (status in
                     ('submitted', 'queued', 'dispatched', 'running', 'completed', 'partial', 'failed', 'cancelled')),
    error_code       text references error_codes,
    error_detail     text,
    formats          text[] not null default '{}',
    fit              text,
    backend          text,
    poses_total      integer not null default 0 check (poses_total between 0 and 50),
    poses_completed  integer not null default 0 check (poses_completed >= 0),
    poses_failed     integer not null default 0 check (poses_failed >= 0),
    priority         smallint not null,
    turn             bigint not null default 0,
    not_before       timestamptz not null default now(),
    dispatch         integer not null default 0,
    dispatched_at    timestamptz,
    run_id           text,
    worker_home      uuid,
    token            integer not null default 0,
    lease_expires_at timestamptz,
    attempts         integer not null default 0,
    lost_leases      integer not null default 0,
    storage_reserved bigint not null default 0 check (storage_reserved >= 0),
    last_event       integer not null default 0,
    submitted_at     timestamptz not null default now(),
    queued_at        timestamptz,
    started_at       timestamptz,
    progressed_at    timestamptz,
    finished_at      timestamptz,
    unique (id, user_id),
    constraint progress_within_total check (poses_completed + poses_failed <= poses_total),
    constraint a_running_generation_has_a_lease check ((status = 'running') = (lease_expires_at is not null)),
    constraint an_ended_generation_has_its_time
        check ((status in ('completed', 'partial', 'failed', 'cancelled')) = (finished_at is not null)),
    constraint a_failure_has_its_code check (status <> 'failed' or error_code is not null)
);
comment on column generations.fit is 'how pictures lie in their exports; none: as the platform and the figure want it';
comment on column generations.turn is 'fair order: users are served in turn; smaller goes first within one priority';
comment on column generations.dispatch is 'rises with every claim; part of the Dagster run key';
comment on column generations.token is 'fencing token: rises whenever another worker may write';
comment on column generations.worker_home is 'where the run holds a file lock for as long as it lives; none when nowhere';
create index generations_submitted on generations (submitted_at, id) where status = 'submitted';
create index generations_queued on generations (priority desc, turn, submitted_at, id)
    include (not_before, user_id, backend) where status = 'queued';
create index generations_queued_by_user on generations (user_id) where status = 'queued';
-- Only what changes with the state is indexed: a lease is renewed and progress noted without touching an index.
create index generations_under_way on generations (status, user_id, backend) where status in ('dispatched', 'running');
create index generations_begun on generations (started_at) where started_at is not null and finished_at is null;
create index generations_accepted on generations (user_id, queued_at) include (poses_total) where queued_at is not null;
create index generations_by_user on generations (user_id, submitted_at desc);
alter table generations set (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);

create table stores (
    name       text primary key,
    base_url   text not null,
    created_at timestamptz not null default now()
);

create table objects (
    id            bigint generated always as identity primary key,
    store         text not null references stores,
    key           text not null,
    sha256        text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    crc32         bigint not null check (crc32 between 0 and 4294967295),
    size          bigint not null check (size >= 0),
    content_type  text not null,
    generation_id uuid references generations,
    created_at    timestamptz not null default now(),
    unique (store, key)
);
create index objects_by_generation on objects (generation_id);
comment on column objects.generation_id is 'whose quota it counts against; none for what counts against nobody''s';

alter table generations add column contact_sheet_object bigint references objects;

create table generated_poses (
    id                  uuid primary key,
    generation_id       uuid not null references generations on delete restrict,
    position            integer not null check (position between 0 and 49),
    library_pose        text not null references library_poses,
    variation           integer not null check (variation between 0 and 49),
    seed                bigint not null check (seed between 0 and 4294967295),
    prompt_used         text not null,
    control_weight      double precision not null,
    backend             text not null,
    price               bigint not null check (price >= 0),
    status              text not null default 'pending'
                        check (status in ('pending', 'running', 'completed', 'failed', 'cancelled')),
    error_code          text references error_codes,
    error_detail        text,
    attempts            integer not null default 0,
    backend_failures    integer not null default 0,
    recipe              jsonb,
    recipe_hash         text check (recipe_hash ~ '^[0-9a-f]{64}$'),
    keypoints           jsonb,
    image_object        bigint references objects,
    original_object     bigint references objects,
    thumbnail_object    bigint references objects,
    render_ms           integer check (render_ms >= 0),
    generation_ms       integer check (generation_ms >= 0),
    is_favourite        boolean not null default false,
    download_count      integer not null default 0 check (download_count >= 0),
    last_downloaded_at  timestamptz,
    created_at          timestamptz not null default now(),
    completed_at        timestamptz,
    unique (generation_id, position),
    unique (id, generation_id),
    constraint a_completed_pose_has_its_objects check (status <> 'completed' or (
        image_object is not null and original_object is not null and thumbnail_object is not null
        and recipe_hash is not null and completed_at is not null)),
    constraint a_failed_pose_has_its_code check (status <> 'failed' or error_code is not null)
);
create index generated_poses_by_image on generated_poses (image_object);
create index generated_poses_by_original on generated_poses (original_object);
create index generated_poses_by_thumbnail on generated_poses (thumbnail_object);
comment on column generated_poses.id is 'uuid5 of generation and position: a rerun meets the same row';
comment on column generated_poses.keypoints is '18 OpenPose points [x, y], fractions of the image side';

create table exports (
    pose_id      uuid not null references generated_poses on delete cascade,
    format       text not null,
    status       text not null check (status in ('completed', 'failed')),
    object_id    bigint references objects,
    width        integer,
    height       integer,
    error_code   text references error_codes,
    error_detail text,
    created_at   timestamptz not null default now(),
    primary key (pose_id, format),
    constraint a_completed_export_has_its_object check ((status = 'completed') = (object_id is not null)),
    constraint a_failed_export_has_its_code check (status <> 'failed' or error_code is not null)
);
create index exports_by_object on exports (object_id);

create table control_maps (
    library_pose       text not null references library_poses on delete cascade,
    kind               text not null check (kind in ('openpose', 'depth')),
    width              integer not null check (width > 0),
    height             integer not null check (height > 0),
    specification_hash text not null,
    object_id          bigint not null references objects,
    created_at         timestamptz not null default now(),
    primary key (library_pose, kind, width, height)
);

-- Credits ----------------------------------------------------------------------------------------------------------

create table holds (
    generation_id uuid primary key,
    user_id       uuid not null references accounts,
    amount        bigint not null check (amount >= 0),
    captured      bigint not null default 0 check (captured >= 0),
    released      bigint not null default 0 check (released >= 0),
    refunded      bigint not null default 0 check (refunded >= 0),
    foreign key (generation_id, user_id) references generations (id, user_id),
    constraint no_more_than_was_held check (captured + released <= amount),
    constraint no_more_refunded_than_was_captured check (refunded <= captured)
);

create table ledger_entries (
    id            bigint generated always as identity primary key,
    kind          text not null,
    user_id       uuid not null references accounts,
    source        text not null,
    target        text not null,
    amount        bigint not null check (amount >= 0),
    generation_id uuid references generations,
    pose_id       uuid,
    reason        text not null check (length(reason) between 1 and 500),
    actor         text not null check (length(actor) between 1 and 200),
    created_at    timestamptz not null default now(),
    foreign key (pose_id, generation_id) references generated_poses (id, generation_id),
    constraint a_kind_moves_credits_one_way check ((kind, source, target) in (
        ('grant', 'issued', 'available'), ('hold', 'available', 'held'), ('capture', 'held', 'spent'),
        ('release', 'held', 'available'), ('refund', 'spent', 'available'))),
    constraint a_kind_has_its_subject check (
        (kind = 'grant' and generation_id is null and pose_id is null)
        or (kind = 'hold' and generation_id is not null and pose_id is null)
        or (kind in ('capture', 'release', 'refund') and generation_id is not null and pose_id is not null))
);
create unique index one_hold_per_generation on ledger_entries (generation_id) where kind = 'hold';
create unique index one_capture_or_release_per_pose on ledger_entries (pose_id) where kind in ('capture', 'release');
create unique index one_refund_per_pose on ledger_entries (pose_id) where kind = 'refund';
create index ledger_entries_by_user on ledger_entries (user_id, id);
create index ledger_entries_by_generation on ledger_entries (generation_id);
comment on table ledger_entries is 'every movement of credits: `amount` leaves `source` and arrives in `target`; append-only';

-- What happened ----------------------------------------------------------------------------------------------------

create table events (
    generation_id uuid not null references generations,
    sequence      integer not null check (sequence > 0),
    kind          text not null,
    detail        jsonb not null default '{}',
    created_at    timestamptz not null default now(),
    primary key (generation_id, sequence)
);
create index events_by_time on events (created_at);

-- Runs that lost their generation and that Dagster has to be told of: in the transaction that decided it.
create table lost_runs (
    run_id        text primary key,
    generation_id uuid not null references generations,
    reason        text not null,
    created_at    timestamptz not null default now()
);

-- Whether backends answer --------------------------------------------------------------------------------------------

create table backend_breakers (
    backend    text primary key check (length(backend) between 1 and 100),
    failures   integer not null default 0 check (failures >= 0),
    opened_at  timestamptz,
    retry_at   timestamptz,
    openings   integer not null default 0 check (openings >= 0),
    probe_ends timestamptz,
    last_error text,
    updated_at timestamptz not null default now(),
    constraint an_open_breaker_says_until_when check ((opened_at is null) = (retry_at is null))
);
comment on table backend_breakers is 'one circuit breaker for each backend, shared by all workers';
comment on column backend_breakers.failures is 'in a row, since the last answer';
comment on column backend_breakers.openings is 'in a row without an answer in between: each waits longer than the last';
comment on column backend_breakers.probe_ends is 'until when one worker has the right to try whether the backend is back';

create table backend_outages (
    backend   text not null references backend_breakers,
    opened_at timestamptz not null,
    closed_at timestamptz,
    primary key (backend, opened_at)
);
comment on table backend_outages is 'when a breaker was open: the time limit of its generations stands still';

-- Whose turn it is -------------------------------------------------------------------------------------------------

create table queue_clock (
    priority smallint primary key check (priority between -10 and 10),
    turn     bigint not null default 0
);
insert into queue_clock (priority) select generate_series(-10, 10);
comment on table queue_clock is 'the turn that was claimed last; a user who comes back starts from here, not from the past';

create table user_turns (
    user_id  uuid not null references users,
    priority smallint not null references queue_clock,
    turn     bigint not null,
    primary key (user_id, priority)
);
comment on table user_turns is 'the turn that a user''s latest generation queued for; see generations.turn';

-- Images: quality figures, variants and design previews, each with its door --

-- Quality: what was measured on each picture before it was handed out ----------------------------------------------------

alter table generated_poses
    add column quality_retries     integer not null default 0 check (quality_retries >= 0),
    add column brightness          real check (brightness between 0 and 255),
    add column contrast            real check (contrast between 0 and 255),
    add column sharpness           real check (sharpness >= 0),
    add column noise               real check (noise >= 0),
    add column perceptual_hash     bytea check (octet_length(perceptual_hash) = 1024),
    add column figure_share        real check (figure_share between 0 and 1),
    add column figure_on_keypoints real check (figure_on_keypoints between 0 and 1),
    add column figure_outline      real check (figure_outline between 0 and 1),
    add constraint a_measured_figure_is_measured_whole
        check (num_nulls(figure_share, figure_on_keypoints, figure_outline) in (0, 3)),
    add constraint a_measured_picture_is_measured_whole
        check (num_nulls(brightness, contrast, sharpness, noise, perceptual_hash) in (0, 5));
comment on column generated_poses.seed is 'planned, and once completed the one that the picture was made with';
comment on column generated_poses.quality_retries is 'pictures that were made before this one, and did not pass the quality gate';
comment on column generated_poses.perceptual_hash is 'mean luma of 32x32 blocks, row by row: near for pictures that look alike';

create view pose_quality as
    select p.id as pose_id, p.generation_id, p.position, p.seed as seed_used, p.quality_retries, p.brightness, p.contrast,
           p.sharpness, p.noise, p.figure_share, p.figure_on_keypoints, p.figure_outline
    from generated_poses p where p.status = 'completed';

-- Platforms: how a picture is fitted and encoded; the table is what intake and exports go by ---------------------------

alter table platforms
    add column fit text not null default 'figure' check (fit in ('figure', 'contain', 'cover')),
    add column background text not null default 'extend' check (background ~ '^(extend|#[0-9a-fA-F]{6})$'),
    add column quality integer not null default 90 check (quality between 60 and 95),
    add column reserve_bytes bigint not null default 10000000 check (reserve_bytes > 0),
    add column built_in boolean not null default true;
alter table platforms alter column reserve_bytes drop default;
comment on column platforms.fit is 'figure: fills the format where that cuts off nothing of the figure, else contains';
comment on column platforms.reserve_bytes is 'what one export may take: set aside for it, and never exceeded';

alter table exports
    add column fit text check (fit in ('contain', 'cover')),
    add column effective_ppi real check (effective_ppi > 0);
comment on column exports.effective_ppi is 'of a print: how many pixels of the pose an inch of paper shows';

-- Provenance: from a file, or the recipe that it names, to the poses ----------------------------------------------------

create index objects_by_sha256 on objects (sha256);
create index generated_poses_by_recipe on generated_poses (recipe_hash) where recipe_hash is not null;

-- Variants: any stored picture as a JPEG and as a WebP of high quality ---------------------------------------------------

alter table objects
    add column user_id uuid references users,
    add constraint an_object_counts_once check (generation_id is null or user_id is null);
create index objects_by_user on objects (user_id) where user_id is not null;
comment on column objects.user_id is 'whose quota it counts against where it belongs to no generation';

create function give_back_users_space() returns trigger language plpgsql as $$
begin
    update accounts a set storage_used = a.storage_used - gone.size
    from (select user_id, sum(size) as size from deleted where user_id is not null group by user_id) gone
    where a.user_id = gone.user_id;
    return null;
end $$;
create trigger deleted_objects_of_users_take_no_space after delete on objects
    referencing old table as deleted for each statement execute function give_back_users_space();

create table image_requests (
    id         uuid primary key default gen_random_uuid(),
    user_id    uuid not null,
    tool       text not null constraint tool_is_a_name check (tool ~ '^[a-z][a-z0-9_-]{0,62}$'),
    source     text not null constraint source_length check (length(source) between 1 and 2000),
    created_at timestamptz not null default now() constraint image_request_time_is_sane
               check (created_at between '2000-01-01' and '3000-01-01')
);
comment on table image_requests is 'INSERT here to get variants of a stored picture; docs/reference/database.md. A row never changes.';
comment on column image_requests.source is 'a picture''s URL as the views give it, or its key';

create trigger an_image_request_never_changes before update on image_requests
    for each row execute function refuse_change();

create table image_variants (
    id                  uuid primary key references image_requests on delete restrict,
    user_id             uuid not null,
    status              text not null default 'submitted'
                        check (status in ('submitted', 'dispatched', 'running', 'completed', 'failed')),
    error_code          text references error_codes,
    error_detail        text,
    normal_object       bigint references objects,
    high_quality_object bigint references objects,
    width               integer check (width > 0),
    height              integer check (height > 0),
    claim               uuid,
    dispatched_at       timestamptz,
    lease_expires_at    timestamptz,
    attempts            integer not null default 0 check (attempts >= 0),
    lost_leases         integer not null default 0 check (lost_leases >= 0),
    not_before          timestamptz not null default now(),
    submitted_at        timestamptz not null default now(),
    finished_at         timestamptz,
    constraint variants_at_work_have_a_claim check ((status in ('dispatched', 'running')) = (claim is not null)),
    constraint running_variants_have_a_lease check ((status = 'running') = (lease_expires_at is not null)),
    constraint ended_variants_have_their_time check ((status in ('completed', 'failed')) = (finished_at is not null)),
    constraint completed_variants_have_their_objects
        check ((status = 'completed') = (normal_object is not null and high_quality_object is not null)),
    constraint failed_variants_have_their_code check ((status = 'failed') = (error_code is not null))
);
create index image_variants_waiting on image_variants (submitted_at, id) where status = 'submitted';
create index image_variants_at_work on image_variants (claim) where status in ('dispatched', 'running');
create index image_variants_by_normal on image_variants (normal_object);
create index image_variants_by_high_quality on image_variants (high_quality_object);
create index image_variants_by_user on image_variants (user_id, submitted_at desc);
comment on column image_variants.claim is 'who may write: another one with every run that is to make it';

create function guard_variants_status() returns trigger language plpgsql as $$
begin
    if new.status = old.status or (old.status, new.status) in (
        ('submitted', 'dispatched'), ('dispatched', 'running'), ('dispatched', 'submitted'), ('dispatched', 'failed'),
        ('running', 'submitted'), ('running', 'completed'), ('running', 'failed')) then
        return new;
    end if;
    raise exception 'variants % cannot go from % to %', old.id, old.status, new.status using errcode = 'restrict_violation';
end $$;
create trigger guard_status before update of status on image_variants
    for each row execute function guard_variants_status();

create function accept_image_requests() returns trigger language plpgsql as $$
begin
    insert into image_variants (id, user_id, submitted_at) select id, user_id, created_at from arrived;
    return null;
end $$;
create trigger an_image_request_becomes_variants after insert on image_requests
    referencing new table as arrived for each statement execute function accept_image_requests();

create view variant_results as
    select v.id as request_id, v.user_id, r.tool, r.source, v.status, v.error_code, v.error_detail,
           normal.url as normal_url, high.url as high_quality_url, v.width, v.height, normal.size as normal_bytes,
           high.size as high_quality_bytes, r.created_at, v.finished_at
    from image_variants v
    join image_requests r on r.id = v.id
    left join object_urls normal on normal.id = v.normal_object
    left join object_urls high on high.id = v.high_quality_object;

do $$
declare
    door text;
begin
    foreach door in array array['give_back_users_space()', 'accept_image_requests()'] loop
        execute format('alter function %s security definer set search_path = %I, pg_temp', door, current_schema());
    end loop;
end $$;
revoke execute on function give_back_users_space, guard_variants_status, accept_image_requests from public;

-- Designs: a text on a coloured ground, as preview, thumbnail and print ----------------------------------------------------

create table product_types (
    name     text primary key check (name ~ '^[a-z][a-z0-9-]{0,62}$'),
    title    text not null,
    width    real not null check (width > 0),
    height   real not null check (height > 0),
    bleed    real not null check (bleed >= 0),
    ground   text not null,
    ink      text not null,
    position integer not null
);
comment on table product_types is 'what designs are printed on; width, height and bleed in millimetres';

create table design_fonts (
    name     text primary key check (name ~ '^[a-z][a-z0-9-]{0,62}$'),
    title    text not null,
    fallback text not null,
    position integer not null
);
comment on table design_fonts is 'what designs can be set in; fallback: the font for letters that one lacks';

create table design_requests (
    id            uuid primary key default gen_random_uuid(),
    user_id       uuid not null,
    project_id    text constraint design_project_length check (length(project_id) between 1 and 200),
    text          text not null constraint design_text_storable check (length(text) <= 100000),
    font          text not null default 'noto-sans-bold' constraint design_font_length check (length(font) between 1 and 100),
    size          double precision constraint design_size_in_range check (size between 1 and 2000),
    text_colour   text constraint design_text_colour_length check (length(text_colour) between 1 and 100),
    ground_colour text constraint design_ground_colour_length check (length(ground_colour) between 1 and 100),
    product_type  text not null default 't-shirt' constraint design_product_length
                  check (length(product_type) between 1 and 100),
    watermark     text constraint design_watermark_storable check (length(watermark) between 1 and 10000),
    print_file    boolean not null default false,
    created_at    timestamptz not null default now() constraint design_time_is_sane
                  check (created_at between '2000-01-01' and '3000-01-01')
);
comment on table design_requests is
    'INSERT here to get a design, DELETE to be rid of it and its files; docs/reference/database.md. A row never changes.';
comment on column design_requests.size is 'of the text, in points; null for as large as fits';
create index design_requests_by_user on design_requests (user_id, created_at desc);

create trigger a_design_request_never_changes before update on design_requests
    for each row execute function refuse_change();

create table designs (
    id               uuid primary key references design_requests on delete cascade,
    user_id          uuid not null,
    folder           uuid not null unique default gen_random_uuid(),
    status           text not null default 'draft' check (status in ('draft', 'rendering', 'published', 'failed')),
    error_code       text references error_codes,
    error_detail     text,
    warnings         text[] not null default '{}',
    size_used        double precision check (size_used > 0),
    preview_object   bigint references objects,
    thumbnail_object bigint references objects,
    print_object     bigint references objects,
    claim            integer not null default 0 check (claim >= 0),
    claimed_at       timestamptz,
    run_id           text,
    lease_expires_at timestamptz,
    attempts         integer not null default 0 check (attempts >= 0),
    lost_leases      integer not null default 0 check (lost_leases >= 0),
    not_before       timestamptz not null default now(),
    submitted_at     timestamptz not null default now(),
    finished_at      timestamptz,
    constraint a_claimed_design_is_a_draft check (claimed_at is null or status = 'draft'),
    constraint a_design_in_work_has_a_lease check ((status = 'rendering') = (lease_expires_at is not null)),
    constraint an_ended_design_has_its_time check ((status in ('published', 'failed')) = (finished_at is not null)),
    constraint a_published_design_has_its_objects check ((status = 'published')
        = (preview_object is not null and thumbnail_object is not null and size_used is not null)),
    constraint only_a_published_design_has_a_print check (print_object is null or status = 'published'),
    constraint a_failed_design_has_its_code check ((status = 'failed') = (error_code is not null))
);
comment on column designs.folder is 'of its keys: never used twice, so that a late deletion meets no newer object';
comment on column designs.claim is 'rises with every claim: part of the Dagster run key, and the fencing token of whoever works';
comment on column designs.claimed_at is 'of a draft whose run is on its way';
create index designs_waiting on designs (submitted_at, id) include (not_before)
    where status = 'draft' and claimed_at is null;
create index designs_claimed on designs (claimed_at) where claimed_at is not null;
create index designs_in_work on designs (lease_expires_at) where status = 'rendering';
create index designs_by_preview on designs (preview_object);
create index designs_by_thumbnail on designs (thumbnail_object);
create index designs_by_print on designs (print_object);
create index designs_by_user on designs (user_id, submitted_at desc);

create table deleted_designs (
    entry      bigint generated always as identity primary key,
    design_id  uuid not null,
    store      text references stores,
    keys       text[] not null default '{}',
    deleted_at timestamptz not null default now()
);
comment on table deleted_designs is 'designs that are gone from the tables, and what is left of them in a store';

create function guard_design_status() returns trigger language plpgsql as $$
begin
    if new.status = old.status or (old.status, new.status) in (
        ('draft', 'rendering'), ('draft', 'failed'), ('rendering', 'draft'), ('rendering', 'published'),
        ('rendering', 'failed')) then
        return new;
    end if;
    raise exception 'design % cannot go from % to %', old.id, old.status, new.status using errcode = 'restrict_violation';
end $$;
create trigger guard_status before update of status on designs
    for each row execute function guard_design_status();

create function accept_design_requests() returns trigger language plpgsql as $$
begin
    insert into designs (id, user_id, submitted_at) select id, user_id, created_at from arrived;
    perform pg_notify('posegen_design_requests', '');
    return null;
end $$;
create trigger a_design_request_becomes_a_design after insert on design_requests
    referencing new table as arrived for each statement execute function accept_design_requests();

create function announce_design() returns trigger language plpgsql as $$
begin
    perform pg_notify('posegen_designs', new.id || ':' || new.status);
    -- A slot is free: the sensor need not sleep through it while others wait.
    if old.status = 'rendering' and exists (select from designs where status = 'draft' and claimed_at is null) then
        perform pg_notify('posegen_design_requests', '');
    end if;
    return null;
end $$;
create trigger a_designs_step_is_announced after update of status on designs for each row
    when (old.status <> new.status) execute function announce_design();

-- Rows first, bytes later: a design is never there without its objects. Space goes back with the objects' rows.
create function forget_objects_of_design() returns trigger language plpgsql as $$
begin
    with gone as (
        delete from objects where id in (old.preview_object, old.thumbnail_object, old.print_object) returning store, key
    )
    insert into deleted_designs (design_id, store, keys) select old.id, store, array_agg(key) from gone group by store;
    if not found then
        insert into deleted_designs (design_id) values (old.id);
    end if;
    perform pg_notify('posegen_design_requests', '');
    return null;
end $$;
create trigger a_deleted_design_leaves_no_objects after delete on designs
    for each row execute function forget_objects_of_design();

create view design_results as
    select d.id as design_id, d.user_id, r.project_id, d.status, d.error_code, e.customer_message as error_message,
           d.error_detail, d.warnings, r.text, r.font, r.product_type, r.size, d.size_used, r.text_colour, r.ground_colour,
           r.watermark, preview.url as preview_url, thumbnail.url as thumbnail_url, print.key as print_key,
           print.size as print_bytes, d.attempts, r.created_at, d.finished_at
    from designs d
    join design_requests r on r.id = d.id
    left join error_codes e on e.code = d.error_code
    left join object_urls preview on preview.id = d.preview_object
    left join object_urls thumbnail on thumbnail.id = d.thumbnail_object
    left join objects print on print.id = d.print_object;

do $$
declare
    door text;
begin
    foreach door in array array['accept_design_requests()', 'announce_design()', 'forget_objects_of_design()'] loop
        execute format('alter function %s security definer set search_path = %I, pg_temp', door, current_schema());
    end loop;
end $$;
revoke execute on function guard_design_status, accept_design_requests, announce_design, forget_objects_of_design
    from public;

-- What comes from outside has bounds --------------------------------------------------------------------------------------

-- Not valid: rows from before may be anything, and are read as such. No expression calls a function of ours, because a
-- constraint is checked with the rights of the role that inserts.
alter table generation_requests
    add constraint poses_size check (octet_length(array_to_string(poses, '')) <= 100000) not valid,
    add constraint categories_size check (octet_length(array_to_string(categories, '')) <= 100000) not valid,
    add constraint formats_size check (octet_length(array_to_string(formats, '')) <= 100000) not valid,
    -- A number of 5,000 digits is more than a client can be expected to read; every double has less than 400.
    add constraint avatar_bounded check (case
        when pg_column_size(avatar) > 40000 or octet_length(avatar::text) > 20000 then false
        else avatar::text !~ '[0-9]{200}[0-9]{201}' and not avatar @? '$.**{17 to last}' end) not valid;

alter table pose_categories
    add constraint category_name_length check (length(name) between 1 and 200) not valid,
    add constraint category_description_length check (length(description) <= 2000) not valid;

-- The same bounds as for the operators' file.
alter table platforms
    add constraint platform_name check (name ~ '^[a-z][a-z0-9_]{0,62}$') not valid,
    add constraint platform_sides check (width between 16 and 8192 and height between 16 and 8192
        and width::bigint * height <= 20000000 and greatest(width, height) <= 10 * least(width, height)) not valid,
    add constraint platform_bytes check (max_bytes >= 20000 and reserve_bytes between 20000 and 100000000) not valid,
    add constraint platform_dpi check (dpi between 1 and 2400) not valid,
    add constraint platform_source check (length(source) between 1 and 2000 and length(content_type) <= 100) not valid,
    add constraint platform_read_on check (read_on ~ '^20\d\d-(0[1-9]|1[0-2])$') not valid;

-- A trigger, because a constraint would also refuse to disable a pose from before that breaks it.
create function guard_library_pose() returns trigger language plpgsql as $$
declare
    broken text;
    rule text;
begin
    if tg_op = 'UPDATE' and (new.name, new.description, new.tags) is not distinct from (old.name, old.description, old.tags)
        and new.specification is not distinct from old.specification then
        return new;
    end if;
    if length(new.name) not between 1 and 200 or length(new.description) > 2000 then
        broken := 'pose_text_length';
        rule := 'the name has 1 to 200 characters, the description at most 2,000';
    elsif coalesce(array_ndims(new.tags), 1) > 1 or cardinality(new.tags) > 100
        or octet_length(array_to_string(new.tags, '')) > 10000 or num_nulls(variadic new.tags) > 0 then
        broken := 'pose_tags_bounded';
        rule := 'tags are at most 100 texts of 10,000 bytes together, none of them null';
    elsif pg_column_size(new.specification) > 100000 or octet_length(new.specification::text) > 50000
        or new.specification::text ~ '[0-9]{200}[0-9]{201}' or new.specification @? '$.**{17 to last}' then
        broken := 'specification_bounded';
        rule := 'the specification has at most 50,000 bytes as text, 16 levels, and numbers of 400 digits';
    else
        return new;
    end if;
    raise exception 'library pose %: %', new.slug, rule
        using errcode = 'check_violation', constraint = broken, table = 'library_poses';
end $$;
create trigger guard_library_pose before insert or update on library_poses
    for each row execute function guard_library_pose();
revoke execute on function guard_library_pose from public;

-- Steps of the sensors' ticks that failed ---------------------------------------------------------------------------------

create table step_failures (
    tick          text not null check (length(tick) between 1 and 100),
    step          text not null check (length(step) between 1 and 100),
    cause         text not null check (length(cause) between 1 and 300),
    failures      bigint not null default 1 check (failures > 0),
    detail        text not null check (length(detail) <= 2000),
    failing_since timestamptz default now(),
    first_at      timestamptz not null default now(),
    last_at       timestamptz not null default now(),
    primary key (tick, step, cause)
);
comment on table step_failures is 'what the steps of the sensors'' ticks failed by, since ever; docs/how-to/monitor.md';
comment on column step_failures.cause is 'kind and place of the error, the same for every row that it meets';
comment on column step_failures.failing_since is 'null since the step works again';

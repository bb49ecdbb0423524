-- Guards -----------------------------------------------------------------------------------------------------------

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% of % is refused: its rows are append-only', tg_op, tg_table_name using errcode = 'restrict_violation';
end $$;

create trigger ledger_is_append_only before update or delete on ledger_entries
    for each row execute function refuse_change();
create trigger ledger_is_never_emptied before truncate on ledger_entries
    for each statement execute function refuse_change();
create trigger a_request_never_changes before update on generation_requests
    for each row execute function refuse_change();

create function guard_generation_status() returns trigger language plpgsql as $$
begin
    if new.status = old.status or (old.status, new.status) in (
        ('submitted', 'queued'), ('submitted', 'failed'), ('submitted', 'cancelled'),
        ('queued', 'dispatched'), ('queued', 'failed'), ('queued', 'cancelled'),
        ('dispatched', 'running'), ('dispatched', 'queued'), ('dispatched', 'partial'), ('dispatched', 'failed'),
        ('dispatched', 'cancelled'),
        ('running', 'queued'), ('running', 'completed'), ('running', 'partial'), ('running', 'failed'),
        ('running', 'cancelled')) then
        return new;
    end if;
    raise exception 'generation % cannot go from % to %', old.id, old.status, new.status using errcode = 'restrict_violation';
end $$;
create trigger guard_status before update of status on generations
    for each row execute function guard_generation_status();

create function guard_pose_status() returns trigger language plpgsql as $$
begin
    if new.status = old.status or old.status in ('pending', 'running') then
        return new;
    end if;
    raise exception 'pose % cannot go from % to %', old.id, old.status, new.status using errcode = 'restrict_violation';
end $$;
create trigger guard_status before update of status on generated_poses
    for each row execute function guard_pose_status();

-- What follows by itself -------------------------------------------------------------------------------------------

create function open_account() returns trigger language plpgsql as $$
begin
    insert into accounts (user_id) values (new.id);
    return null;
end $$;
create trigger a_user_has_an_account after insert on users for each row execute function open_account();

create function accept_requests() returns trigger language plpgsql as $$
begin
    insert into generations (id, user_id, project_id, formats, backend, priority, submitted_at)
    select id, user_id, project_id, formats, backend, priority, created_at from arrived;
    perform pg_notify('posegen_requests', '');
    return null;
end $$;
create trigger a_request_becomes_a_generation after insert on generation_requests
    referencing new table as arrived for each statement execute function accept_requests();

-- Balances follow the ledger, so that the two cannot differ: nothing else writes credits.
create function apply_ledger_entry() returns trigger language plpgsql as $$
begin
    update accounts set
        credits_granted = credits_granted + case when new.source = 'issued' then new.amount else 0 end,
        credits_available = credits_available + case 'available' when new.target then new.amount
                                                                 when new.source then -new.amount else 0 end,
        credits_held = credits_held + case 'held' when new.target then new.amount when new.source then -new.amount else 0 end,
        credits_spent = credits_spent + case 'spent' when new.target then new.amount
                                                     when new.source then -new.amount else 0 end
    where user_id = new.user_id;
    if new.kind = 'hold' then
        insert into holds (generation_id, user_id, amount) values (new.generation_id, new.user_id, new.amount);
    elsif new.kind in ('capture', 'release') then
        update holds set
            captured = captured + case new.kind when 'capture' then new.amount else 0 end,
            released = released + case new.kind when 'release' then new.amount else 0 end
        where generation_id = new.generation_id and user_id = new.user_id;
        if not found then
            raise exception 'pose % has no hold to % from', new.pose_id, new.kind using errcode = 'foreign_key_violation';
        end if;
    end if;
    return null;
end $$;
create trigger balances_follow after insert on ledger_entries for each row execute function apply_ledger_entry();

create function record_event(of_generation uuid, kind text, detail jsonb default '{}') returns integer language plpgsql as $$
declare
    next_sequence integer;
begin
    update generations set last_event = last_event + 1 where id = of_generation returning last_event into next_sequence;
    insert into events (generation_id, sequence, kind, detail) values (of_generation, next_sequence, kind, detail);
    perform pg_notify('posegen_events', of_generation || ':' || next_sequence);
    return next_sequence;
end $$;

-- The doors for foreign backends -----------------------------------------------------------------------------------

create function submit_generation(
    user_id uuid,
    idempotency_key text,
    poses text[] default '{}',
    prompt text default null,
    categories text[] default '{}',
    avatar jsonb default '{}',
    variations integer default 1,
    seed bigint default null,
    formats text[] default '{}',
    project_id text default null,
    backend text default null,
    control_weight double precision default 1.0,
    priority integer default 0
) returns table (generation_id uuid, status text, replayed boolean) language plpgsql as $$
#variable_conflict use_variable
declare
    earlier generation_requests;
begin
    insert into generation_requests as fresh
        (user_id, idempotency_key, poses, prompt, categories, avatar, variations, seed, formats, project_id, backend,
         control_weight, priority)
    values (user_id, idempotency_key, poses, prompt, categories, avatar, variations, seed, formats, project_id, backend,
            control_weight, priority)
    on conflict on constraint one_request_per_idempotency_key do nothing
    returning fresh.id into generation_id;
    if found then
        status := 'submitted';
        replayed := false;
        return next;
        return;
    end if;
    select * into earlier from generation_requests r
        where r.user_id = user_id and r.idempotency_key = idempotency_key;
    if (earlier.poses, earlier.prompt, earlier.categories, earlier.avatar, earlier.variations, earlier.seed, earlier.formats,
        earlier.project_id, earlier.backend, earlier.control_weight, earlier.priority::integer)
       is distinct from
       (poses, prompt, categories, avatar, variations, seed, formats, project_id, backend, control_weight, priority) then
        raise exception 'idempotency key % was used for another request, generation %', quote_literal(idempotency_key), earlier.id
            using errcode = 'PG409', hint = 'Send the same body again, or choose a new key for a new request.';
    end if;
    generation_id := earlier.id;
    status := (select g.status from generations g where g.id = earlier.id);
    replayed := true;
    return next;
end $$;
comment on function submit_generation is 'INSERT with an idempotency key: same key and body give the same generation';

-- The one way in which work ends without its pictures: what is open is cancelled, and its credits and space go back.
create function end_open_poses(of_generation uuid, reason text, actor text) returns integer language plpgsql as $$
declare
    open_poses integer;
begin
    with ended as (
        update generated_poses set status = 'cancelled'
        where generation_id = of_generation and status in ('pending', 'running') returning id, price
    ), released as (
        insert into ledger_entries (kind, user_id, source, target, amount, generation_id, pose_id, reason, actor)
        select 'release', h.user_id, 'held', 'available', ended.price, of_generation, ended.id, reason, actor
        from ended join holds h on h.generation_id = of_generation
    )
    select count(*) into open_poses from ended;
    return open_poses;
end $$;

create function give_back_reservation(of_generation uuid) returns bigint language plpgsql as $$
declare
    reserved bigint;
begin
    select storage_reserved into reserved from generations where id = of_generation;
    update accounts set storage_reserved = accounts.storage_reserved - reserved
        where user_id = (select user_id from generations where id = of_generation);
    update generations set storage_reserved = 0 where id = of_generation;
    return reserved;
end $$;

create function cancel_generation(generation uuid, actor text default 'customer') returns boolean language plpgsql as $$
declare
    open_poses integer;
begin
    update generations set status = 'cancelled', error_code = 'cancelled', token = token + 1,
        lease_expires_at = null, finished_at = now()
    where id = generation and status in ('submitted', 'queued', 'dispatched', 'running');
    if not found then
        return false;
    end if;
    open_poses := end_open_poses(generation, 'generation cancelled', actor);
    perform give_back_reservation(generation);
    perform record_event(generation, 'cancelled', jsonb_build_object('actor', actor, 'open_poses', open_poses));
    return true;
end $$;
comment on function cancel_generation is 'true when it was still open; finished poses stay and stay paid for';

create function set_favourite(pose uuid, favourite boolean) returns boolean language sql as $$
    update generated_poses set is_favourite = favourite where id = pose and status = 'completed' returning true;
$$;
comment on function set_favourite is 'true when the pose exists and is completed, null when not';

create function record_download(pose uuid, format text default null) returns integer language plpgsql as $$
declare
    downloads integer;
begin
    if format is not null and not exists (
        select from exports e where e.pose_id = pose and e.format = record_download.format and e.status = 'completed') then
        return null;
    end if;
    update generated_poses set download_count = download_count + 1, last_downloaded_at = now()
    where id = pose and status = 'completed' returning download_count into downloads;
    return downloads;
end $$;
comment on function record_download is 'the new count, or null when there is no such picture; no format means the image itself';

create function grant_credits(user_id uuid, amount bigint, reason text, actor text default current_user)
returns bigint language plpgsql as $$
#variable_conflict use_variable
begin
    if amount <= 0 then
        raise exception 'cannot grant % credits: the amount must be above 0', amount using errcode = 'check_violation';
    end if;
    insert into ledger_entries (kind, user_id, source, target, amount, reason, actor)
    values ('grant', user_id, 'issued', 'available', amount, reason, actor);
    return (select a.credits_available from accounts a where a.user_id = user_id);
end $$;
comment on function grant_credits is 'gives credits to a user; answers what is available now';

-- Views: what foreign backends read --------------------------------------------------------------------------------

create view object_urls as
    select o.id, rtrim(s.base_url, '/') || '/' || o.key as url, o.size, o.content_type, o.sha256
    from objects o join stores s on s.name = o.store;

create view generation_results as
    select g.id as generation_id, g.user_id, g.project_id, g.status, g.error_code,
           e.customer_message as error_message, g.error_detail, r.prompt, g.formats, g.backend,
           g.poses_total, g.poses_completed, g.poses_failed,
           coalesce(h.captured, 0) as credits_spent, coalesce(h.amount - h.captured - h.released, 0) as credits_held,
           coalesce(h.released, 0) as credits_released,
           r.created_at, g.queued_at, g.started_at, g.finished_at,
           extract(epoch from g.finished_at - g.submitted_at)::double precision as seconds_to_finish
    from generations g
    join generation_requests r on r.id = g.id
    left join holds h on h.generation_id = g.id
    left join error_codes e on e.code = g.error_code;

create view pose_results as
    select p.id as pose_id, p.generation_id, g.user_id, g.project_id, p.position, p.library_pose, l.name as pose_name,
           l.category, p.variation, p.status, p.error_code, c.customer_message as error_message, p.error_detail,
           image.url as image_url, thumbnail.url as thumbnail_url, original.url as original_url,
           coalesce((select jsonb_object_agg(e.format, u.url) from exports e join object_urls u on u.id = e.object_id
                     where e.pose_id = p.id and e.status = 'completed'), '{}') as exports,
           p.prompt_used, p.seed as seed_used, p.control_weight, p.backend,
           p.generation_ms / 1000.0 as generation_seconds, g.status as generation_status,
           g.poses_completed, g.poses_total, p.price as credits, p.is_favourite, p.download_count,
           p.created_at, p.completed_at
    from generated_poses p
    join generations g on g.id = p.generation_id
    join library_poses l on l.slug = p.library_pose
    left join error_codes c on c.code = p.error_code
    left join object_urls image on image.id = p.image_object
    left join object_urls thumbnail on thumbnail.id = p.thumbnail_object
    left join object_urls original on original.id = p.original_object;

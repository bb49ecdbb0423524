-- Guards -----------------------------------------------------------------------------------------------------------

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% of % is refused: its rows are append-only', tg_op, tg_table_name using errcode = 'restrict_violation';
end $$;

create trigger ledger_is_append_only before update or delete on ledger_entries
    for each row execute function refuse_change();
create trigger ledger_is_never_emptied before truncate on ledger_entries
    for each statement execute function refuse_change();
-- Whoever may hold, capture and release for generations may not give credits away: that has doors of its own.
create function guard_ledger_kind() returns trigger language plpgsql as $$
begin
    if new.kind in ('hold', 'capture', 'release')
        or pg_has_role((select relowner from pg_class where oid = tg_relid), 'usage') then
        return new;
    end if;
    raise exception '% may not % credits', current_user, new.kind using errcode = 'insufficient_privilege';
end $$;
create trigger guard_kind before insert on ledger_entries for each row execute function guard_ledger_kind();

create trigger a_request_never_changes before update on generation_requests
    for each row execute function refuse_change();

create function guard_generation_status() returns trigger language plpgsql as $$
begin
    if new.status = old.status or (old.status, new.status) in (
        ('submitted', 'queued'), ('submitted', 'failed'), ('submitted', 'cancelled'),
        ('queued', 'dispatched'), ('queued', 'partial'), ('queued', 'failed'), ('queued', 'cancelled'),
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

create function guard_pose_price() returns trigger language plpgsql as $$
begin
    if new.price = old.price then
        return new;
    end if;
    raise exception 'the price of pose % was agreed on at intake', old.id using errcode = 'restrict_violation';
end $$;
create trigger guard_price before update of price on generated_poses
    for each row execute function guard_pose_price();

-- What follows by itself -------------------------------------------------------------------------------------------

create function open_account() returns trigger language plpgsql as $$
begin
    insert into accounts (user_id) values (new.id);
    return null;
end $$;
create trigger a_user_has_an_account after insert on users for each row execute function open_account();

create function accept_requests() returns trigger language plpgsql as $$
begin
    insert into generations (id, user_id, project_id, formats, fit, backend, priority, submitted_at, last_event)
    select id, user_id, project_id, formats, fit, backend, priority, created_at, 1 from arrived;
    insert into events (generation_id, sequence, kind) select id, 1, 'submitted' from arrived;
    perform pg_notify('posegen_requests', '');
    return null;
end $$;
create trigger a_request_becomes_a_generation after insert on generation_requests
    referencing new table as arrived for each statement execute function accept_requests();

-- A slot is free, or a generation waits anew: the request sensor need not sleep through it.
create function announce_free_slot() returns trigger language plpgsql as $$
begin
    perform pg_notify('posegen_requests', '');
    return null;
end $$;
create trigger a_free_slot_is_announced after update of status on generations for each row
    when (old.status in ('dispatched', 'running') and new.status not in ('dispatched', 'running'))
    execute function announce_free_slot();

-- Space follows the objects: whoever deletes their rows gives their bytes back.
create function give_back_space() returns trigger language plpgsql as $$
begin
    update accounts a set storage_used = a.storage_used - gone.size
    from (select g.user_id, sum(d.size) as size from deleted d join generations g on g.id = d.generation_id
          group by g.user_id) gone
    where a.user_id = gone.user_id;
    return null;
end $$;
create trigger deleted_objects_take_no_space after delete on objects
    referencing old table as deleted for each statement execute function give_back_space();

-- A pose is captured or released at its price, and refunded at most what was captured for it.
create function check_amount(entry ledger_entries) returns void language plpgsql as $$
declare
    agreed bigint;
begin
    if entry.kind = 'refund' then
        agreed := (select amount from ledger_entries where pose_id = entry.pose_id and kind = 'capture');
        if agreed is null or entry.amount > agreed then
            raise exception 'pose % was charged % credits: % cannot be refunded', entry.pose_id, coalesce(agreed, 0),
                entry.amount using errcode = 'check_violation';
        end if;
    else
        agreed := (select price from generated_poses where id = entry.pose_id);
        if entry.amount <> agreed then
            raise exception 'pose % has the price %, not %', entry.pose_id, agreed, entry.amount
                using errcode = 'check_violation';
        end if;
    end if;
end $$;

-- Balances follow the ledger, so that the two cannot differ: nothing else writes credits.
create function apply_ledger_entry() returns trigger language plpgsql as $$
begin
    if new.kind in ('capture', 'release', 'refund') then
        perform check_amount(new);
    end if;
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
    elsif new.kind in ('capture', 'release', 'refund') then
        update holds set
            captured = captured + case new.kind when 'capture' then new.amount else 0 end,
            released = released + case new.kind when 'release' then new.amount else 0 end,
            refunded = refunded + case new.kind when 'refund' then new.amount else 0 end
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
    return next_sequence;
end $$;

create function announce_event() returns trigger language plpgsql as $$
begin
    perform pg_notify('posegen_events', new.generation_id || ':' || new.sequence);
    return null;
end $$;
create trigger an_event_is_announced after insert on events for each row execute function announce_event();

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
    priority integer default 0,
    fit text default null
) returns table (generation_id uuid, status text, replayed boolean) language plpgsql as $$
#variable_conflict use_variable
declare
    earlier generation_requests;
begin
    insert into generation_requests as fresh
        (user_id, idempotency_key, poses, prompt, categories, avatar, variations, seed, formats, project_id, backend,
         control_weight, priority, fit)
    values (user_id, idempotency_key, poses, prompt, categories, avatar, variations, seed, formats, project_id, backend,
            control_weight, priority, fit)
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
        earlier.project_id, earlier.backend, earlier.control_weight, earlier.priority::integer, earlier.fit)
       is distinct from
       (poses, prompt, categories, avatar, variations, seed, formats, project_id, backend, control_weight, priority, fit) then
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

create function refund_poses(poses uuid[], reason text, actor text default current_user) returns bigint
language plpgsql as $$
#variable_conflict use_variable
declare
    refunded record;
    total bigint := 0;
begin
    for refunded in
        with given_back as (
            insert into ledger_entries as fresh
                (kind, user_id, source, target, amount, generation_id, pose_id, reason, actor)
            select 'refund', c.user_id, 'spent', 'available', c.amount, c.generation_id, c.pose_id, reason, actor
            from ledger_entries c where c.kind = 'capture' and c.pose_id = any(poses)
                and not exists (select from ledger_entries r where r.kind = 'refund' and r.pose_id = c.pose_id)
            returning fresh.generation_id, fresh.amount
        )
        select given_back.generation_id, count(*) as number, sum(given_back.amount) as amount
        from given_back group by given_back.generation_id
    loop
        perform record_event(refunded.generation_id, 'refunded', jsonb_build_object(
            'poses', refunded.number, 'credits', refunded.amount, 'reason', reason, 'actor', actor));
        total := total + refunded.amount;
    end loop;
    return total;
end $$;
comment on function refund_poses is 'gives back what was paid for these poses, once; answers the credits given back now';

-- Views: what foreign backends read --------------------------------------------------------------------------------

create view object_urls as
    select o.id, rtrim(s.base_url, '/') || '/' || o.key as url, o.size, o.content_type, o.sha256
    from objects o join stores s on s.name = o.store;

create view generation_results as
    select g.id as generation_id, g.user_id, g.project_id, g.status, g.error_code,
           e.customer_message as error_message, g.error_detail, r.prompt, g.formats, g.backend,
           g.poses_total, g.poses_completed, g.poses_failed,
           coalesce(h.captured, 0) as credits_spent, coalesce(h.amount - h.captured - h.released, 0) as credits_held,
           coalesce(h.released, 0) as credits_released, coalesce(h.refunded, 0) as credits_refunded,
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

-- Who may do what --------------------------------------------------------------------------------------------------

-- The doors work with the rights of the owner, in the owner's schema whatever the caller's search path is; so a role
-- for a web backend needs no right to the tables behind them. docs/how-to/database-roles.md
do $$
declare
    door text;
begin
    foreach door in array array[
        'open_account()', 'accept_requests()', 'apply_ledger_entry()', 'announce_free_slot()', 'give_back_space()',
        'submit_generation(uuid, text, text[], text, text[], jsonb, integer, bigint, text[], text, text, '
            'double precision, integer, text)',
        'cancel_generation(uuid, text)', 'set_favourite(uuid, boolean)', 'record_download(uuid, text)',
        'grant_credits(uuid, bigint, text, text)', 'refund_poses(uuid[], text, text)'
    ] loop
        execute format('alter function %s security definer set search_path = %I, pg_temp', door, current_schema());
    end loop;
end $$;

-- Nobody may call anything by default; what a role needs is granted to it.
revoke execute on function
    refuse_change, guard_ledger_kind, guard_generation_status, guard_pose_status, guard_pose_price, open_account, accept_requests,
    announce_free_slot, announce_event, give_back_space, check_amount, apply_ledger_entry, record_event, submit_generation,
    end_open_poses, give_back_reservation, cancel_generation, set_favourite, record_download, grant_credits, refund_poses
    from public;

create or replace function submit_generation(
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
    fit text default null,
    negative_prompt text default null,
    allow_degraded boolean default false,
    control_kind text default null,
    control_image text default null,
    control_start double precision default null,
    control_end double precision default null,
    retry_of uuid default null,
    group_name text default null,
    private boolean default false
) returns table (generation_id uuid, status text, replayed boolean) language plpgsql
security definer set search_path = public, pg_temp as $$
#variable_conflict use_variable
declare
    earlier generation_requests;
begin
    insert into generation_requests as fresh
        (user_id, idempotency_key, poses, prompt, categories, avatar, variations, seed, formats, project_id, backend,
         control_weight, priority, fit, negative_prompt, allow_degraded, control_kind, control_image, control_start,
         control_end, retry_of, group_name, private)
    values (user_id, idempotency_key, poses, prompt, categories, avatar, variations, seed, formats, project_id, backend,
            control_weight, priority, fit, negative_prompt, allow_degraded, control_kind, control_image, control_start,
            control_end, retry_of, group_name, private)
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
        earlier.project_id, earlier.backend, earlier.control_weight, earlier.priority::integer, earlier.fit,
        earlier.negative_prompt, earlier.allow_degraded, earlier.control_kind, earlier.control_image, earlier.control_start,
        earlier.control_end, earlier.retry_of, earlier.group_name, earlier.private)
       is distinct from
       (poses, prompt, categories, avatar, variations, seed, formats, project_id, backend, control_weight, priority, fit,
        negative_prompt, allow_degraded, control_kind, control_image, control_start, control_end, retry_of,
        group_name, private) then
        raise exception 'idempotency key % was used for another request, generation %', quote_literal(idempotency_key), earlier.id
            using errcode = 'PG409', hint = 'Send the same body again, or choose a new key for a new request.';
    end if;
    generation_id := earlier.id;
    status := (select g.status from generations g where g.id = earlier.id);
    replayed := true;
    return next;
end $$;
comment on function submit_generation is 'inserts a request with an idempotency key; the same key and request return the same generation';
revoke execute on function submit_generation from public;

create or replace function delete_images(poses uuid[], actor text default current_user, grace interval default '24 hours')
returns integer language plpgsql
security definer set search_path = public, pg_temp as $$
declare
    changed record;
    total integer := 0;
begin
    if grace is null or grace < interval '0' or grace > interval '3650 days' then
        raise exception 'a grace of % is refused: name one of 0 or more, and of 3650 days at most', coalesce(grace::text, 'NULL')
            using errcode = 'check_violation';
    end if;
    for changed in
        with hidden as (
            update generated_poses p set delete_after = now() + grace, delete_reason = 'asked'
            from generations g
            where p.id = any(poses) and g.id = p.generation_id and g.finished_at is not null
                and p.status = 'completed' and (p.delete_after is null or p.delete_reason = 'expired')
                and p.images_deleted_at is null
            returning p.generation_id, p.id
        )
        select generation_id, count(*)::integer as number, array_agg(id order by id) as ids
        from hidden group by generation_id order by generation_id
    loop
        perform record_event(changed.generation_id, 'images_deleted',
            jsonb_build_object('poses', changed.number, 'actor', actor, 'until', now() + grace));
        insert into audit_entries (actor, action, subject, detail) values (actor, 'images_deleted',
            changed.generation_id::text, jsonb_build_object('poses', changed.ids, 'until', now() + grace));
        total := total + changed.number;
    end loop;
    return total;
end $$;
comment on function delete_images is
    'hides the images of completed poses at once; they are deleted after the grace. Returns the number of poses';
revoke execute on function delete_images from public;

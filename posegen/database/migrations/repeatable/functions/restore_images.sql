create or replace function restore_images(poses uuid[], actor text default current_user) returns integer language plpgsql
security definer set search_path = public, pg_temp as $$
declare
    changed record;
    total integer := 0;
begin
    for changed in
        with shown as (
            update generated_poses p set delete_after = null, delete_reason = null
            where p.id = any(poses) and p.delete_after is not null and p.images_deleted_at is null
            returning p.generation_id, p.id
        ), kept as (
            update adopted_files f set deletable = false from shown where f.pose_id = shown.id
        )
        select generation_id, count(*)::integer as number, array_agg(id order by id) as ids
        from shown group by generation_id order by generation_id
    loop
        perform record_event(changed.generation_id, 'images_restored',
            jsonb_build_object('poses', changed.number, 'actor', actor));
        insert into audit_entries (actor, action, subject, detail) values (actor, 'images_restored',
            changed.generation_id::text, jsonb_build_object('poses', changed.ids));
        total := total + changed.number;
    end loop;
    return total;
end $$;
comment on function restore_images is 'shows hidden images again, where they still exist; returns the number of poses';
revoke execute on function restore_images from public;

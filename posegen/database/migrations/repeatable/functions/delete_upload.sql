create or replace function delete_upload(upload uuid, actor text default current_user) returns boolean language plpgsql
security definer set search_path = public, pg_temp as $$
declare
    was uploads;
begin
    select * into was from uploads where id = upload and status in ('pending', 'completed') for update;
    if not found then
        return false;
    end if;
    update uploads set status = 'deleted', object_id = null, finished_at = now() where id = upload;
    perform drop_variants(array(select id from image_variants where upload_id = upload));
    perform drop_objects(array[was.object_id]);
    -- The client can put the file until its URL expires, and the file is no registered object.
    if was.status = 'pending' then
        insert into doomed_objects (store, key, size, reason, due)
        values (was.store, was.key, was.size, 'orphan', greatest(now(), was.expires_at)) on conflict do nothing;
    end if;
    insert into audit_entries (actor, action, subject) values (actor, 'upload_deleted', upload::text);
    return true;
end $$;
comment on function delete_upload is 'deletes an upload with its variants for good; returns whether it existed';
revoke execute on function delete_upload from public;

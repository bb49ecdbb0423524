create or replace function record_download(pose uuid, format text default null) returns integer language plpgsql
security definer set search_path = public, pg_temp as $$
declare
    downloads integer;
begin
    if format is not null and not exists (
        select from exports e where e.pose_id = pose and e.format = record_download.format and e.status = 'completed') then
        return null;
    end if;
    update generated_poses set download_count = download_count + 1, last_downloaded_at = now()
    where id = pose and status = 'completed' and delete_after is null returning download_count into downloads;
    return downloads;
end $$;
comment on function record_download is 'returns the new count, or null when there is no such picture; a null format means the image itself';
revoke execute on function record_download from public;

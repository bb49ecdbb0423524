-- The URLs of variants are hidden while their picture is hidden, and are shown again when it is restored.
create or replace view variant_results as
    select v.id as request_id, v.user_id, r.tool, r.source, v.status, v.error_code, v.error_detail,
           normal.url as normal_url, high.url as high_quality_url, v.width, v.height, normal.size as normal_bytes,
           high.size as high_quality_bytes, v.submitted_at as created_at, v.finished_at, v.deleted_at
    from image_variants v
    join image_requests r on r.id = v.id
    left join generated_poses p on p.id = v.pose_id
    left join object_urls normal on normal.id = v.normal_object and p.delete_after is null
    left join object_urls high on high.id = v.high_quality_object and p.delete_after is null;

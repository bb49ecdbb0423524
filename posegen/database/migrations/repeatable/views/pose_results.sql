-- The URLs of a picture that is to be deleted are null.
create or replace view pose_results as
    select p.id as pose_id, p.generation_id, p.user_id, p.project_id, p.position, p.library_pose, l.name as pose_name,
           l.category, p.variation, p.status, p.error_code, c.customer_message as error_message, p.error_detail,
           image.url as image_url, thumbnail.url as thumbnail_url, original.url as original_url,
           coalesce((select jsonb_object_agg(e.format, u.url) from exports e join object_urls u on u.id = e.object_id
                     where e.pose_id = p.id and e.status = 'completed' and p.delete_after is null), '{}') as exports,
           p.prompt_used, p.seed as seed_used, p.control_weight, p.backend,
           p.generation_ms / 1000.0 as generation_seconds, g.status as generation_status,
           g.poses_completed, g.poses_total, p.price as credits, p.is_favourite, p.download_count,
           p.created_at, p.completed_at, p.delete_after, p.images_deleted_at,
           coalesce((select jsonb_object_agg(t.size, u.url) from thumbnails t join object_urls u on u.id = t.object_id
                     where t.pose_id = p.id and p.delete_after is null), '{}') as thumbnails,
           p.negative_prompt as negative_prompt_used, p.control_kind, p.control_start, p.control_end, p.degraded
    from generated_poses p
    join generations g on g.id = p.generation_id
    join library_poses l on l.slug = p.library_pose
    left join error_codes c on c.code = p.error_code
    left join object_urls image on image.id = p.image_object and p.delete_after is null
    left join object_urls thumbnail on thumbnail.id = p.thumbnail_object and p.delete_after is null
    left join object_urls original on original.id = p.original_object and p.delete_after is null;

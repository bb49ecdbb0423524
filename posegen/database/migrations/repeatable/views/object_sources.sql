create or replace view object_sources as
    select image_object as object_id, id as pose_id, null::uuid as design_id, null::uuid as upload_id,
           null::uuid as variant_id, delete_after is null as is_shown
    from generated_poses where image_object is not null
    union all
    select original_object, id, null, null, null, delete_after is null from generated_poses where original_object is not null
    union all
    select thumbnail_object, id, null, null, null, delete_after is null from generated_poses where thumbnail_object is not null
    union all
    select t.object_id, p.id, null, null, null, p.delete_after is null from thumbnails t join generated_poses p on p.id = t.pose_id
    union all
    select e.object_id, p.id, null, null, null, p.delete_after is null
    from exports e join generated_poses p on p.id = e.pose_id where e.object_id is not null
    union all
    select c.object_id, p.id, null, null, null, p.delete_after is null
    from control_images c join generated_poses p on p.generation_id = c.generation_id and p.position = 0
    where c.object_id is not null
    union all
    select preview_object, null, id, null, null, true from designs where preview_object is not null
    union all
    select thumbnail_object, null, id, null, null, true from designs where thumbnail_object is not null
    union all
    select print_object, null, id, null, null, true from designs where print_object is not null
    union all
    select object_id, null, null, id, null, true from uploads where object_id is not null
    union all
    select v.normal_object, v.pose_id, v.design_id, v.upload_id, v.id, p.delete_after is null
    from image_variants v left join generated_poses p on p.id = v.pose_id where v.normal_object is not null
    union all
    select v.high_quality_object, v.pose_id, v.design_id, v.upload_id, v.id, p.delete_after is null
    from image_variants v left join generated_poses p on p.id = v.pose_id where v.high_quality_object is not null;
comment on view object_sources is 'the generation, pose, design or upload of a picture; files made of the picture are hidden and deleted with it';

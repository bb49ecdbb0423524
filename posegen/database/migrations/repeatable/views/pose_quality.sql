create or replace view pose_quality as
    select p.id as pose_id, p.generation_id, p.position, p.seed as seed_used, p.quality_retries, p.brightness, p.contrast,
           p.sharpness, p.noise, p.figure_share, p.figure_on_keypoints, p.figure_outline
    from generated_poses p where p.status = 'completed';

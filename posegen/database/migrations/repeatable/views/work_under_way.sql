create or replace view work_under_way as
    select 'generations' as work, id, batch from generations where status in ('dispatched', 'running')
    union all select 'designs', id, batch from designs where status in ('dispatched', 'rendering')
    union all select 'image_variants', id, batch from image_variants where status in ('dispatched', 'running');

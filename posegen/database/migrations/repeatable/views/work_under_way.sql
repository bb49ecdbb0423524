create or replace view work_under_way as
    select 'generations' as work, id, batch, backend from generations where status in ('dispatched', 'running')
    union all select 'designs', id, batch, null from designs where status in ('dispatched', 'rendering')
    union all select 'image_variants', id, batch, null from image_variants where status in ('dispatched', 'running');

create or replace view generation_results as
    select g.id as generation_id, g.user_id, g.project_id, g.status, g.error_code,
           e.customer_message as error_message, g.error_detail, r.prompt, g.formats, g.backend,
           g.poses_total, g.poses_completed, g.poses_failed,
           coalesce(h.captured, 0) as credits_spent, coalesce(h.amount - h.captured - h.released, 0) as credits_held,
           coalesce(h.released, 0) as credits_released, coalesce(h.refunded, 0) as credits_refunded,
           g.submitted_at as created_at, g.queued_at, g.started_at, g.finished_at,
           extract(epoch from g.finished_at - g.submitted_at)::double precision as seconds_to_finish,
           g.group_name, g.private, r.retry_of
    from generations g
    join generation_requests r on r.id = g.id
    left join holds h on h.generation_id = g.id
    left join error_codes e on e.code = g.error_code;

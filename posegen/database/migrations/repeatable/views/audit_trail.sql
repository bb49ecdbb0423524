create or replace view audit_trail as
    select created_at, actor, action, subject, detail, 2 * id as entry from audit_entries
    union all
    select l.created_at, l.actor, case l.kind when 'grant' then 'credits_granted' else 'credits_refunded' end,
           coalesce(l.generation_id, l.user_id)::text,
           jsonb_strip_nulls(jsonb_build_object('user', l.user_id, 'pose', l.pose_id, 'credits', l.amount, 'reason', l.reason)),
           2 * l.id + 1
    from ledger_entries l where l.kind in ('grant', 'refund');
comment on view audit_trail is 'deletions, restores, settings, grants and refunds, with the person or program that made them';

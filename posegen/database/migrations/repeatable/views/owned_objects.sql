create or replace view owned_objects as
    select o.id, o.store, o.key, split_part(o.key, '/', 1) as kind, o.sha256, o.content_type, o.size, o.generation_id,
           coalesce(o.user_id, g.user_id) as owner, o.created_at
    from objects o left join generations g on g.id = o.generation_id;
comment on view owned_objects is 'objects with the user whose space they use; without an owner they use the space of no user';

-- Private pictures are shown by signed URLs only (`posegen/storage/keys.py`).
create or replace view object_urls as
    select o.id, case when o.key not like 'private/%' then rtrim(s.base_url, '/') || '/' || o.key end as url,
           o.size, o.content_type, o.sha256
    from objects o join stores s on s.name = o.store;

create or replace view object_urls as
    select o.id, rtrim(s.base_url, '/') || '/' || o.key as url, o.size, o.content_type, o.sha256
    from objects o join stores s on s.name = o.store;

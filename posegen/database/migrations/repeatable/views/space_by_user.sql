create or replace view space_by_user as
    select owner as user_id, count(*) as objects, sum(size)::bigint as bytes
    from owned_objects where owner is not null group by owner;
comment on view space_by_user is 'the value that accounts.storage_used must have; users without objects have no row';

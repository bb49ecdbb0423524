create or replace function root_request(request uuid) returns uuid language sql stable as $$
    with recursive earlier as (
        select id, retry_of from generation_requests where id = request
        union
        select r.id, r.retry_of from earlier e join generation_requests r on r.id = e.retry_of
    )
    select id from earlier where retry_of is null;
$$;
comment on function root_request is 'the request that a retry, or a retry of a retry, makes again; of any other request its own id';
revoke execute on function root_request from public;

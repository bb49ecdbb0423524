-- Designs: a claimed design has a state of its own, and a token apart from its claims ------------------------------------

drop index designs_waiting, designs_claimed, designs_in_work;
alter table designs drop constraint a_claimed_design_is_a_draft;
alter table designs drop constraint designs_status_check;
alter table designs drop constraint designs_claim_check;
alter table designs rename column claim to dispatch;
alter table designs rename column claimed_at to dispatched_at;
alter table designs
    add column token integer not null default 0,
    add column batch uuid,
    add column worker_home uuid,
    add column started_at timestamptz,
    add column progressed_at timestamptz,
    add constraint designs_status_check check (status in ('draft', 'dispatched', 'rendering', 'published', 'failed'));
comment on column designs.dispatch is 'rises with every claim; part of the Dagster run key';
comment on column designs.dispatched_at is 'when it was claimed the last time';
comment on column designs.token is 'fencing token: rises whenever another worker may write';
comment on column designs.batch is 'the run that several rows were claimed for; null where each has a run of its own';

create or replace function guard_design_status() returns trigger language plpgsql as $$
begin
    if new.status = old.status or (old.status, new.status) in (
        ('draft', 'dispatched'), ('draft', 'failed'),
        ('dispatched', 'rendering'), ('dispatched', 'draft'), ('dispatched', 'failed'),
        ('rendering', 'draft'), ('rendering', 'published'), ('rendering', 'failed')) then
        return new;
    end if;
    raise exception 'design % cannot go from % to %', old.id, old.status, new.status using errcode = 'restrict_violation';
end $$;

-- Outside, a claimed design is still a draft.
create or replace function announce_design() returns trigger language plpgsql as $$
declare
    was text := case old.status when 'dispatched' then 'draft' else old.status end;
    is_now text := case new.status when 'dispatched' then 'draft' else new.status end;
begin
    if was <> is_now then
        perform pg_notify('posegen_designs', new.id || ':' || is_now);
    end if;
    -- A slot is free: the sensor need not sleep through it while others wait.
    if old.status = 'rendering' and exists (select from designs where status = 'draft') then
        perform pg_notify('posegen_design_requests', '');
    end if;
    return null;
end $$;
alter function announce_design() security definer;
do $$
begin
    execute format('alter function announce_design() set search_path = %I, pg_temp', current_schema());
end $$;

-- The token goes on from the claims, which have fenced so far.
update designs set token = dispatch, progressed_at = case when status = 'rendering' then now() end,
    status = case when status = 'draft' and dispatched_at is not null then 'dispatched' else status end;

create index designs_waiting on designs (submitted_at, id) include (not_before, user_id) where status = 'draft';
create index designs_under_way on designs (status, user_id) where status in ('dispatched', 'rendering');

create or replace view design_results as
    select d.id as design_id, d.user_id, r.project_id,
           case d.status when 'dispatched' then 'draft' else d.status end as status, d.error_code,
           e.customer_message as error_message,
           d.error_detail, d.warnings, r.text, r.font, r.product_type, r.size, d.size_used, r.text_colour, r.ground_colour,
           r.watermark, preview.url as preview_url, thumbnail.url as thumbnail_url, print.key as print_key,
           print.size as print_bytes, d.attempts, r.created_at, d.finished_at
    from designs d
    join design_requests r on r.id = d.id
    left join error_codes e on e.code = d.error_code
    left join object_urls preview on preview.id = d.preview_object
    left join object_urls thumbnail on thumbnail.id = d.thumbnail_object
    left join objects print on print.id = d.print_object;

-- Variants: a claim is of one row; the rows that one run makes share a batch -----------------------------------------------

drop index image_variants_waiting, image_variants_at_work;
alter table image_variants drop constraint variants_at_work_have_a_claim;
alter table image_variants rename column claim to batch;
alter table image_variants
    add column dispatch integer not null default 0,
    add column token integer not null default 0,
    add column run_id text,
    add column worker_home uuid,
    add column started_at timestamptz,
    add column progressed_at timestamptz;
comment on column image_variants.batch is 'the run that this row was claimed for, together with others';
comment on column image_variants.dispatch is 'rises with every claim';
comment on column image_variants.token is 'fencing token: rises whenever another worker may write';
update image_variants set dispatch = 1, progressed_at = case when status = 'running' then now() end
    where batch is not null;
alter table image_variants
    add constraint variants_at_work_have_a_batch check (status not in ('dispatched', 'running') or batch is not null);

create index image_variants_waiting on image_variants (submitted_at, id) include (not_before, user_id)
    where status = 'submitted';
create index image_variants_under_way on image_variants (batch) where status in ('dispatched', 'running');

-- Runs that lost their work, of any kind --------------------------------------------------------------------------------

alter table lost_runs drop constraint lost_runs_generation_id_fkey;
alter table lost_runs rename column generation_id to work_id;
alter table lost_runs add column work text not null default 'generations';
alter table lost_runs alter column work drop default;
comment on table lost_runs is 'runs whose work was taken away, and of which Dagster was not told yet';
comment on column lost_runs.work is 'the table of the work';

-- Generations: each has a run of its own -------------------------------------------------------------------------------

alter table generations add column batch uuid;
comment on column generations.batch is 'null: each generation has a run of its own';

create view work_under_way as
    select 'generations' as work, id, batch from generations where status in ('dispatched', 'running')
    union all select 'designs', id, batch from designs where status in ('dispatched', 'rendering')
    union all select 'image_variants', id, batch from image_variants where status in ('dispatched', 'running');
comment on view work_under_way is 'rows of every table of work that a run has, or is to have';
-- Workers whose grants are older than this view need it, too; it has nothing but ids.
grant select on work_under_way to public;

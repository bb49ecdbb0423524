-- What a request says beside its prompt. Without these columns a request means what it meant before.
alter table generation_requests
    add column negative_prompt text constraint negative_prompt_storable check (length(negative_prompt) <= 100000),
    add column allow_degraded boolean not null default false,
    add column control_kind text constraint control_kind_known check (control_kind in ('openpose', 'depth')),
    add column control_image text constraint control_image_length check (length(control_image) between 1 and 2000),
    add column control_start double precision constraint control_start_in_range
        check (control_start >= 0 and control_start < 1),
    add column control_end double precision constraint control_end_in_range check (control_end > 0 and control_end <= 1),
    add constraint control_span_in_order check (control_start < control_end);
comment on column generation_requests.allow_degraded is
    'what the backend cannot follow is left out and named in pose_results.degraded, instead of a refusal';
comment on column generation_requests.control_image is 'the id of an upload, or a URL; shows every pose of the request';

-- What intake has made of it.
alter table generated_poses
    add column negative_prompt text,
    add column control_kind text,
    add column control_start double precision,
    add column control_end double precision,
    add column degraded text[] not null default '{}';
comment on column generated_poses.negative_prompt is 'that the backend is given';
comment on column generated_poses.degraded is 'what was left out or cut, each as the name of its column and the reason';
-- Null stands for no map from now on. Every hosted backend of the versions before preferred openpose.
update generated_poses set control_kind = 'openpose' where status in ('pending', 'running') and backend <> 'mannequin';

create table control_images (
    generation_id uuid primary key references generations on delete cascade,
    source        text not null,
    source_sha256 text,
    object_id     bigint references objects,
    is_left_out   boolean not null default false,
    constraint a_stored_image_has_its_source check (object_id is null or source_sha256 is not null)
);
create index control_images_by_object on control_images (object_id) where object_id is not null;
create index control_images_by_source on control_images (source_sha256) where object_id is not null;
comment on table control_images is 'control images of customers that are used for a generation';
comment on column control_images.is_left_out is 'its poses follow the maps of their library poses, because it could not be used';
comment on column control_images.source is 'the id of an upload, or a URL';
comment on column control_images.source_sha256 is 'of the file as it came';
comment on column control_images.object_id is 'the map that was made of it, in the size of a pose; null until it is first needed';

-- Its further arguments come with the file of the function; grants on it are repeated (`posegen/database/grants.py`).
drop function if exists submit_generation;

create table definitions_version (
    the_only_one boolean primary key default true check (the_only_one),
    edition      integer not null check (edition > 0),
    digest       text not null,
    migration    text not null
);
comment on table definitions_version is 'which edition of the views and functions was applied last';
comment on column definitions_version.migration is 'the newest one at that time; after another one they are applied again';
-- Each program compares it when it starts, also with a login whose grants are older than this table.
grant select on definitions_version to public;

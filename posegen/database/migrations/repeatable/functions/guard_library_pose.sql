-- A trigger and not a constraint, because a constraint would also refuse to disable an older pose that breaks the rule.
create or replace function guard_library_pose() returns trigger language plpgsql as $$
declare
    broken text;
    rule text;
begin
    if tg_op = 'UPDATE' and (new.name, new.description, new.tags) is not distinct from (old.name, old.description, old.tags)
        and new.specification is not distinct from old.specification then
        return new;
    end if;
    if length(new.name) not between 1 and 200 or length(new.description) > 2000 then
        broken := 'pose_text_length';
        rule := 'the name has 1 to 200 characters, the description at most 2,000';
    elsif coalesce(array_ndims(new.tags), 1) > 1 or cardinality(new.tags) > 100
        or octet_length(array_to_string(new.tags, '')) > 10000 or num_nulls(variadic new.tags) > 0 then
        broken := 'pose_tags_bounded';
        rule := 'tags are at most 100 texts of 10,000 bytes together, none of them null';
    elsif pg_column_size(new.specification) > 100000 or octet_length(new.specification::text) > 50000
        or new.specification::text ~ '[0-9]{200}[0-9]{201}' or new.specification @? '$.**{17 to last}' then
        broken := 'specification_bounded';
        rule := 'the specification has at most 50,000 bytes as text, 16 levels, and numbers of 400 digits';
    else
        return new;
    end if;
    raise exception 'library pose %: %', new.slug, rule
        using errcode = 'check_violation', constraint = broken, table = 'library_poses';
end $$;
revoke execute on function guard_library_pose from public;

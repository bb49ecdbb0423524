create or replace view design_results as
    select d.id as design_id, d.user_id, r.project_id,
           case d.status when 'dispatched' then 'draft' else d.status end as status, d.error_code,
           e.customer_message as error_message,
           d.error_detail, d.warnings, r.text, r.font, r.product_type, r.size, d.size_used, r.text_colour, r.ground_colour,
           r.watermark, preview.url as preview_url, thumbnail.url as thumbnail_url, print.key as print_key,
           print.size as print_bytes, d.attempts, d.submitted_at as created_at, d.finished_at
    from designs d
    join design_requests r on r.id = d.id
    left join error_codes e on e.code = d.error_code
    left join object_urls preview on preview.id = d.preview_object
    left join object_urls thumbnail on thumbnail.id = d.thumbnail_object
    left join objects print on print.id = d.print_object;

SELECT {{all_columns}}
FROM {{calls}}
WHERE {{after}} AND {{where}}
ORDER BY c.started_at, c.call_id
{{limit}}

SELECT {{list_columns}}
FROM {{calls}}
WHERE {{before}} AND {{where}}
ORDER BY {{rank}} DESC, c.call_id DESC
{{limit}}

SELECT {{all_columns}}
FROM {{calls}}
WHERE c.call_id = {{parameter call_id}} AND {{where}}

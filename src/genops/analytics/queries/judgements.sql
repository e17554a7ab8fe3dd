-- What was said of one call, and of the trace it belongs to where that was judged as a whole.
SELECT
    e.evaluation_id AS evaluation_id,
    e.evaluated_at AS evaluated_at,
    e.name AS name,
    e.score AS score,
    e.threshold AS threshold,
    e.passed AS passed,
    e.label AS label,
    e.call_id AS call_id
FROM {{evaluations}}
WHERE
    (e.call_id = {{parameter call_id}} OR (e.call_id IS NULL AND e.trace_id = {{parameter trace_id}}))
    AND {{where_evaluations}}
ORDER BY evaluated_at, name, evaluation_id

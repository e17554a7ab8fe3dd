SELECT
    {{bucket e.evaluated_at}} AS bucket,
    e.name AS name,
    count(*) AS count,
    avg(e.score) AS mean,
    count(*) FILTER (WHERE e.passed) AS passed,
    count(*) FILTER (WHERE e.passed = false) AS failed
FROM {{evaluations}}
WHERE {{named}} AND {{where_evaluations}}
GROUP BY 1, 2
ORDER BY 1, 2

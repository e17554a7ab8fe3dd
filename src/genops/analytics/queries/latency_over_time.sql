SELECT
    {{bucket}} AS bucket,
    count(*) AS calls,
    {{quantile 0.5 duration_ms}} AS p50_ms,
    {{quantile 0.95 duration_ms}} AS p95_ms,
    {{quantile 0.5 time_to_first_chunk_ms}} AS p50_first_chunk_ms
FROM {{calls}}
WHERE c.outcome <> 'blocked' AND {{where}}
GROUP BY 1
ORDER BY 1

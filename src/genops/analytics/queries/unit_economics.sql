-- A request is what shares a trace; it succeeded if its last call completed and no evaluation of it failed.
WITH failed AS (
    SELECT e.trace_id AS request
    FROM {{evaluations}}
    WHERE e.passed = false AND e.trace_id IS NOT NULL
    UNION ALL
    SELECT coalesce(c.trace_id, c.call_id) AS request
    FROM {{calls}}
    WHERE c.call_id IN (SELECT e.call_id FROM {{evaluations}} WHERE e.passed = false AND e.call_id IS NOT NULL)
),
requests AS (
    SELECT
        {{value}} AS value,
        coalesce(c.trace_id, c.call_id) AS request,
        count(*) FILTER (WHERE c.outcome <> 'blocked') AS calls,
        sum(c.cost) AS cost,
        max(c.started_at) AS last_at,
        max(c.started_at) FILTER (WHERE c.outcome = 'completed') AS completed_at
    FROM {{calls}}
    WHERE {{where}}
    GROUP BY 1, 2
)
SELECT
    q.value AS value,
    sum(q.calls) AS calls,
    coalesce(sum(q.cost), 0) AS cost,
    count(*) AS requests,
    count(*) FILTER (WHERE q.completed_at = q.last_at AND coalesce(j.failures, 0) = 0) AS successes
FROM requests AS q
LEFT JOIN (SELECT f.request AS request, count(*) AS failures FROM failed AS f GROUP BY f.request) AS j
    ON q.request = j.request
GROUP BY q.value
ORDER BY cost DESC, calls DESC, value NULLS LAST
{{limit}}

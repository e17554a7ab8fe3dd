-- A request is what shares a trace; it succeeded if its last call completed and no evaluation of it failed.
WITH judged AS (
    SELECT
        {{value}} AS value,
        coalesce(c.trace_id, c.call_id) AS request,
        c.started_at AS started_at,
        c.call_id AS call_id,
        c.outcome AS outcome,
        c.cost AS cost,
        c.call_id IN (SELECT e.call_id FROM {{evaluations}} WHERE e.passed = false AND e.call_id IS NOT NULL)
            OR coalesce(c.trace_id, '') IN (
                SELECT e.trace_id FROM {{evaluations}} WHERE e.passed = false AND e.trace_id IS NOT NULL
            ) AS failed
    FROM {{calls}}
    WHERE {{where}}
),
requests AS (
    SELECT
        r.value AS value,
        r.request AS request,
        count(*) FILTER (WHERE r.outcome <> 'blocked') AS calls,
        sum(r.cost) AS cost,
        {{last r.outcome r}} AS ending,
        count(*) FILTER (WHERE r.failed) AS failures
    FROM judged AS r
    GROUP BY r.value, r.request
)
SELECT
    q.value AS value,
    sum(q.calls) AS calls,
    coalesce(sum(q.cost), 0) AS cost,
    count(*) AS requests,
    count(*) FILTER (WHERE q.ending = 'completed' AND q.failures = 0) AS successes
FROM requests AS q
GROUP BY q.value
ORDER BY cost DESC, calls DESC, value NULLS LAST
{{limit}}

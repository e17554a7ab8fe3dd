-- A request is what shares a trace; it succeeded if its last call completed and no evaluation of it failed.
-- Amounts are added up apart from the requests: there are about as many of those as calls, and each sum more costs.
WITH failed AS (
    SELECT {{compared e.trace_id}} AS request
    FROM {{evaluations}}
    WHERE e.passed = false AND e.trace_id IS NOT NULL
    UNION ALL
    SELECT {{request}} AS request
    FROM {{calls}}
    WHERE c.call_id IN (SELECT e.call_id FROM {{evaluations}} WHERE e.passed = false AND e.call_id IS NOT NULL)
),
requests AS (
    SELECT
        {{value}} AS value,
        {{request}} AS request,
        max(2 * {{micros c.started_at}} + CAST(c.outcome = 'completed' AS BIGINT)) AS ended  -- odd: it completed
    FROM {{calls}}
    WHERE {{where}}
    GROUP BY 1, 2
),
counts AS (
    SELECT
        q.value AS value,
        count(*) AS requests,
        count(*) FILTER (WHERE q.ended % 2 <> 0 AND q.request NOT IN (SELECT f.request FROM failed AS f)) AS successes
    FROM requests AS q
    GROUP BY q.value
),
sums AS (
    SELECT {{value}} AS value, count(*) FILTER (WHERE c.outcome <> 'blocked') AS calls, coalesce(sum(c.cost), 0) AS cost
    FROM {{calls}}
    WHERE {{where}}
    GROUP BY 1
)
SELECT s.value AS value, s.calls AS calls, s.cost AS cost, n.requests AS requests, n.successes AS successes
FROM sums AS s
INNER JOIN counts AS n ON s.value IS NOT DISTINCT FROM n.value
ORDER BY cost DESC, calls DESC, value NULLS LAST
{{limit}}

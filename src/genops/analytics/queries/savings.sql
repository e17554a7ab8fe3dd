SELECT
    coalesce(sum(c.saved_cache), 0) AS cache,
    count(*) FILTER (WHERE c.saved_cache <> 0) AS cache_calls,
    coalesce(sum(c.saved_batch), 0) AS batch,
    count(*) FILTER (WHERE c.saved_batch <> 0) AS batch_calls,
    coalesce(sum(c.saved_tier), 0) AS tier,
    count(*) FILTER (WHERE c.saved_tier <> 0) AS tier_calls,
    coalesce(sum(c.list_cost - c.cost), 0) AS negotiated,
    count(*) FILTER (WHERE c.list_cost <> c.cost) AS negotiated_calls
FROM {{calls}}
WHERE {{where}}

-- The ledger in ClickHouse. Columns are those of genops.analytics.rows; a test compares them.
-- One row per call id once parts are merged, and always with FINAL: never aggregate without it, and let no view
-- aggregate what is inserted. A batch that is sent again counts once here and twice in such a view.
-- Money is Decimal(38, 12): sum(Int64) wraps without a word.
CREATE TABLE IF NOT EXISTS calls
(
    seq Int64 DEFAULT 0,
    call_id String,
    parent_call_id Nullable(String),
    trace_id Nullable(String),
    span_id Nullable(String),
    started_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD),
    duration_ms Float64 CODEC(ZSTD),
    time_to_first_chunk_ms Nullable(Float64),
    outcome LowCardinality(String),
    error_type LowCardinality(Nullable(String)),
    provider LowCardinality(String),
    api LowCardinality(String),
    operation LowCardinality(String),
    operation_type LowCardinality(String),
    request_model LowCardinality(Nullable(String)),
    response_model LowCardinality(Nullable(String)),
    response_id Nullable(String),
    streamed Bool DEFAULT false,
    service_tier LowCardinality(Nullable(String)),
    region LowCardinality(Nullable(String)),
    server_address LowCardinality(Nullable(String)),
    team LowCardinality(Nullable(String)),
    project LowCardinality(Nullable(String)),
    environment LowCardinality(Nullable(String)),
    customer_id Nullable(String),
    cost_center LowCardinality(Nullable(String)),
    feature LowCardinality(Nullable(String)),
    session_id Nullable(String),
    tags Map(String, String),
    usage Map(String, Decimal(38, 12)),
    usage_source LowCardinality(Nullable(String)),
    usage_flags Array(String),
    reasoning_tokens Nullable(Int64),
    cost_status LowCardinality(Nullable(String)),
    cost_source LowCardinality(Nullable(String)),
    cost Nullable(Decimal(38, 12)),
    list_cost Nullable(Decimal(38, 12)),
    currency LowCardinality(String) DEFAULT 'USD',
    priced_model LowCardinality(Nullable(String)),
    price_data_version LowCardinality(Nullable(String)),
    unpriced_reason Nullable(String),
    missing_meters Array(String),
    policy_result LowCardinality(String),
    policy_reason_code LowCardinality(Nullable(String)),
    policy_name LowCardinality(Nullable(String)),
    reserved Nullable(Decimal(38, 12)),
    actual Nullable(Decimal(38, 12)),
    accounting_unit LowCardinality(Nullable(String)),
    budget_name LowCardinality(Nullable(String)),
    model LowCardinality(Nullable(String)) DEFAULT coalesce(priced_model, response_model, request_model),
    input_tokens Nullable(Int64),
    output_tokens Nullable(Int64),
    cached_tokens Nullable(Int64),
    saved_cache Nullable(Decimal(38, 12)),
    saved_batch Nullable(Decimal(38, 12)),
    saved_tier Nullable(Decimal(38, 12)),
    -- Of two statements about a call the higher counts: 2 is the ledger of the process that made it, 1 the Collector.
    precedence UInt8 DEFAULT 2,
    INDEX calls_by_time started_at TYPE minmax GRANULARITY 1,
    INDEX calls_by_trace trace_id TYPE bloom_filter GRANULARITY 4
)
ENGINE = ReplacingMergeTree(precedence)
PARTITION BY toYYYYMMDD(started_at)
ORDER BY call_id
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS evaluations
(
    seq Int64 DEFAULT 0,
    evaluation_id String,
    evaluated_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD),
    name LowCardinality(String),
    score Nullable(Float64),
    threshold Nullable(Float64),
    passed Nullable(Bool),
    label LowCardinality(Nullable(String)),
    call_id Nullable(String),
    trace_id Nullable(String),
    span_id Nullable(String),
    team LowCardinality(Nullable(String)),
    project LowCardinality(Nullable(String)),
    environment LowCardinality(Nullable(String)),
    customer_id Nullable(String),
    cost_center LowCardinality(Nullable(String)),
    feature LowCardinality(Nullable(String)),
    session_id Nullable(String),
    tags Map(String, String)
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(evaluated_at)
ORDER BY evaluation_id
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000;

-- Up to which number of which ledger everything has arrived.
CREATE TABLE IF NOT EXISTS shipments (ledger String, calls Int64, evaluations Int64, shipped_at DateTime64(3, 'UTC') DEFAULT now64(3))
ENGINE = MergeTree
ORDER BY (ledger, shipped_at);

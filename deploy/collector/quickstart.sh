#!/usr/bin/env bash
# Starts genops-collector, sends it one span of OpenLLMetry's, and shows what the ledger says of it.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
binary="$here/../../collector/dist/genops-collector"
[ -x "$binary" ] || { echo "genops-collector is not built.  fix: make collector"; exit 1; }
command -v curl >/dev/null || { echo "curl was not found.  fix: apt-get install curl"; exit 1; }
export GENOPS_OUT="${GENOPS_OUT:-$(mktemp -d)}"
address="${GENOPS_OTLP_HTTP:-127.0.0.1:4318}"

"$binary" --config "$here/quickstart.yaml" &
collector=$!
trap 'kill "$collector" 2>/dev/null; wait "$collector" 2>/dev/null || true' EXIT
sent=no
for _ in $(seq 100); do
  kill -0 "$collector" 2>/dev/null || { echo "genops-collector ended; see its message above."; exit 1; }
  if curl -sf -m 2 -H 'content-type: application/json' -d @"$here/span.json" "http://$address/v1/traces" >/dev/null; then
    sent=yes
    break
  fi
  sleep 0.1
done
[ "$sent" = yes ] || { echo "http://$address did not answer.  fix: choose a free port: GENOPS_OTLP_HTTP=127.0.0.1:14318 $0"; exit 1; }
for _ in $(seq 50); do [ -s "$GENOPS_OUT/ledger.jsonl" ] && break; sleep 0.1; done
echo "One call, settled:"
tr '{' '\n' < "$GENOPS_OUT/ledger.jsonl" | sed -n 's/^"key":"\(gen[^"]*\)","value":$/\1/p; s/^"\(string\|double\|int\)Value":"\{0,1\}\([^"}]*\)"\{0,1\}}.*/    \2/p' | grep -A1 '^gen' | grep -v '^--'
echo "Files: $GENOPS_OUT/spans.jsonl, ledger.jsonl, metrics.jsonl"

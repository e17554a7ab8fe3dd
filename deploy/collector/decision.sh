#!/usr/bin/env bash
# One call as a service of any language makes it: reserve, call the model, settle. Needs curl and a running decision.yaml.
set -euo pipefail
endpoint="http://${GENOPS_DECISION_HTTP:-127.0.0.1:4319}"
ask() { curl -sS -H "Authorization: Bearer ${GENOPS_DECISION_TOKEN:-change-me}" -H 'content-type: application/json' "$@"; }
id="${1:-order-4711-attempt-1}"

answer="$(ask -d '{
  "id": "'"$id"'",
  "attribution": {"team": "search", "customer_id": "acme"},
  "provider": "openai", "model": "gpt-5.4", "operation": "chat",
  "estimate": {"input_tokens": 1200, "max_output_tokens": 350}
}' "$endpoint/v1/reservations")"
echo "$answer"
case "$answer" in
  *'"decision":"ALLOWED"'* | *'"decision":"WARNING"'*) ;;
  *) echo "not allowed: do not call the model" >&2; exit 1 ;;
esac

# ... here the service calls the model; the answer says 900 and 210 tokens ...

ask -d '{"usage": {"provider": "openai", "model": "gpt-5.4", "input_tokens": 900, "output_tokens": 210}}' \
  "$endpoint/v1/reservations/$id/settle"
ask "$endpoint/v1/budgets?team=search"

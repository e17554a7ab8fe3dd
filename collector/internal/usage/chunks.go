package usage

import "maps"

// Collect is the answer that the decoded chunks of a stream come to, for Read: the last value of a field wins, nothing
// is added up.
func Collect(api string, chunks []any) any {
	state := map[string]any{}
	for _, chunk := range chunks {
		fields, ok := chunk.(map[string]any)
		if !ok {
			continue
		}
		switch api {
		case "responses":
			if response := fields["response"]; response != nil {
				state["response"] = response
			}
		case "messages":
			message(state, fields)
		default:
			for name, value := range fields {
				if value != nil {
					state[name] = value
				}
			}
		}
	}
	if response := state["response"]; response != nil {
		return response
	}
	return state
}

// message is an event of Anthropic's: usage at the start, cumulative fields over it at the end.
func message(state, event map[string]any) {
	from := event
	if event["type"] == "message_start" {
		from, _ = event["message"].(map[string]any)
		state["id"], state["model"] = from["id"], from["model"]
	}
	stated, ok := from["usage"].(map[string]any)
	if !ok {
		return
	}
	merged, ok := state["usage"].(map[string]any)
	if !ok {
		merged = map[string]any{}
	}
	merged = maps.Clone(merged)
	for name, value := range stated {
		if value != nil {
			merged[name] = value
		}
	}
	state["usage"] = merged
}

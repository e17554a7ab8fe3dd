package policy

import (
	"strconv"
)

// neutral is what every call has, where the input of a test does not say.
func neutral() map[string]any {
	return map[string]any{
		"team": "team", "project": "project", "environment": "production", "tags": map[string]string{},
		"provider": "openai", "operation": "chat", "operation_type": "inference", "streamed": false,
		"flags": map[string]bool{}, "input_tokens": int64(100), "max_output_tokens": int64(100),
		"tools": []string{}, "entities": []string{},
	}
}

func (w *written) test(given *value) {
	made := &RuleTest{Source: given.place(), Given: neutral()}
	var expect *value
	w.table(given, testKeys, []string{"name", "expect"}, map[string]shape{
		"name":   func(r *reader, v *value) { made.Name = r.text(v, "interns cannot use o3") },
		"input":  func(r *reader, v *value) { r.mapping(v) },
		"expect": func(_ *reader, v *value) { expect = v },
	})
	w.file.Tests = append(w.file.Tests, made)
	w.expects = append(w.expects, expect)
}

func (w *written) finishTest(made *RuleTest, given, expect *value) {
	if expect.kind == isText {
		made.Decision = w.choice(expect, Results...)
	} else {
		w.table(expect, expectKeys, []string{"decision"}, map[string]shape{
			"decision": func(r *reader, v *value) { made.Decision = r.choice(v, Results...) },
			"rules": func(r *reader, v *value) {
				made.HasRules = true
				made.Rules = r.names(v, "no-frontier-models", false, true)
			},
			"reason_code": func(r *reader, v *value) { made.ReasonCode = r.text(v, "POLICY_DENY_MODEL") },
			"actions":     func(r *reader, v *value) { made.Actions = r.actions(v) },
		})
	}
	if input := given.fields["input"]; input != nil && w.err == nil {
		w.given(input, made.Given)
	}
}

// given reads the inputs of a call as somebody writes them.
func (r *reader) given(input *value, into map[string]any) {
	for _, name := range input.keys {
		at := input.fields[name]
		number := Number(name)
		if number < 0 {
			r.fail(unknownInput(at, name))
			return
		}
		into[name] = r.ofKind(at, table.Inputs[number].Kind)
	}
}

func (r *reader) ofKind(given *value, kind string) any {
	switch {
	case kind == kindTimestamp:
		return r.moment(given)
	case kind == kindString && (given.kind == isText || given.kind == isWhole):
		return r.text(given, "text")
	case kind == kindBool && given.kind == isFlag:
		return given.flag
	case kind == kindInt && given.kind == isWhole:
		return r.count(given, -1<<63, "100")
	case kind == kindDouble && (given.kind == isWhole || given.kind == isFraction):
		number, err := strconv.ParseFloat(given.text, 64)
		if err != nil {
			r.fail(given.expected(kind, "0.5"))
		}
		return number
	case kind == kindStrings && given.kind == isList:
		found := make([]string, 0, len(given.items))
		for _, item := range given.items {
			found = append(found, item.text)
		}
		return found
	case kind == kindTexts && given.kind == isTable:
		found := map[string]string{}
		for _, key := range given.keys {
			found[key] = r.text(given.fields[key], "text")
		}
		return found
	case kind == kindFlags && given.kind == isTable:
		found := map[string]bool{}
		for _, key := range given.keys {
			found[key] = r.flag(given.fields[key])
		}
		return found
	}
	example, ok := map[string]string{kindString: "text", kindDouble: "0.5", kindInt: "100"}[kind]
	if !ok {
		example = "..."
	}
	r.fail(given.expected(kind, example))
	return nil
}

package policy

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/genops-ai/genops/collector/internal/suggest"
)

// File is what one policy file says.
type File struct {
	Name        string
	Source      string
	Description string
	Rules       []*Rule
	Exemptions  []*Exemption
	Tests       []*RuleTest
	Flags       map[string]bool
}

var (
	fileKeys = []string{
		"name", "description", "match", "mode", "on_error", "on_unknown", "flags", "variables", "rules", "exceptions", "tests",
	}
	ruleKeys = []string{
		"name", "description", "match", "condition", "decision", "reason_code", "mode", "on_error", "on_unknown",
		"message", "fix", "retry_after", "actions", "approval",
	}
	exceptionKeys  = []string{"id", "rule", "owner", "reason", "expires", "match", "signature"}
	needsException = []string{"id", "rule", "owner", "reason", "expires", "signature"}
	testKeys       = []string{"name", "input", "expect"}
	expectKeys     = []string{"decision", "rules", "reason_code", "actions"}
	actionKeys     = []string{"reroute", "max_output_tokens", "redact"}
	modes          = []string{enforce, warn, shadow}
	troubles       = []string{block, warn, allow}
)

// written is a file as it is read, before its conditions are compiled.
type written struct {
	reader
	root                     *value
	file                     *File
	match                    Match
	mode, onError, onUnknown string
	variables                map[string]string
	conditions               []*value // by the place of the rule; nil for a rule without one
	decided                  []bool   // whether the rule states its decision
	expects                  []*value
}

// Parse reads the text of a policy file; name is what messages call it. The error is an *Error with file and line.
func Parse(text []byte, name string) (*File, error) {
	root, err := parse(text, name)
	if err != nil {
		return nil, err
	}
	stem := strings.TrimSuffix(filepath.Base(name), filepath.Ext(name))
	into := &written{root: root, file: &File{Name: stem, Source: name, Flags: map[string]bool{}}, variables: map[string]string{}}
	into.read()
	if into.err == nil && len(into.file.Rules) == 0 && len(into.file.Exemptions) == 0 {
		into.fail(root.fault("the file has neither rules nor exceptions.", "rules: [{name: ..., condition: ...}]"))
	}
	into.nameVariables()
	for i, rule := range into.file.Rules {
		if into.err == nil {
			into.note(into.finish(rule, into.root.fields["rules"].items[i], i))
		}
	}
	for i, test := range into.file.Tests {
		if into.err == nil {
			into.finishTest(test, into.root.fields["tests"].items[i], into.expects[i])
		}
	}
	if into.err != nil {
		return nil, into.err
	}
	return into.file, nil
}

// note keeps an error, if there is one.
func (w *written) note(err error) {
	if err != nil {
		w.fail(err)
	}
}

func (w *written) read() {
	file := w.file
	w.table(w.root, fileKeys, nil, map[string]shape{
		"name":        func(r *reader, v *value) { file.Name = r.text(v, "production") },
		"description": func(r *reader, v *value) { file.Description = r.text(v, "what it is for") },
		"match":       func(r *reader, v *value) { w.match = r.match(v) },
		"mode":        func(r *reader, v *value) { w.mode = r.choice(v, modes...) },
		"on_error":    func(r *reader, v *value) { w.onError = r.choice(v, troubles...) },
		"on_unknown":  func(r *reader, v *value) { w.onUnknown = r.choice(v, troubles...) },
		"flags": func(r *reader, v *value) {
			r.mapping(v)
			for _, key := range v.keys {
				if strings.TrimSpace(key) == "" {
					r.fail(v.expected("keys with values", "{key: value}"))
				}
				file.Flags[strings.TrimSpace(key)] = r.flag(v.fields[key])
			}
		},
		"variables":  func(r *reader, v *value) { r.mapping(v) },
		"rules":      func(r *reader, v *value) { r.list(v, w.rule) },
		"exceptions": func(r *reader, v *value) { r.list(v, w.exception) },
		"tests":      func(r *reader, v *value) { r.list(v, w.test) },
	})
}

func (r *reader) match(given *value) Match {
	var made Match
	shapes := map[string]shape{}
	for _, key := range table.Match {
		shapes[key] = func(r *reader, v *value) { made.set(key, r.names(v, "search", true, false)) }
	}
	r.table(given, table.Match, nil, shapes)
	return made
}

func (r *reader) actions(given *value) *Actions {
	made := &Actions{}
	r.table(given, actionKeys, nil, map[string]shape{
		"reroute":           func(r *reader, v *value) { made.Reroute = r.text(v, "gpt-4o-mini") },
		"max_output_tokens": func(r *reader, v *value) { made.MaxOutputTokens = r.count(v, 1, "1000") },
		"redact":            func(r *reader, v *value) { made.Redact = r.names(v, "EMAIL", true, false) },
	})
	if len(given.keys) == 0 {
		return nil
	}
	return made
}

// condition is one CEL expression. A list is refused: it does not say whether all or any of it must be true.
func (r *reader) condition(given *value) string {
	switch given.kind {
	case isFlag:
		if given.flag {
			return "true"
		}
		return "false"
	case isList:
		r.fail(given.fault(given.name+" is a list, which does not say whether all or any of it must be true.",
			"write one expression, with && or ||"))
		return ""
	}
	return r.text(given, "model == 'gpt-4o'")
}

func (w *written) rule(given *value) {
	made := &Rule{Source: given.place()}
	var stated *value
	decided := false
	w.table(given, ruleKeys, []string{"name"}, map[string]shape{
		"name":        func(r *reader, v *value) { made.Name = r.text(v, "no-frontier-models") },
		"description": func(r *reader, v *value) { made.Description = r.text(v, "what it is for") },
		"match":       func(r *reader, v *value) { made.Match = r.match(v) },
		"condition":   func(r *reader, v *value) { stated = v; r.condition(v) },
		"decision":    func(r *reader, v *value) { decided = true; made.Decision = r.choice(v, Results...) },
		"reason_code": func(r *reader, v *value) { made.ReasonCode = r.text(v, "POLICY_DENY_MODEL") },
		"mode":        func(r *reader, v *value) { made.Mode = r.choice(v, modes...) },
		"on_error":    func(r *reader, v *value) { made.OnError = r.choice(v, troubles...) },
		"on_unknown":  func(r *reader, v *value) { made.OnUnknown = r.choice(v, troubles...) },
		"message":     func(r *reader, v *value) { made.Message = r.text(v, "{model} is not for {team}") },
		"fix":         func(r *reader, v *value) { made.Fix = r.text(v, "use gpt-4o-mini") },
		"retry_after": func(r *reader, v *value) { made.RetryAfter = r.seconds(v) },
		"actions":     func(r *reader, v *value) { made.Actions = r.actions(v) },
		"approval":    func(r *reader, v *value) { made.Approval = r.flag(v) },
	})
	w.file.Rules = append(w.file.Rules, made)
	w.conditions = append(w.conditions, stated)
	w.decided = append(w.decided, decided)
}

func (w *written) exception(given *value) {
	made := &Exemption{Source: given.place()}
	w.table(given, exceptionKeys, needsException, map[string]shape{
		"id":        func(r *reader, v *value) { made.ID = r.text(v, "exc-2026-0117") },
		"rule":      func(r *reader, v *value) { made.Rule = r.text(v, "no-frontier-models") },
		"owner":     func(r *reader, v *value) { made.Owner = r.text(v, "ada@example.com") },
		"reason":    func(r *reader, v *value) { made.Reason = r.text(v, "load test for the launch") },
		"expires":   func(r *reader, v *value) { made.Expires = r.moment(v) },
		"match":     func(r *reader, v *value) { made.Match = r.match(v) },
		"signature": func(r *reader, v *value) { made.Signature = r.text(v, "...") },
	})
	w.file.Exemptions = append(w.file.Exemptions, made)
}

var variableName = regexp.MustCompile(`^[A-Za-z_][\p{L}\p{N}_]*$`)

// nameVariables reads the variables, each with those above it written out, and checks each by itself.
func (w *written) nameVariables() {
	given := w.root.fields["variables"]
	if given == nil || w.err != nil {
		return
	}
	for _, name := range given.keys {
		at := given.fields[name]
		switch {
		case !variableName.MatchString(name):
			w.fail(at.fault(quote(name)+" cannot be a variable.", "letters, digits and _, for example cheap"))
		case slices.Contains(inputNames, name) || slices.Contains(inputNames, strings.TrimPrefix(name, has)):
			w.fail(at.fault(quote(name)+" is an input already.", "call the variable something else"))
		}
		text := w.writtenOut(w.reader.condition(at), at.place())
		if w.err != nil {
			return
		}
		_, err := check(text, at.place())
		w.note(err)
		w.variables[name] = text
	}
}

func (w *written) writtenOut(text, place string) string {
	out, hidden := writeOut(text, w.variables)
	if hidden != "" {
		w.fail(&Error{
			Place: place, Message: quote(hidden) + " is a variable of the file and the name of an element, which hides it.",
			Fix: "call the element something else",
		})
	}
	return out
}

// finish compiles the condition of a rule and gives it what its file states.
func (w *written) finish(rule *Rule, given *value, number int) error {
	stated := w.conditions[number]
	if stated == nil && len(rule.Match.keys) == 0 && len(w.match.keys) == 0 {
		return given.fault("rule "+quote(rule.Name)+" has neither a condition nor a match.", "condition: model == 'gpt-4o'")
	}
	text, at := "true", given
	if stated != nil {
		text, at = w.reader.condition(stated), stated
	}
	text = w.writtenOut(text, at.place())
	if w.err != nil {
		return w.err
	}
	var err error
	if rule.condition, err = compile(text, at.place()); err != nil {
		return err
	}
	if !w.decided[number] {
		rule.Decision = Blocked
		if rule.Actions != nil {
			rule.Decision = Allowed
		}
	}
	rule.Mode = firstOf(rule.Mode, w.mode, enforce)
	rule.OnError = firstOf(rule.OnError, w.onError)
	rule.OnUnknown = firstOf(rule.OnUnknown, w.onUnknown)
	if rule.Match, err = joined(given, &w.match, &rule.Match); err != nil {
		return err
	}
	if err = rule.validate(); err != nil {
		return err
	}
	rule.tells = slices.ContainsFunc(rule.textInputs(), func(number int) bool { return table.Inputs[number].Dynamic })
	return nil
}

func firstOf(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

// joined is the scope of a rule inside that of its file.
func joined(given *value, ofFile, ofRule *Match) (Match, error) {
	var made Match
	for _, key := range ofFile.keys {
		made.set(key, ofFile.patterns[key])
	}
	for _, key := range ofRule.keys {
		own, theirs := ofRule.patterns[key], ofFile.patterns[key]
		if theirs != nil && !slices.Equal(own, theirs) {
			return made, given.fields["match"].fault("match says "+key+": "+strings.Join(own, ", ")+
				", and the file's match "+key+": "+strings.Join(theirs, ", ")+".", "keep "+key+" in one of the two places")
		}
		made.set(key, own)
	}
	return made, nil
}

// unknownInput is the error for a name in the input of a test that is none.
func unknownInput(at *value, name string) error {
	return at.fault(quote(name)+" is no input of a rule."+suggest.DidYouMean(name, inputNames), "use "+strings.Join(inputNames, ", "))
}

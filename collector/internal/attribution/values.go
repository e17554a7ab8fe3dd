// Package attribution says for whom a call was made: the fields, what they may hold, how sources are laid over one another.
package attribution

import (
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/genops-ai/genops/collector/internal/semconv"
)

// The fields, in the order of every table and dimension list.
const (
	Team = iota
	Project
	Environment
	CustomerID
	CostCenter
	Feature
	SessionID
	count
)

// Fields are the names of the fields, as configuration has them.
var Fields = [count]string{"team", "project", "environment", "customer_id", "cost_center", "feature", "session_id"}

// Attributes are the attributes that carry the fields.
var Attributes = [count]string{
	semconv.GenopsTeam, semconv.GenopsProject, semconv.GenopsEnvironment, semconv.GenopsCustomerID,
	semconv.GenopsCostCenter, semconv.GenopsFeature, semconv.GenopsSessionID,
}

const required = Environment + 1 // the first three: GenOps specification v0.1.0, "Attributes"

// What people write when they do not know, in lower case. The same words as in genops.core.attribution_values.
var placeholders = map[string]bool{
	"unknown": true, "n/a": true, "na": true, "none": true, "null": true, "nil": true, "undefined": true,
	"default": true, "placeholder": true, "todo": true, "tbd": true, "changeme": true, "unset": true, "-": true,
	"--": true, "?": true, "...": true, "xxx": true,
}

// Attribution is for whom one call was made, by field. An empty value is not given.
type Attribution [count]string

// Field is the number of a field; -1 for a name that is none.
func Field(name string) int {
	for i, known := range Fields {
		if known == name {
			return i
		}
	}
	return -1
}

// Set lays a value over a field. Blank text, and a placeholder in a required field, take nothing away.
func (a *Attribution) Set(field int, value string) {
	value = strings.TrimSpace(value)
	if value != "" && (field >= required || !IsPlaceholder(value)) {
		a[field] = value
	}
}

// Missing are the fields that the specification requires on every call and that are not given.
func (a *Attribution) Missing() []string {
	var found []string
	for field := range required {
		if a[field] == "" {
			found = append(found, Fields[field])
		}
	}
	return found
}

// IsPlaceholder is whether text stands for not knowing.
func IsPlaceholder(text string) bool {
	text = strings.TrimSpace(text)
	if text == "" || sizes[text[0]]&(1<<min(len(text), 31)) == 0 {
		return false
	}
	return placeholders[strings.ToLower(text)]
}

// sizes are how long those placeholders are, as bits, that begin with a letter: most values are told apart by theirs. The
// sign for kelvin is three bytes long, and a k in lower case.
var sizes = func() (made [256]uint32) {
	for word := range placeholders {
		lengths := uint32(1)<<len(word) | 1<<(len(word)+2*strings.Count(word, "k"))
		made[word[0]] |= lengths
		made[strings.ToUpper(word)[0]] |= lengths
	}
	return made
}()

// Of is what the attributes of a span or a resource say in the fields' own names.
func Of(attributes pcommon.Map) Attribution {
	var found Attribution
	found.lay(attributes, Attributes)
	return found
}

func (a *Attribution) lay(attributes pcommon.Map, names [count]string) {
	for field, name := range names {
		if value, ok := attributes.Get(name); ok {
			a.Set(field, textOf(value))
		}
	}
}

// textOf is a value as text; "" for what is neither text nor a whole number.
func textOf(value pcommon.Value) string {
	switch value.Type() {
	case pcommon.ValueTypeStr:
		return value.Str()
	case pcommon.ValueTypeInt:
		return strconv.FormatInt(value.Int(), 10)
	default:
		return ""
	}
}

// Put writes the fields that are given among the attributes. What is there already stays.
func (a *Attribution) Put(attributes pcommon.Map) {
	for field, value := range a {
		if value == "" {
			continue
		}
		if there, ok := attributes.Get(Attributes[field]); !ok {
			attributes.PutEmpty(Attributes[field]).SetStr(value)
		} else if there.Type() != pcommon.ValueTypeStr || there.Str() != value {
			there.SetStr(value)
		}
	}
}

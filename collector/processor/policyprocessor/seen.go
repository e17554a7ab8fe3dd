package policyprocessor

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/genops-ai/genops/collector/internal/genai"
	"github.com/genops-ai/genops/collector/internal/names"
	"github.com/genops-ai/genops/collector/internal/semconv"
)

// The attributes that a decision reads, besides those that others read: their places in seen.
const (
	seenResult = iota
	seenCallID
	seenRole
	seenOperation
	seenRegion
	seenClassification
	seenTagged // with a classification
	seenCost
	seenCurrency
	seenEntities
	seenConsumed
	seenAllocated
	seenCount
)

const tagPrefix = semconv.GenopsTag + "."

// places are those of the attributes in seen.
var places = names.New(map[string]uint8{
	semconv.GenopsPolicyResult: seenResult, semconv.GenopsCallID: seenCallID, semconv.GenopsCostRole: seenRole,
	semconv.GenAIOperationName: seenOperation, semconv.GenopsRegion: seenRegion,
	semconv.GenopsDataClassification: seenClassification, tagPrefix + "data_classification": seenTagged,
	semconv.GenopsCostTotal: seenCost, semconv.GenopsCostCurrency: seenCurrency,
	semconv.GenopsRedactionEntities: seenEntities, semconv.GenopsBudgetConsumed: seenConsumed,
	semconv.GenopsBudgetAllocated: seenAllocated,
})

// seen is what one look at all attributes finds. What is not there need not be looked for again.
type seen struct {
	attributes pcommon.Map
	values     [seenCount]pcommon.Value // of the first attribute of a name, as Map.Get has it
	there      uint16
	hasTags    bool
	asked      genai.Asked
}

func (s *seen) take(key names.Key, name string, value pcommon.Value) {
	if place := places.Get(key, name); place != nil && !s.has(*place) {
		s.values[*place], s.there = value, s.there|1<<*place
	}
	if strings.HasPrefix(name, tagPrefix) {
		s.hasTags = true
	} else {
		s.asked |= genai.AskedBy(key, name)
	}
}

func (s *seen) has(place uint8) bool { return s.there&(1<<place) != 0 }

func (s *seen) text(place uint8) string {
	if s.has(place) && s.values[place].Type() == pcommon.ValueTypeStr {
		return s.values[place].Str()
	}
	return ""
}

func (s *seen) number(place uint8) (float64, bool) {
	if !s.has(place) {
		return 0, false
	}
	switch value := s.values[place]; value.Type() {
	case pcommon.ValueTypeDouble:
		return value.Double(), true
	case pcommon.ValueTypeInt:
		return float64(value.Int()), true
	}
	return 0, false
}

func (s *seen) streamed() bool {
	return s.asked&genai.AskedStreamed != 0 && genai.Streamed(s.attributes)
}

func (s *seen) maxOutputTokens() (int64, bool) {
	if s.asked&genai.AskedMaxOutputTokens == 0 {
		return 0, false
	}
	return genai.MaxOutputTokens(s.attributes)
}

var (
	noTexts any = []string{}
	noTags      = map[string]string{}
)

// tools are a list of texts.
func (s *seen) tools() any {
	if s.asked&genai.AskedTools == 0 {
		return noTexts
	}
	return genai.Tools(s.attributes)
}

// entities are the kinds that a redactor found, if one ran: EMAIL of "EMAIL=2". A list of texts.
func (s *seen) entities() any {
	if !s.has(seenEntities) || s.values[seenEntities].Type() != pcommon.ValueTypeSlice {
		return noTexts
	}
	found := []string{}
	for _, each := range s.values[seenEntities].Slice().All() {
		name, _, _ := strings.Cut(each.AsString(), "=")
		found = append(found, name)
	}
	return found
}

func (s *seen) tags() map[string]string {
	if !s.hasTags {
		return noTags
	}
	found := map[string]string{}
	for name, value := range s.attributes.All() {
		if tag, ok := strings.CutPrefix(name, tagPrefix); ok {
			found[tag] = value.AsString()
		}
	}
	return found
}

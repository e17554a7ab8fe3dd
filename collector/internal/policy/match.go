package policy

import (
	"strings"
	"unicode"

	"github.com/genops-ai/genops/collector/internal/globs"
)

// Match maps a field of a call to patterns: all keys must match, any pattern of a key will do. Globs, compared without
// case. keys are in the order of the file.
type Match struct {
	keys     []string
	patterns map[string][]string
	folded   map[string][]string
}

func (m *Match) set(key string, patterns []string) {
	if m.patterns == nil {
		m.patterns, m.folded = map[string][]string{}, map[string][]string{}
	}
	if _, known := m.patterns[key]; !known {
		m.keys = append(m.keys, key)
	}
	m.patterns[key] = patterns
	m.folded[key] = nil
	for _, pattern := range patterns {
		m.folded[key] = append(m.folded[key], fold(pattern))
	}
}

// matches is whether a call with these facts is meant. A fact that is not known matches nothing.
func (m *Match) matches(facts Facts) bool {
	for _, key := range m.keys {
		text, known := facts.Fact(numbers[key]).(string)
		if !known || !anyGlob(m.folded[key], fold(text)) {
			return false
		}
	}
	return true
}

func anyGlob(patterns []string, text string) bool {
	for _, pattern := range patterns {
		if globs.Match(pattern, text) {
			return true
		}
	}
	return false
}

// fold is text with one letter for all that differ in case alone.
func fold(text string) string {
	return strings.Map(func(r rune) rune {
		if r < unicode.MaxASCII {
			return unicode.ToLower(r)
		}
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return unicode.ToLower(least)
	}, text)
}

package redaction

import (
	"regexp/syntax"
	"slices"
)

// anchored and anywhere are the automata of patterns of our own: does one match at the start of a text, or anywhere?
func anchored(pattern string) *automaton {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		panic("genops: " + err.Error())
	}
	made, err := newAutomaton(re, false)
	if err != nil {
		panic("genops: " + err.Error())
	}
	return made
}

func anywhere(pattern string) *automaton { return anchored("(?s:.*?)(?:" + pattern + ")") }

// reversed reads the other way round.
func reversed(re *syntax.Regexp) *syntax.Regexp {
	made := *re
	made.Rune = slices.Clone(re.Rune)
	made.Sub = slices.Clone(re.Sub)
	for i := range made.Sub {
		made.Sub[i] = reversed(made.Sub[i])
	}
	switch re.Op {
	case syntax.OpLiteral:
		slices.Reverse(made.Rune)
	case syntax.OpConcat:
		slices.Reverse(made.Sub)
	case syntax.OpBeginText:
		made.Op = syntax.OpEndText
	case syntax.OpEndText:
		made.Op = syntax.OpBeginText
	case syntax.OpBeginLine:
		made.Op = syntax.OpEndLine
	case syntax.OpEndLine:
		made.Op = syntax.OpBeginLine
	default:
	}
	return &made
}

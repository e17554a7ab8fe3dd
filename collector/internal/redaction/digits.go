package redaction

import (
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// digitsOf says how far behind the start a run of digits begins, if every match has one and none begins inside one.
func (f *facts) digitsOf(items []*syntax.Regexp) bool {
	f.leadDigits = leadDigits(items)
	far, ok := digitWithin(items)
	if ok && !beginsInside(items, f.wordStart) {
		f.digits, f.farthest = true, far
	}
	return f.digits
}

// digitWithin is how far behind the start of items a digit stands at most that every match has.
func digitWithin(items []*syntax.Regexp) (farthest int, ok bool) {
	far := 0
	for _, item := range items {
		if within, found := digitIn(item); found {
			return max(farthest, far+within), true
		}
		if item.Op == syntax.OpQuest {
			if within, found := digitIn(item.Sub[0]); found {
				farthest = max(farthest, far+within) // where it is there; where it is not, nothing moves
				continue
			}
		}
		_, most := lengths(item)
		if most < 0 {
			return 0, false
		}
		far += most
	}
	return 0, false
}

// beginsInside is whether a match may begin with a digit that follows another one.
func beginsInside(items []*syntax.Regexp, guarded bool) bool {
	if len(items) == 0 {
		return false
	}
	item, rest := items[0], items[1:]
	then := func(subs ...*syntax.Regexp) bool { return beginsInside(append(slices.Clone(subs), rest...), guarded) }
	switch item.Op {
	case syntax.OpWordBoundary:
		return beginsInside(rest, true)
	case syntax.OpCapture, syntax.OpPlus:
		return then(item.Sub[0])
	case syntax.OpConcat:
		return then(item.Sub...)
	case syntax.OpQuest, syntax.OpStar:
		return then(item.Sub[0]) || then()
	case syntax.OpRepeat:
		return then(item.Sub[0]) || (item.Min == 0 && then())
	case syntax.OpAlternate:
		return slices.ContainsFunc(item.Sub, func(sub *syntax.Regexp) bool { return then(sub) })
	case syntax.OpLiteral, syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		var first [256]bool
		addFirst(&first, item)
		return !guarded && slices.Contains(first['0':'9'+1], true)
	}
	return then()
}

func digitIn(item *syntax.Regexp) (farthest int, ok bool) {
	switch item.Op {
	case syntax.OpCharClass, syntax.OpLiteral:
		return 0, onlyOf(item, isDigit)
	case syntax.OpCapture, syntax.OpPlus:
		return digitIn(item.Sub[0])
	case syntax.OpRepeat:
		if item.Min > 0 {
			return digitIn(item.Sub[0])
		}
	case syntax.OpConcat:
		return digitWithin(item.Sub)
	case syntax.OpAlternate:
		for _, sub := range item.Sub {
			within, found := digitIn(sub)
			if !found {
				return 0, false
			}
			farthest = max(farthest, within)
		}
		return farthest, true
	default:
	}
	return 0, false
}

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

// between is what stands between the digits of a number.
func isNumber(b byte) bool { return isDigit(b) || strings.IndexByte(" ./()-+:_", b) >= 0 }

func onlyOf(re *syntax.Regexp, allowed func(byte) bool) bool {
	switch re.Op {
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			if r >= utf8.RuneSelf || !allowed(byte(r)) {
				return false
			}
		}
		return true
	case syntax.OpCharClass:
		for i := 0; i+1 < len(re.Rune); i += 2 {
			if re.Rune[i+1] >= utf8.RuneSelf {
				return false
			}
			for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
				if !allowed(byte(r)) {
					return false
				}
			}
		}
		return true
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return false
	default:
		for _, sub := range re.Sub {
			if !onlyOf(sub, allowed) {
				return false
			}
		}
		return true
	}
}

func leadDigits(items []*syntax.Regexp) int {
	count := 0
	for _, item := range items {
		if !onlyOf(item, isNumber) {
			break
		}
		count += digitsAtLeast(item)
	}
	return count
}

func digitsAtLeast(re *syntax.Regexp) int {
	switch re.Op {
	case syntax.OpLiteral:
		if onlyOf(re, isDigit) {
			return len(re.Rune)
		}
	case syntax.OpCharClass:
		if onlyOf(re, isDigit) {
			return 1
		}
	case syntax.OpCapture, syntax.OpPlus:
		return digitsAtLeast(re.Sub[0])
	case syntax.OpRepeat:
		return re.Min * digitsAtLeast(re.Sub[0])
	case syntax.OpConcat:
		count := 0
		for _, sub := range re.Sub {
			count += digitsAtLeast(sub)
		}
		return count
	case syntax.OpAlternate:
		count := digitsAtLeast(re.Sub[0])
		for _, sub := range re.Sub[1:] {
			count = min(count, digitsAtLeast(sub))
		}
		return count
	default:
	}
	return 0
}

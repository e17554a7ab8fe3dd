package redaction

import (
	"regexp/syntax"
	"unicode"
	"unicode/utf8"
)

// lengths are how many bytes a match has; most is unbounded below 0.
func lengths(re *syntax.Regexp) (least, most int) {
	switch re.Op {
	case syntax.OpLiteral:
		return literalLengths(re)
	case syntax.OpCharClass:
		if len(re.Rune) == 0 {
			return 0, 0
		}
		return classLengths(re.Rune)
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return 1, utf8.UTFMax
	case syntax.OpCapture:
		return lengths(re.Sub[0])
	case syntax.OpStar:
		return 0, -1
	case syntax.OpPlus:
		least, _ = lengths(re.Sub[0])
		return least, -1
	case syntax.OpQuest:
		_, most = lengths(re.Sub[0])
		return 0, most
	case syntax.OpRepeat:
		least, most = lengths(re.Sub[0])
		if re.Max < 0 || most < 0 {
			return re.Min * least, -1
		}
		return re.Min * least, re.Max * most
	case syntax.OpConcat:
		return sumOfLengths(re.Sub)
	case syntax.OpAlternate:
		return rangeOfLengths(re.Sub)
	}
	return 0, 0
}

func literalLengths(re *syntax.Regexp) (least, most int) {
	for _, r := range re.Rune {
		size := utf8.RuneLen(r)
		least += size
		if re.Flags&syntax.FoldCase != 0 {
			size = utf8.UTFMax
		}
		most += size
	}
	return least, most
}

// classLengths counts a byte that is no UTF-8, which is read as U+FFFD, as one.
func classLengths(ranges []rune) (least, most int) {
	least, most = utf8.RuneLen(ranges[0]), utf8.RuneLen(ranges[len(ranges)-1])
	for i := 0; i+1 < len(ranges); i += 2 {
		if ranges[i] <= utf8.RuneError && utf8.RuneError <= ranges[i+1] {
			least = 1
		}
	}
	return least, max(most, 1)
}

func sumOfLengths(subs []*syntax.Regexp) (least, most int) {
	for _, sub := range subs {
		l, m := lengths(sub)
		least += l
		if most < 0 || m < 0 {
			most = -1
		} else {
			most += m
		}
	}
	return least, most
}

func rangeOfLengths(subs []*syntax.Regexp) (least, most int) {
	least, most = lengths(subs[0])
	for _, sub := range subs[1:] {
		l, m := lengths(sub)
		least = min(least, l)
		if most < 0 || m < 0 {
			most = -1
		} else {
			most = max(most, m)
		}
	}
	return least, most
}

// firstBytes are the bytes that a match may begin with.
func firstBytes(re *syntax.Regexp) *[256]bool {
	var made [256]bool
	if !addFirst(&made, re) {
		for b := range made {
			made[b] = true
		}
	}
	return &made
}

// addFirst adds the bytes that re may begin with; false if it may match nothing.
func addFirst(made *[256]bool, re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpLiteral:
		addRune(made, re.Rune[0], re.Flags&syntax.FoldCase != 0)
		return true
	case syntax.OpCharClass:
		for i := 0; i+1 < len(re.Rune); i += 2 {
			addRange(made, re.Rune[i], re.Rune[i+1])
		}
		return true
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		addRange(made, 0, unicode.MaxRune)
		return true
	case syntax.OpCapture, syntax.OpPlus:
		return addFirst(made, re.Sub[0])
	case syntax.OpRepeat:
		return addFirst(made, re.Sub[0]) && re.Min > 0
	case syntax.OpStar, syntax.OpQuest:
		addFirst(made, re.Sub[0])
		return false
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if addFirst(made, sub) {
				return true
			}
		}
		return false
	case syntax.OpAlternate:
		all := true
		for _, sub := range re.Sub {
			all = addFirst(made, sub) && all
		}
		return all
	default:
		return re.Op == syntax.OpNoMatch
	}
}

func addRune(made *[256]bool, r rune, folds bool) {
	addRange(made, r, r)
	if folds {
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			addRange(made, other, other)
		}
	}
}

func addRange(made *[256]bool, first, last rune) {
	for r := first; r <= min(last, unicode.MaxASCII); r++ {
		made[r] = true
	}
	if last >= utf8.RuneSelf {
		for b := utf8.RuneSelf; b < 256; b++ {
			made[b] = true
		}
	}
}

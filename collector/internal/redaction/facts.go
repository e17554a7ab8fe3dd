package redaction

import (
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	mostLiterals = 160 // of one pattern
	longestClass = 10  // runes of a class that are told one by one
	longestText  = 24  // bytes of a literal that are looked for
)

// facts are what a pattern says of every text that it matches: where to look at all.
type facts struct {
	least, most int  // bytes; most is unbounded below 0
	wordStart   bool // a word begins where the match does
	folds       bool // a letter of it stands for others beside its two cases
	solid       bool // all of it is one word
	first       *[256]bool

	literals []string // lower case; one of them stands from nearest to farthest bytes behind the start
	nearest  int
	farthest int // unbounded below 0

	digits     bool // a run of digits begins up to farthest bytes behind the start
	leadDigits int  // digits at least, before anything but digits and what stands between them
}

func factsOf(re *syntax.Regexp) facts {
	items := flat(re)
	made := facts{first: firstBytes(re), folds: foldsWide(re)}
	made.solid = onlyOf(re, func(b byte) bool { return wordByte[b] })
	made.least, made.most = lengths(re)
	for len(items) > 0 && items[0].Op == syntax.OpWordBoundary {
		made.wordStart = true
		items = items[1:]
	}
	if made.wordStart {
		for b, may := range made.first {
			// \b before what is no letter asks for a letter before it.
			made.wordStart = made.wordStart && (!may || wordByte[b])
		}
	}
	found := made.digitsOf(items)
	if made.literalsOf(items, found) {
		made.digits = false
	}
	return made
}

func flat(re *syntax.Regexp) []*syntax.Regexp {
	switch re.Op {
	case syntax.OpConcat:
		var made []*syntax.Regexp
		for _, sub := range re.Sub {
			made = append(made, flat(sub)...)
		}
		return made
	case syntax.OpCapture:
		return flat(re.Sub[0])
	}
	return []*syntax.Regexp{re}
}

// literalsOf chooses the texts to look for; false if the pattern has none worth it. A mark alone is worth less than
// digits.
func (f *facts) literalsOf(items []*syntax.Regexp, digits bool) bool {
	best := 0
	if digits {
		best = worthOf([]prefix{{".", true}}, 1)
	}
	found := false
	near, far := 0, 0
	for i := range items {
		texts := prefixesOf(items[i:])
		if worth := worthOf(texts, far); worth > best {
			best, found = worth, true
			f.literals, f.nearest, f.farthest = textsOf(texts), near, far
		}
		least, most := lengths(items[i])
		near += least
		if far >= 0 && most >= 0 {
			far += most
		} else {
			far = -1
		}
	}
	return found
}

func worthOf(found []prefix, far int) int {
	if len(found) == 0 || len(found) > mostLiterals {
		return 0
	}
	shortest := longestText
	for _, each := range found {
		shortest = min(shortest, len(each.text))
		if len(each.text) == 1 && (wordByte[each.text[0]] || each.text == " ") || strings.Trim(each.text, "0123456789") == "" {
			return 0
		}
	}
	if far == 0 {
		return 3 * min(shortest, 4)
	}
	return 2*min(shortest, 4) - min(shortest, 1)
}

func textsOf(found []prefix) []string {
	made := make([]string, 0, len(found))
	for _, each := range found {
		made = append(made, each.text)
	}
	slices.Sort(made)
	return slices.Compact(made)
}

// prefix is what a match begins with, in lower case; whole if it may be all of the match.
type prefix struct {
	text  string
	whole bool
}

func prefixesOf(items []*syntax.Regexp) []prefix {
	found := []prefix{{"", true}}
	for _, item := range items {
		var next []prefix
		open := false
		for _, each := range found {
			if !each.whole || len(each.text) >= longestText {
				next = append(next, prefix{each.text, false})
				continue
			}
			for _, more := range prefixes(item) {
				next = append(next, prefix{each.text + more.text, more.whole})
				open = open || more.whole
			}
		}
		if len(next) > mostLiterals {
			for i := range found {
				found[i].whole = false
			}
			return found
		}
		found = next
		if !open {
			break
		}
	}
	return found
}

var anything = []prefix{{"", false}}

func prefixes(re *syntax.Regexp) []prefix {
	switch re.Op {
	case syntax.OpLiteral:
		return literalPrefix(re)
	case syntax.OpCharClass:
		return classPrefixes(re.Rune)
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText,
		syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return []prefix{{"", true}}
	case syntax.OpCapture:
		return prefixes(re.Sub[0])
	case syntax.OpConcat:
		return prefixesOf(re.Sub)
	case syntax.OpAlternate:
		var made []prefix
		for _, sub := range re.Sub {
			made = append(made, prefixes(sub)...)
		}
		return made
	case syntax.OpQuest:
		return append([]prefix{{"", true}}, prefixes(re.Sub[0])...)
	case syntax.OpRepeat:
		if re.Min == 1 && re.Max == 1 {
			return prefixes(re.Sub[0])
		}
		if re.Min > 0 {
			return unfinished(prefixesOf(slices.Repeat(re.Sub[:1], min(re.Min, longestText))))
		}
	case syntax.OpPlus:
		return unfinished(prefixes(re.Sub[0]))
	default:
	}
	return anything
}

func unfinished(found []prefix) []prefix {
	made := slices.Clone(found)
	for i := range made {
		made[i].whole = false
	}
	return made
}

func literalPrefix(re *syntax.Regexp) []prefix {
	var text []byte
	for _, r := range re.Rune {
		if re.Flags&syntax.FoldCase != 0 && r >= utf8.RuneSelf {
			return []prefix{{string(text), false}}
		}
		text = utf8.AppendRune(text, r)
	}
	return []prefix{{lower(string(text)), true}}
}

// classPrefixes leaves out the two letters above ASCII that are cases of k and s: see facts.folds.
func classPrefixes(ranges []rune) []prefix {
	var made []prefix
	for i := 0; i+1 < len(ranges); i += 2 {
		if ranges[i+1]-ranges[i] >= longestClass {
			return anything
		}
		for r := ranges[i]; r <= ranges[i+1]; r++ {
			if r != longS && r != kelvin {
				made = append(made, prefix{lower(string(r)), true})
			}
		}
	}
	if len(made) > longestClass || (len(made) > 2 && strings.Trim(made[0].text, "0123456789") == "") {
		return anything
	}
	return made
}

const (
	longS  = '\u017f'
	kelvin = '\u212a'
)

// foldsWide is whether a pattern takes one of those two letters.
func foldsWide(re *syntax.Regexp) bool {
	for _, r := range re.Rune {
		if re.Op == syntax.OpLiteral && re.Flags&syntax.FoldCase != 0 && strings.ContainsRune("kKsS", r) {
			return true
		}
	}
	if re.Op == syntax.OpCharClass {
		for i := 0; i+1 < len(re.Rune); i += 2 {
			if re.Rune[i] <= longS && longS <= re.Rune[i+1] || re.Rune[i] <= kelvin && kelvin <= re.Rune[i+1] {
				return true
			}
		}
	}
	return slices.ContainsFunc(re.Sub, foldsWide)
}

func lower(text string) string {
	made := []byte(text)
	for i, b := range made {
		made[i] = lowerByte[b]
	}
	return string(made)
}

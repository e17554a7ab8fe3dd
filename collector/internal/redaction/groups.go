package redaction

import (
	"regexp"
	"regexp/syntax"
	"slices"
)

// groups finds the part of a match that is in one pair of parentheses.
type groups struct {
	group               int
	before, inside, end *automaton // what the match begins with, the part, and what follows it
	rest                *automaton // the part and what follows
	inPattern           *regexp.Regexp
	behindRune          *regexp.Regexp
}

func newGroups(re *syntax.Regexp, pattern string, group int) (*groups, error) {
	made := &groups{group: group}
	items := topLevel(re)
	at := slices.IndexFunc(items, func(item *syntax.Regexp) bool { return item.Op == syntax.OpCapture && item.Cap == group })
	if at < 0 {
		return made.anyhow(pattern)
	}
	var err error
	for _, part := range []struct {
		into **automaton
		of   []*syntax.Regexp
	}{{&made.before, items[:at]}, {&made.inside, items[at : at+1]}, {&made.end, items[at+1:]}, {&made.rest, items[at:]}} {
		if len(part.of) == 0 {
			continue // nothing has to follow
		}
		if *part.into, err = newAutomaton(&syntax.Regexp{Op: syntax.OpConcat, Sub: part.of, Flags: re.Flags}, false); err != nil {
			return nil, err
		}
	}
	return made, nil
}

func topLevel(re *syntax.Regexp) []*syntax.Regexp {
	if re.Op == syntax.OpConcat {
		return re.Sub
	}
	return []*syntax.Regexp{re}
}

// anyhow is the slow way, for a part that stands inside another one.
func (g *groups) anyhow(pattern string) (_ *groups, err error) {
	if g.inPattern, err = regexp.Compile(`\A(?:` + pattern + `)`); err != nil {
		return nil, err
	}
	g.behindRune, err = regexp.Compile(`\A(?s:.)(?:` + pattern + `)`)
	return g, err
}

// find is where the part is in the match that begins at a place; -1 if it took no part in the match.
func (g *groups) find(text string, at int) (start, end int) {
	if g.inPattern != nil {
		return g.slowly(text, at)
	}
	start = at
	if g.before != nil {
		start = g.before.match(text, at, g.rest)
	}
	if start < 0 {
		return -1, -1
	}
	return start, g.inside.match(text, start, g.end)
}

func (g *groups) slowly(text string, at int) (start, end int) {
	re, from := g.inPattern, at
	if at > 0 {
		re, from = g.behindRune, at-1
	}
	found := re.FindStringSubmatchIndex(text[from:])
	if found == nil || found[2*g.group] < 0 {
		return -1, -1
	}
	return from + found[2*g.group], from + found[2*g.group+1]
}

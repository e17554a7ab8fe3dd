package redaction

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

const (
	retry     = 128 // bytes: a refused match up to this long is searched again from its second character
	manyInOne = 256 // places of one rule that wait to be looked at
)

// oddLetter is who looks for the two letters above ASCII that are cases of k and s.
const oddLetter = -1

// scanner finds everything that rules accept. A look at the bytes says where a rule may match at all: behind a
// literal, or around a run of digits. Only there its automaton runs.
type scanner struct {
	rules    []*compiled
	literals *literals
	digits   []*compiled // those that need a run of digits, by how many
	words    []*compiled // those that may match where any word begins
	shortest int         // bytes of the shortest word in which one of them may match
	farthest int         // that one of the digits begins behind the start of a match
	anywhere []*compiled
	backs    []*compiled // those that read backwards
	works    sync.Pool
}

// candidate is a find, before it is known which of overlapping ones count.
type candidate struct {
	start, end int
	rule       *compiled
}

// work is what one scan needs; used again by the next one.
type work struct {
	scanner *scanner
	text    string
	lead    int     // the text up to here only announces what follows
	next    []int   // by rule, where its search goes on
	seen    []bool  // by rule, whether a literal of it is in the text
	waiting [][]int // by rule, where it is to be tried, in order
	queued  []int   // rules that wait
	odd     bool
	found   []candidate
	buffer  []byte
	plain   []byte
}

func newScanner(rules []*compiled) *scanner {
	made := &scanner{rules: rules, shortest: math.MaxInt}
	texts := map[string][]int{"\u017f": {oddLetter}, "\u212a": {oddLetter}}
	for i, rule := range rules {
		rule.index = i
		if rule.back != nil {
			made.backs = append(made.backs, rule)
		}
		switch {
		case len(rule.literals) > 0:
			for _, text := range rule.literals {
				texts[text] = append(texts[text], i)
			}
		case rule.back != nil:
			made.anywhere = append(made.anywhere, rule)
		case rule.digits:
			made.digits = append(made.digits, rule)
			made.farthest = max(made.farthest, rule.farthest)
		case rule.wordStart:
			made.words = append(made.words, rule)
			made.shortest = min(made.shortest, rule.leastWord())
		default:
			made.anywhere = append(made.anywhere, rule)
		}
	}
	slices.SortStableFunc(made.digits, func(a, b *compiled) int { return cmp.Compare(a.leadDigits, b.leadDigits) })
	made.literals = newLiterals(texts)
	made.works.New = func() any {
		size := len(rules)
		return &work{scanner: made, next: make([]int, size), seen: make([]bool, size), waiting: make([][]int, size)}
	}
	return made
}

// leastWord is how long a word is at least in which the rule may match.
func (c *compiled) leastWord() int {
	if c.solid {
		return c.least
	}
	return 1
}

func (s *scanner) work() *work { return s.works.Get().(*work) }

func (s *scanner) done(w *work) {
	w.text = ""
	clear(w.found)
	w.found = w.found[:0]
	if cap(w.buffer) > mostKept {
		w.buffer = nil
	}
	if cap(w.plain) > mostKept {
		w.plain = nil
	}
	s.works.Put(w)
}

const mostKept = 1 << 20 // bytes of a buffer that is used again

// scan adds everything that a rule accepts in text, overlaps included. Where line ends are written out (`\n`), as in
// JSON or a log, the text is read without them, too: the n is no letter before what follows.
func (w *work) scan(text string, lead int) {
	if text == "" {
		return
	}
	w.pass(text, lead)
	if !hasWrittenEnd(text) {
		return
	}
	w.plain = append(w.plain[:0], text...)
	for i := 0; i+1 < len(w.plain); i++ {
		if w.plain[i] == '\\' && isOneOf(w.plain[i+1], "nrt") {
			w.plain[i], w.plain[i+1] = ' ', ' '
			i++
		}
	}
	w.pass(shared(w.plain), lead)
}

func hasWrittenEnd(text string) bool {
	for at := strings.IndexByte(text, '\\'); at >= 0 && at+1 < len(text); {
		if isOneOf(text[at+1], "nrt") {
			return true
		}
		more := strings.IndexByte(text[at+1:], '\\')
		if more < 0 {
			return false
		}
		at += 1 + more
	}
	return false
}

func (w *work) pass(text string, lead int) {
	w.text, w.lead, w.odd = text, lead, false
	clear(w.next)
	clear(w.seen)
	w.findLiterals()
	w.findNumbers()
	for _, rule := range w.queued {
		if !(w.odd && w.scanner.rules[rule].folds) {
			w.tryWaiting(w.scanner.rules[rule], len(text))
		}
		w.waiting[rule] = w.waiting[rule][:0]
	}
	w.queued = w.queued[:0]
	for _, rule := range w.scanner.backs {
		if w.seen[rule.index] || len(rule.literals) == 0 || (w.odd && rule.folds) {
			w.search(rule)
		}
	}
	if w.odd {
		for _, rule := range w.scanner.rules {
			if rule.back == nil && rule.folds && len(rule.literals) > 0 {
				w.tryEverywhere(rule)
			}
		}
	}
	for _, rule := range w.scanner.anywhere {
		if rule.back == nil {
			w.tryEverywhere(rule)
		}
	}
}

// findLiterals notes where the rules that have literals are to be tried.
func (w *work) findLiterals() {
	l := w.scanner.literals
	key := uint32(0)
	for i := range len(w.text) {
		if key = l.key(key, l.class[w.text[i]]); l.mayBegin(key) {
			w.literalsAt(i - keyLength + 1)
		}
	}
	for i := range keyLength - 1 {
		if key = l.key(key, 0); l.mayBegin(key) {
			w.literalsAt(len(w.text) + i - keyLength + 1)
		}
	}
}

// literalsAt takes the literals that begin at a place, the short ones first.
func (w *work) literalsAt(start int) {
	if start < 0 {
		return // there was not yet a whole key
	}
	l := w.scanner.literals
	state := 0
	for i := start; i < len(w.text); i++ {
		if state = int(l.next[state*l.width+int(l.class[w.text[i]])]); state == 0 {
			return
		}
		for _, who := range l.ended[state] {
			w.literal(who, start)
		}
	}
}

func (w *work) literal(who, at int) {
	if who == oddLetter {
		w.odd = true
		return
	}
	rule := w.scanner.rules[who]
	if rule.back != nil {
		w.seen[who] = true
		return
	}
	for start := max(at-rule.farthest, 0); start <= at-rule.nearest; start++ {
		if w.mayStart(rule, start) {
			w.wait(rule, start, at)
		}
	}
}

func (w *work) mayStart(rule *compiled, start int) bool {
	return rule.first[w.text[start]] && !(rule.wordStart && start > 0 && wordByte[w.text[start-1]])
}

// wait puts a place in order: a literal may be farther behind the start than the one before it. at is where it is.
func (w *work) wait(rule *compiled, start, at int) {
	list := w.waiting[rule.index]
	if len(list) == 0 {
		w.queued = append(w.queued, rule.index)
	} else if len(list) >= manyInOne && list[0] < at-rule.farthest && !w.odd {
		w.tryWaiting(rule, at-rule.farthest)
		list = w.waiting[rule.index]
	}
	list = append(list, start)
	for i := len(list) - 1; i > 0 && list[i] < list[i-1]; i-- {
		list[i], list[i-1] = list[i-1], list[i]
	}
	w.waiting[rule.index] = list
}

// tryWaiting tries a rule at the places that wait for it before a place.
func (w *work) tryWaiting(rule *compiled, before int) {
	list := w.waiting[rule.index]
	done := 0
	for ; done < len(list) && list[done] < before; done++ {
		w.try(rule, list[done])
	}
	w.waiting[rule.index] = list[:copy(list, list[done:])]
}

func (w *work) tryEverywhere(rule *compiled) {
	for start := range len(w.text) {
		if utf8.RuneStart(w.text[start]) && rule.first[w.text[start]] {
			w.try(rule, start)
		}
	}
}

// try matches a rule at one place.
func (w *work) try(rule *compiled, start int) {
	if start < w.next[rule.index] {
		return
	}
	if end := rule.whole.match(w.text, start, nil); end >= 0 {
		w.matched(rule, start, end)
	}
}

// search matches a rule anywhere: once over the text for all starts, then back to where the match begins.
func (w *work) search(rule *compiled) {
	for from := 0; from < len(w.text); from = w.next[rule.index] {
		end := rule.whole.match(w.text, from, nil)
		if end < 0 {
			return
		}
		w.matched(rule, rule.back.matchBack(w.text, end, from), end)
	}
}

// matched takes a match, or refuses it, and says where the search for more goes on.
func (w *work) matched(rule *compiled, start, end int) {
	first, last, next := start, end, end
	if rule.parts != nil {
		first, last = rule.parts.find(w.text, start)
	}
	size := 0
	if first >= 0 && last > first {
		size = w.accepted(rule, first, last)
	}
	if size > 0 {
		w.found = append(w.found, candidate{first, first + size, rule})
		next = first + size
	} else if end-start <= retry {
		next = max(first, start+1)
	}
	w.next[rule.index] = next
}

// accepted is how many bytes of a match are the find; 0 for none.
func (w *work) accepted(rule *compiled, start, end int) int {
	size := end - start
	if rule.validate != nil {
		size = rule.validate(w.text[start:end], rule.Min)
	}
	if size == 0 || (rule.boundary != nil && !rule.boundary(w.text, start, start+size, w.lead)) {
		return 0
	}
	if rule.near == nil && rule.unless == nil {
		return size
	}
	before := lastChars(w.text[:start], nearby)
	if rule.near != nil && !rule.near.in(before) || rule.unless != nil && rule.unless.atEnd(before) {
		return 0
	}
	return size
}

package redaction

import (
	"encoding/binary"
	"errors"
	"regexp/syntax"
	"slices"
	"sync"
	"sync/atomic"
	"unicode"
	"unicode/utf8"
)

// mostMemory is how much the states of one automaton may take; beyond it they are made anew.
const mostMemory = 2 << 20

const mostClasses = 255

// automaton matches one pattern, anchored, in time linear in the text: a deterministic automaton whose states are made
// when they are first needed. It finds what Go's regexp finds (the leftmost-first match, or the longest one), of which
// it is a faster form: a step is two loads. It is safe for concurrent use; the states are shared.
type automaton struct {
	insts   []syntax.Inst
	start   uint32
	longest bool
	ascii   [utf8.RuneSelf]uint8
	bounds  []rune  // the first rune of each interval above ASCII
	above   []uint8 // its class
	samples []rune  // a rune of each class; the last class is the end of the text
	end     int

	from  [4]atomic.Pointer[state] // by what stands before the match
	mu    sync.Mutex
	live  *states
	asked queue // of the step that is being made
	after queue
}

type states struct {
	known map[string]*state
	size  int
}

// state is where a walk is: the instructions to run next, in order of priority.
type state struct {
	next    []atomic.Pointer[state] // by class; then by class where a match may not end
	insts   []uint32
	before  uint8
	matched bool // a match ends before the rune that led here
	dead    bool
	ends    bool // a match may end here
}

// What stands before a place, as far as a pattern can ask.
var befores = [4]rune{-1, '\n', ' ', 'a'}

func beforeOf(r rune) uint8 {
	switch {
	case r < 0:
		return 0
	case r == '\n':
		return 1
	case syntax.IsWordChar(r):
		return 3
	}
	return 2
}

func newAutomaton(re *syntax.Regexp, longest bool) (*automaton, error) {
	prog, err := syntax.Compile(re.Simplify())
	if err != nil {
		return nil, err
	}
	made := &automaton{
		insts: prog.Inst, start: uint32(prog.Start), longest: longest, live: &states{known: map[string]*state{}},
	}
	made.classify()
	if len(made.samples) > mostClasses {
		return nil, errors.New("it tells too many characters apart")
	}
	return made, nil
}

// classify puts runes that no instruction tells apart into one class.
func (a *automaton) classify() {
	var asked []*syntax.Inst
	firsts := []rune{utf8.RuneSelf}
	for i := range a.insts {
		inst := &a.insts[i]
		if !isRune(inst.Op) || slices.ContainsFunc(asked, func(other *syntax.Inst) bool { return sameRunes(inst, other) }) {
			continue
		}
		asked = append(asked, inst)
		firsts = append(firsts, firstsOf(inst)...)
	}
	classes := map[string]uint8{}
	classOf := func(r rune) uint8 {
		told := []byte{beforeOf(r)}
		for _, inst := range asked {
			told = append(told, map[bool]byte{true: 1}[inst.MatchRune(r)])
		}
		class, ok := classes[string(told)]
		if !ok {
			class = uint8(min(len(a.samples), 255))
			classes[string(told)] = class
			a.samples = append(a.samples, r)
		}
		return class
	}
	for r := range rune(utf8.RuneSelf) {
		a.ascii[r] = classOf(r)
	}
	slices.Sort(firsts)
	for _, first := range slices.Compact(firsts) {
		if first >= utf8.RuneSelf && first <= unicode.MaxRune {
			a.bounds, a.above = append(a.bounds, first), append(a.above, classOf(first))
		}
	}
	a.end = len(a.samples)
	a.samples = append(a.samples, -1)
}

func isRune(op syntax.InstOp) bool {
	return op == syntax.InstRune || op == syntax.InstRune1 || op == syntax.InstRuneAny || op == syntax.InstRuneAnyNotNL
}

func sameRunes(a, b *syntax.Inst) bool {
	return a.Op == b.Op && a.Arg == b.Arg && slices.Equal(a.Rune, b.Rune)
}

// firstsOf are the runes at which what inst matches begins or ends to differ.
func firstsOf(inst *syntax.Inst) []rune {
	if inst.Op == syntax.InstRuneAny || inst.Op == syntax.InstRuneAnyNotNL {
		return nil
	}
	if len(inst.Rune) == 1 {
		found := []rune{inst.Rune[0], inst.Rune[0] + 1}
		if syntax.Flags(inst.Arg)&syntax.FoldCase != 0 {
			for r := unicode.SimpleFold(inst.Rune[0]); r != inst.Rune[0]; r = unicode.SimpleFold(r) {
				found = append(found, r, r+1)
			}
		}
		return found
	}
	var found []rune
	for i := 0; i+1 < len(inst.Rune); i += 2 {
		found = append(found, inst.Rune[i], inst.Rune[i+1]+1)
	}
	return found
}

func (a *automaton) classOf(r rune) int {
	if r < utf8.RuneSelf {
		if r < 0 {
			return a.end
		}
		return int(a.ascii[r])
	}
	at, exact := slices.BinarySearch(a.bounds, r)
	if !exact {
		at--
	}
	return int(a.above[at])
}

// match is where the match that begins at a place ends; -1 if none begins there. It may end only where rest, if there
// is any, matches next.
func (a *automaton) match(text string, at int, rest *automaton) int {
	found := -1
	s := a.begin(before(text, at))
	for i := at; ; {
		class, width := a.end, 1
		if i < len(text) {
			if b := text[i]; b < utf8.RuneSelf {
				class = int(a.ascii[b])
			} else {
				r, size := utf8.DecodeRuneInString(text[i:])
				class, width = a.classOf(r), size
			}
		}
		if rest != nil && s.ends && !rest.matches(text, i) {
			class += len(a.samples)
		}
		next := s.next[class].Load()
		if next == nil {
			next = a.step(s, class)
		}
		if next.matched {
			found = i
		}
		if next.dead {
			return found
		}
		s = next
		i += width
	}
}

// matches is whether a match begins at a place.
func (a *automaton) matches(text string, at int) bool {
	s := a.begin(before(text, at))
	for i := at; ; {
		r, width := rune(-1), 1
		if i < len(text) {
			r, width = utf8.DecodeRuneInString(text[i:])
		}
		class := a.classOf(r)
		next := s.next[class].Load()
		if next == nil {
			next = a.step(s, class)
		}
		if next.matched || next.dead {
			return next.matched
		}
		s = next
		i += width
	}
}

// matchBack is match towards the start of the text, as far as from, for the pattern that reads backwards.
func (a *automaton) matchBack(text string, at, from int) int {
	found := -1
	s := a.begin(after(text, at))
	for i := at; ; {
		r, width := utf8.DecodeLastRuneInString(text[:i])
		if i == 0 {
			r, width = -1, 1
		}
		class := a.classOf(r)
		next := s.next[class].Load()
		if next == nil {
			next = a.step(s, class)
		}
		if next.matched {
			found = i
		}
		if next.dead || i <= from {
			return found
		}
		s = next
		i -= width
	}
}

func before(text string, at int) rune {
	if at == 0 {
		return -1
	}
	if b := text[at-1]; b < utf8.RuneSelf {
		return rune(b)
	}
	return utf8.RuneError // no word character and no line end, whatever it is
}

func after(text string, at int) rune {
	if at >= len(text) {
		return -1
	}
	r, _ := utf8.DecodeRuneInString(text[at:])
	return r
}

func (a *automaton) begin(before rune) *state {
	kind := beforeOf(before)
	if s := a.from[kind].Load(); s != nil {
		return s
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.after.reset(len(a.insts))
	a.follow(&a.after, a.start, 0, false)
	s := a.state(a.after.list, kind, false)
	a.from[kind].Store(s)
	return s
}

// queue is a list of instructions without any twice.
type queue struct {
	list  []uint32
	seen  []uint32 // the round in which an instruction was added last
	round uint32
}

func (q *queue) reset(insts int) {
	if q.seen == nil {
		q.seen = make([]uint32, insts)
	}
	q.list = q.list[:0]
	q.round++
}

func (q *queue) add(pc uint32) bool {
	if q.seen[pc] == q.round {
		return false
	}
	q.seen[pc] = q.round
	return true
}

// follow adds what pc leads to without reading a rune. What asks for the next rune is left to be asked, unless it is
// known.
func (a *automaton) follow(q *queue, pc uint32, flags syntax.EmptyOp, known bool) {
	if !q.add(pc) {
		return
	}
	switch inst := &a.insts[pc]; inst.Op {
	case syntax.InstFail:
	case syntax.InstAlt, syntax.InstAltMatch:
		a.follow(q, inst.Out, flags, known)
		a.follow(q, inst.Arg, flags, known)
	case syntax.InstNop, syntax.InstCapture:
		a.follow(q, inst.Out, flags, known)
	case syntax.InstEmptyWidth:
		if !known {
			q.list = append(q.list, pc)
		} else if syntax.EmptyOp(inst.Arg)&^flags == 0 {
			a.follow(q, inst.Out, flags, known)
		}
	default:
		q.list = append(q.list, pc)
	}
}

// step makes the state that follows s.
func (a *automaton) step(s *state, class int) *state {
	a.mu.Lock()
	defer a.mu.Unlock()
	if made := s.next[class].Load(); made != nil {
		return made
	}
	mayEnd := class < len(a.samples)
	r := a.samples[class%len(a.samples)]
	flags := syntax.EmptyOpContext(befores[s.before], r)
	a.asked.reset(len(a.insts))
	a.after.reset(len(a.insts))
	for _, pc := range s.insts {
		a.follow(&a.asked, pc, flags, true)
	}
	matched := false
	for _, pc := range a.asked.list {
		inst := &a.insts[pc]
		if inst.Op == syntax.InstMatch {
			if !mayEnd {
				continue
			}
			matched = true
			if !a.longest {
				break // the rest has a lower priority
			}
		} else if r >= 0 && inst.MatchRune(r) {
			a.follow(&a.after, inst.Out, 0, false)
		}
	}
	made := a.state(a.after.list, beforeOf(r), matched)
	s.next[class].Store(made)
	return made
}

func (a *automaton) state(insts []uint32, kind uint8, matched bool) *state {
	asks, ends := false, false
	for _, pc := range insts {
		asks = asks || a.insts[pc].Op == syntax.InstEmptyWidth
		ends = ends || a.insts[pc].Op == syntax.InstMatch
	}
	if !asks {
		kind = 0 // nobody asks
	}
	key := []byte{kind, map[bool]byte{true: 1}[matched]}
	for _, pc := range insts {
		key = binary.LittleEndian.AppendUint32(key, pc)
	}
	if known := a.live.known[string(key)]; known != nil {
		return known
	}
	made := &state{
		next: make([]atomic.Pointer[state], 2*len(a.samples)), insts: slices.Clone(insts),
		before: kind, matched: matched, dead: len(insts) == 0, ends: asks || ends,
	}
	size := 2*len(key) + 16*len(a.samples) + 96
	if a.live.size+size > mostMemory {
		a.live = &states{known: map[string]*state{}}
		for i := range a.from {
			a.from[i].Store(nil)
		}
	}
	a.live.known[string(key)] = made
	a.live.size += size
	return made
}

package redaction

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/genops-ai/genops/collector/internal/suggest"
)

// What happens to a find.
const (
	Allow = "allow" // nothing, and it is not counted
	Label = "label" // `[EMAIL]`
	Mask  = "mask"  // `****.com`
	Hash  = "hash"  // `[EMAIL:3f9a2c1b0d4e]`, under a key
	Drop  = "drop"  // nothing is left
	Block = "block" // `[EMAIL]`: to refuse the call is for whoever can
)

// Actions are what can happen to a find. The action token of the SDKs needs a vault on the caller's side.
var Actions = []string{Allow, Label, Mask, Hash, Drop, Block}

const (
	hashDigits = 12
	shown      = 4 // characters that a mask leaves
	maskedFrom = 8 // a value shorter than this is masked whole
	leastKey   = 16
)

// Options say what is looked for, and what happens to it.
type Options struct {
	Actions map[string]string // by entity or kind; an entity goes before its kind, and what neither names is labelled
	Key     []byte            // for the action hash
	Custom  []Rule
}

// Redactor finds and replaces. It does not change after it is made, and is safe for concurrent use.
type Redactor struct {
	version  string
	entities []string
	actions  map[string]string
	key      []byte
	scanner  *scanner
}

// Find is something found: text[Start:End], in bytes. The value itself is not kept.
type Find struct {
	Start, End   int
	Entity, Rule string
}

// New makes a redactor, or says which option cannot work.
func New(options Options) (*Redactor, error) {
	all := shipped()
	if err := all.extended(options.Custom); err != nil {
		return nil, err
	}
	made := &Redactor{version: all.Version, key: options.Key, actions: map[string]string{}}
	for entity := range all.Entities {
		made.entities = append(made.entities, entity)
	}
	slices.Sort(made.entities)
	if err := made.choose(options, all.Entities); err != nil {
		return nil, err
	}
	var active []*compiled
	for i := range all.Rules {
		rule := &all.Rules[i]
		if made.actions[rule.Entity] == Allow {
			continue
		}
		ready, err := compile(rule, all.Entities[rule.Entity])
		if err != nil {
			return nil, err
		}
		active = append(active, ready)
	}
	made.scanner = newScanner(active)
	return made, nil
}

func (r *Redactor) choose(options Options, kinds map[string]string) error {
	names := append(slices.Clone(r.entities), Personal, Secret)
	for name, action := range options.Actions {
		if !slices.Contains(names, name) {
			return fmt.Errorf("actions: there is no entity or kind '%s' to redact.%s  fix: use one of %s", name,
				suggest.DidYouMean(name, names), strings.Join(names, ", "))
		}
		if action == "token" {
			return fmt.Errorf("actions: %s: nobody can turn a token back here, so the action token is for SDKs.  "+
				"fix: use hash, by which records can be joined", name)
		}
		if !slices.Contains(Actions, action) {
			return fmt.Errorf("actions: '%s' is no action for %s.%s  fix: use one of %s", action, name,
				suggest.DidYouMean(action, Actions), strings.Join(Actions, ", "))
		}
		if action == Hash && len(options.Key) < leastKey {
			return errors.New("the action hash needs a key of at least 16 bytes")
		}
	}
	for entity, kind := range kinds {
		r.actions[entity] = Label
		if action, ok := options.Actions[kind]; ok {
			r.actions[entity] = action
		}
		if action, ok := options.Actions[entity]; ok {
			r.actions[entity] = action
		}
	}
	return nil
}

// Version is that of the rules; it changes with every rule that ships.
func (r *Redactor) Version() string { return r.version }

// Entities are what can be found, in order; a Tally counts by their places.
func (r *Redactor) Entities() []string { return r.entities }

// Find is what is acted on in text, in order and without overlaps.
func (r *Redactor) Find(text string) []Find {
	w := r.scanner.work()
	defer r.scanner.done(w)
	w.scan(text, 0)
	w.found = slices.DeleteFunc(w.found, func(each candidate) bool { return r.hashed(text, each) })
	var made []Find
	for _, each := range w.resolve() {
		made = append(made, Find{each.start, each.end, each.rule.Entity, each.rule.ID})
	}
	return made
}

// Redact is text with every find replaced by what its action says. Text in which nothing is found costs no memory.
func (r *Redactor) Redact(text string, tally *Tally) string {
	made, _ := r.announced("", text, tally)
	return made
}

const (
	leadOpens  = `: "`
	leadCloses = `"`
)

// announced redacts a text in a field of some name, which announces what is in it as `"password": "..."` does in a text.
func (r *Redactor) announced(name, text string, tally *Tally) (made string, changed bool) {
	return r.upTo(len(text), name, text, tally)
}

// RedactStart is the first keep bytes of a text, redacted. What follows them is looked at, for finds that begin before,
// and left out.
func (r *Redactor) RedactStart(name, text string, keep int, tally *Tally) string {
	keep = min(keep, len(text))
	for keep > 0 && keep < len(text) && !utf8.RuneStart(text[keep]) {
		keep--
	}
	made, changed := r.upTo(keep, name, text, tally)
	if !changed {
		return strings.Clone(text[:keep])
	}
	return made
}

func (r *Redactor) upTo(keep int, name, text string, tally *Tally) (made string, changed bool) {
	w := r.scanner.work()
	defer r.scanner.done(w)
	whole, lead := text, 0
	if name != "" {
		w.buffer = append(append(append(append(w.buffer[:0], name...), leadOpens...), text...), leadCloses...)
		whole, lead = shared(w.buffer), len(name)+len(leadOpens)
	}
	w.scan(whole, lead)
	w.found = slices.DeleteFunc(w.found, func(each candidate) bool {
		return each.start < lead || each.start >= lead+keep || r.hashed(whole, each)
	})
	if len(w.found) == 0 {
		return text, false
	}
	var out strings.Builder
	at := 0
	for _, each := range w.resolve() {
		start, end := each.start-lead, min(each.end-lead, len(text))
		out.WriteString(text[at:start])
		r.replace(&out, each.rule.Entity, text[start:end])
		tally.add(r, each.rule.Entity)
		at = end
	}
	if at < keep {
		out.WriteString(text[at:keep])
	}
	return out.String(), true
}

// hashed is whether a find is what the action hash put there: redacted once more, a text stays as it is.
func (r *Redactor) hashed(text string, each candidate) bool {
	if each.end-each.start != hashDigits || byteAt(text, each.start-1) != ':' || byteAt(text, each.end) != ']' {
		return false
	}
	opened := strings.LastIndexByte(text[:each.start], '[')
	return slices.Contains(r.entities, text[opened+1:each.start-1]) && runOf(text[each.start:each.end], isHex) == hashDigits
}

func isHex(b byte) bool { return isDigit(b) || 'a' <= b && b <= 'f' }

// shared is bytes as a text without a copy: it is only good as long as the bytes stay as they are.
func shared(bytes []byte) string { return unsafe.String(unsafe.SliceData(bytes), len(bytes)) }

func (r *Redactor) replace(out *strings.Builder, entity, value string) {
	switch r.actions[entity] {
	case Drop:
	case Mask:
		out.WriteString("****")
		if utf8.RuneCountInString(value) >= maskedFrom {
			out.WriteString(lastChars(value, shown))
		}
	case Hash:
		mac := hmac.New(sha256.New, r.key)
		mac.Write([]byte(value))
		out.WriteString("[" + entity + ":" + hex.EncodeToString(mac.Sum(nil))[:hashDigits] + "]")
	default:
		out.WriteString("[" + entity + "]")
	}
}

// Tally counts finds by entity. The zero Tally is empty.
type Tally struct {
	Counts []int // by the place of the entity in Redactor.Entities
	Total  int
}

func (t *Tally) add(r *Redactor, entity string) {
	if t.Counts == nil {
		t.Counts = make([]int, len(r.entities))
	}
	at, _ := slices.BinarySearch(r.entities, entity)
	t.Counts[at]++
	t.Total++
}

// Add counts what another tally counted.
func (t *Tally) Add(other *Tally) {
	if other.Total == 0 {
		return
	}
	if t.Counts == nil {
		t.Counts = make([]int, len(other.Counts))
	}
	for i, count := range other.Counts {
		t.Counts[i] += count
	}
	t.Total += other.Total
}

// Reset empties the tally.
func (t *Tally) Reset() {
	clear(t.Counts)
	t.Total = 0
}

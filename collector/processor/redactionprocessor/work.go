package redactionprocessor

import (
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/genops-ai/genops/collector/internal/redaction"
	"github.com/genops-ai/genops/collector/internal/semconv"
)

// What stands where a value was.
const (
	denied   = "[REDACTED]"
	tooLarge = "[TOO_LARGE]"
	faulty   = "[REDACTION_FAULT]" // it could not be looked through, so it does not pass
	rest     = " [CUT]"
)

const (
	deepest    = 64      // levels of maps and lists that are looked into
	lookBehind = 2 << 10 // bytes behind a cut in which a secret may end that begins before it
)

// work is what one batch needs; used again by the next one.
type work struct {
	p       *redactionProcessor
	tally   redaction.Tally // of one span or record
	all     redaction.Tally // of the batch
	changed int64
	scanned int64
	large   int64
	faults  int64
	fault   any // the last one
	renamed []renaming
	clean   *memory
	recent  recent
}

type renaming struct{ from, to string }

func (p *redactionProcessor) work() *work { return p.works.Get().(*work) }

func (w *work) done() {
	w.tally.Reset()
	w.all.Reset()
	w.changed, w.scanned, w.large, w.faults, w.fault = 0, 0, 0, 0, nil
	clear(w.renamed)
	w.renamed = w.renamed[:0]
	w.p.works.Put(w)
}

// attributes redacts the values of attributes, and leaves those that are of no interest by their names.
func (w *work) attributes(attributes pcommon.Map) {
	for name, value := range attributes.All() {
		switch value.Type() {
		case pcommon.ValueTypeStr, pcommon.ValueTypeMap, pcommon.ValueTypeSlice, pcommon.ValueTypeBytes:
			switch w.recent.of(name, w.p.keys) {
			case look:
				w.value(name, value, 0)
			case deny:
				w.replace(value, denied)
			case pass:
			}
		default:
			if w.recent.of(name, w.p.keys) == deny {
				w.replace(value, denied)
			}
		}
	}
}

func (w *work) replace(value pcommon.Value, marker string) {
	if value.Type() != pcommon.ValueTypeStr || value.Str() != marker {
		value.SetStr(marker)
		w.changed++
	}
}

// value redacts a value whatever it is. On a fault of ours the value does not pass.
func (w *work) value(name string, value pcommon.Value, depth int) {
	defer func() {
		if fault := recover(); fault != nil {
			w.faults, w.fault = w.faults+1, fault
			value.SetStr(faulty)
		}
	}()
	switch value.Type() {
	case pcommon.ValueTypeStr:
		if made, changed := w.redacted(name, value.Str()); changed {
			value.SetStr(made)
		}
	case pcommon.ValueTypeBytes:
		if made, changed := w.redacted(name, string(value.Bytes().AsRaw())); changed {
			value.SetEmptyBytes().FromRaw([]byte(made))
		}
	case pcommon.ValueTypeMap, pcommon.ValueTypeSlice:
		if depth >= deepest {
			w.replace(value, redaction.TooDeep)
		} else if value.Type() == pcommon.ValueTypeMap {
			w.nested(value.Map(), depth)
		} else {
			for _, each := range value.Slice().All() {
				w.value(name, each, depth+1)
			}
		}
	default:
	}
}

// nested redacts a map inside a value, with the names in it.
func (w *work) nested(inside pcommon.Map, depth int) {
	first := len(w.renamed)
	for name, each := range inside.All() {
		w.value(name, each, depth+1)
		if made, changed := w.redacted("", name); changed {
			w.renamed = append(w.renamed, renaming{name, made})
		}
	}
	if len(w.renamed) > first {
		rename(inside, w.renamed[first:])
	}
	clear(w.renamed[first:])
	w.renamed = w.renamed[:first]
}

// rename takes time linear in the map. Names that become the same one are told apart by a number.
func rename(inside pcommon.Map, all []renaming) {
	raw, used := inside.AsRaw(), map[string]int{}
	for _, each := range all {
		value, ok := raw[each.from]
		if !ok {
			continue
		}
		delete(raw, each.from)
		to := each.to
		for _, taken := raw[to]; taken; _, taken = raw[to] {
			used[each.to]++
			to = each.to + "#" + strconv.Itoa(used[each.to]+1)
		}
		raw[to] = value
	}
	if err := inside.FromRaw(raw); err != nil {
		panic(err) // it came from such a map
	}
}

// text redacts what is no attribute, such as the name of a span. On a fault of ours it does not pass.
func (w *work) text(name, text string) (made string, changed bool) {
	defer func() {
		if fault := recover(); fault != nil {
			w.faults, w.fault = w.faults+1, fault
			made, changed = faulty, true
		}
	}()
	return w.redacted(name, text)
}

func (w *work) redacted(name, text string) (made string, changed bool) {
	if text == "" {
		return text, false
	}
	most := w.p.config.MaxValueBytes
	if len(text) <= most {
		w.scanned += int64(len(text))
		slot, hash := w.clean.of(name, text)
		if slot != nil && slot.holds(name, text) {
			return text, false
		}
		if made, changed = w.p.engine.RedactValue(name, text, &w.tally); slot != nil && !changed {
			slot.note(name, text, hash)
		}
	} else {
		w.large++
		made, changed = tooLarge, true
		if w.p.config.TooLarge == cut {
			w.scanned += int64(most)
			made = w.p.engine.RedactStart(name, text[:most], most-lookBehind, &w.tally) + rest
		}
	}
	if changed {
		w.changed++
	}
	return made, changed
}

// summarise counts the finds of one span or record, and says on it how many there were.
func (w *work) summarise(attributes pcommon.Map) {
	if w.tally.Total > 0 && w.p.config.Summary {
		w.put(attributes)
	}
	w.count()
}

func (w *work) count() {
	w.all.Add(&w.tally)
	w.tally.Reset()
}

// put adds to what an SDK or a Collector before this one counted.
func (w *work) put(attributes pcommon.Map) {
	total := int64(w.tally.Total)
	if before, ok := attributes.Get(semconv.GenopsRedactionCount); ok && before.Type() == pcommon.ValueTypeInt {
		total += before.Int()
	}
	counts := map[string]int{}
	for i, count := range w.tally.Counts {
		if count > 0 {
			counts[w.p.entities[i]] = count
		}
	}
	if before, ok := attributes.Get(semconv.GenopsRedactionEntities); ok && before.Type() == pcommon.ValueTypeSlice {
		for _, each := range before.Slice().All() {
			entity, said, _ := strings.Cut(each.Str(), "=")
			if count, err := strconv.Atoi(said); err == nil {
				counts[entity] += count
			}
		}
	}
	attributes.PutInt(semconv.GenopsRedactionCount, total)
	into := attributes.PutEmptySlice(semconv.GenopsRedactionEntities)
	names := make([]string, 0, len(counts))
	for entity, count := range counts {
		names = append(names, entity+"="+strconv.Itoa(count))
	}
	slices.Sort(names)
	for _, name := range names {
		into.AppendEmpty().SetStr(name)
	}
}

package redaction

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"
)

// resolve keeps candidates that do not overlap, in order. Of two that do, the more specific rule names the find, then
// the longer one. Where both are of one kind the find covers both, so that no part of either stays.
func (w *work) resolve() []candidate {
	slices.SortFunc(w.found, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(b.end, a.end), cmp.Compare(b.rule.Rank, a.rule.Rank),
			strings.Compare(a.rule.ID, b.rule.ID))
	})
	kept := w.found[:0]
	for _, each := range w.found {
		if len(kept) == 0 || each.start >= kept[len(kept)-1].end {
			kept = append(kept, each)
			continue
		}
		last := &kept[len(kept)-1]
		best := *last
		if w.weighsMore(each, best) {
			best = each
		}
		if last.rule.kind == each.rule.kind {
			best.start, best.end = last.start, max(last.end, each.end)
		}
		*last = best
	}
	return kept
}

func (w *work) weighsMore(a, b candidate) bool {
	if a.rule.Rank != b.rule.Rank {
		return a.rule.Rank > b.rule.Rank
	}
	return w.chars(a) > w.chars(b)
}

func (w *work) chars(each candidate) int { return utf8.RuneCountInString(w.text[each.start:each.end]) }

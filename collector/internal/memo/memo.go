// Package memo remembers what was found out about a text, for texts of which few differ: models, hosts, scopes.
package memo

import (
	"strings"
	"sync"
)

const (
	most    = 4096 // texts are remembered; then all are forgotten, so that a sender of ever new ones takes no memory
	longest = 256  // of a text that is remembered
)

// Texts remembers what find says of a text. Find must always say the same. It is safe for concurrent use.
type Texts[V any] struct {
	find  func(string) V
	mu    sync.RWMutex
	known map[string]V
}

// New remembers what find says.
func New[V any](find func(string) V) *Texts[V] {
	return &Texts[V]{find: find, known: map[string]V{}}
}

// Get is what find says of text. Find is given a copy: a text of a span is part of a batch, which would be kept with it.
func (t *Texts[V]) Get(text string) V {
	t.mu.RLock()
	found, ok := t.known[text]
	t.mu.RUnlock()
	if ok {
		return found
	}
	text = strings.Clone(text)
	found = t.find(text)
	if len(text) > longest {
		return found
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.known) >= most {
		clear(t.known)
	}
	t.known[text] = found
	return found
}

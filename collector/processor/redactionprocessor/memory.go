package redactionprocessor

import "hash/maphash"

const (
	mostRemembered = 1024 // texts
	longestText    = 160  // bytes, with the name
)

// memory is of short texts in which nothing was found. The values of most attributes are the same few, over and over: one
// that was looked through need not be again. It compares the texts themselves, so it is never wrong.
type memory struct {
	seed  maphash.Seed
	slots []slot
}

// slot has room for one text. One that is seen for the first time takes nothing's place: identifiers come once.
type slot struct {
	hash uint64 // of the text that was seen last
	name int    // how much of text is the name
	text []byte // the name and the text that is remembered
}

func newMemory() *memory {
	return &memory{seed: maphash.MakeSeed(), slots: make([]slot, mostRemembered)}
}

// of is the slot for a text in a field of some name, and the hash of both; nil for one that is too long.
func (m *memory) of(name, text string) (*slot, uint64) {
	if len(name)+len(text) > longestText {
		return nil, 0
	}
	hash := maphash.String(m.seed, text)
	if name != "" {
		hash = hash*31 + maphash.String(m.seed, name)
	}
	return &m.slots[hash%uint64(len(m.slots))], hash
}

func (s *slot) holds(name, text string) bool {
	return s.name == len(name) && len(s.text) == len(name)+len(text) &&
		string(s.text[:s.name]) == name && string(s.text[s.name:]) == text
}

// note remembers a text when it comes again.
func (s *slot) note(name, text string, hash uint64) {
	if s.hash != hash {
		s.hash = hash
		return
	}
	s.name, s.text = len(name), append(append(s.text[:0], name...), text...)
}

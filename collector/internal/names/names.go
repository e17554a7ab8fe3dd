// Package names finds what is known of the name of an attribute. Every attribute of every span is asked about, most of
// them in vain, so an answer takes a few nanoseconds and no memory.
package names

// Key is what tables are sorted by. It is found once for a name, and serves all tables.
type Key uint8

// KeyOf is the key of a name: its length, and three of its letters that the names of one family differ in.
func KeyOf(name string) Key {
	size := len(name)
	if size == 0 {
		return 0
	}
	return Key(size) + Key(name[size-1])*3 + Key(name[size/2])*7 + Key(name[size*3/4])*13
}

const keys = 256

type entry[V any] struct {
	name  string
	value V
}

// Table is what is known of some names. It does not change.
type Table[V any] struct {
	first   [keys + 1]uint16 // where the names of a key begin among all
	entries []entry[V]
}

// New is a table of what is said of each name; of more than 65,535 names it panics.
func New[V any](known map[string]V) *Table[V] {
	made := &Table[V]{entries: make([]entry[V], 0, len(known))}
	if len(known) > 1<<16-1 {
		panic("genops: too many names of attributes")
	}
	var by [keys][]entry[V]
	for name, value := range known {
		key := KeyOf(name)
		by[key] = append(by[key], entry[V]{name, value})
	}
	for key, entries := range by {
		made.entries = append(made.entries, entries...)
		made.first[key+1] = uint16(len(made.entries))
	}
	return made
}

// Get is what is known of a name whose key is given; nil for nothing.
func (t *Table[V]) Get(key Key, name string) *V {
	for at, end := t.first[key], t.first[int(key)+1]; at < end; at++ {
		if known := &t.entries[at]; known.name == name {
			return &known.value
		}
	}
	return nil
}

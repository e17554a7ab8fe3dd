package redaction

// keyLength is how many bytes tell whether a literal may begin where they stand, keyBits how many bits there are of each.
const (
	keyLength = 3
	keyBits   = 6
	keyMask   = 1<<(keyLength*keyBits) - 1
)

// literals finds many texts at once, whatever the case of their letters. One bit for each three bytes in a row says
// whether any of the texts may begin there; where it is set, which is rare, the texts are followed letter by letter.
type literals struct {
	begins [(keyMask + 1) / 64]uint64
	class  [256]uint8 // 0 for bytes that are in no text
	width  int
	next   []uint32 // by state and class of the byte; 0 where no text goes on
	ended  [][]int  // by state, for whom a text ends there
}

func newLiterals(texts map[string][]int) *literals {
	made := &literals{width: 1}
	for text := range texts {
		for i := range len(text) {
			if b := text[i]; made.class[b] == 0 {
				made.class[b] = uint8(made.width)
				made.width++
			}
		}
	}
	for upper := byte('A'); upper <= 'Z'; upper++ {
		made.class[upper] = made.class[upper+'a'-'A']
	}
	made.state()
	for text, whose := range texts {
		at := 0
		for i := range len(text) {
			place := at*made.width + int(made.class[text[i]])
			if made.next[place] == 0 {
				made.next[place] = uint32(made.state())
			}
			at = int(made.next[place])
		}
		made.ended[at] = whose
		made.begin(text, 0, 0)
	}
	return made
}

// state adds a state.
func (l *literals) state() int {
	l.next, l.ended = append(l.next, make([]uint32, l.width)...), append(l.ended, nil)
	return len(l.ended) - 1
}

// begin sets the bits of all keys with which a text may begin; what follows a shorter one may be anything.
func (l *literals) begin(text string, at int, key uint32) {
	switch {
	case at == keyLength:
		l.begins[key/64] |= 1 << (key % 64)
	case at < len(text):
		l.begin(text, at+1, l.key(key, l.class[text[at]]))
	default:
		for class := range 1 << keyBits {
			l.begin(text, at+1, l.key(key, uint8(class)))
		}
	}
}

// key is that of the last bytes with one more. Of many classes, some share their bits.
func (l *literals) key(key uint32, class uint8) uint32 {
	return (key<<keyBits | uint32(class)%(1<<keyBits)) & keyMask
}

func (l *literals) mayBegin(key uint32) bool { return l.begins[key/64]>>(key%64)&1 != 0 }

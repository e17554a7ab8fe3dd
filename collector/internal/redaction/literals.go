package redaction

// literals finds many texts at once, whatever the case of their letters: one load for each byte of the text, however
// many there are (Aho and Corasick 1975).
type literals struct {
	next  []uint32 // by state and class of the byte
	class [256]uint8
	width int
	quiet uint32 // states below it end no text
	ended [][]literal
}

// literal is a text that is looked for and for whom.
type literal struct {
	length int
	who    int
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
	trie := newTrie(made, texts)
	trie.link()
	trie.number(made)
	return made
}

type trie struct {
	children []map[uint8]int
	fails    []int
	ended    [][]literal
	order    []int // nodes, the shallow ones first
}

func newTrie(l *literals, texts map[string][]int) *trie {
	made := &trie{}
	made.node()
	for text, whose := range texts {
		at := 0
		for i := range len(text) {
			class := l.class[text[i]]
			child, ok := made.children[at][class]
			if !ok {
				child = made.node()
				made.children[at][class] = child
			}
			at = child
		}
		for _, who := range whose {
			made.ended[at] = append(made.ended[at], literal{len(text), who})
		}
	}
	return made
}

func (t *trie) node() int {
	t.children = append(t.children, map[uint8]int{})
	t.fails, t.ended = append(t.fails, 0), append(t.ended, nil)
	return len(t.children) - 1
}

// link says where to go on where a text is none after all, and adds the texts that end inside others.
func (t *trie) link() {
	t.order = []int{0}
	for i := 0; i < len(t.order); i++ {
		at := t.order[i]
		for class, child := range t.children[at] {
			t.order = append(t.order, child)
			if at != 0 {
				t.fails[child] = t.follow(t.fails[at], class)
			}
			t.ended[child] = append(t.ended[child], t.ended[t.fails[child]]...)
		}
	}
}

func (t *trie) follow(at int, class uint8) int {
	for {
		if child, ok := t.children[at][class]; ok {
			return child
		}
		if at == 0 {
			return 0
		}
		at = t.fails[at]
	}
}

// number lays the states out, those that end no text first.
func (t *trie) number(l *literals) {
	numbers := make([]uint32, len(t.order))
	count := uint32(0)
	for _, loud := range []bool{false, true} {
		if loud {
			l.quiet = count
		}
		for _, at := range t.order {
			if (len(t.ended[at]) > 0) == loud {
				numbers[at] = count * uint32(l.width)
				count++
			}
		}
	}
	l.next = make([]uint32, int(count)*l.width)
	l.ended = make([][]literal, count-l.quiet)
	l.quiet *= uint32(l.width)
	for _, at := range t.order {
		for class := range l.width {
			l.next[int(numbers[at])+class] = numbers[t.follow(at, uint8(class))]
		}
		if numbers[at] >= l.quiet {
			l.ended[(numbers[at]-l.quiet)/uint32(l.width)] = t.ended[at]
		}
	}
}

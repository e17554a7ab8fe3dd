package redaction

import bit "math/bits"

const (
	inWord   = 1 << iota // a letter, a digit or a mark of a word
	isFigure             // a digit
)

var marks = func() (made [256]uint8) {
	for b := range made {
		if wordByte[b] {
			made[b] |= inWord
		}
		if isDigit(byte(b)) {
			made[b] |= inWord | isFigure
		}
	}
	return made
}()

// blockSize is how many bytes are looked at as the bits of one number: no branch has to be guessed for each byte.
const blockSize = 64

// findNumbers tries the rules that need digits, and those that may match where any word begins.
func (w *work) findNumbers() {
	var before, digitsBefore uint64 // the bits of the block before
	for base := 0; base <= len(w.text); base += blockSize {
		words, digits := bitsOf(w.text[base:min(base+blockSize, len(w.text))])
		for left := digits &^ (digits<<1 | digitsBefore>>(blockSize-1)); left != 0; left &= left - 1 {
			w.number(base + bit.TrailingZeros64(left))
		}
		if len(w.scanner.words) > 0 {
			for left := w.longWords(words, before); left != 0; left &= left - 1 {
				end := bit.TrailingZeros64(left)
				size := bit.LeadingZeros64(^(words<<(blockSize-end) | before>>end))
				w.word(base+end-size, base+end)
			}
		}
		before, digitsBefore = words, digits
	}
}

// bitsOf says of each byte whether it is in a word, and whether it is a digit; the lowest bit is the first byte's.
func bitsOf(block string) (words, digits uint64) {
	for i := range len(block) {
		mark := uint64(marks[block[i]])
		words = words>>1 | mark<<(blockSize-1)
		digits = digits>>1 | mark>>1<<(blockSize-1)
	}
	return words >> (blockSize - len(block)), digits >> (blockSize - len(block))
}

// longWords are the places behind words that may be long enough for a rule.
func (w *work) longWords(words, before uint64) uint64 {
	ends := ^words
	for back := 1; back <= min(w.scanner.shortest, blockSize-1); back++ {
		ends &= words<<back | before>>(blockSize-back)
	}
	return ends
}

func (w *work) word(start, end int) {
	for end-start >= blockSize && start > 0 && marks[w.text[start-1]] != 0 {
		start--
	}
	for _, rule := range w.scanner.words {
		if (end-start >= rule.least || !rule.solid) && rule.first[w.text[start]] {
			w.try(rule, start)
		}
	}
}

func (w *work) number(at int) {
	count := digitsAhead(w.text[at:])
	first := max(at-w.scanner.farthest, 0)
	begins := at // of the words from there on, the first
	for i := at - 1; i >= first; i-- {
		if wordByte[w.text[i]] && !wordByte[byteAt(w.text, i-1)] {
			begins = i
		}
	}
	for _, rule := range w.scanner.digits {
		if rule.leadDigits > count {
			return
		}
		start := max(at-rule.farthest, 0)
		if rule.wordStart {
			start = max(start, begins)
		}
		for ; start <= at; start++ {
			if w.mayStart(rule, start) {
				w.try(rule, start)
			}
		}
	}
}

// digitsAhead is how many digits there are up to what cannot be in a number; enough of them for any rule is enough.
func digitsAhead(text string) (count int) {
	const enough, farEnough = 20, 256
	for i := range len(text) {
		if isDigit(text[i]) {
			count++
		} else if !numberByte[text[i]] {
			return count
		}
		if count == enough || i == farEnough {
			return enough
		}
	}
	return count
}

var numberByte = func() (made [256]bool) {
	for b := range made {
		made[b] = isNumber(byte(b))
	}
	return made
}()

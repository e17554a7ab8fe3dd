package redaction

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// nearby is how many characters before a find count for words that announce it.
const nearby = 48

// announcers are words that announce a find, or forbid it, whatever the case of their letters.
type announcers struct {
	byFirst map[rune][]string // in small letters
}

func newAnnouncers(words []string) *announcers {
	if len(words) == 0 {
		return nil
	}
	made := &announcers{byFirst: map[rune][]string{}}
	for _, word := range words {
		small := strings.Map(small, word)
		first, _ := utf8.DecodeRuneInString(small)
		made.byFirst[first] = append(made.byFirst[first], small)
	}
	return made
}

// in is whether one of the words stands anywhere in text, not inside another one; a plural s is allowed.
func (a *announcers) in(text string) bool {
	return a.find(text, func(rest string) bool {
		if !startsWithLetter(rest) {
			return true
		}
		r, size := utf8.DecodeRuneInString(rest)
		return small(r) == 's' && !startsWithLetter(rest[size:])
	})
}

// atEnd is whether text ends with one of the words, and up to three characters of no word.
func (a *announcers) atEnd(text string) bool {
	return a.find(text, func(rest string) bool {
		for count := 0; count < 3 && rest != ""; count++ {
			r, size := utf8.DecodeRuneInString(rest)
			if isWord(r) {
				break
			}
			rest = rest[size:]
		}
		return rest == "" || rest == "\n"
	})
}

func (a *announcers) find(text string, ok func(rest string) bool) bool {
	last := ' '
	for at, r := range text {
		if !isLetter(last) {
			for _, word := range a.byFirst[small(r)] {
				if rest, has := cutPrefixFold(text[at:], word); has && ok(rest) {
					return true
				}
			}
		}
		last = r
	}
	return false
}

// cutPrefixFold takes word, which is in small letters, off the start of text.
func cutPrefixFold(text, word string) (rest string, ok bool) {
	for _, want := range word {
		r, size := utf8.DecodeRuneInString(text)
		if size == 0 || small(r) != want {
			return "", false
		}
		text = text[size:]
	}
	return text, true
}

// small is the letter that Python's re takes for r where cases do not count.
func small(r rune) rune {
	if r < utf8.RuneSelf {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}
	switch r {
	case '\u0130', '\u0131':
		return 'i'
	case longS:
		return 's'
	}
	return unicode.ToLower(r)
}

func startsWithLetter(text string) bool {
	r, size := utf8.DecodeRuneInString(text)
	return size > 0 && isLetter(r)
}

// isLetter is what Python's re calls a word character that is neither a digit nor an underscore.
func isLetter(r rune) bool {
	if r < utf8.RuneSelf {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
	}
	return unicode.IsLetter(r) || unicode.In(r, unicode.Nl, unicode.No)
}

// isWord is what Python's re calls a word character.
func isWord(r rune) bool {
	if r < utf8.RuneSelf {
		return wordByte[r]
	}
	return unicode.IsLetter(r) || unicode.IsNumber(r)
}

var wordByte = func() (made [256]bool) {
	for b := range made {
		made[b] = '0' <= b && b <= '9' || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || b == '_'
	}
	return made
}()

var lowerByte = func() (made [256]byte) {
	for b := range made {
		made[b] = byte(b)
		if 'A' <= b && b <= 'Z' {
			made[b] = byte(b + 'a' - 'A')
		}
	}
	return made
}()

// lastChars is the end of text with at most count characters.
func lastChars(text string, count int) string {
	at := len(text)
	for ; count > 0 && at > 0; count-- {
		_, size := utf8.DecodeLastRuneInString(text[:at])
		at -= size
	}
	return text[at:]
}

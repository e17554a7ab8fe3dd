// Package globs matches patterns as Python's fnmatch does: `*`, `?`, `[abc]`, `[a-z]` and `[!a]`, over the whole text.
package globs

import "strings"

// Match is whether text as a whole fits pattern.
func Match(pattern, text string) bool {
	return match([]rune(pattern), []rune(text))
}

// Plain is whether pattern has no special character: it fits itself alone.
func Plain(pattern string) bool {
	return !strings.ContainsAny(pattern, "*?[")
}

// match goes back to the last `*` on a mismatch, so it takes time in proportion to pattern times text at worst.
func match(pattern, text []rune) bool {
	at, place := 0, 0
	star, resume := -1, 0
	for place < len(text) {
		if at < len(pattern) && pattern[at] == '*' {
			star, resume = at, place
			at++
			continue
		}
		if at < len(pattern) {
			if fits, length := one(pattern[at:], text[place]); fits {
				at += length
				place++
				continue
			}
		}
		if star < 0 {
			return false
		}
		resume++
		at, place = star+1, resume
	}
	for at < len(pattern) && pattern[at] == '*' {
		at++
	}
	return at == len(pattern)
}

// one is whether the first item of pattern fits r, and how long that item is.
func one(pattern []rune, r rune) (fits bool, length int) {
	switch pattern[0] {
	case '?':
		return true, 1
	case '[':
		if end := closing(pattern); end > 0 {
			return class(pattern[1:end], r), end + 1
		}
	}
	return pattern[0] == r, 1
}

// closing is the place of the bracket that ends a class; 0 for a bracket that stands for itself.
func closing(pattern []rune) int {
	end := 1
	if end < len(pattern) && pattern[end] == '!' {
		end++
	}
	if end < len(pattern) && pattern[end] == ']' {
		end++
	}
	for ; end < len(pattern); end++ {
		if pattern[end] == ']' {
			return end
		}
	}
	return 0
}

func class(items []rune, r rune) bool {
	negated := len(items) > 0 && items[0] == '!'
	if negated {
		items = items[1:]
	}
	found := false
	for at := 0; at < len(items); at++ {
		if at+2 < len(items) && items[at+1] == '-' {
			found = found || (items[at] <= r && r <= items[at+2])
			at += 2
			continue
		}
		found = found || items[at] == r
	}
	return found != negated
}

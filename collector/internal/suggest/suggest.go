// Package suggest finds the word that somebody probably meant.
package suggest

import "slices"

// DidYouMean is " Did you mean 'x'?" for the known word that is close to word, or "" if none is.
func DidYouMean(word string, known []string) string {
	best, least := "", len(word)/2+1
	for _, candidate := range slices.Sorted(slices.Values(known)) {
		if apart := distance(word, candidate); apart < least {
			best, least = candidate, apart
		}
	}
	if best == "" || least > max(len(word), len(best))/2 {
		return ""
	}
	return " Did you mean '" + best + "'?"
}

// distance is the number of letters to change, add, drop or swap with the next.
func distance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}

package policy

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// piece is a token of a condition; name is what it names, if it stands for itself: no member, no text, no comment.
type piece struct {
	text string
	name string
}

// pieces are the tokens of a condition: enough to tell names from what only looks like one.
func pieces(text string) []piece {
	var found []piece
	before := ' '
	for at := 0; at < len(text); {
		length, isName := token(text[at:], before)
		each := piece{text: text[at : at+length]}
		if isName {
			each.name = each.text
		}
		found = append(found, each)
		before, _ = utf8.DecodeLastRuneInString(each.text)
		at += length
	}
	return found
}

var (
	quoted = regexp.MustCompile(`^[rRbB]{0,2}(?s:"""(?:\\.|[^\\])*?"""|'''(?:\\.|[^\\])*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')`)
	member = regexp.MustCompile(`^\.\s*[A-Za-z_][\p{L}\p{N}_]*`)
	naming = regexp.MustCompile(`^[A-Za-z_][\p{L}\p{N}_]*`)
	macro  = regexp.MustCompile(`\.\s*(?:all|exists|exists_one|map|filter)\s*\(\s*([A-Za-z_][\p{L}\p{N}_]*)\s*,`)
)

func token(rest string, before rune) (length int, isName bool) {
	if found := quoted.FindString(rest); found != "" {
		return len(found), false
	}
	if strings.HasPrefix(rest, "//") {
		if end := strings.IndexByte(rest, '\n'); end >= 0 {
			return end, false
		}
		return len(rest), false
	}
	if found := naming.FindString(rest); found != "" && before != '.' && !inWord(before) {
		return len(found), true
	}
	if found := member.FindString(rest); found != "" {
		return len(found), false
	}
	_, length = utf8.DecodeRuneInString(rest)
	return length, false
}

func inWord(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r) }

// identifiers are the names in a condition, members (`.size`) and the contents of texts aside; in their order.
func identifiers(text string) []string {
	var names []string
	for _, each := range pieces(text) {
		if each.name != "" && !slices.Contains(names, each.name) {
			names = append(names, each.name)
		}
	}
	return names
}

// writeOut is text with each name among variables replaced by its expression, in brackets. hidden is a variable that
// the name of an element hides.
func writeOut(text string, variables map[string]string) (written, hidden string) {
	for _, found := range macro.FindAllStringSubmatch(text, -1) {
		if _, ok := variables[found[1]]; ok && (hidden == "" || found[1] < hidden) {
			hidden = found[1]
		}
	}
	var into strings.Builder
	for _, each := range pieces(text) {
		if expression, ok := variables[each.name]; ok && each.name != "" {
			into.WriteString("(" + expression + ")")
		} else {
			into.WriteString(each.text)
		}
	}
	return into.String(), hidden
}

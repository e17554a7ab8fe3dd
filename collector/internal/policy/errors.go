package policy

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Error is a mistake in a policy file: where it stands, what it is, and what to write.
type Error struct {
	Place   string // policies/prod.yaml:14
	Message string
	Fix     string
}

func (e *Error) Error() string {
	text := e.Message
	if e.Place != "" {
		text = e.Place + ": " + text
	}
	if e.Fix != "" {
		text += "  fix: " + e.Fix
	}
	return text
}

// quote is text as Python's repr has it, so that messages of both runtimes are the same.
func quote(text string) string {
	mark := '\''
	if strings.ContainsRune(text, '\'') && !strings.ContainsRune(text, '"') {
		mark = '"'
	}
	var into strings.Builder
	into.WriteRune(mark)
	for _, r := range text {
		switch {
		case r == mark || r == '\\':
			into.WriteRune('\\')
			into.WriteRune(r)
		case r == '\n':
			into.WriteString(`\n`)
		case r == '\r':
			into.WriteString(`\r`)
		case r == '\t':
			into.WriteString(`\t`)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&into, `\x%02x`, r)
		case !unicode.IsPrint(r):
			into.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		default:
			into.WriteRune(r)
		}
	}
	into.WriteRune(mark)
	return into.String()
}

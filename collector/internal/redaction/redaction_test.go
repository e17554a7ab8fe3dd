package redaction

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// oracle finds what the rules accept with Go's own regexp, at every place of the text and without anything left out.
type oracle struct {
	redactor *Redactor
	first    []*regexp.Regexp // from the start of the text
	later    []*regexp.Regexp // behind one character
}

func newOracle(r *Redactor) *oracle {
	made := &oracle{redactor: r}
	for _, rule := range r.scanner.rules {
		made.first = append(made.first, regexp.MustCompile(`\A(?s:.*?)(`+rule.Pattern+`)`))
		made.later = append(made.later, regexp.MustCompile(`\A(?s:.)(?s:.*?)(`+rule.Pattern+`)`))
	}
	return made
}

func (o *oracle) find(text string) []Find {
	w := o.redactor.scanner.work()
	defer o.redactor.scanner.done(w)
	o.pass(w, text)
	if written := regexp.MustCompile(`\\[nrt]`); written.MatchString(text) {
		o.pass(w, written.ReplaceAllString(text, "  "))
	}
	w.found = slices.DeleteFunc(w.found, func(each candidate) bool { return o.redactor.hashed(text, each) })
	var made []Find
	for _, each := range w.resolve() {
		made = append(made, Find{each.start, each.end, each.rule.Entity, each.rule.ID})
	}
	return made
}

func (o *oracle) pass(w *work, text string) {
	w.text, w.lead = text, 0
	for i, rule := range o.redactor.scanner.rules {
		for position := 0; position < len(text); {
			re, from := o.first[i], 0
			if position > 0 {
				re, from = o.later[i], position-1
			}
			place := re.FindStringSubmatchIndex(text[from:])
			if place == nil {
				break
			}
			start, end := from+place[2], from+place[3]
			first, last := from+place[2+2*rule.Group], from+place[3+2*rule.Group]
			if size := w.accepted(rule, first, last); last > first && size > 0 {
				w.found = append(w.found, candidate{first, first + size, rule})
				position = first + size
			} else if end-start <= retry {
				position = max(first, start+1)
			} else {
				position = end
			}
		}
	}
}

// texts are those of the vectors, and some that are hard.
func texts(t testing.TB) (made []string) {
	for _, name := range []string{"negatives.json", "personal.json", "secrets.json"} {
		for _, each := range readVectors(t, name) {
			made = append(made, each.Text)
		}
	}
	for _, each := range readAgreement(t).Cases {
		made = append(made, each.Text)
	}
	return append(made,
		"rapidapi key = 7hd2r501a4enjcc2xk and rapid", "\u017fecret = 7hd2r501a4enjcc2xk", "to\u212aen: h38Fk2lQ9zXc7VbN4mWs",
		"a@b.c@d.example.com@", "\xff\xfe jane@example.com \xc3", strings.Repeat("4111 1111 ", 30), "::1 1::2:3 2001:db8::1.2.3.4.",
		strings.Repeat("key=", 40)+"h38Fk2lQ9zXc7VbN4mWs", "http://a:b@http://u:passw0rd@h", "+1 (650) 555-0100 x12 ext. 4",
	)
}

func TestPrefiltersLoseNothing(t *testing.T) {
	redactor := newRedactor(t, Options{})
	unfiltered := newOracle(redactor)
	all := texts(t)
	for i, text := range all {
		if i%5 == 0 || i > len(all)-12 {
			assert.Equal(t, unfiltered.find(text), redactor.Find(text), "%q", text)
		}
	}
}

func TestWhereATextStandsMakesNoDifference(t *testing.T) {
	redactor := newRedactor(t, Options{})
	for i, text := range texts(t) {
		if i%23 != 0 {
			continue
		}
		want := redactor.Find("\n" + text)
		for more := 1; more < 140; more += 3 {
			got := redactor.Find(strings.Repeat(" ", more) + "\n" + text)
			for at := range got {
				got[at].Start, got[at].End = got[at].Start-more, got[at].End-more
			}
			require.Equal(t, want, got, "%d blanks before %q", more, text)
		}
	}
}

func FuzzPrefiltersLoseNothing(f *testing.F) {
	redactor := newRedactor(f, Options{})
	unfiltered := newOracle(redactor)
	for _, text := range texts(f) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1000 {
			t.Skip()
		}
		if want, got := unfiltered.find(text), redactor.Find(text); !slices.Equal(want, got) {
			t.Errorf("%q: %v is not %v", text, got, want)
		}
	})
}

func FuzzRedactValue(f *testing.F) {
	redactor := newRedactor(f, Options{Actions: map[string]string{"personal": Drop, "secret": Mask}})
	for i, each := range readAgreement(f).Values {
		f.Add([]string{"", "password", "note"}[i%3], each.Text)
	}
	f.Add("x", `[{"a": "\u0041\ud83d\ude00\n"}, 4111111111111111, tru`)
	f.Fuzz(func(t *testing.T, name, text string) {
		var tally Tally
		made, changed := redactor.RedactValue(name, text, &tally)
		if changed != (tally.Total > 0 || strings.Contains(made, TooDeep)) || (!changed && made != text) {
			t.Errorf("%q became %q with %d finds", text, made, tally.Total)
		}
		if utf8.ValidString(text) && !utf8.ValidString(made) {
			t.Errorf("%q is no UTF-8", made)
		}
	})
}

func TestActions(t *testing.T) {
	key := []byte("0123456789abcdef")
	for name, each := range map[string]struct {
		actions map[string]string
		want    string
	}{
		"label by default":          {nil, "[EMAIL] and [API_KEY]"},
		"an entity before its kind": {map[string]string{"personal": "drop", "EMAIL": "mask"}, "****.com and [API_KEY]"},
		"allow":                     {map[string]string{"secret": "allow"}, "[EMAIL] and AKIAIOSFODNN7ABCDXYZ"},
		"block is for who can":      {map[string]string{"secret": "block"}, "[EMAIL] and [API_KEY]"},
		"drop":                      {map[string]string{"personal": "drop", "secret": "drop"}, " and "},
		"hash":                      {map[string]string{"EMAIL": "hash"}, "[EMAIL:a7a54661c75b] and [API_KEY]"},
	} {
		t.Run(name, func(t *testing.T) {
			redactor := newRedactor(t, Options{Actions: each.actions, Key: key})
			assert.Equal(t, each.want, redactor.Redact("jane@example.com and AKIAIOSFODNN7ABCDXYZ", new(Tally)))
		})
	}
}

func TestRedactedTwiceStaysTheSame(t *testing.T) {
	for _, action := range []string{Label, Hash} {
		redactor := newRedactor(t, Options{
			Actions: map[string]string{"personal": action, "secret": action}, Key: []byte("0123456789abcdef"),
		})
		for _, name := range []string{"personal.json", "secrets.json"} {
			for _, each := range readVectors(t, name) {
				once := redactor.Redact(each.Text, new(Tally))
				assert.Equal(t, once, redactor.Redact(once, new(Tally)), each.Text)
			}
		}
	}
}

func TestMistakesAreNamed(t *testing.T) {
	for name, each := range map[string]struct {
		options Options
		want    string
	}{
		"entity":    {Options{Actions: map[string]string{"EMIAL": "mask"}}, "no entity or kind 'EMIAL' to redact. Did you mean 'EMAIL'?"},
		"action":    {Options{Actions: map[string]string{"EMAIL": "msk"}}, "'msk' is no action for EMAIL. Did you mean 'mask'?"},
		"token":     {Options{Actions: map[string]string{"EMAIL": "token"}}, "use hash"},
		"key":       {Options{Actions: map[string]string{"EMAIL": "hash"}, Key: []byte("short")}, "at least 16 bytes"},
		"pattern":   {Options{Custom: []Rule{{ID: "t", Entity: "T", Pattern: "(?=x)"}}}, "the redaction rule 't' is not RE2"},
		"group":     {Options{Custom: []Rule{{ID: "t", Entity: "T", Pattern: "x", Group: 1}}}, "has no group 1"},
		"boundary":  {Options{Custom: []Rule{{ID: "t", Entity: "T", Pattern: "x", Boundary: "wrd"}}}, "Did you mean 'word'?"},
		"validator": {Options{Custom: []Rule{{ID: "t", Entity: "T", Pattern: "x", Validate: "lun"}}}, "Did you mean 'luhn'?"},
		"name":      {Options{Custom: []Rule{{ID: "email", Entity: "T", Pattern: "x"}}}, "exists already"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(each.options)
			require.ErrorContains(t, err, each.want)
		})
	}
}

func TestRulesOfTheUser(t *testing.T) {
	for name, each := range map[string]struct {
		rule       Rule
		text, want string
	}{
		"a literal":           {Rule{Pattern: `\bTCK-[0-9]{6}\b`}, "see TCK-123456", "see [T]"},
		"no literal, no word": {Rule{Pattern: `[xyz]{3,}`}, "a xyzzy b", "a [T] b"},
		"without an end":      {Rule{Pattern: `<<.*>>`}, "a <<b>> c >> d", "a [T] d"},
		"matches nothing":     {Rule{Pattern: `q*`}, "a b", "a b"},
		"a part in a part":    {Rule{Pattern: `(?:id=(\w+);)+`, Group: 1}, "id=ab;id=cd; x", "id=ab;id=[T]; x"},
		"bytes of many kinds": {Rule{Pattern: `(?:ключ|пароль|鍵|密碼|κλειδί|ключове) ([a-z]+)`, Group: 1}, "鍵 abc, ключ def", "鍵 [T], ключ [T]"},
		"a word or more":      {Rule{Pattern: `\b[qx][a-z]*(?: [a-z]+)?`}, "a x yz b " + strings.Repeat("-", 60) + "q", "a [T] b " + strings.Repeat("-", 60) + "[T]"},
		"a very long word":    {Rule{Pattern: `\b[qx][a-z]{70,80}\b`}, "a x" + strings.Repeat("y", 75) + " b", "a [T] b"},
		"letters of all":      {Rule{Pattern: `(?i)straße \p{Lu}{2}`}, "STRAßE ÄÖ!", "[T]!"},
		"at the end":          {Rule{Pattern: `end$`}, "end end", "end [T]"},
		"announced":           {Rule{Pattern: `\d{3}`, Near: []string{"gate"}}, "gate 123 then a very long way to go until the other 456", "gate [T] then a very long way to go until the other 456"},
		"unless":              {Rule{Pattern: `\b\d{3}\b`, Unless: []string{"gate"}}, "Gate: 123 and 456", "Gate: 123 and [T]"},
	} {
		t.Run(name, func(t *testing.T) {
			each.rule.ID, each.rule.Entity = "t", "T"
			redactor := newRedactor(t, Options{Custom: []Rule{each.rule}})
			assert.Equal(t, each.want, redactor.Redact(each.text, new(Tally)))
		})
	}
}

func TestValues(t *testing.T) {
	redactor := newRedactor(t, Options{})
	deep := strings.Repeat("[", 70) + `"jane@example.com"` + strings.Repeat("]", 70)
	for name, each := range map[string]struct{ field, text, want string }{
		"plain":                         {"", "to jane@example.com", "to [EMAIL]"},
		"a name announces":              {"db.password", "hunter2x", "[SECRET]"},
		"a harmless name":               {"title", "hunter2x", "hunter2x"},
		"spacing stays":                 {"", `{"a" :1.50,"b":[ "jane@example.com" ]}`, `{"a" :1.50,"b":[ "[EMAIL]" ]}`},
		"a number that is a card":       {"", `{"pan": 4111111111111111, "n": 12345678}`, `{"pan": "[CREDIT_CARD]", "n": 12345678}`},
		"a name in it":                  {"", `{"jane@example.com": 1}`, `{"[EMAIL]": 1}`},
		"escapes":                       {"", `{"a": "jane\u0040example.com\n\ud83d\ude00"}`, `{"a": "[EMAIL]\n😀"}`},
		"a lone half stays a mark":      {"", `["\ud83d jane@example.com \udc00"]`, "[\"\ufffd [EMAIL] \ufffd\"]"},
		"JSON in JSON in JSON":          {"", `["[\"{\\\"pin code\\\": \\\"x\\\", \\\"m\\\": \\\"jane@example.com\\\"}\"]"]`, `["[\"{\\\"pin code\\\": \\\"x\\\", \\\"m\\\": \\\"[EMAIL]\\\"}\"]"]`},
		"broken JSON is a text":         {"", `{"a": "jane@example.com"`, `{"a": "[EMAIL]"`},
		"broken within":                 {"", `{"a": "jane@example.com", }`, `{"a": "[EMAIL]", }`},
		"too deep":                      {"", deep, strings.Repeat("[", 64) + `"[TOO_DEEP]"` + strings.Repeat("]", 64)},
		"an image":                      {"", "data:image/png;base64,AKIAIOSFODNN7ABCDXYZ", "data:image/png;base64,AKIAIOSFODNN7ABCDXYZ"},
		"no image":                      {"", "data:image/png;base64,AAAA jane@example.com", "data:image/png;base64,AAAA [EMAIL]"},
		"a name in the text goes first": {"id", "key=h38Fk2lQ9zXc7VbN4mWs", "key=[SECRET]"},
	} {
		t.Run(name, func(t *testing.T) {
			made, changed := redactor.RedactValue(each.field, each.text, new(Tally))
			assert.Equal(t, each.want, made)
			assert.Equal(t, each.want != each.text, changed)
		})
	}
}

func TestManyAtOnceFindTheSame(t *testing.T) {
	redactor := newRedactor(t, Options{})
	all := texts(t)
	want := make([]string, len(all))
	for i, text := range all {
		want[i] = redactor.Redact(text, new(Tally))
	}
	other := newRedactor(t, Options{}) // whose states are made by many at once
	var running sync.WaitGroup
	for range 4 {
		running.Go(func() {
			for i, text := range all {
				if got := other.Redact(text, new(Tally)); got != want[i] {
					t.Errorf("%q became %q", text, got)
				}
			}
		})
	}
	running.Wait()
}

// Each takes far less than a second. Were the time quadratic, the test would not end.
func TestTimeIsLinear(t *testing.T) {
	redactor := newRedactor(t, Options{})
	for _, piece := range hard {
		redactor.Redact(strings.Repeat(piece, 100_000/len(piece)), new(Tally))
	}
}

var hard = []string{
	"1-", "1 ", "12 ", "a@", "eyJa-", "eyJaaaaa.", "key=", "key: ", "x:", "curl ", "password is ", "sk-ant-", "glpat-", "-----BEGIN ",
	"+1", "(1", "a.b@c.", "http://a:", "A3-", "4111 1111 ", "\\n", "é", "ſ", "bearer ", "a1.", "AKIA", "1.", "C1234567", "key = a1b2c3d4e5",
}

func BenchmarkHard(b *testing.B) {
	redactor, err := New(Options{})
	if err != nil {
		b.Fatal(err)
	}
	for _, piece := range hard {
		text := strings.Repeat(piece, 100_000/len(piece))
		b.Run(strings.TrimSpace(piece), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				redactor.Redact(text, new(Tally))
			}
		})
	}
}

var clean = func() string {
	const prose = "Thanks for the summary. We looked at the plan again on 12 March and the team agrees with most of it, although the " +
		"second part still needs some work: the access rules are not written down, and nobody knows whether the old token " +
		"service can be switched off before summer. Could you ask the authors about the key points (there were 3 of them, I " +
		"think) and send me a short list by Friday? In 2025 we had 48 open questions, and 17 of them are settled. "
	return strings.Repeat(prose, 5)[:2048]
}()

func BenchmarkRedact(b *testing.B) {
	var numbers strings.Builder
	for i := 0; numbers.Len() < 2048; i++ {
		fmt.Fprintf(&numbers, "%d,%d.%02d,2026-11-%02d,%d;", 100000+i*7919, i*37, i%100, 1+i%28, 10_000_000_000+i*104729)
	}
	messages := `[{"role":"user","parts":[{"type":"text","content":"` + clean + `"}]}]`
	hits := clean[:900] + " jane@example.com, +49 30 1234567, sk-proj-4aZ9qLmT7xWcVb2NkRf8PyHd3SgJe6Uo " + clean[900:1950]
	redactor, err := New(Options{})
	if err != nil {
		b.Fatal(err)
	}
	for _, each := range []struct{ name, text string }{
		{"clean", clean}, {"json", messages}, {"digits", numbers.String()[:2048]}, {"hits", hits},
	} {
		b.Run(each.name, func(b *testing.B) {
			tally := new(Tally)
			b.SetBytes(int64(len(each.text)))
			b.ReportAllocs()
			for b.Loop() {
				redactor.RedactValue("content", each.text, tally)
			}
		})
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		if _, err := New(Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

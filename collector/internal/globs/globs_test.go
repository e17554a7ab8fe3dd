package globs

import "testing"

func TestMatch(t *testing.T) {
	cases := []struct {
		pattern, text string
		want          bool
	}{
		{"*", "", true},
		{"gpt-4o*", "gpt-4o-mini", true},
		{"gpt-4o", "gpt-4o-mini", false},
		{"a/*", "a/b/c", true},
		{"?b", "ab", true},
		{"?b", "b", false},
		{"[ab]c", "bc", true},
		{"[!ab]c", "bc", false},
		{"[!ab]c", "xc", true},
		{"[a-c]x", "bx", true},
		{"[a-c]x", "dx", false},
		{"[]]", "]", true},
		{"[x", "[x", true},
		{"*a*b*c", "xxaxxbxxc", true},
		{"*a*b*c", "xxaxxbxx", false},
		{"é*", "école", true},
		{"a.b", "axb", false},
	}
	for _, c := range cases {
		t.Run(c.pattern+" "+c.text, func(t *testing.T) {
			if got := Match(c.pattern, c.text); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func FuzzMatch(f *testing.F) {
	f.Add("*[!a-", "x")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 200 || len(text) > 200 {
			t.Skip()
		}
		Match(pattern, text)
		if Plain(pattern) && Match(pattern, text) != (string([]rune(pattern)) == string([]rune(text))) {
			t.Errorf("a plain pattern fits itself alone: %q %q", pattern, text)
		}
	})
}

package policy

import (
	"crypto/ed25519"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const oneRule = "rules: [{name: %s, condition: 'true'}]\n"

var testTime = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func write(t testing.TB, folder, name, text string) string {
	path := filepath.Join(folder, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestGlobsNameFilesInTheOrderOfTheirFolders(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"a-b/1.yaml", "a/2.yaml", "a/deep/3.yaml", "z.yaml", "z.txt"} {
		write(t, folder, name, "x")
	}
	names := func(patterns ...string) (found []string) {
		for i := range patterns {
			patterns[i] = filepath.Join(folder, patterns[i])
		}
		sources, err := Read(patterns)
		require.NoError(t, err)
		for _, source := range sources {
			relative, _ := filepath.Rel(folder, source.Path)
			found = append(found, relative)
		}
		return found
	}
	assert.Equal(t, []string{"z.yaml"}, names("*.yaml"))
	assert.Equal(t, []string{"a/2.yaml", "a-b/1.yaml"}, names("*/*.yaml"))
	assert.Equal(t, []string{"a/2.yaml", "a/deep/3.yaml", "a-b/1.yaml", "z.yaml"}, names("**/*.yaml"))
	assert.Equal(t, []string{"z.yaml", "a/2.yaml"}, names("z.yaml", "a/*.yaml", "*.yaml"), "each once")
	_, err := Read([]string{filepath.Join(folder, "none/*.yaml")})
	assert.ErrorContains(t, err, "and there is no such file")
}

func TestTwoRulesOfOneNameAreRefused(t *testing.T) {
	text := []byte(strings.ReplaceAll(oneRule, "%s", "a"))
	_, err := Load([]Source{{"one.yaml", text}, {"two.yaml", text}}, nil)
	assert.EqualError(t, err, "two.yaml:1: rule 'a' is there already (one.yaml:1).  fix: give each rule a name of its own")
}

// signedFile is a file with an exception, signed by a key.
func signedFile(t testing.TB, reason string) (text, public string, private ed25519.PrivateKey) {
	private = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	public = base64.StdEncoding.EncodeToString(private.Public().(ed25519.PublicKey))
	draft := strings.ReplaceAll(oneRule, "%s", "a") +
		"exceptions:\n  - {id: e, rule: a, owner: o, reason: " + reason + ", expires: 2030-01-01, signature: SIGNED}\n"
	file, err := Parse([]byte(draft), "p.yaml")
	require.NoError(t, err)
	signature := ed25519.Sign(private, canonical(file.Exemptions[0].signed()))
	return strings.ReplaceAll(draft, "SIGNED", base64.StdEncoding.EncodeToString(signature)), public, private
}

func TestExceptionCountsOnlyAsItWasSigned(t *testing.T) {
	text, public, _ := signedFile(t, "load test")
	load := func(text string, keys ...string) error {
		_, err := Load([]Source{{"p.yaml", []byte(text)}}, keys)
		return err
	}
	other := base64.StdEncoding.EncodeToString(make([]byte, ed25519.PublicKeySize))
	require.NoError(t, load(text, other, public))
	assert.ErrorContains(t, load(text), "p.yaml:3: exception 'e' cannot be checked: there are no trusted_keys.")
	assert.ErrorContains(t, load(text, other), "is not signed by a trusted key, or was changed since")
	for _, change := range [][2]string{{"load test", "load tests"}, {"2030", "2031"}, {"owner: o", "owner: p"}, {"signature: ", "signature: A"}} {
		assert.ErrorContains(t, load(strings.Replace(text, change[0], change[1], 1), public), "was changed since", change[1])
	}
	assert.ErrorContains(t, load(text, "not a key"), "a trusted key is not 32 bytes in base64")
	stray := strings.Replace(text, "name: a,", "name: b,", 1)
	assert.ErrorContains(t, load(stray, public), "exception 'e' is from rule 'a', which is not there.  fix: rule: one of b")
}

func TestWordsOfYAMLAreThoseOfPyYAML(t *testing.T) {
	for text, want := range map[string]string{
		"yes": "bool", "Off": "bool", "y": "str", "0x1F": "int", "017": "int", "1_000": "int", "1:30": "int", "09": "str",
		"1e3": "str", "1.0": "float", "1.0e+3": "float", "1.0e3": "str", ".5": "float", "~": "null", "null": "null",
		"": "null", "2026-01-01": "str", "=": "value", "nan": "str", ".nan": "float",
	} {
		assert.Equal(t, want, resolved(text), text)
	}
	for text, want := range map[string]string{"0x1F": "31", "017": "15", "1_000": "1000", "1:30": "90", "-5": "-5", "0b11": "3"} {
		whole, ok := wholeNumber(text)
		assert.True(t, ok)
		assert.Equal(t, want, whole, text)
	}
}

func TestFileThatContainsItselfIsRefused(t *testing.T) {
	_, err := Parse([]byte("variables: &a {b: *a}\nrules: [{name: a, condition: 'true'}]\n"), "p.yaml")
	assert.ErrorContains(t, err, "p.yaml:1: ")
	wide := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := range 9 {
		wide += strings.NewReplacer("N", string(rune('1'+i)), "O", string(rune('0'+i))).Replace("aN: &aN [*aO, *aO, *aO, *aO, *aO, *aO, *aO, *aO, *aO, *aO]\n")
	}
	_, err = Parse([]byte(wide), "p.yaml")
	assert.ErrorContains(t, err, "more than 100000 values.")
}

func TestDecisionsAreSafeForManyAtOnce(t *testing.T) {
	set, err := Load([]Source{{"p.yaml", []byte("rules: [{name: a, condition: \"tools.exists(x, x == 'a') && input_tokens > 3\"}]")}}, nil)
	require.NoError(t, err)
	scope := set.Scope(&Known{})
	done := make(chan int)
	for worker := range 4 {
		go func() {
			wrong := 0
			for i := range 500 {
				var facts Known
				facts.Set("tools", []string{"a"})
				facts.Set("input_tokens", int64((i+worker)%7))
				want := Allowed
				if (i+worker)%7 > 3 {
					want = Blocked
				}
				decision := scope.Decide(&facts, testTime)
				if decision.Result() != want {
					wrong++
				}
			}
			done <- wrong
		}()
	}
	for range 4 {
		assert.Zero(t, <-done)
	}
}

func FuzzParse(f *testing.F) {
	for _, path := range []string{"models-by-environment", "tools", "working-hours", "customers"} {
		text, err := os.ReadFile("../../../examples/policies/" + path + ".yaml")
		require.NoError(f, err)
		f.Add(text)
	}
	signed, _, _ := signedFile(f, "x")
	f.Add([]byte(signed))
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := Parse(text, "p.yaml")
		if err != nil {
			if found, ok := err.(*Error); !ok || found.Message == "" || found.Fix == "" {
				t.Errorf("%q: an error without a fix: %v", text, err)
			}
			return
		}
		set, err := NewSet(file.Rules, nil, file.Flags)
		if err != nil {
			return
		}
		var facts Known
		for name, value := range neutral() {
			facts.Set(name, value)
		}
		decision := set.Scope(&facts).Decide(&facts, testTime)
		if decision.Result() != Allowed && decision.Violations[0].Message == "" {
			t.Errorf("%q: a violation without a message", text)
		}
	})
}

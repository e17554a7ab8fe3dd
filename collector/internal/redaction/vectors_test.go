package redaction

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type vectorFind struct {
	Start  int    `json:"start"`
	End    int    `json:"end"`
	Entity string `json:"entity"`
	Rule   string `json:"rule"`
}

type vector struct {
	Text     string       `json:"text"`
	Finds    []vectorFind `json:"finds"`
	Redacted string       `json:"redacted"`
}

func readVectors(t testing.TB, name string) (cases []vector) {
	raw, err := os.ReadFile(filepath.Join("../../../spec/vectors/redaction", name))
	require.NoError(t, err)
	var read struct{ Cases []vector }
	require.NoError(t, json.Unmarshal(raw, &read))
	require.NotEmpty(t, read.Cases)
	return read.Cases
}

func newRedactor(t testing.TB, options Options) *Redactor {
	made, err := New(options)
	require.NoError(t, err)
	return made
}

// inCharacters are finds as the vectors have them.
func inCharacters(text string, finds []Find) []vectorFind {
	made := []vectorFind{}
	for _, find := range finds {
		start := utf8.RuneCountInString(text[:find.Start])
		made = append(made, vectorFind{start, start + utf8.RuneCountInString(text[find.Start:find.End]), find.Entity, find.Rule})
	}
	return made
}

func TestVectors(t *testing.T) {
	redactor := newRedactor(t, Options{})
	for _, name := range []string{"negatives.json", "personal.json", "secrets.json"} {
		for _, each := range readVectors(t, name) {
			var tally Tally
			assert.Equal(t, each.Finds, inCharacters(each.Text, redactor.Find(each.Text)), each.Text)
			assert.Equal(t, each.Redacted, redactor.Redact(each.Text, &tally), each.Text)
			assert.Equal(t, len(each.Finds), tally.Total)
		}
	}
}

type agreement struct {
	Key   string
	Cases []struct {
		Text  string
		Finds [][4]any
	}
	Actions []struct {
		Actions        map[string]string
		Text, Redacted string
	}
	Values []struct{ Text, Redacted string }
}

func readAgreement(t testing.TB) (read agreement) {
	raw, err := os.ReadFile("../../../spec/vectors/redaction/agreement.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(raw, &read))
	require.NotEmpty(t, read.Cases)
	return read
}

func TestAgreementWithPython(t *testing.T) {
	redactor := newRedactor(t, Options{})
	read := readAgreement(t)
	for _, each := range read.Cases {
		found := [][4]any{}
		for _, find := range inCharacters(each.Text, redactor.Find(each.Text)) {
			found = append(found, [4]any{float64(find.Start), float64(find.End), find.Entity, find.Rule})
		}
		assert.Equal(t, each.Finds, found, "%q", each.Text)
	}
	under := redactor
	for i, each := range read.Actions {
		if i == 0 || !maps.Equal(each.Actions, read.Actions[i-1].Actions) {
			under = newRedactor(t, Options{Actions: each.Actions, Key: []byte(read.Key)})
		}
		assert.Equal(t, each.Redacted, under.Redact(each.Text, new(Tally)), "%q under %v", each.Text, each.Actions)
	}
	for _, each := range read.Values {
		made, changed := redactor.RedactValue("", each.Text, new(Tally))
		assert.Equal(t, each.Redacted, made, "%q", each.Text)
		assert.Equal(t, each.Redacted != each.Text, changed)
	}
}

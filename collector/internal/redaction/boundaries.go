package redaction

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// boundary is what may stand beside a find: RE2 has no look-around. lead is how much of the text before the find only
// announces it, such as the name of a field.
type boundary func(text string, start, end, lead int) bool

var boundaries = map[string]boundary{
	"word":   onWord,
	"number": onNumber,
	"group":  onGroup,
	"token":  onToken,
	"email":  onEmail,
	"named":  onName,
	"ipv6":   onIPv6,
}

// onWord: not a part of a longer word.
func onWord(text string, start, end, _ int) bool {
	return !wordlikeBefore(text, start) && !wordlikeAt(text, end)
}

// onNumber: not a part of a longer word or number; `1-555-0100` is no end of `12-1-555-0100`.
func onNumber(text string, start, end, _ int) bool {
	if wordlikeBefore(text, start) || wordlikeAt(text, end) {
		return false
	}
	joined := byteAt(text, start-1)
	if joined == '+' {
		return false
	}
	if isOneOf(joined, "-./:,_#") && wordlikeBefore(text, start-1) {
		if !isOneOf(joined, ":,#") || isDigit(byteAt(text, start-2)) {
			return false
		}
	}
	return !isOneOf(byteAt(text, end), "-./:_") || !isDigit(byteAt(text, end+1))
}

// onGroup: not a part of a number in groups; `4111 1111 1111` is no end of `4111 1111 1111 1111`.
func onGroup(text string, start, end, lead int) bool {
	if !onNumber(text, start, end, lead) {
		return false
	}
	more := byteAt(text, end) == ' ' && isDigit(byteAt(text, end+1))
	return !more && (byteAt(text, start-1) != ' ' || !isDigit(byteAt(text, start-2)))
}

// onToken: not a part of a longer run of letters and digits; an escaped line end (`\n`) before it is no letter.
func onToken(text string, start, end, _ int) bool {
	before := wordByte[byteAt(text, start-1)] && byteAt(text, start-2) != '\\'
	before = before || (isOneOf(byteAt(text, start-1), "-.") && wordByte[byteAt(text, start-2)])
	return !before && !wordByte[byteAt(text, end)]
}

func onEmail(text string, start, end, _ int) bool {
	return !wordByte[byteAt(text, start-1)] && byteAt(text, end) != '@' && byteAt(text, start-1) != '@'
}

func onIPv6(text string, start, end, _ int) bool {
	return onWord(text, start, end, 0) && byteAt(text, start-1) != ':' && byteAt(text, end) != ':'
}

const (
	word     = `[\pL\pN_]`
	noWord   = `[^\pL\pN_]`
	nameSpan = 90 // characters before a find in which its name stands
)

var (
	naming = regexp.MustCompile(`(?i)[A-Z](?:` + word + `|[.-])*(?: (?:key|token|secret|api|access|auth|bot|client)){0,2}` +
		noWord + `{1,14}(?:` + word + `{1,10}` + noWord + `{1,9})?\n?\z`)
	public = set(`
		id ids name version hash url uri path type count index date event vault public foreign primary csrf frame
		keyframe results length size column field label status host endpoint region bucket namespace scope expiry
		expires issuer pairs limit usage used format stats accessor selector credentialsid`)
	secretive = set(`
		access adafruit adobe airtable algolia alibaba api apikey artifactory asana atlassian auth authorization beamer
		bearer bintray bird bitbucket bittrex buildkite circleci client cloudflare codecov cohere coinbase confluence
		confluent contentful credential credentials creds databricks datadog discord droneci dropbox etsy facebook
		fastly finicity finnhub flickr freshbooks gitter hubspot intercom jfrog jira jwt key keys kraken kucoin
		launchdarkly license linkedin lob looker mailchimp mailgun mapbox mattermost maxmind meraki messagebird netlify
		newrelic nytimes oauth okta openai passwd password pat plaid privateai rapidapi relic secret secrets sendbird
		sentry shopify snyk sonar square squarespace stripe sumo telegram token tokens travis twilio twitch twitter
		typeform webhook xray yandex zapier zendesk`)
	secretiveEnds = []string{"token", "secret", "apikey", "accesskey", "secretkey", "privatekey"}
)

func set(words string) map[string]bool {
	made := map[string]bool{}
	for _, word := range strings.Fields(words) {
		made[word] = true
	}
	return made
}

// onName: the value of something that is a secret by its name; `api_token`, but not `tokenVersion` or `monkeys`. A name
// in the text itself goes before that of the field that the text is in.
func onName(text string, start, end, lead int) bool {
	if wordByte[byteAt(text, end)] || (isOneOf(byteAt(text, end), "@|:%$") && wordByte[byteAt(text, end+1)]) {
		return false
	}
	for _, from := range [2]int{lead, 0} {
		if name := naming.FindString(lastChars(text[from:start], nameSpan)); name != "" {
			return tellsSecret(name)
		}
		if lead == 0 {
			break
		}
	}
	return true
}

func tellsSecret(name string) bool {
	found := false
	for part := range nameParts(name) {
		if public[part] {
			return false
		}
		found = found || secretive[part]
		for _, end := range secretiveEnds {
			found = found || strings.HasSuffix(part, end)
		}
	}
	return found
}

// nameParts are the words of a name, in small letters: those of `userAPIKey2` are user, api, key and 2.
func nameParts(name string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for at := 0; at < len(name); {
			size := partSize(name[at:])
			if size > 0 && !yield(strings.ToLower(name[at:at+size])) {
				return
			}
			at += max(size, 1)
		}
	}
}

func partSize(name string) int {
	uppers := runOf(name, isUpper)
	lowers := func(from int) int { return from + runOf(name[from:], isLower) }
	switch {
	case uppers > 0 && (uppers == len(name) || !isLower(name[uppers])):
		return uppers
	case uppers > 1:
		return uppers - 1
	case uppers == 1:
		return lowers(1)
	case isLower(name[0]):
		return lowers(0)
	}
	return runOf(name, isDigit)
}

func runOf(text string, is func(byte) bool) int {
	at := 0
	for at < len(text) && is(text[at]) {
		at++
	}
	return at
}

func isUpper(b byte) bool { return 'A' <= b && b <= 'Z' }

func isLower(b byte) bool { return 'a' <= b && b <= 'z' }

func isOneOf(b byte, all string) bool { return b != 0 && strings.IndexByte(all, b) >= 0 }

// byteAt is 0 outside the text.
func byteAt(text string, at int) byte {
	if at < 0 || at >= len(text) {
		return 0
	}
	return text[at]
}

func wordlikeBefore(text string, at int) bool {
	if at <= 0 {
		return false
	}
	r, _ := utf8.DecodeLastRuneInString(text[:at])
	return wordlike(r)
}

func wordlikeAt(text string, at int) bool {
	if at >= len(text) {
		return false
	}
	r, _ := utf8.DecodeRuneInString(text[at:])
	return wordlike(r)
}

// wordlike leaves out the scripts that are written without spaces.
func wordlike(r rune) bool {
	return isWord(r) && !('\u2e80' <= r && r <= '\uffdc')
}

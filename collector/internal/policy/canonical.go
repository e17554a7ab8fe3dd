package policy

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf16"
)

// canonical is JSON with sorted keys, no blanks and ASCII escapes: what signatures and versions are over.
func canonical(fields map[string]any) []byte {
	var into bytes.Buffer
	encoder := json.NewEncoder(&into)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(fields); err != nil {
		panic("genops: a policy cannot be written as JSON: " + err.Error()) // texts, numbers and lists of them can
	}
	var ascii bytes.Buffer
	for _, r := range strings.TrimSuffix(into.String(), "\n") {
		switch {
		case r < 0x7f:
			ascii.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&ascii, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&ascii, `\u%04x`, r)
		}
	}
	return ascii.Bytes()
}

func (m *Match) plain() map[string][]string {
	made := map[string][]string{}
	for _, key := range m.keys {
		made[key] = m.patterns[key]
	}
	return made
}

// signed is what the signature of an exception is over.
func (e *Exemption) signed() map[string]any {
	return map[string]any{
		"id": e.ID, "rule": e.Rule, "owner": e.Owner, "reason": e.Reason, "expires": isoFormat(e.Expires),
		"match": e.Match.plain(),
	}
}

// isoFormat is a moment in UTC as Python's isoformat has it: fractions only where there are some, in microseconds.
func isoFormat(moment time.Time) string {
	moment = moment.UTC()
	if moment.Nanosecond()/1000 != 0 {
		return moment.Format("2006-01-02T15:04:05.000000-07:00")
	}
	return moment.Format("2006-01-02T15:04:05-07:00")
}

// CheckKey is an error for text that is no public key.
func CheckKey(key string) error {
	_, err := publicKey(key)
	return err
}

func publicKey(text string) (ed25519.PublicKey, error) {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) != ed25519.PublicKeySize || strings.ContainsAny(text, "\r\n") {
		return nil, &Error{
			Message: fmt.Sprintf("a trusted key is not %d bytes in base64.", ed25519.PublicKeySize),
			Fix:     "genops policy keygen KEYFILE makes a pair of keys",
		}
	}
	return raw, nil
}

// isSigned is whether one of the public keys signed the exception as it stands.
func (e *Exemption) isSigned(trusted []ed25519.PublicKey) bool {
	signature, err := base64.StdEncoding.DecodeString(e.Signature)
	if err != nil || strings.ContainsAny(e.Signature, "\r\n") {
		return false
	}
	text := canonical(e.signed())
	for _, key := range trusted {
		if ed25519.Verify(key, text, signature) {
			return true
		}
	}
	return false
}

// version is twelve hexadecimal digits that change when anything does that can change a decision. Python makes the same.
func version(rules []*Rule, exemptions []*Exemption, flags map[string]bool) string {
	said := map[string]any{"flags": flags}
	var ruled, excepted = make([]any, 0, len(rules)), make([]any, 0, len(exemptions))
	for _, rule := range rules {
		ruled = append(ruled, rule.plain())
	}
	for _, each := range exemptions {
		excepted = append(excepted, each.signed())
	}
	said["rules"], said["exceptions"] = ruled, excepted
	sum := sha256.Sum256(canonical(said))
	return hex.EncodeToString(sum[:])[:12]
}

func (r *Rule) plain() map[string]any {
	return map[string]any{
		"name": r.Name, "condition": r.condition.text, "match": r.Match.plain(), "decision": r.Decision,
		"reason_code": orNull(r.ReasonCode), "mode": r.Mode, "on_error": orNull(r.OnError), "on_unknown": orNull(r.OnUnknown),
		"message": orNull(r.Message), "fix": orNull(r.Fix), "retry_after_s": numberOrNull(r.RetryAfter),
		"actions": r.Actions.Described(), "approval": r.Approval,
	}
}

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func numberOrNull(number int64) any {
	if number == 0 {
		return nil
	}
	return number
}

package journey

import (
	"strings"
)

// Blocked reports whether an identifier's value stands for "nobody": the words
// that broken clients send, and values of only zeros and hyphens (semantics D3).
// Such a value counts as absent.
func Blocked(value string) bool {
	value = strings.TrimSpace(value)
	if onlyZeros(value) { // also the empty value
		return true
	}
	if len(value) > len("[object object]") {
		return false
	}
	switch value[0] | ' ' { // most begin like none of the words
	case 'n', 'u', 'a', 't', 'f', '-', '[' | ' ':
	default:
		return false
	}
	switch strings.ToLower(value) {
	case "null", "nil", "none", "nan", "undefined", "unknown", "anonymous", "n/a", "na",
		"true", "false", "-1", "[object object]":
		return true
	}
	return false
}

// onlyZeros reports whether a value has only zeros and hyphens.
func onlyZeros(value string) bool {
	for i := range len(value) {
		if value[i] != '0' && value[i] != '-' {
			return false
		}
	}
	return true
}

// CleanIdentifier is an identifier's value as it is compared: trimmed, emails
// in lower case. ok is false if it is blocked.
func CleanIdentifier(kind, value string) (clean string, ok bool) {
	value = strings.TrimSpace(value)
	if Blocked(value) {
		return "", false
	}
	if kind == KindEmail {
		value = strings.ToLower(value)
	}
	return value, true
}

// SplitIdentifier takes kind:value apart.
func SplitIdentifier(id string) (kind, value string) {
	kind, value, _ = strings.Cut(id, ":")
	return kind, value
}

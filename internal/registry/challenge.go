package registry

import (
	"net/http"
	"strings"
)

// A challenge is one of the ways to log in that a 401 offers.
type challenge struct {
	scheme     string            // in lower case
	parameters map[string]string // by their names in lower case
}

// parseChallenges returns the challenges in the WWW-Authenticate headers
// (RFC 9110, section 11.6.1). One header may hold several challenges, which are
// separated by commas as their parameters are. Text that is no challenge is
// skipped.
func parseChallenges(h http.Header) []challenge {
	var challenges []challenge
	for _, header := range h.Values("WWW-Authenticate") {
		for _, part := range splitAtCommas(header) {
			name, value, isParameter := strings.Cut(part, "=")
			words := strings.Fields(name)
			if len(words) > 1 || len(words) == 1 && !isParameter {
				challenges = append(challenges, challenge{strings.ToLower(words[0]), map[string]string{}})
				words = words[1:]
			}
			if isParameter && len(words) == 1 && len(challenges) > 0 {
				parameters := challenges[len(challenges)-1].parameters
				parameters[strings.ToLower(words[0])] = unquote(strings.TrimSpace(value))
			}
		}
	}
	return challenges
}

// splitAtCommas splits at the commas outside quoted strings.
func splitAtCommas(s string) []string {
	var parts []string
	start, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ',' && !quoted:
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}

// unquote returns the content of a quoted string, and any other text as it is.
func unquote(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	var b strings.Builder
	s = s[1 : len(s)-1]
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

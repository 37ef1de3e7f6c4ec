package access

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// maxNameBytes is the longest name of a repository that every registry accepts.
// Distribution 3 does not count the host.
const maxNameBytes = 255

// validName matches the names of repositories that the registry accepts, which may
// begin with a host. Most commands never use it, so it is compiled at the first use.
//
// Source: NameRegexp in github.com/distribution/reference.
var validName = sync.OnceValue(func() *regexp.Regexp {
	const (
		label     = `[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?`
		host      = `(?:` + label + `(?:\.` + label + `)*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?`
		component = `[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*`
	)
	return regexp.MustCompile(`^(?:` + host + `/)?` + component + `(?:/` + component + `)*$`)
})

// ValidName reports whether the registry accepts name as that of a repository.
func ValidName(name string) bool {
	return len(name) <= maxNameBytes && validName().MatchString(name)
}

var errStars = errors.New("** in a repository must be a whole component, as in a/**/b")

// checkPattern returns an error if the pattern is malformed.
func checkPattern(pattern string) error {
	for c := range strings.SplitSeq(pattern, "/") {
		if c != "**" && strings.Contains(c, "**") {
			return errStars
		}
	}
	return nil
}

// CheckPattern returns an error if the pattern is malformed or matches no name that
// the registry accepts.
func CheckPattern(pattern string) error {
	if err := checkPattern(pattern); err != nil {
		return err
	}
	// Stars may be replaced by a digit: if any name matches, then this one does. Only
	// before a name that begins with a host ** has to match nothing.
	digits := strings.NewReplacer("**", "0", "*", "0")
	withHost := pattern
	for strings.HasPrefix(withHost, "**/") {
		withHost = withHost[len("**/"):]
	}
	if len(strings.ReplaceAll(pattern, "*", "")) > maxNameBytes ||
		!validName().MatchString(digits.Replace(pattern)) && !validName().MatchString(digits.Replace(withHost)) {
		return fmt.Errorf("%q matches no name that a registry accepts: expected lower-case letters and digits, separated by / . _ __ or -, as in labs/app", pattern)
	}
	return nil
}

// A pattern is split into components. At the end ** stands for at least one component,
// so it is split into * and **.
type pattern []string

func newPattern(s string) pattern {
	p := pattern(strings.Split(s, "/"))
	if last := len(p) - 1; p[last] == "**" {
		p = slices.Insert(p, last, "*")
	}
	return p
}

func (p pattern) match(name []string) bool {
	return match(p, name, "**", func(component, s string) bool {
		return match([]byte(component), []byte(s), '*', func(a, b byte) bool { return a == b })
	})
}

// match reports whether s matches the pattern, in which star stands for any number of
// elements. It takes at most len(pattern) × len(s) steps, because after a mismatch only
// the last star has to take one more element.
func match[E comparable](pattern, s []E, star E, equal func(p, s E) bool) bool {
	p, i := 0, 0
	lastStar, taken := -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == star:
			lastStar, taken = p, i
			p++
		case p < len(pattern) && equal(pattern[p], s[i]):
			p++
			i++
		case lastStar >= 0:
			taken++
			p, i = lastStar+1, taken
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == star {
		p++
	}
	return p == len(pattern)
}

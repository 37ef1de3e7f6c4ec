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
// begin with a host. It is compiled when it is needed first, as most commands do
// without it.
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
	// A digit may stand wherever a star does: if any name matches, then one does that
	// has it there. Before a name that begins with a host, ** has to match nothing.
	example := strings.ReplaceAll(strings.ReplaceAll(pattern, "**", "*"), "*", "0")
	withoutStars := pattern
	for strings.HasPrefix(withoutStars, "**/") {
		withoutStars = withoutStars[len("**/"):]
	}
	withHost := strings.ReplaceAll(strings.ReplaceAll(withoutStars, "**", "*"), "*", "0")
	if len(strings.ReplaceAll(pattern, "*", "")) > maxNameBytes ||
		!validName().MatchString(example) && !validName().MatchString(withHost) {
		return fmt.Errorf("%q matches no name that a registry accepts: expected lower-case letters and digits, separated by / . _ __ or -, as in labs/app", pattern)
	}
	return nil
}

// A pattern is split into components. In the last place ** stands for one
// component or more, which is * and then **.
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

// match reports whether the elements of s are those of the pattern, where star
// stands for any number of them. It takes at most len(pattern) × len(s) steps: when
// an element does not match, only the last star can still take more.
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

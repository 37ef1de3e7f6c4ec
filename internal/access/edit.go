package access

import (
	"fmt"
	"slices"
	"strings"
)

// Grant adds a line that allows the subject the action in the repositories. It leaves
// out the repositories that another line for the same subject and action names, and
// changes nothing if none is left. The new line gets the line ending of the last one,
// which gets one itself if it has none.
//
// The error is that of [CheckPattern] or [ErrUnknownGroup], and nothing is changed.
func (f *File) Grant(s Subject, a Action, patterns ...string) error {
	if !a.Valid() {
		return ErrAction
	}
	if s.IsGroup() && !f.defines(s) {
		return ErrUnknownGroup
	}
	var missing []string
	for _, p := range patterns {
		if err := CheckPattern(p); err != nil {
			return err
		}
		if !slices.Contains(missing, p) && !f.grants(s, a, p) {
			missing = append(missing, p)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	end := "\n"
	if n := len(f.lines); n > 0 {
		last := &f.lines[n-1].text
		if strings.HasSuffix(*last, "\r\n") || n > 1 && strings.HasSuffix(f.lines[n-2].text, "\r\n") {
			end = "\r\n"
		}
		if !strings.HasSuffix(*last, "\n") {
			*last += end
		}
	}
	l, err := parseLine(fmt.Sprintf("%-12s %-11s %s%s", s, a, strings.Join(missing, " "), end), false)
	if err == nil {
		f.lines = append(f.lines, l)
	}
	return err
}

func (f *File) grants(s Subject, a Action, pattern string) bool {
	return slices.ContainsFunc(f.lines, func(l line) bool {
		return l.subject == s && l.action == a && slices.Contains(l.values(), pattern)
	})
}

// Revoke removes the patterns from the lines for the subject and the action, and
// removes each line that has none left. It compares patterns as they are written, so
// another line may still allow the same.
//
// If one of the patterns is in no such line, the error is [ErrNoGrant] and nothing is
// changed.
func (f *File) Revoke(s Subject, a Action, patterns ...string) error {
	for _, p := range patterns {
		if !f.grants(s, a, p) {
			return fmt.Errorf("%w: %s %s", ErrNoGrant, a, p)
		}
	}
	f.edit(func(l line) (line, bool) {
		if l.subject != s || l.action != a {
			return l, true
		}
		l = l.without(func(pattern string) bool { return slices.Contains(patterns, pattern) })
		return l, len(l.args()) > 0
	})
	return nil
}

// RemoveUsers removes the grants to the users, and the users from the groups.
func (f *File) RemoveUsers(names []string) {
	removed := make(map[string]bool)
	for _, name := range names {
		removed[name] = true
	}
	f.edit(func(l line) (line, bool) {
		if l.isGroup() {
			return l.without(func(member string) bool { return removed[member] }), true
		}
		name, isUser := l.subject.UserName()
		return l, !isUser || !removed[name]
	})
}

// RenameUser replaces the name of a user wherever it stands.
func (f *File) RenameUser(from, to string) {
	f.edit(func(l line) (line, bool) {
		if !l.mentions(from) {
			return l, true
		}
		// From the end, so that the words in front keep their places.
		for _, w := range slices.Backward(l.users()) {
			if w.value == from {
				l.text = l.text[:w.start] + string(User(to)) + l.text[w.end:]
			}
		}
		return l, true
	})
}

// without returns the line without the arguments for which remove returns true, and
// without the whitespace before each. The places of its words are those of l; edit parses
// it anew.
func (l line) without(remove func(value string) bool) line {
	var text strings.Builder
	start := 0 // of what is not yet copied
	words := slices.Clip(l.words[:min(2, len(l.words))])
	for i, w := range l.args() {
		if !remove(w.value) {
			words = append(words, w)
			continue
		}
		text.WriteString(l.text[start:l.words[i+1].end])
		start = w.end
	}
	l.text, l.words = text.String()+l.text[start:], words
	return l
}

// edit replaces each line by the result of change, or removes it if keep is false.
func (f *File) edit(change func(line) (changed line, keep bool)) {
	lines := f.lines[:0:0]
	for i, l := range f.lines {
		changed, keep := change(l)
		if !keep {
			continue
		}
		if changed.text != l.text {
			// There is no error: every edit turns a valid line into another one.
			changed, _ = parseLine(changed.text, i == 0)
		}
		lines = append(lines, changed)
	}
	f.lines = lines
}

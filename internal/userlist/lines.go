package userlist

import (
	"bytes"
	"strings"
	"sync"
	"unsafe"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/hugepages"
	"github.com/registryctl/registryctl/internal/record"
)

// allLines reads a text of lines, a large one on every core.
func (p *parser) allLines(text []byte) {
	parts := record.Parts(text)
	parsers := make([]parser, len(parts))
	// Each part writes its users where they stand if every line before it has one, so
	// that they need not be copied then. The last line may have no end.
	room := make([]User, bytes.Count(text, []byte{'\n'})+1)
	hugepages.Prefer(room)
	var group sync.WaitGroup
	before := 0 // lines
	for i, part := range parts {
		first := before
		before += bytes.Count(part, []byte{'\n'})
		parsers[i] = parser{namesAlone: p.namesAlone, users: room[first:first]}
		group.Go(func() { parsers[i].lines(part, first) })
	}
	group.Wait()
	p.users = room[:0]
	for _, part := range parsers {
		for _, problem := range part.problems {
			problem.before += len(p.users)
			p.problems = append(p.problems, problem)
		}
		p.users = append(p.users, part.users...)
	}
}

// loneReturn is why a text is not read that seems to hold no users, or fewer.
const loneReturn = "a carriage return alone ends no line; LF or CRLF does"

// lines reads lines, before which there are n others.
func (p *parser) lines(text []byte, n int) {
	// As it is, which nobody changes: to copy a long list takes as long as reading it.
	for line := range strings.Lines(unsafe.String(unsafe.SliceData(text), len(text))) {
		n++
		if ended, ok := strings.CutSuffix(line, "\n"); ok {
			line = strings.TrimSuffix(ended, "\r")
		}
		if strings.TrimSpace(line) == "" {
			continue
		}
		if line[0] == '#' {
			if strings.Contains(line, "\r") { // and perhaps users behind it
				p.problem(n, "%w: "+loneReturn, ErrNoEntry)
			}
			continue
		}
		name, password, ok := strings.Cut(line, ":")
		switch {
		case !ok && strings.ContainsAny(name, ",;"): // a password would become part of a name
			p.problem(n, "%w: no colon but a comma or semicolon; CSV has commas, and a header with \"name\"", ErrNoEntry)
		case !ok:
			p.add(n, name, nil, false)
		case strings.HasPrefix(password, " ") || strings.HasPrefix(password, "\t"):
			p.problem(n, "%w: a blank stands before it; if that is part of it, take CSV or JSON", htpasswd.ErrInvalidPassword)
		default:
			p.add(n, name, &password, false)
		}
	}
}

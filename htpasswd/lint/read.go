package lint

import (
	"strings"

	"github.com/registryctl/registryctl/internal/record"
)

// An entry is a user as a server reads it.
type entry struct {
	line       int
	user, hash string
}

// A reader reads the entries of a text as one of the servers does.
type reader struct {
	server Server
	rest   string // of the text
	line   int    // the last one that was read
	skip   string // nginx: what a line without a colon says, which takes the next one with it
}

// next returns the next entry; ok is false at the end of the text.
func (r *reader) next() (e entry, ok bool) {
	switch r.server {
	case Nginx:
		return r.nextOfNginx()
	case Apache:
		return r.nextOfApache()
	case Lighttpd:
		return r.nextOfLighttpd()
	case Zot:
		return r.nextOfZot()
	default:
		return r.nextOfRegistry()
	}
}

// cutLine returns the next line without its LF; ended is false if it has none.
func (r *reader) cutLine() (line string, ended, ok bool) {
	if r.rest == "" {
		return "", false, false
	}
	line, r.rest, ended = strings.Cut(r.rest, "\n")
	r.line++
	return line, ended, true
}

// nextOfRegistry reads as registry/auth/htpasswd of Distribution does, and Traefik. A
// line that they cannot read has them refuse the file, which is a finding of its own.
func (r *reader) nextOfRegistry() (entry, bool) {
	for {
		line, _, ok := r.cutLine()
		if !ok {
			return entry{}, false
		}
		if rec, kind := record.Parse(line); kind == record.Entry {
			return entry{r.line, rec.User, rec.Hash}, true
		}
	}
}

// nextOfNginx reads as ngx_http_auth_basic_module does. Nothing is trimmed; the
// hash ends with the field, at a carriage return or at a NUL byte.
func (r *reader) nextOfNginx() (entry, bool) {
	for {
		line, _, ok := r.cutLine()
		if !ok {
			return entry{}, false
		}
		if strings.HasPrefix(line, "#") {
			r.skip = ""
			continue
		}
		user, rest, ok := strings.Cut(line, ":")
		if !ok {
			r.skip = line
			continue
		}
		// For a user whose name begins with the line before, this line is part of it.
		skipped := user == "" || r.skip != "" && strings.HasPrefix(user, r.skip)
		r.skip = ""
		if !skipped {
			return entry{r.line, user, until(rest, "\r:\x00")}, true
		}
	}
}

// lighttpdLine is the longest line that lighttpd reads, in bytes without its LF.
const lighttpdLine = 1024

// nextOfLighttpd reads as mod_authn_file of lighttpd does. Nothing is trimmed; the text
// ends at a NUL byte.
func (r *reader) nextOfLighttpd() (entry, bool) {
	for {
		line, _, ok := r.cutLine()
		if !ok {
			return entry{}, false
		}
		if end := strings.IndexByte(line, 0); end >= 0 {
			line, r.rest = line[:end], ""
		}
		user, hash, ok := strings.Cut(line, ":")
		if ok && len(line) <= lighttpdLine && line[0] != '#' && line[0] != '\r' {
			return entry{r.line, user, strings.TrimSuffix(hash, "\r")}, true
		}
	}
}

// nextOfZot reads as zot does, which knows no comments and trims nothing.
func (r *reader) nextOfZot() (entry, bool) {
	for {
		line, _, ok := r.cutLine()
		if !ok || len(line) > record.MaxLineBytes {
			r.rest = ""
			return entry{}, false
		}
		if user, hash, ok := strings.Cut(strings.TrimSuffix(line, "\r"), ":"); ok {
			return entry{r.line, user, hash}, true
		}
	}
}

// apacheLine is the longest line that Apache httpd reads, in bytes without its
// LF: also of several lines that backslashes join.
const apacheLine = 8190

// nextOfApache reads as mod_authn_file and ap_cfg_getline do. A backslash joins a
// line with the next, a NUL byte ends it, several colons are one.
func (r *reader) nextOfApache() (entry, bool) {
	for {
		line, begun, ok := r.cutJoined()
		if !ok {
			return entry{}, false
		}
		text := strings.Trim(until(line, "\x00"), " \t\r\v\f")
		if text == "" || text[0] == '#' {
			continue
		}
		user, rest, _ := strings.Cut(text, ":")
		return entry{begun, user, until(strings.TrimLeft(rest, ":"), ":")}, true
	}
}

// cutJoined returns the next line, joined with those that follow a backslash, and
// the number of the first of them.
func (r *reader) cutJoined() (line string, begun int, ok bool) {
	var joined strings.Builder
	for {
		part, ended, ok := r.cutLine()
		if !ok { // a backslash at the end of the last line joins it with nothing
			return joined.String(), begun, begun > 0
		}
		if joined.Len() == 0 {
			begun = r.line
		}
		if joined.Len()+len(part) > apacheLine {
			r.rest = "" // Apache httpd reads no further
			return "", 0, false
		}
		before, joins := strings.CutSuffix(strings.TrimSuffix(part, "\r"), `\`)
		switch {
		case joins && ended:
			joined.WriteString(before)
		case joined.Len() == 0:
			return part, begun, true
		default:
			joined.WriteString(part)
			return joined.String(), begun, true
		}
	}
}

// until returns s up to the first of these bytes, or all of it.
func until(s, bytes string) string {
	if i := strings.IndexAny(s, bytes); i >= 0 {
		return s[:i]
	}
	return s
}

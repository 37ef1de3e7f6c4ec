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
	for {
		cut := r.cutLine
		if r.server == Apache {
			cut = r.cutJoined
		}
		line, number, ok := cut()
		if !ok {
			return entry{}, false
		}
		if user, hash, ok := r.parse(line); ok {
			return entry{number, user, hash}, true
		}
	}
}

// cutLine returns the next line without its LF, and its number.
func (r *reader) cutLine() (line string, number int, ok bool) {
	if r.rest == "" {
		return "", 0, false
	}
	line, r.rest, _ = strings.Cut(r.rest, "\n")
	r.line++
	return line, r.line, true
}

// parse returns the user and the hash in a line; ok is false if the server finds none.
func (r *reader) parse(line string) (user, hash string, ok bool) {
	switch r.server {
	case Nginx:
		return r.parseNginx(line)
	case Apache:
		return parseApache(line)
	case Lighttpd:
		return r.parseLighttpd(line)
	case Zot:
		return r.parseZot(line)
	}
	// As registry/auth/htpasswd of Distribution does, and Traefik. A malformed line, for
	// which they refuse the file, is a finding of its own.
	rec, kind := record.Parse(line)
	return rec.User, rec.Hash, kind == record.Entry
}

// parseNginx reads as ngx_http_auth_basic_module does. Nothing is trimmed; the hash
// ends with the field, at a carriage return or at a NUL byte.
func (r *reader) parseNginx(line string) (user, hash string, ok bool) {
	if strings.HasPrefix(line, "#") {
		r.skip = ""
		return "", "", false
	}
	user, rest, ok := strings.Cut(line, ":")
	if !ok {
		r.skip = line
		return "", "", false
	}
	// For a user whose name begins with the line before, this line is part of it.
	skipped := user == "" || r.skip != "" && strings.HasPrefix(user, r.skip)
	r.skip = ""
	return user, until(rest, "\r:\x00"), !skipped
}

// lighttpdLine is the longest line that lighttpd reads, in bytes without its LF.
const lighttpdLine = 1024

// parseLighttpd reads as mod_authn_file of lighttpd does. Nothing is trimmed; the text
// ends at a NUL byte.
func (r *reader) parseLighttpd(line string) (user, hash string, ok bool) {
	if end := strings.IndexByte(line, 0); end >= 0 {
		line, r.rest = line[:end], ""
	}
	user, hash, ok = strings.Cut(line, ":")
	return user, strings.TrimSuffix(hash, "\r"), ok && len(line) <= lighttpdLine && line[0] != '#' && line[0] != '\r'
}

// parseZot reads as zot does, which has no comments and trims nothing. It reads nothing
// after a line that is too long.
func (r *reader) parseZot(line string) (user, hash string, ok bool) {
	if len(line) > record.MaxLineBytes {
		r.rest = ""
		return "", "", false
	}
	return strings.Cut(strings.TrimSuffix(line, "\r"), ":")
}

// apacheLine is the longest line that Apache httpd reads, in bytes without its LF. It
// also limits lines that are joined by backslashes.
const apacheLine = 8190

// parseApache reads as mod_authn_file does. A NUL byte ends the line, and several colons
// count as one.
func parseApache(line string) (user, hash string, ok bool) {
	text := strings.Trim(until(line, "\x00"), " \t\r\v\f")
	if text == "" || text[0] == '#' {
		return "", "", false
	}
	user, rest, _ := strings.Cut(text, ":")
	return user, until(strings.TrimLeft(rest, ":"), ":"), true
}

// cutJoined returns the next line as ap_cfg_getline does, joined with those that follow
// a backslash, and the number of the first of them.
func (r *reader) cutJoined() (line string, begun int, ok bool) {
	var joined strings.Builder
	for {
		ended := strings.Contains(r.rest, "\n")
		part, _, ok := r.cutLine()
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

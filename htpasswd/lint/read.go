package lint

import (
	"strings"
)

// An entry is a user as a server reads it.
type entry struct {
	line       int
	user, hash string
}

// read has each server's way of reading a text.
var read = map[Server]func(text string) []entry{
	Registry: readRegistry,
	Nginx:    readNginx,
	Apache:   readApache,
}

// effective returns the entry that the server goes by for each user.
func effective(entries []entry, server Server) map[string]entry {
	users := make(map[string]entry, len(entries))
	for _, e := range entries {
		if _, ok := users[e.user]; !ok || server == Registry {
			users[e.user] = e // the registry goes by the last, the others by the first
		}
	}
	return users
}

// readRegistry: registry/auth/htpasswd of Distribution. A line that it cannot
// read has it refuse the file, which is a finding of its own.
func readRegistry(text string) []entry {
	var entries []entry
	n := 0
	for line := range strings.Lines(text) {
		n++
		record := strings.TrimSpace(line)
		if record == "" || record[0] == '#' {
			continue
		}
		if user, hash, ok := strings.Cut(record, ":"); ok {
			entries = append(entries, entry{n, user, hash})
		}
	}
	return entries
}

// readNginx: ngx_http_auth_basic_module. Nothing is trimmed; the hash ends with
// the field, at a carriage return or at a NUL byte.
func readNginx(text string) []entry {
	var entries []entry
	skip := "" // what a line without a colon says: it takes the next one with it
	n := 0
	for line := range strings.Lines(text) {
		n++
		body := strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(body, "#") {
			skip = ""
			continue
		}
		user, rest, ok := strings.Cut(body, ":")
		if !ok {
			skip = body
			continue
		}
		// For a user whose name begins with the line before, this one is part of it.
		if user != "" && (skip == "" || !strings.HasPrefix(user, skip)) {
			entries = append(entries, entry{n, user, until(rest, "\r:\x00")})
		}
		skip = ""
	}
	return entries
}

// apacheLine is the longest line that Apache httpd reads, without its LF.
const apacheLine = 8190

// readApache: mod_authn_file and ap_cfg_getline. A backslash joins a line with
// the next, a NUL byte ends it, several colons are one.
func readApache(text string) []entry {
	var entries []entry
	n, begun, joined := 0, 0, ""
	for line := range strings.Lines(text) {
		n++
		body := strings.TrimSuffix(line, "\n")
		if len(body) > apacheLine {
			break // and reads no further
		}
		if before, ok := strings.CutSuffix(strings.TrimSuffix(body, "\r"), `\`); ok && strings.HasSuffix(line, "\n") {
			if joined == "" {
				begun = n
			}
			joined += before
			continue
		}
		if joined == "" {
			begun = n
		}
		record := strings.Trim(until(joined+body, "\x00"), " \t\r\v\f")
		joined = ""
		if record == "" || record[0] == '#' {
			continue
		}
		user, rest, _ := strings.Cut(record, ":")
		entries = append(entries, entry{begun, user, until(strings.TrimLeft(rest, ":"), ":")})
	}
	return entries
}

// until returns s up to the first of these bytes, or all of it.
func until(s, bytes string) string {
	if i := strings.IndexAny(s, bytes); i >= 0 {
		return s[:i]
	}
	return s
}

package main

import (
	"os"
	"strings"
	"time"

	"github.com/registryctl/registryctl/htpasswd"
)

// hash returns that of a password, with a new salt each time.
func hash(password string, cost int) string {
	h, err := htpasswd.HashPassword([]byte(password), cost)
	check(err)
	return h.Encoded()
}

// put makes path another file, of another inode.
func put(path, text string) {
	check(os.WriteFile(path+".new", []byte(text), 0o600))
	check(os.Rename(path+".new", path))
}

// A trial opens a file, does something to it, and sees who gets in.
type trial struct {
	name   string
	before string            // the text that is opened
	do     func(path string) // may be nil
	logins [][2]string       // users and passwords
	want   string            // of ours
}

// compareBehaviour shows what becomes of logins when the file is not as it was, or
// not as it should be.
func compareBehaviour(r *report, path string) {
	elton, francis := "elton:"+hash("d0cker", 4)+"\n", "francis:"+hash("r3gL4b", 4)+"\n"
	changed, long := "elton:"+hash("changed", 4)+"\n", strings.Repeat("x", 72)
	hourAgo := time.Now().Add(-time.Hour)
	becomes := func(text string) func(string) {
		return func(path string) { put(path, text) }
	}
	logins := func(pairs ...[2]string) [][2]string { return pairs }
	right, old, now := [2]string{"francis", "r3gL4b"}, [2]string{"elton", "d0cker"}, [2]string{"elton", "changed"}

	r.header("the file, and who gets in")
	for _, t := range []trial{
		{"opened with a line without a colon", "oops\n" + francis, nil, logins(right), "error"},
		{"such a line is added", francis, becomes(francis + "oops\n"), logins(right), "in"},
		{"another user is given a third field", elton + francis, becomes(strings.Replace(elton, "\n", ":admins\n", 1) + francis), logins(right), "in"},
		{"the file is removed", francis, func(path string) { check(os.Remove(path)) }, logins(right), "in"},
		{"the user is removed", elton + francis, becomes(elton), logins(right), "out"},
		{"another file: the old password, the new one", elton, becomes(changed), logins(old, now), "out, in"},
		{"the same, with the time of the old one", elton, func(path string) {
			put(path, changed)
			check(os.Chtimes(path, hourAgo, hourAgo))
		}, logins(old, now), "out, in"},
		{`"#elton", of a comment`, "#" + elton + francis, nil, logins([2]string{"#elton", "d0cker"}), "out"},
		{"73 bytes, of which 72 are the password", "elton:" + hash(long, 4), nil, logins([2]string{"elton", long + "x"}), "out"},
	} {
		cells := []string{t.name}
		for _, lib := range all {
			put(path, t.before)
			check(os.Chtimes(path, hourAgo, hourAgo))
			cells = append(cells, t.run(lib, path))
		}
		r.want(cells[1] == t.want, "%s: %s instead of %s", t.name, cells[1], t.want)
		r.row(cells...)
	}
}

func (t trial) run(lib library, path string) (outcome string) {
	defer func() {
		if recover() != nil {
			outcome = "panic"
		}
	}()
	login, err := lib.open(path)
	if err != nil {
		return "error"
	}
	if t.do != nil {
		t.do(path)
		time.Sleep(time.Second) // ours looks at the file as often, go-http-auth at each login
	}
	var outcomes []string
	for _, l := range t.logins {
		if login(l[0], l[1]) {
			outcomes = append(outcomes, "in")
		} else {
			outcomes = append(outcomes, "out")
		}
	}
	return strings.Join(outcomes, ", ")
}

package cli

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/registryctl/registryctl/htpasswd/lint"
	"github.com/registryctl/registryctl/internal/crypt"
	"github.com/registryctl/registryctl/internal/testserver"
)

// TestModel runs random commands on random files, and holds the bytes of the file
// and the exit status against a model of the documentation. An edit does the same
// to a file, in place and as a filter, and its dry run exits alike; list, verify
// and check say of the result what the registry reads in it.
func TestModel(t *testing.T) {
	marks := containerMarks
	containerMarks = nil // wherever the tests run
	t.Cleanup(func() { containerMarks = marks })
	patience := time.Second
	if os.Getenv("REQUIRE_PEERS") == "1" && !testing.Short() {
		patience = 40 * time.Second
	}
	m := &model{T: t, Rand: rand.New(rand.NewPCG(rand.Uint64(), 0)), dir: t.TempDir()}
	for _, password := range modelPasswords {
		require.NoError(t, os.WriteFile(m.path(password), []byte(password), 0o600))
	}
	commands := 0
	for end := time.Now().Add(patience); time.Now().Before(end); {
		f := modelFile{m.text(), m.IntN(20) == 0}
		if f.missing {
			f.text = ""
		}
		for range 1 + m.IntN(4) {
			f = m.step(f)
			commands++
		}
	}
	t.Logf("%d commands", commands)
}

type model struct {
	*testing.T
	*rand.Rand
	dir   string
	about string // for a failure: the command and the file
}

// A modelFile is the file that the commands edit.
type modelFile struct {
	text    string
	missing bool
}

func (f modelFile) refused() bool {
	_, ok := testserver.RegistryReads(f.text)
	return !ok || strings.HasPrefix(f.text, "\xff\xfe")
}

// A modelEdit is a command with what the documentation says of it.
type modelEdit struct {
	words    []string
	operands []string
	list     string // to import
	status   Status
	// after returns the text that the command leaves. What it cannot know, such as a
	// new hash, it finds in the text that the command has left.
	after    func(got string) string
	isRandom bool // each run leaves another text
	isFix    bool
}

// step makes one edit in every way, and returns the file after it.
func (m *model) step(before modelFile) (after modelFile) {
	edits := []func(modelFile) modelEdit{m.add, m.add, m.passwd, m.passwd, m.remove, m.remove, m.rename, m.rename, m.imports, m.imports, m.fix}
	e := edits[m.IntN(len(edits))](before)
	m.about = fmt.Sprintf("%q %q %q on %q", e.words, e.operands, e.list, before.text)

	m.put(before)
	dry := m.run(e, "--dry-run")
	m.require(before == m.get(), "the dry run wrote")
	ran := m.run(e)
	after = m.get()
	m.require(ran.status == e.status || e.isFix, "exit status %d, want %d: %s", ran.status, e.status, ran.err)
	m.require(dry.status == ran.status, "the dry run exits %d, the run %d: %s%s", dry.status, ran.status, dry.err, ran.err)
	m.same(e.after(after.text), after.text, "the file")
	m.require(!after.missing || before.missing && before.text == after.text, "the file is gone")
	if e.words[1] == "import" || e.isFix {
		again := m.run(e)
		m.require(again.status == ran.status && m.get() == after, "a second run: exit status %d, %q", again.status, m.get().text)
	}

	m.put(before)
	inPlace := m.run(e, "--in-place")
	m.require(inPlace.status == ran.status, "exit status in place: %d, want %d", inPlace.status, ran.status)
	m.same(e.after(m.get().text), m.get().text, "in place")
	m.require(e.isRandom || m.get() == after, "in place: %q, want %q", m.get().text, after.text)
	if !before.missing {
		filter := m.filter(e, before.text)
		m.require(filter.status == ran.status, "exit status of the filter: %d, want %d: %s", filter.status, ran.status, filter.err)
		switch {
		case ran.status != exitDone && (!e.isFix || strings.Contains(ran.err, "cannot fix")):
			m.same("", filter.out, "the filter, which failed")
		case e.isRandom:
			m.same(e.after(filter.out), filter.out, "the filter")
		default:
			m.same(after.text, filter.out, "the filter")
		}
	}
	m.put(after)
	m.agree(after)
	return after
}

func (m *model) add(f modelFile) modelEdit {
	name, hash := m.name(f), m.pick(modelBcrypt)
	e := modelEdit{words: []string{"user", "add", "--hash", hash}, operands: []string{name}}
	if m.IntN(2) == 0 {
		e.words = append(e.words, "--update")
	}
	users, _ := testserver.RegistryReads(f.text)
	current, exists := users[name]
	switch {
	case !isModelName(name):
		return e.failing(exitName, f)
	case f.refused():
		return e.failing(exitFormat, f)
	case exists && !slices.Contains(e.words, "--update"):
		return e.failing(exitName, f)
	case exists && strings.HasPrefix(current, hash):
		return e.leaving(f.text)
	}
	return e.leaving(withUser(f.text, name, hash))
}

func (m *model) passwd(f modelFile) modelEdit {
	name, hash := m.name(f), m.pick(modelBcrypt)
	e := modelEdit{words: []string{"user", "passwd", "--hash", hash}, operands: []string{name}}
	users, _ := testserver.RegistryReads(f.text)
	_, exists := users[name]
	switch {
	case f.missing:
		return e.failing(exitIO, f)
	case f.refused():
		return e.failing(exitFormat, f)
	case !exists, !isModelName(name):
		return e.failing(exitName, f)
	}
	return e.leaving(withUser(f.text, name, hash))
}

func (m *model) remove(f modelFile) modelEdit {
	e := modelEdit{words: []string{"user", "remove"}, operands: []string{m.name(f)}}
	if m.IntN(3) == 0 {
		e.operands = append(e.operands, m.name(f))
	}
	ifExists := m.IntN(3) == 0
	if ifExists {
		e.words = append(e.words, "--if-exists")
	}
	users, _ := testserver.RegistryReads(f.text)
	switch {
	case f.missing && ifExists:
		return e.leaving(f.text)
	case f.missing:
		return e.failing(exitIO, f)
	case f.refused():
		return e.failing(exitFormat, f)
	}
	text := f.text
	for _, name := range e.operands {
		if _, exists := users[name]; !exists && !ifExists {
			return e.failing(exitName, f)
		}
		text = withoutUser(text, name)
	}
	return e.leaving(text)
}

func (m *model) rename(f modelFile) modelEdit {
	from, to := m.name(f), m.name(f)
	e := modelEdit{words: []string{"user", "rename"}, operands: []string{from, to}}
	users, _ := testserver.RegistryReads(f.text)
	_, exists := users[from]
	_, taken := users[to]
	switch {
	case f.missing:
		return e.failing(exitIO, f)
	case f.refused():
		return e.failing(exitFormat, f)
	case !exists, taken, !isModelName(to):
		return e.failing(exitName, f)
	}
	return e.leaving(edited(f.text, from, func(_ int, line string) string {
		head, rest, _ := strings.Cut(line, ":")
		return strings.TrimSuffix(head, from) + to + ":" + rest
	}))
}

// A modelEntry is one of a list to import.
type modelEntry struct {
	Name     string `json:"name"`
	Password string `json:"password,omitempty"`
	Hash     string `json:"hash,omitempty"`
}

func (m *model) imports(f modelFile) modelEdit {
	e := modelEdit{words: []string{"user", "import", "--cost", "4"}}
	list := []modelEntry{}
	for _, i := range m.Perm(len(modelNames))[:m.IntN(4)] {
		entry := modelEntry{Name: modelNames[i], Hash: m.pick(modelBcrypt)}
		if m.IntN(4) == 0 {
			entry.Hash, entry.Password = "", m.pick(modelPasswords)
			e.isRandom = true
		}
		list = append(list, entry)
	}
	bad, skipped := exitDone, ""
	if len(list) > 0 && m.IntN(4) == 0 {
		entry := &list[m.IntN(len(list))]
		switch m.IntN(4) {
		case 0:
			entry.Name, bad = m.pick([]string{strings.Repeat("x", 256), "a\u200b"}), exitName
		case 1:
			list, bad = append(list, *entry), exitName
		case 2:
			entry.Password, entry.Hash, bad = strings.Repeat("x", 73), "", exitPassword
		case 3:
			entry.Password, entry.Hash, bad = "", modelApr1, exitFormat
			if m.IntN(2) == 0 {
				e.words, bad, skipped = append(e.words, "--skip-unsupported"), exitDone, entry.Name
			}
		}
	}
	prune, allowEmpty := m.IntN(3) == 0, m.IntN(2) == 0
	if prune {
		e.words = append(e.words, "--prune")
		if allowEmpty {
			e.words = append(e.words, "--allow-empty")
		}
	}
	path, text := m.write(list)
	e.operands, e.list = []string{path}, text
	switch {
	case bad != exitDone:
		return e.failing(bad, f)
	case prune && !allowEmpty && len(list) == 0:
		return e.failing(exitUsage, f)
	case f.refused():
		return e.failing(exitFormat, f)
	}
	e.after = func(got string) string {
		text := f.text
		users, _ := testserver.RegistryReads(f.text)
		for user := range users {
			if prune && !slices.ContainsFunc(list, func(e modelEntry) bool { return e.Name == user }) {
				text = withoutUser(text, user)
			}
		}
		for _, entry := range list {
			current, hash := strings.TrimPrefix(users[entry.Name], "!"), entry.Hash
			if hash == "" {
				hash = m.hashOf(entry, current, got)
			}
			if entry.Name != skipped && (users[entry.Name] == "" || !strings.HasPrefix(current, hash)) {
				text = withUser(text, entry.Name, hash)
			}
		}
		return text
	}
	return e
}

// hashOf returns the hash that a listed user with a password has after an import:
// the current one if it is right, else the one in the text that was left.
func (m *model) hashOf(entry modelEntry, current, got string) string {
	if logins, _ := testserver.RegistryLogins("x:" + current); bcrypt.CompareHashAndPassword([]byte(logins["x"]), []byte(entry.Password)) == nil {
		return logins["x"]
	}
	users, _ := testserver.RegistryReads(got)
	logins, _ := testserver.RegistryLogins("x:" + strings.TrimPrefix(users[entry.Name], "!"))
	hash := logins["x"]
	m.require(strings.HasPrefix(hash, "$2y$04$") && bcrypt.CompareHashAndPassword([]byte(hash), []byte(entry.Password)) == nil,
		"the import did not set the password of %q: %q", entry.Name, got)
	return hash
}

// write writes the list in one of the formats.
func (m *model) write(list []modelEntry) (path, text string) {
	switch path = m.path(m.pick([]string{"list.json", "list.csv", "list.htpasswd"})); filepath.Ext(path) {
	case ".json":
		b, err := json.Marshal(list)
		require.NoError(m, err)
		text = string(b)
	case ".csv":
		text = "password,name,hash\r\n"
		for _, e := range list {
			text += e.Password + "," + e.Name + "," + e.Hash + "\r\n"
		}
	default:
		text = "# users\n"
		for _, e := range list {
			text += e.Name + ":" + e.Password + e.Hash + "\n"
		}
	}
	require.NoError(m, os.WriteFile(path, []byte(text), 0o600))
	return path, text
}

// fix changes nothing for anybody who can log in, and after it nothing keeps the
// registry from reading the file.
func (m *model) fix(f modelFile) modelEdit {
	return modelEdit{words: []string{"check", "--fix"}, isFix: true, after: func(got string) string {
		before, _ := testserver.RegistryLogins(f.text)
		after, _ := testserver.RegistryLogins(got)
		for user, hash := range before {
			if !strings.HasPrefix(f.text, "\ufeff") || !strings.HasPrefix(user, "\ufeff") { // which is not of the name
				m.require(after[user] == hash, "user %q logs in by %q, and did by %q: %q", user, after[user], hash, got)
			}
		}
		for user := range after {
			m.require(before[user] != "" || strings.Contains(f.text, user+":") || strings.HasPrefix(f.text, "\xff\xfe"), "user %q was not listed: %q", user, got)
		}
		m.require(got == f.text || !modelFile{text: got}.refused(), "the registry refuses %q", got)
		return got
	}}
}

// agree holds list, check and verify against what the registry reads.
func (m *model) agree(f modelFile) {
	someone, password := m.name(f), m.pick(modelPasswords)
	list := m.run(modelEdit{words: []string{"user", "list", "-o", "json"}})
	check := m.run(modelEdit{words: []string{"check", "-o", "json"}})
	verify := m.run(modelEdit{words: []string{"user", "verify", "--password-file", m.path(password)}, operands: []string{someone}})
	statuses := [...]Status{list.status, check.status, verify.status}
	switch {
	case f.missing:
		m.require(statuses == [...]Status{exitIO, exitIO, exitIO}, "of a missing file list, check, verify exit %d", statuses)
		return
	case f.refused():
		m.require(statuses == [...]Status{exitFormat, exitFormat, exitFormat}, "of a file that is refused list, check, verify exit %d", statuses)
		return
	}

	users, _ := testserver.RegistryReads(f.text)
	logins, _ := testserver.RegistryLogins(f.text)
	var rows []row
	require.NoError(m, json.Unmarshal([]byte(list.out), &rows), m.about)
	var report checkReport
	require.NoError(m, json.Unmarshal([]byte(check.out), &report), m.about)
	entries, last := modelEntries(f.text)
	m.require(list.status == exitDone && len(rows) == len(entries), "list exits %d: %s", list.status, list.out)
	for i, e := range entries {
		isIn, shown := logins[e.user] != "", crypt.Redact(e.user)
		isError := slices.ContainsFunc(report.Findings, func(f lint.Finding) bool {
			return f.Severity == lint.SeverityError && f.Line == e.line && f.User == shown || f.Kind == lint.NotHtpasswd
		})
		m.require(rows[i].Line == e.line && rows[i].User == shown, "list, line %d: %s", e.line, list.out)
		m.require((rows[i].Problem == "") == (isIn && e.line == last[e.user]), "list, line %d: %s", e.line, list.out)
		isPlain := !strings.ContainsAny(e.user, "\r\ufeff") && shown == e.user // check lists such a user by another name
		m.require(isError != isIn || e.line != last[e.user] || !isPlain, "check, line %d: %s", e.line, check.out)
	}
	isFine := len(users) > 0 && len(logins) == len(users)
	if !hidesRecords(f.text) {
		m.require((check.status == exitDone) == isFine, "check exits %d: %s", check.status, check.out)
	}

	want := []Status{exitMismatch, exitFormat} // of another scheme, or none
	switch _, exists := users[someone]; {
	case !exists:
		want = []Status{exitName}
	case bcrypt.CompareHashAndPassword([]byte(logins[someone]), []byte(password)) == nil:
		want = []Status{exitDone}
	case logins[someone] != "":
		want = []Status{exitMismatch}
	}
	m.require(slices.Contains(want, verify.status), "verify of %q exits %d: %s", someone, verify.status, verify.err)
}

func (e modelEdit) failing(status Status, f modelFile) modelEdit {
	e.status, e.isRandom = status, false
	return e.leaving(f.text)
}

func (e modelEdit) leaving(text string) modelEdit {
	e.after = func(string) string { return text }
	return e
}

// A modelLine is a line that the registry takes for an entry.
type modelLine struct {
	line int
	user string
}

// modelEntries returns the entries, and the line of each user that counts.
func modelEntries(text string) (entries []modelLine, last map[string]int) {
	last = make(map[string]int)
	n := 0
	for line := range strings.Lines(text) {
		n++
		users, _ := testserver.RegistryReads(line)
		for user := range users {
			entries = append(entries, modelLine{n, user})
			last[user] = n
		}
	}
	return entries, last
}

// edited returns the text with another line in the place of each line of a user.
func edited(text, user string, edit func(n int, line string) string) string {
	var out strings.Builder
	n := 0
	for line := range strings.Lines(text) {
		n++
		if users, _ := testserver.RegistryReads(line); len(users) == 1 && slices.Contains(slices.Collect(maps.Keys(users)), user) {
			line = edit(n, line)
		}
		out.WriteString(line)
	}
	return out.String()
}

func withoutUser(text, user string) string {
	return edited(text, user, func(int, string) string { return "" })
}

// withUser returns the text with this hash in the last line of the user, without the
// other lines of the user, or with a new line at the end.
func withUser(text, user, hash string) string {
	_, last := modelEntries(text)
	if last[user] == 0 {
		ending := "\n"
		if i := strings.LastIndexByte(text, '\n'); i > 0 && text[i-1] == '\r' {
			ending = "\r\n"
		}
		if text != "" && !strings.HasSuffix(text, "\n") {
			text += ending
		}
		return text + user + ":" + hash + ending
	}
	return edited(text, user, func(n int, line string) string {
		if n != last[user] {
			return ""
		}
		return withHash(line, hash)
	})
}

// withHash returns the line with another hash. What stands behind the old one stays,
// and so does the mark of a disabled user.
func withHash(line, hash string) string {
	head, body, _ := strings.Cut(line, ":")
	old := strings.TrimRightFunc(body, unicode.IsSpace)
	tail := body[len(old):]
	old, disabled := strings.CutPrefix(strings.TrimLeft(old, " \t"), "!")
	if disabled {
		head += ":!"
	} else {
		head += ":"
	}
	i := slices.IndexFunc(modelHashes, func(hash string) bool { return strings.HasPrefix(old, hash) })
	switch end := strings.IndexAny(old, ":\r"); {
	case i >= 0:
		tail = old[len(modelHashes[i]):] + tail
	case end >= 0:
		tail = old[end:] + tail
	}
	return head + hash + tail
}

// What the random texts and commands are made of.
var (
	modelPasswords = []string{"d0cker", "r3gL4b", "s3cret"}
	modelBcrypt    = []string{
		exampleHash,
		"$2y$04$VQv2x9Mu.Z/5wjFHTZV6a.8OfTJf8hC7f.iAFWm0Z7/4dRkNzoplK", // r3gL4b
		"$2a$04$VQv2x9Mu.Z/5wjFHTZV6a.8OfTJf8hC7f.iAFWm0Z7/4dRkNzoplK",
		"$2$04$VQv2x9Mu.Z/5wjFHTZV6a.8OfTJf8hC7f.iAFWm0Z7/4dRkNzoplK",
	}
	modelApr1   = "$apr1$r31...1$HqJZimcKQFAMYayBlzkrA/"
	modelHashes = slices.Concat(modelBcrypt, []string{modelApr1, "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g="})
	modelBroken = []string{"", "!" + exampleHash, exampleHash[:40], "pl4in", `"` + exampleHash + `"`, strings.ReplaceAll(exampleHash, "$", "$$"), " " + exampleHash}
	modelNames  = []string{"a", "b", "A", "c d", "\u00e9", "e\u0301", "u@x", "-f", "x" + exampleHash} // that can be added
	modelBad    = []string{"", " a", "a ", "#a", "a:b", "a\u200b", "\ufeffa", "a\nb", "<token>", strings.Repeat("x", 256)}
)

// isModelName reports whether a user of that name can be added.
func isModelName(name string) bool {
	return name != "" && len(name) <= 255 && utf8.ValidString(name) && name[0] != '#' && name != "<token>" && !strings.Contains(name, ":") &&
		strings.TrimSpace(name) == name && strings.Trim(name, "\ufeff\u200b") == name && !strings.ContainsFunc(name, unicode.IsControl)
}

// hidesRecords reports whether the text may hold users whom the registry does not
// read, or not by the name that a person sees.
func hidesRecords(text string) bool {
	return strings.Contains(strings.ReplaceAll(text, "\r\n", "\n"), "\r") || strings.Contains(text, "\ufeff") ||
		slices.ContainsFunc(strings.Split(text, "\n"), func(line string) bool { return strings.Count(line, ":") > 1 })
}

func (m *model) pick(from []string) string { return from[m.IntN(len(from))] }

// name returns a name that may be in the file.
func (m *model) name(f modelFile) string {
	users, _ := testserver.RegistryReads(f.text)
	switch there := slices.Sorted(maps.Keys(users)); {
	case m.IntN(10) == 0:
		return m.pick(modelBad)
	case m.IntN(2) == 0 && len(there) > 0:
		return m.pick(there)
	}
	return m.pick(modelNames)
}

// text returns a file as people, editors and other programs leave it.
func (m *model) text() string {
	endings := []string{"\n", "\n", "\n", "\n", "\n", "\n", "\n", "\r", ""}
	if m.IntN(3) == 0 {
		endings = []string{"\r\n", "\r\n", "\r\n", "\r\n", "\n", "\r", ""}
	}
	var b strings.Builder
	for range m.IntN(6) {
		name, hash := m.pick(modelNames), m.pick(modelHashes)
		if m.IntN(6) == 0 {
			name = m.pick([]string{"", "a ", "a\u200b", "\ufeffa", "#a", " b", "\tb"})
		}
		if m.IntN(4) == 0 {
			hash = m.pick(modelBroken)
		}
		line := name + ":" + hash + m.pick([]string{"", "", "", "", " ", ":third", " text"})
		switch m.IntN(15) {
		case 0:
			line = m.pick([]string{"", " ", "# a:" + exampleHash, " # text"})
		case 1:
			line = m.pick([]string{"elton", exampleHash})
		}
		b.WriteString(line + m.pick(endings))
	}
	text := b.String()
	switch m.IntN(20) {
	case 0:
		text = "\ufeff" + text
	case 1:
		wide := "\xff\xfe"
		for _, r := range text {
			wide += string([]byte{byte(r), byte(r >> 8)})
		}
		text = wide
	}
	return text
}

// A modelRun is what a command did.
type modelRun struct {
	status   Status
	out, err string
}

// run runs the command on the file.
func (m *model) run(e modelEdit, flags ...string) modelRun {
	r := m.main(e, "", append(flags, "-f", m.path("users"))...)
	m.require(!holdsSecret(r.out), "a secret is printed: %s", r.out)
	return r
}

// filter runs the command on a text.
func (m *model) filter(e modelEdit, text string) modelRun { return m.main(e, text, "-f", "-") }

func (m *model) main(e modelEdit, stdin string, flags ...string) modelRun {
	args := slices.Concat([]string{program}, e.words, flags, []string{"--"}, e.operands)
	var out, errOut strings.Builder
	status := Main(args, strings.NewReader(stdin), &out, &errOut)
	m.require(!holdsSecret(errOut.String()), "a secret is printed: %s", &errOut)
	return modelRun{Status(status), out.String(), errOut.String()}
}

func holdsSecret(text string) bool {
	return slices.ContainsFunc(slices.Concat(modelHashes, modelPasswords, []string{"pl4in"}), func(secret string) bool { return strings.Contains(text, secret) })
}

func (m *model) path(name string) string { return filepath.Join(m.dir, name) }

// put makes the file what it was, and get returns it.
func (m *model) put(f modelFile) {
	if f.missing {
		_ = os.Remove(m.path("users"))
		return
	}
	require.NoError(m, os.WriteFile(m.path("users"), []byte(f.text), 0o600))
}

func (m *model) get() modelFile {
	text, err := os.ReadFile(m.path("users"))
	return modelFile{string(text), err != nil}
}

func (m *model) same(want, got, what string) {
	m.Helper()
	m.require(want == got, "%s is\n%q, want\n%q", what, got, want)
}

func (m *model) require(ok bool, format string, args ...any) {
	m.Helper()
	if !ok {
		m.Fatalf("%s: %s", m.about, fmt.Sprintf(format, args...))
	}
}

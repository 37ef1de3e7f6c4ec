package cli

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/registryctl/registryctl/htpasswd/lint"
	"github.com/registryctl/registryctl/internal/charset"
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
	most := 150
	if os.Getenv("REQUIRE_PEERS") == "1" && !testing.Short() {
		most = 4000
	}
	m := &model{T: t, Rand: rand.New(rand.NewPCG(*modelSeed, 0)), dir: t.TempDir()}
	for _, password := range modelPasswords {
		require.NoError(t, os.WriteFile(m.path(password), []byte(password), 0o600))
	}
	for commands := 0; commands < most; {
		f := modelFile{text: m.text()}
		if m.IntN(20) == 0 {
			f = modelFile{missing: true}
		}
		for range 1 + m.IntN(4) {
			f = m.step(f)
			commands++
		}
	}
}

var modelSeed = flag.Uint64("seed", 1, "of the random files and commands of TestModel")

// What the files and commands are made of.
var (
	modelPasswords = []string{"d0cker", "r3gL4b", "s3cret"}
	modelBcrypt    = []string{ // of the first two
		exampleHash,
		"$2y$04$VQv2x9Mu.Z/5wjFHTZV6a.8OfTJf8hC7f.iAFWm0Z7/4dRkNzoplK",
		"$2a$04$VQv2x9Mu.Z/5wjFHTZV6a.8OfTJf8hC7f.iAFWm0Z7/4dRkNzoplK",
		"$2$04$VQv2x9Mu.Z/5wjFHTZV6a.8OfTJf8hC7f.iAFWm0Z7/4dRkNzoplK",
	}
	modelApr1   = "$apr1$r31...1$HqJZimcKQFAMYayBlzkrA/"
	modelHash   = regexp.MustCompile(`^(\$2[ay]?\$04\$[./A-Za-z0-9]{53}|\$apr1\$[^$]+\$[./A-Za-z0-9]{22}|\{SHA\}.{28})`)
	modelHashes = slices.Concat(modelBcrypt, []string{modelApr1, "{SHA}kNoej8FsdG2erAqFiri5sSEd/XM="}) // that is of d0cker, too
	modelBroken = []string{"", "!" + exampleHash, exampleHash[:40], "pl4in", `"` + exampleHash + `"`, strings.ReplaceAll(exampleHash, "$", "$$"), " " + exampleHash}
	modelNames  = []string{"a", "b", "A", "c d", "\u00e9", "e\u0301", "u@x", "-f", "x" + exampleHash}
	modelOdd    = []string{"", "a ", "a\u200b", "\ufeffa", "#a", " b", "\tb"} // in a file
	modelBad    = slices.Concat(modelOdd, []string{"a:b", "a\nb", "<token>", "\xff", strings.Repeat("x", 256)})
)

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

// refused reports whether the registry refuses the file, or it is UTF-16.
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
	after    func(got string) string // the text that it leaves; a new hash is taken from what it has left
	fixed    bool                    // it has made the edit, whatever the status says
}

func (e modelEdit) failing(status Status, f modelFile) modelEdit {
	e.status = status
	return e.leaving(f.text)
}

func (e modelEdit) leaving(text string) modelEdit {
	e.after = func(string) string { return text }
	return e
}

// step makes one edit in every way, and returns the file after it.
func (m *model) step(before modelFile) modelFile {
	edits := []func(modelFile) modelEdit{m.set, m.set, m.remove, m.rename, m.imports, m.imports, m.fix}
	e := edits[m.IntN(len(edits))](before)
	m.about = fmt.Sprintf("%q %q %q on %q", e.words, e.operands, e.list, before.text)

	m.put(before)
	written := m.time()
	m.runs(e, "--dry-run")
	m.require(m.get() == before && m.time().Equal(written), "the dry run has written")
	m.runs(e)
	after := m.get()
	m.require(e.after(after.text) == after.text, "the file is\n%q, want\n%q", after.text, e.after(after.text))
	m.require(m.time().Equal(written) == (after == before), "an edit without a change writes, or one with a change keeps the time")
	if e.words[1] == "import" || e.fixed {
		m.runs(e)
		m.require(m.get() == after, "a second run leaves %q", m.get().text)
	}
	m.agree(after)

	m.put(before)
	m.runs(e, "--in-place")
	inPlace := m.get()
	m.require(e.after(inPlace.text) == inPlace.text, "in place the file is\n%q, want\n%q", inPlace.text, e.after(inPlace.text))
	if !before.missing {
		want, filter := "", m.main(e, before.text, "-f", "-")
		if e.status == exitDone || e.fixed {
			want = e.after(filter.out)
		}
		m.require(filter.status == e.status, "the filter exits %d, want %d: %s", filter.status, e.status, filter.err)
		m.require(filter.out == want, "the filter prints\n%q, want\n%q", filter.out, want)
	}
	m.put(after)
	return after
}

// set is "user add" and "user passwd".
func (m *model) set(f modelFile) modelEdit {
	name, hash := m.name(f), m.pick(modelBcrypt)
	verb := m.pick([]string{"add", "add --update", "passwd"})
	e := modelEdit{words: append(strings.Fields("user "+verb), "--hash", hash), operands: []string{name}}
	users, _ := testserver.RegistryReads(f.text)
	current, exists := users[name]
	switch {
	case verb != "passwd" && !isModelName(name):
		return e.failing(exitName, f)
	case verb == "passwd" && f.missing:
		return e.failing(exitIO, f)
	case f.refused():
		return e.failing(exitFormat, f)
	case verb == "add" && exists, verb == "passwd" && (!exists || !isModelName(name)):
		return e.failing(exitName, f)
	case verb == "add --update" && strings.HasPrefix(current, hash):
		return e.leaving(f.text)
	}
	return e.leaving(withUser(f.text, name, hash))
}

func (m *model) remove(f modelFile) modelEdit {
	ifExists := m.IntN(3) == 0
	e := modelEdit{words: []string{"user", "remove", fmt.Sprintf("--if-exists=%t", ifExists)}, operands: []string{m.name(f), m.name(f)}[m.IntN(2):]}
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
	return e.leaving(edited(f.text, func(_ int, user, line string) string {
		if user != from {
			return line
		}
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
	list := []modelEntry{}
	for _, i := range m.Perm(len(modelNames))[:m.IntN(4)] {
		entry := modelEntry{Name: modelNames[i], Hash: m.pick(modelBcrypt)}
		if m.IntN(4) == 0 {
			entry.Hash, entry.Password = "", m.pick(modelPasswords)
		}
		list = append(list, entry)
	}
	prune, allowEmpty, skip := m.IntN(3) == 0, false, m.IntN(2) == 0
	bad, skipped := exitDone, ""
	if len(list) > 0 && m.IntN(3) == 0 {
		switch entry := &list[0]; m.IntN(4) {
		case 0:
			entry.Name, bad = m.pick([]string{strings.Repeat("x", 256), "a\u200b"}), exitName
		case 1:
			list, bad = append(list, *entry), exitName
		case 2:
			entry.Password, entry.Hash, bad = strings.Repeat("x", 73), "", exitPassword
		default:
			entry.Password, entry.Hash, bad = "", modelApr1, exitFormat
			if skip {
				bad, skipped = exitDone, entry.Name
			}
		}
	}
	e := modelEdit{words: []string{"user", "import", "--cost=4", fmt.Sprintf("--skip-unsupported=%t", skip), fmt.Sprintf("--prune=%t", prune)}}
	if prune && m.IntN(2) == 0 {
		allowEmpty, e.words = true, append(e.words, "--allow-empty")
	}
	text, err := json.Marshal(list)
	require.NoError(m, err)
	require.NoError(m, os.WriteFile(m.path("list.json"), text, 0o600))
	e.operands, e.list = []string{m.path("list.json")}, string(text)
	switch {
	case bad != exitDone:
		return e.failing(bad, f)
	case prune && !allowEmpty && len(list) == 0:
		return e.failing(exitUsage, f)
	case f.refused():
		return e.failing(exitFormat, f)
	}
	e.after = func(got string) string {
		users, _ := testserver.RegistryReads(f.text)
		left, _ := testserver.RegistryReads(got)
		text := f.text
		for user := range users {
			if prune && !slices.ContainsFunc(list, func(e modelEntry) bool { return e.Name == user }) {
				text = withoutUser(text, user)
			}
		}
		for _, entry := range list {
			current, hash := strings.TrimPrefix(users[entry.Name], "!"), entry.Hash
			if hash == "" && logsIn(current, entry.Password) {
				continue
			}
			if hash == "" {
				hash, _, _ = strings.Cut(strings.TrimPrefix(left[entry.Name], "!"), " ")
				hash = hash[:min(len(hash), len(exampleHash))]
				m.require(strings.HasPrefix(hash, "$2y$04$") && logsIn(hash, entry.Password), "%q does not have the listed password: %q", entry.Name, got)
			}
			if entry.Name != skipped && !strings.HasPrefix(current, hash) {
				text = withUser(text, entry.Name, hash)
			}
		}
		return text
	}
	return e
}

// logsIn reports whether the registry lets a user in by what stands behind the colon.
func logsIn(hash, password string) bool {
	logins, _ := testserver.RegistryLogins("x:" + hash)
	return bcrypt.CompareHashAndPassword([]byte(logins["x"]), []byte(password)) == nil
}

// fix leaves what package lint makes of the text, which lets in whom it did.
func (m *model) fix(f modelFile) modelEdit {
	e := modelEdit{words: []string{"check", "--fix"}}
	fixed, _, err := lint.Fix(m.Context(), f.text)
	text := f.text
	if decoded, err := charset.Decode([]byte(text)); err == nil && strings.HasPrefix(text, "\xff\xfe") {
		text = string(decoded)
	}
	switch {
	case f.missing:
		return e.failing(exitIO, f)
	case err != nil, isNobody(fixed) && !isNobody(text): // which is never wanted
		return e.failing(exitFormat, f)
	}
	e.fixed = true
	findings, err := lint.Check(m.Context(), fixed, lint.Registry)
	require.NoError(m, err)
	if slices.ContainsFunc(findings, func(f lint.Finding) bool { return f.Severity == lint.SeverityError }) {
		e.status = exitFormat
	}
	before, _ := testserver.RegistryLogins(f.text)
	after, _ := testserver.RegistryLogins(fixed)
	for user, hash := range before {
		isMarked := strings.HasPrefix(f.text, user) && strings.HasPrefix(user, "\ufeff") // the mark is not of the name
		m.require(after[user] == hash || isMarked, "user %q logged in by %q in %q, and does in %q by %q", user, hash, f.text, fixed, after[user])
	}
	return e.leaving(fixed)
}

func isNobody(text string) bool {
	users, _ := testserver.RegistryReads(text)
	return len(users) == 0
}

// modelDisabled reports whether check leaves a user alone who has this hash.
func modelDisabled(hash string) bool {
	before, marked := strings.CutPrefix(hash, "!")
	scheme, _ := crypt.Scan(before)
	return marked && (strings.HasPrefix(before+":", ":") || scheme != "")
}

// agree holds list, check and verify against what the registry reads.
func (m *model) agree(f modelFile) {
	someone, password := m.name(f), m.pick(modelPasswords)
	list := m.run(modelEdit{words: []string{"user", "list", "-o", "json"}})
	check := m.run(modelEdit{words: []string{"check", "-o", "json"}})
	verify := m.run(modelEdit{words: []string{"user", "verify", "--password-file", m.path(password)}, operands: []string{someone}})
	if f.missing || f.refused() {
		want := exitFormat
		if f.missing {
			want = exitIO
		}
		m.require(list.status == want && check.status == want && verify.status == want, "list exits %d, check %d, verify %d", list.status, check.status, verify.status)
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
	isPlain := !strings.Contains(f.text, "\r") // nobody is hidden behind another, or listed by another name than the registry reads
	for _, r := range rows {
		user := entries[r.Line]
		isIn, counts, shown := logins[user] != "", r.Line == last[user], crypt.Redact(user)
		isMarked := r.Line == 1 && strings.HasPrefix(user, "\ufeff") // a problem, although the registry lets the user in by that name
		m.require(last[user] > 0 && r.User == shown && (r.Problem == "") == (isIn && counts && !isMarked), "list, line %d: %s", r.Line, list.out)
		isError := slices.ContainsFunc(report.Findings, func(f lint.Finding) bool {
			return f.Severity == lint.SeverityError && f.Line == r.Line && f.User == shown || f.Kind == lint.NotHtpasswd
		})
		isSame := shown == user && !strings.ContainsAny(user, "\r\ufeff")
		m.require(isError != (isIn || modelDisabled(users[user])) || !counts || !isSame, "check, line %d: %s", r.Line, check.out)
		isPlain = isPlain && isSame && strings.Count(strings.Split(f.text, "\n")[r.Line-1], ":") == 1
	}
	maps.DeleteFunc(users, func(_, hash string) bool { return modelDisabled(hash) })
	isFine := len(users) > 0 && len(logins) == len(users)
	m.require((check.status == exitDone) == isFine || !isPlain, "check exits %d: %s", check.status, check.out)

	want := []Status{exitMismatch, exitFormat} // of another scheme, or none, or disabled
	users, _ = testserver.RegistryReads(f.text)
	switch hash, exists := users[someone]; {
	case !exists:
		want = []Status{exitName}
	case logsIn(hash, password):
		want = []Status{exitDone}
	case logins[someone] != "":
		want = []Status{exitMismatch}
	}
	m.require(slices.Contains(want, verify.status), "verify of %q exits %d: %s", someone, verify.status, verify.err)
}

// edited returns the text with what edit makes of each line that the registry takes
// for an entry.
func edited(text string, edit func(n int, user, line string) string) string {
	var out strings.Builder
	n := 0
	for line := range strings.Lines(text) {
		n++
		users, _ := testserver.RegistryReads(line)
		for user := range users { // one at most
			line = edit(n, user, line)
		}
		out.WriteString(line)
	}
	return out.String()
}

// modelEntries returns the user of each line that is an entry, and the line of each
// user that counts.
func modelEntries(text string) (users map[int]string, last map[string]int) {
	users, last = make(map[int]string), make(map[string]int)
	edited(text, func(n int, user, line string) string {
		users[n], last[user] = user, n
		return line
	})
	return users, last
}

func withoutUser(text, name string) string {
	return edited(text, func(_ int, user, line string) string {
		if user == name {
			return ""
		}
		return line
	})
}

// withUser returns the text with this hash in the last line of the user and without
// the other ones, or with a new line at the end.
func withUser(text, name, hash string) string {
	_, last := modelEntries(text)
	if last[name] == 0 {
		ending := "\n"
		if strings.HasSuffix(text[:strings.LastIndexByte(text, '\n')+1], "\r\n") {
			ending = "\r\n"
		}
		if text != "" && !strings.HasSuffix(text, "\n") {
			text += ending
		}
		return text + name + ":" + hash + ending
	}
	return edited(text, func(n int, user, line string) string {
		switch {
		case user != name:
			return line
		case n == last[name]:
			return withHash(line, hash)
		}
		return ""
	})
}

// withHash returns the line with another hash. What stands behind the old one stays,
// and so does the mark of a disabled user.
func withHash(line, hash string) string {
	head, body, _ := strings.Cut(line, ":")
	old := strings.TrimRightFunc(body, unicode.IsSpace)
	tail := body[len(old):]
	old = strings.TrimLeft(old, " \t")
	if after, disabled := strings.CutPrefix(old, "!"); disabled {
		old, hash = after, "!"+hash
	}
	end := len(modelHash.FindString(old))
	if i := strings.IndexAny(old+":", ":\r"); end == 0 {
		end = i
	}
	return head + ":" + hash + old[min(end, len(old)):] + tail
}

// isModelName reports whether a user of that name can be added.
func isModelName(name string) bool {
	return name != "" && len(name) <= 255 && utf8.ValidString(name) && name[0] != '#' && name != "<token>" && !strings.Contains(name, ":") &&
		strings.TrimSpace(name) == name && strings.Trim(name, "\ufeff\u200b") == name && !strings.ContainsFunc(name, unicode.IsControl)
}

func (m *model) pick(from []string) string { return from[m.IntN(len(from))] }

// name returns a name for a command.
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
	ending := m.pick([]string{"\n", "\n", "\r\n"})
	endings := []string{ending, ending, ending, ending, ending, "\n", "\r", ""}
	text := ""
	for range m.IntN(6) {
		name, hash := m.pick(modelNames), m.pick(modelHashes)
		if m.IntN(6) == 0 {
			name = m.pick(modelOdd)
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
		text += line + m.pick(endings)
	}
	switch m.IntN(20) {
	case 0:
		return "\ufeff" + text
	case 1:
		return "\xff\xfe" + strings.Join(strings.Split(strings.ToValidUTF8(text, ""), ""), "\x00") + "\x00"
	}
	return text
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

// time returns the time of the file, which a server goes by.
func (m *model) time() time.Time {
	info, err := os.Stat(m.path("users"))
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// A modelRun is what a command did.
type modelRun struct {
	status   Status
	out, err string
}

// runs runs an edit of the file, which must exit as it should.
func (m *model) runs(e modelEdit, flags ...string) {
	m.Helper()
	r := m.run(e, flags...)
	m.require(r.status == e.status, "exit status %d with %q, want %d: %s", r.status, flags, e.status, r.err)
}

// run runs a command on the file.
func (m *model) run(e modelEdit, flags ...string) modelRun {
	r := m.main(e, "", append(flags, "-f", m.path("users"))...)
	m.require(!holdsSecret(r.out), "a secret is printed: %s", r.out)
	return r
}

func (m *model) main(e modelEdit, stdin string, flags ...string) modelRun {
	args := slices.Concat([]string{program}, e.words, flags, []string{"--"}, e.operands)
	var out, errOut strings.Builder
	status := Main(args, strings.NewReader(stdin), &out, &errOut)
	m.require(!holdsSecret(errOut.String()), "a secret is printed: %s", &errOut)
	return modelRun{Status(status), out.String(), errOut.String()}
}

func holdsSecret(text string) bool {
	return secrets.MatchString(text) || strings.Contains(text, "pl4in")
}

func (m *model) require(ok bool, format string, args ...any) {
	m.Helper()
	if !ok {
		m.Fatalf("%s: %s", m.about, fmt.Sprintf(format, args...))
	}
}

//go:build linux

package cli

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/creack/pty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/testserver"
)

// A difference is one that is meant to be between Apache's htpasswd and ours.
type difference struct {
	name, reason string

	// aspects are the fields of an outcome that it may show in, and allowed says
	// on which command lines, and what the two then do.
	aspects []string
	allowed func(t trial, apache, ours outcome) bool

	// Or cure turns a trial that Apache's program trips over into one that it does
	// not: ours has to do on the first what Apache's does on the second.
	cure func(trial) trial
}

// everything is every aspect: ours does what the command line asks for, or refuses
// to, where Apache's does not.
var everything = []string{"status", "streams", "said", "warned", "line", "ends", "scheme", "file", "perm"}

// differences is all that is allowed. A row that none of the command lines needs
// fails the long test, as a difference that no row allows fails both.
var differences = []difference{
	{
		name: "one newline", reason: "what -n prints is a line, and $creds in PowerShell then a string",
		aspects: []string{"ends"},
		allowed: func(t trial, apache, ours outcome) bool {
			return t.mode == 'n' && apache.ends == "\n\n" && ours.ends == "\n"
		},
	},
	{
		name: "bcrypt at cost 10", reason: "the registry accepts only bcrypt, and at 5 it is guessed 32 times as fast",
		aspects: []string{"scheme"},
		allowed: func(t trial, apache, ours outcome) bool {
			switch t.cost {
			case "":
				return ours.scheme == "bcrypt(10)" && (apache.scheme == "bcrypt(5)" || t.algorithm == 0 && apache.scheme == "apr1")
			default:
				return t.algorithm == 0 && apache.scheme == "apr1" && ours.scheme == fmt.Sprintf("bcrypt(%d)", t.number())
			}
		},
	},
	{
		name: "cost without -B", reason: "bcrypt is the default, so that -C has a meaning",
		aspects: everything,
		allowed: func(t trial, apache, ours outcome) bool {
			return t.writes() && t.algorithm == 0 && apache.warned && (t.number() < 4 || t.number() > 17) && ours.fails(3, "bad cost")
		},
	},
	{
		name: "other algorithms", reason: "the registry accepts only bcrypt",
		aspects: everything,
		allowed: func(t trial, apache, ours outcome) bool {
			return t.writes() && t.otherAlgorithm() && slices.Contains([]int{0, 3, 5}, apache.status) && ours.fails(10, "algorithm")
		},
	},
	{
		name: "no warnings", reason: "Apache's program warns of what is refused, or not done, here",
		aspects: []string{"warned"},
		allowed: func(t trial, apache, ours outcome) bool { return apache.warned },
	},
	{
		name: "warnings", reason: "some clients send another password or name than the one that is set",
		aspects: []string{"warned"},
		allowed: func(t trial, apache, ours outcome) bool { return ours.warned && t.deservesWarning() },
	},
	{
		name: "names", reason: "a name that nobody could log in with is refused",
		aspects: everything,
		allowed: func(t trial, apache, ours outcome) bool {
			return t.writes() && t.user.bad && ours.fails(6, "name refused")
		},
	},
	{
		name: "passwords", reason: "a password that servers do not tell from others is refused",
		aspects: everything,
		allowed: func(t trial, apache, ours outcome) bool {
			return t.mode != 'D' && t.password.bad && apache.status != 1 && apache.status != 6 && ours.asks().fails(5, "password refused")
		},
	},
	{
		name: "end of input", reason: "nobody has typed an empty password",
		aspects: everything,
		allowed: func(t trial, apache, ours outcome) bool {
			return t.source == 0 && t.stdin == "" && slices.Contains([]int{0, 3, 9}, apache.status) && ours.asks().fails(5, "end of input")
		},
	},
	{name: "long lines", reason: "long lines are fine", cure: shorten},
	{name: "last newline", reason: "no record is glued to another", cure: inText(endLastLine)},
	{name: "behind a hash", reason: "the registry does not look at what is behind a bcrypt hash, nor at blanks around a line", cure: inText(trimHashes)},
	{
		name: "several lines", reason: "no record is there twice afterwards: the registry goes by the last one",
		aspects: []string{"file"},
		allowed: func(t trial, apache, ours outcome) bool {
			return t.mode == 0 && ours.status == 0 && ours.file == lastOnly(apache.file, t.user.text)
		},
	},
	{
		name: "refused file", reason: "a file that the registry refuses is known before a password is asked for or compared",
		aspects: everything,
		allowed: func(t trial, apache, ours outcome) bool {
			_, err := htpasswd.Parse([]byte(t.before()))
			return (t.mode == 0 || t.mode == 'v') && err != nil && slices.Contains([]int{3, 5, 6, 7, 9}, apache.status) && ours.fails(7, "invalid file")
		},
	},
	{
		name: "carriage return", reason: "to the registry one that is alone ends no line, and so no hash",
		aspects: everything,
		allowed: func(t trial, apache, ours outcome) bool {
			return t.mode == 'v' && loneCR.MatchString(t.before()) && (apache.status == 0 || apache.status == 7) && ours.asks().fails(3, "mismatch")
		},
	},
	{
		name: "encodings", reason: "-i takes what PowerShell sends for the password, and not for another one",
		aspects: []string{"status", "said", "line", "file"},
		allowed: func(t trial, apache, ours outcome) bool {
			made := apache.line + apache.file
			return t.encoded && apache.status == 0 && strings.Contains(made, "another password") && ours.status == 0 && strings.Contains(ours.line+ours.file, "the password") ||
				t.encoded && t.mode == 'v' && apache.fails(3, "mismatch") && ours.status == 0
		},
	},
	{
		name: "cost first", reason: "what is wrong with the flags is said before a password is asked for",
		aspects: []string{"status", "said"},
		allowed: func(t trial, apache, ours outcome) bool {
			return t.source != 'b' && (apache.status == 3 || apache.status == 5) && ours.fails(3, "bad cost")
		},
	},
	{
		name: "new file", reason: "hashes are nobody else's business",
		aspects: []string{"perm"},
		allowed: func(t trial, apache, ours outcome) bool {
			return t.mode == 'c' && apache.perm == 0o644 && ours.perm == 0o600
		},
	},
	{
		name: "empty new file", reason: "what fails has changed nothing",
		aspects: []string{"file", "perm"},
		allowed: func(t trial, apache, ours outcome) bool {
			return t.mode == 'c' && apache.status != 0 && ours.status != 0 && apache.perm != 0 && ours.perm == 0
		},
	},
	{
		name: "devices", reason: "only a regular file can be replaced",
		aspects: everything,
		allowed: func(t trial, apache, ours outcome) bool {
			return t.mode == 'c' && t.file == "/dev/null" && apache.status != 2 && ours.fails(1, "cannot create")
		},
	},
	{
		name: "DES crypt, yescrypt, plain", reason: "they are recognised only: the password is neither right nor wrong",
		aspects: everything,
		allowed: func(t trial, apache, ours outcome) bool {
			return t.mode == 'v' && t.hasHash("des-crypt", "yescrypt", "plain") && slices.Contains([]int{0, 3, 9}, apache.status) && ours.asks().fails(10, "unknown hash")
		},
	},
	{
		name: "broken bcrypt", reason: "no password matches it; there is no exit status 9 here",
		aspects: everything,
		allowed: func(t trial, apache, ours outcome) bool {
			return t.mode == 'v' && apache.asks().fails(9, "not verified") && ours.asks().fails(3, "mismatch")
		},
	},
	{
		name: "-nn", reason: "Apache's program counts it twice, and reads what is behind its arguments",
		aspects: everything,
		allowed: func(t trial, apache, ours outcome) bool {
			return t.misuse == "-nn" && slices.Contains([]int{-1, 5, 6}, apache.status) && ours.fails(2, "usage")
		},
	},
	{
		name: "long flags", reason: "Apache's program takes each of them for --, and what it was to do is not done",
		aspects: everything,
		allowed: func(t trial, apache, ours outcome) bool {
			return t.misuse == "long flag" && ours.fails(2, "illegal option, usage")
		},
	},
	{
		name: "dash in a cluster", reason: "Apache's program takes the rest of it for an operand",
		aspects: everything,
		allowed: func(t trial, apache, ours outcome) bool {
			return t.misuse == "dash" && ours.fails(2, "illegal option, usage")
		},
	},
	{
		name: "huge cost", reason: "Apache's program cuts the number to 32 bits and takes what is left",
		aspects: everything,
		allowed: func(t trial, apache, ours outcome) bool {
			return t.cost == "4294967301" && t.writes() && (apache.status == 0 || apache.status == 7) && ours.fails(3, "bad cost")
		},
	},
}

// The cures.

var (
	behindBcrypt = regexp.MustCompile(`(\$2[abxy]\$\d\d\$[./A-Za-z0-9]{53})[^\n]*`)
	trailing     = regexp.MustCompile(`(?m)[ \t]+(\r?)$`)
	loneCR       = regexp.MustCompile(`\r[^\n]`)
	longComment  = regexp.MustCompile(`(?m)^(#.{100}).*$`)
)

func inText(cure func(string) string) func(trial) trial {
	return func(t trial) trial {
		if t.text != nil {
			cured := cure(*t.text)
			t.text = &cured
		}
		return t
	}
}

// shorten shortens what makes a line too long: comments, fields, the user's name.
func shorten(t trial) trial {
	long := t.user.text
	if len(long) > longName && len(long) <= htpasswd.MaxUserBytes {
		t.user.text = long[:longName]
		t.args = slices.Clone(t.args)
		for i := range t.args {
			t.args[i] = strings.ReplaceAll(t.args[i], long, t.user.text)
		}
	}
	return inText(func(text string) string {
		text = strings.ReplaceAll(strings.ReplaceAll(text, long, t.user.text), longField, ":t")
		return longComment.ReplaceAllString(text, "$1")
	})(t)
}

// longField is one that makes any line too long.
var longField = ":" + strings.Repeat("t", 300)

// longName is how much of a name is compared.
const longName = 100

func cutName(name string) string { return name[:min(len(name), longName)] }

func endLastLine(text string) string {
	if text != "" && !strings.HasSuffix(text, "\n") {
		return text + "\n"
	}
	return text
}

func trimHashes(text string) string {
	return trailing.ReplaceAllString(behindBcrypt.ReplaceAllString(text, "$1"), "$1")
}

// lastOnly leaves of several lines of the user the last one.
func lastOnly(file, user string) string {
	lines := strings.Split(file, "\n")
	last := -1
	for i, line := range lines {
		if strings.HasPrefix(line, cutName(user)+":") {
			last = i
		}
	}
	kept := lines[:0]
	for i, line := range lines {
		if i == last || !strings.HasPrefix(line, cutName(user)+":") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}

// A trial is a command line, the file that it meets, and what is typed.
type trial struct {
	args  []string // without the program; %DIR stands for the folder
	text  *string  // of the file "users"; nil if there is none
	stdin string

	// What the arguments say. Misuse names what is wrong with them as such.
	mode, source, algorithm byte
	cost, file, misuse      string
	user, password          word
	encoded                 bool // the password, with a byte order mark
}

type word struct {
	text string
	bad  bool // by the rules of registryctl
}

func (t trial) writes() bool         { return t.mode == 0 || t.mode == 'c' || t.mode == 'n' }
func (t trial) otherAlgorithm() bool { return t.algorithm != 0 && t.algorithm != 'B' }
func (t trial) number() int          { n, _ := strconv.Atoi(strings.TrimSpace(t.cost)); return n }

func (t trial) before() string {
	if t.text == nil {
		return ""
	}
	return *t.text
}

// deservesWarning reports whether docker login would change the password, or
// another client the name.
func (t trial) deservesWarning() bool {
	p := t.password.text
	return t.writes() && (t.user.bad || !utf8.ValidString(p) || strings.TrimSpace(p) != p)
}

// hasHash reports whether the user has a hash of one of these schemes.
func (t trial) hasHash(schemes ...htpasswd.Scheme) bool {
	f, _ := htpasswd.Parse([]byte(t.before()))
	for e := range f.All() {
		if e.User == t.user.text && slices.Contains(schemes, e.Hash.Scheme()) {
			return true
		}
	}
	return false
}

// An outcome is what a program did, so far as the two can be compared.
type outcome struct {
	status  int    // -1 if it crashed
	streams string // which of them spoke
	said    string // what kinds of things, on standard error
	warned  bool
	line    string // of -n: the meaning
	ends    string // of -n: how the line ends
	scheme  string // of the hash that was made
	file    string // the meaning
	perm    fs.FileMode

	stderr string
	text   []byte // of the file
	raw    string
}

// differ names the aspects in which two outcomes differ.
func (o outcome) differ(other outcome) (aspects []string) {
	a, b := o.fields(), other.fields()
	for i, name := range everything {
		if a[i] != b[i] {
			aspects = append(aspects, name)
		}
	}
	return aspects
}

func (o outcome) fields() []any {
	return []any{o.status, o.streams, o.said, o.warned, o.line, o.ends, o.scheme, o.file, o.perm}
}

// fails reports whether the program has said nothing but this, on standard
// error, and exited with this status.
func (o outcome) fails(status int, said string) bool {
	return o.status == status && o.said == said && o.streams == "stderr"
}

// asks is the outcome without the prompts.
func (o outcome) asks() outcome {
	o.said = strings.TrimPrefix(askKinds.ReplaceAllString(o.said, ""), ", ")
	return o
}

var askKinds = regexp.MustCompile(`(^|, )(asks for [a-z]+)`)

// kinds are the things that are said, as whole lines. Where a kind has several,
// the first is Apache's wording.
var kinds = []struct{ pattern, kind string }{
	{`Adding password for user (.*)`, "adds $1"},
	{`(?:Updating )+password for user (.*)`, "updates $1"},
	{`(?:Deleting )+password for user (.*)`, "deletes $1"},
	{`(?:htpasswd: )?User (.*) not found`, "no user $1"},
	{`Password for user (.*) correct\.`, "correct $1"},
	{`(?:htpasswd: )?password verification failed`, "mismatch"},
	{`htpasswd: password verification error`, "retyped another"},
	{`(?:htpasswd: )?Empty hash for user (.*)`, "empty hash $1"},
	{`Could not verify password: Invalid argument`, "not verified"},
	{`htpasswd: illegal option -- .`, "illegal option"},
	{`htpasswd: option requires an argument -- (.)`, "argument of $1"},
	{`htpasswd: only one of -c -n -v -D may be specified`, "one mode"},
	{`htpasswd: argument to -C/-r must be a positive integer`, "number"},
	{`htpasswd: Unable to encode with bcrypt: .*`, "bad cost"},
	{`htpasswd: cannot modify file .*; use '-c' to create it`, "no file"},
	{`htpasswd: cannot create file .*`, "cannot create"},
	{`htpasswd: cannot open file .* for (read|read/write) access`, "no $1 access"},
	{`(?:Updating |Deleting )*htpasswd: The file .* does not appear to be a valid htpasswd file[.:].*`, "invalid file"},
	{`htpasswd: (username|password|filename) too long.*`, "$1 too long"},
	{`htpasswd: resultant record too long`, "record too long"},
	{`htpasswd: username contains illegal character ':'`, "colon"},
	// Ours only.
	{`htpasswd: invalid user name: .*`, "name refused"},
	{`htpasswd: (?:standard input: )?invalid password: .*`, "password refused"},
	{`htpasswd: the input ended before a password was typed`, "end of input"},
	{`htpasswd: .* algorithm not supported: .*`, "algorithm"},
	{`htpasswd: cannot verify the password of user .*, whose hash is .*`, "unknown hash"},
	{`  hint: .*`, ""},
	{`htpasswd: (.* is missing|too many operands|-n is given twice)`, ""}, // what is wrong beside the usage
}

func (o *outcome) readStderr(t trial, stderr string) {
	var said []string
	// Apache's usage ends what it says, ours begins it.
	for _, usage := range []string{apacheUsage, "Usage:"} {
		if before, after, ok := strings.Cut(stderr, usage); ok {
			said = append(said, "usage")
			if stderr = before; usage == apacheUsage {
				stderr += after
			}
		}
	}
	if t.user.text != "" {
		stderr = strings.ReplaceAll(stderr, t.user.text, cutName(oneLine(t.user.text)))
	}
	for _, p := range []struct{ prompt, kind string }{
		{"New password: ", "asks for new"}, {"Re-type new password: ", "asks for again"}, {"Enter password: ", "asks for it"},
	} {
		if strings.Contains(stderr, p.prompt) {
			said = append(said, p.kind)
			stderr = strings.ReplaceAll(stderr, p.prompt, "")
		}
	}
	for line := range strings.Lines(stderr) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "Warning: ") || strings.HasPrefix(line, "htpasswd: warning: ") {
			o.warned = true
			continue
		}
		if line != "" {
			said = append(said, kindOf(line))
		}
	}
	said = slices.DeleteFunc(said, func(s string) bool { return s == "" })
	slices.Sort(said)
	o.said = strings.Join(slices.Compact(said), ", ")
}

func kindOf(line string) string {
	for _, k := range kinds {
		pattern := regexp.MustCompile(`\A(?:` + k.pattern + `)\z`)
		if pattern.MatchString(line) {
			return pattern.ReplaceAllString(line, k.kind)
		}
	}
	return "unknown: " + line
}

// A side is one of the two programs, with a folder of its own to work in.
type side struct {
	t   *testing.T
	dir string
	run func(ctx context.Context, args []string, stdin string) (status int, stdout, stderr string)
}

// apacheSide runs the real program, without a terminal.
func apacheSide(t *testing.T, path string) side {
	return side{t, t.TempDir(), func(ctx context.Context, args []string, stdin string) (int, string, string) {
		return runProcess(ctx, t, path, args, stdin)
	}}
}

// ourSide runs ours in this process, and the program at path where it may ask for a
// password: that has no terminal then.
func ourSide(t *testing.T, path string) side {
	return side{t, t.TempDir(), func(ctx context.Context, args []string, stdin string) (int, string, string) {
		if !slices.ContainsFunc(args, regexp.MustCompile(`^-[a-zA-Z0-9]*[bi]`).MatchString) {
			return runProcess(ctx, t, path, args, stdin)
		}
		var out, errOut bytes.Buffer
		status := Main(append([]string{apacheName}, args...), strings.NewReader(stdin), &out, &errOut)
		return status, out.String(), errOut.String()
	}}
}

func runProcess(ctx context.Context, t *testing.T, path string, args []string, stdin string) (status int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var out, errOut strings.Builder
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Args[0] = filepath.Base(path) // Apache's program begins its messages with it
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errOut
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err := cmd.Run()
	require.NoError(t, ctx.Err(), "%q hangs", args)
	var exit *exec.ExitError
	if !errors.As(err, &exit) && !errors.Is(err, syscall.EPIPE) {
		require.NoError(t, err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errOut.String()
}

// try lays out the folder, runs the command line and reads what has become of it.
func (s side) try(tr trial) outcome {
	s.t.Helper()
	users := filepath.Join(s.dir, "users")
	for _, name := range []string{"users", "link", "dangling", "target"} {
		if err := os.Remove(filepath.Join(s.dir, name)); !errors.Is(err, fs.ErrNotExist) {
			require.NoError(s.t, err)
		}
	}
	if tr.text != nil {
		require.NoError(s.t, os.WriteFile(users, []byte(*tr.text), 0o640))
		require.NoError(s.t, os.Symlink("users", filepath.Join(s.dir, "link")))
	}
	require.NoError(s.t, os.Symlink("target", filepath.Join(s.dir, "dangling")))

	args := make([]string, len(tr.args))
	for i, arg := range tr.args {
		args[i] = strings.Replace(arg, "%DIR", s.dir, 1)
	}
	status, stdout, stderr := s.run(s.t.Context(), args, tr.stdin)

	o := outcome{status: status, file: "no file", stderr: stderr, raw: fmt.Sprintf("exit %d\nstdout: %q\nstderr: %q", status, stdout, stderr)}
	if stdout != "" {
		o.streams = "stdout"
	}
	o.readStderr(tr, stderr)
	if o.said != "" {
		o.streams += "stderr"
	}
	if stdout != "" {
		line := strings.TrimRight(stdout, "\n")
		o.ends = stdout[len(line):]
		o.line = o.meaning(tr, line)
	}
	for _, name := range []string{"users", "target"} {
		text, err := os.ReadFile(filepath.Join(s.dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		require.NoError(s.t, err)
		o.raw += fmt.Sprintf("\n%s: %q", name, text)
		if name == "target" || tr.text == nil {
			info, err := os.Stat(filepath.Join(s.dir, name))
			require.NoError(s.t, err)
			o.perm = info.Mode()
		}
		if name == "users" {
			o.text = text
		}
		if name == "target" {
			o.file += "\n" + name + ":\n"
		} else {
			o.file = ""
		}
		if name == "users" && tr.text != nil && string(text) == *tr.text {
			o.file = "as it was"
		} else {
			o.file += o.meaning(tr, string(text))
		}
	}
	return o
}

// meaning is what a text says to the registry: the comments, the users and their
// hashes; of a hash that was not there before, whether it is the password's.
func (o *outcome) meaning(tr trial, text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		user, hash, ok := strings.Cut(line, ":")
		switch {
		case line == "":
			continue
		case line[0] == '#' || !ok:
			lines = append(lines, line[:min(len(line), 80)])
			continue
		}
		if hashOnly := behindBcrypt.FindStringSubmatch(hash); hashOnly != nil && strings.HasPrefix(hash, hashOnly[1]) {
			hash = hashOnly[1]
		}
		if !strings.Contains(tr.before(), hash) {
			h, _ := htpasswd.ParseHash(hash)
			o.scheme = h.String()
			hash = "another password"
			if h.Verify([]byte(tr.password.text)) == nil {
				hash = "the password"
			}
		}
		lines = append(lines, cutName(user)+":"+hash)
	}
	return strings.Join(lines, "\n")
}

// A duel is a run of both programs over generated command lines.
type duel struct {
	t            *testing.T
	apache, ours side
	used         map[string]int // how often each difference was needed
	failures     int
}

func (d *duel) fight(tr trial) {
	d.t.Helper()
	apache, ours := d.apache.try(tr), d.ours.try(tr)
	d.promises(tr, ours)

	unexplained, rows := explain(tr, apache, ours)
	if len(unexplained) > 0 {
		cured, cures := tr, []string(nil)
		for _, row := range differences {
			if row.cure == nil {
				continue
			}
			before := cured
			if cured = row.cure(before); cured.before() != before.before() || cured.user != before.user {
				cures = append(cures, row.name)
			}
		}
		if len(cures) > 0 {
			unexplained, rows = explain(cured, d.apache.try(cured), ours)
			rows = append(rows, cures...)
		}
	}
	for _, name := range rows {
		d.used[name]++
	}
	if len(unexplained) > 0 {
		d.failures++
		d.t.Errorf("the programs differ in %s\nhtpasswd %q\nfile: %s\nstdin: %q\n\nApache's: %+v\n%s\n\nours: %+v\n%s", strings.Join(unexplained, ", "),
			tr.args, quoteText(tr.text), tr.stdin, apache.fields(), apache.raw, ours.fields(), ours.raw)
	}
}

// explain returns the aspects in which the two differ and that no row allows,
// and the rows that were needed.
func explain(tr trial, apache, ours outcome) (unexplained, rows []string) {
	unexplained = apache.differ(ours)
	for _, row := range differences {
		if len(unexplained) == 0 {
			break
		}
		if row.allowed == nil || !row.allowed(tr, apache, ours) {
			continue
		}
		left := slices.DeleteFunc(slices.Clone(unexplained), func(aspect string) bool { return slices.Contains(row.aspects, aspect) })
		if len(left) < len(unexplained) {
			rows = append(rows, row.name)
		}
		unexplained = left
	}
	return unexplained, rows
}

func quoteText(text *string) string {
	if text == nil {
		return "none"
	}
	return strconv.Quote(*text)
}

// promises are kept on every command line, whatever Apache's program does.
func (d *duel) promises(tr trial, ours outcome) {
	d.t.Helper()
	ok := true
	if ours.status != 0 || tr.mode == 'n' || tr.mode == 'v' {
		ok = assert.Equal(d.t, tr.before(), string(ours.text), "it may not change the file") && ok
	}
	if _, err := htpasswd.Parse(ours.text); ours.status == 0 && string(ours.text) != tr.before() {
		ok = assert.NoError(d.t, err, "it may not write what the registry refuses") && ok
	}
	if ours.status == 0 {
		ok = assert.Equal(d.t, tr.deservesWarning(), ours.warned, "it warns of what some clients cannot send, and of nothing else") && ok
	}
	ok = assert.Equal(d.t, ours.status == 0 && tr.mode == 'n', ours.ends == "\n", "-n prints a line, and nothing else anything") && ok
	ok = assert.NotRegexp(d.t, `\$[0-9a-z]+\$|\{S?SHA\}`, ours.stderr, "no hash is said") && ok
	if p := tr.password.text; len(p) > 2 && tr.misuse == "" {
		ok = assert.NotContains(d.t, ours.stderr, p, "no password is said") && ok
	}
	if !ok {
		d.failures++
		d.t.Logf("htpasswd %q\nfile: %s\nstdin: %q\nours: %s", tr.args, quoteText(tr.text), tr.stdin, ours.raw)
	}
}

// TestHtpasswdAgainstApache runs Apache's htpasswd and ours on the same command
// lines and files: a fixed set of them, and another one each time, which the
// variable HTPASSWD_SEED repeats.
func TestHtpasswdAgainstApache(t *testing.T) {
	testserver.Need(t, apacheName)
	apache, err := exec.LookPath(apacheName)
	require.NoError(t, err)
	ours := filepath.Join(t.TempDir(), apacheName)
	require.NoError(t, os.Symlink(testserver.Build(t), ours))
	mask := syscall.Umask(0o022)
	t.Cleanup(func() { syscall.Umask(mask) })
	hashes := readVectors(t)

	fresh := uint64(time.Now().UnixNano())
	if s := os.Getenv("HTPASSWD_SEED"); s != "" {
		fresh, err = strconv.ParseUint(s, 10, 64)
		require.NoError(t, err)
	}
	const fixed = 1
	each, all := 250, os.Getenv("REQUIRE_PEERS") != "" // all rows need many command lines
	if all {
		each = 1500
	}
	var mu sync.Mutex
	used := make(map[string]int)
	t.Run("seeds", func(t *testing.T) {
		for _, seed := range []uint64{fixed, fresh} {
			t.Run(fmt.Sprintf("HTPASSWD_SEED=%d", seed), func(t *testing.T) {
				t.Parallel()
				d := &duel{t: t, apache: apacheSide(t, apache), ours: ourSide(t, ours), used: make(map[string]int)}
				g := generator{rand.New(rand.NewPCG(seed, 0)), hashes}
				for n := 0; n < each && d.failures < 5; n++ {
					d.fight(g.trial())
				}
				mu.Lock()
				defer mu.Unlock()
				for name, n := range d.used {
					used[name] += n
				}
			})
		}
	})
	if t.Failed() {
		return
	}
	t.Logf("%d command lines", 2*each)
	for _, row := range differences {
		t.Logf("%5d  %s: %s", used[row.name], row.name, row.reason)
		assert.True(t, used[row.name] > 0 || !all, "no command line needs the row %q", row.name)
	}
}

// A vector is a hash and its password.
type vector struct{ password, hash string }

// readVectors returns the hashes that other tools have made, and some of none.
func readVectors(t *testing.T) (all []vector) {
	t.Helper()
	files, err := filepath.Glob("../../testdata/vectors/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for line := range strings.Lines(string(text)) {
			password, hash, ok := strings.Cut(strings.TrimRight(line, "\n"), "\t")
			if ok && !strings.HasPrefix(line, "# ") && hash != "" && strings.TrimSpace(hash) == hash {
				all = append(all, vector{password, hash})
			}
		}
	}
	return all
}

// A generator makes command lines: mostly such as people write, each with
// something unusual now and then.
type generator struct {
	*rand.Rand
	hashes []vector
}

func (g generator) percent(n int) bool { return g.IntN(100) < n }

func pick[T any](g generator, from ...T) T { return from[g.IntN(len(from))] }

func (g generator) trial() trial {
	var t trial
	t.mode = pick[byte](g, 0, 0, 0, 'c', 'n', 'n', 'v', 'v', 'v', 'D', 'D')
	t.source = pick[byte](g, 'b', 'b', 'b', 'b', 'b', 'i', 0)
	t.algorithm = pick[byte](g, 'B', 'B', 'B', 'B', 'B', 'B', 0, 0, pick(g, []byte("mdsp25")...))
	t.cost = "4"
	if g.percent(15) {
		t.cost = pick(g, "5", "6", "3", "3", "18", "18", "0", "-1", "x", "", "+5", " 5", "5 ", "05", "4294967301", "99999999999999999999", "31")
	}
	noCost := g.percent(1) || t.otherAlgorithm() && g.percent(80)
	if noCost {
		t.cost = ""
	}
	t.file = "users"
	if g.percent(10) {
		t.file = pick(g, "missing/users", ".", "/dev/null", "/dev/null", "/dev/null", "link", "dangling", "", "users/", "./users")
	}
	t.user = g.name()
	t.password = g.newPassword()
	g.lay(&t)
	g.answer(&t)
	if g.percent(10) {
		t.misuse = pick(g, "missing", "extra", "unknown", "no argument", "-nn", "-nn", "-nn", "two modes", "long flag", "dash", "repeated")
	}
	g.write(&t, noCost)
	return t
}

func (g generator) name() word {
	if g.percent(12) {
		long := strings.Repeat("n", pick(g, 193, 194, 195, 196, 254, 255, 256, 300))
		return pick(g, word{"", true}, word{"#elton", true}, word{" elton", true}, word{"elton ", true}, word{"el:ton", true},
			word{"el\nton", true}, word{"el\tton", true}, word{"el\x7fton", true}, word{"el\u2028ton", true}, word{"\xff", true},
			word{long, false}, word{"a b", false}, word{"-elton", false}, word{"a,b'c\"d$e\\", false})
	}
	return pick(g, word{"elton", false}, word{"francis", false}, word{"gordon", false}, word{"王小明", false}, word{"e", false})
}

func (g generator) newPassword() word {
	if g.percent(15) {
		return pick(g, word{"", true}, word{strings.Repeat("p", 72), false}, word{strings.Repeat("p", 73), true}, word{strings.Repeat("p", 200), true},
			word{strings.Repeat("p", 255), true}, word{strings.Repeat("p", 256), true}, word{strings.Repeat("p", 257), true}, word{strings.Repeat("p", 300), true},
			word{" blanks ", false}, word{"-dash", false}, word{"tab\t\x01", false}, word{"\xa3\xff", false}, word{"a:b$c'd\"e", false})
	}
	return pick(g, word{"d0cker", false}, word{"r3gL4b", false}, word{"pass word", false}, word{"密码", false})
}

// lay makes the text of the file. To verify, the password is mostly that of the
// user in it.
func (g generator) lay(t *trial) {
	if g.percent(7) && t.mode != 'v' || t.mode == 'c' && g.percent(60) {
		return
	}
	end := pick(g, "\n", "\n", "\n", "\r\n")
	var b strings.Builder
	for range g.IntN(6) {
		b.WriteString(pick(g, "# users", "", "  # indented", "#elton:x", "gordon:x", "francis:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "plain:p", ":x", "bad :x", " \t", "third:x:y") + end)
		if g.percent(3) {
			b.WriteString("#" + strings.Repeat("c", pick(g, 250, 253, 254, 255, 256, 600, 5000)) + end)
		}
		if g.percent(3) {
			b.WriteString(pick(g, "no colon", "x", "\ufeff# comment") + end)
		}
	}
	known := g.percent(75)
	if known {
		v := g.hash()
		for n := pick(g, 1, 1, 1, 1, 1, 1, 2, 3); n > 0; n-- {
			line := t.user.text + ":" + v.hash
			if g.percent(12) && len(t.user.text) <= longName {
				plain := line
				line = pick(g, " "+line, line+longField, line+" ", line+":third", line+"junk", t.user.text+": "+v.hash, line+" # comment", "\t"+line+"\t", line+"\r"+line)
				if t.mode == 'v' && g.percent(30) {
					line = plain + "\r" + plain
				}
				if len(line) > 250 && !strings.HasSuffix(line, longField) {
					line = plain
				}
			}
			b.WriteString(line + end)
			if n > 1 && g.percent(50) {
				v = g.hash()
			}
			if g.percent(30) {
				b.WriteString("other:x" + end)
			}
		}
		if g.percent(3) {
			b.WriteString("no colon" + end)
		}
		if t.mode == 'v' && g.percent(70) {
			t.password = word{v.password, v.password == "" || len(v.password) > 72}
		}
	}
	all := b.String()
	if g.percent(12) {
		all = strings.TrimSuffix(all, end)
	}
	if g.percent(1) {
		all = pick(g, "\ufeff"+all, "\xff\xfee\x00:\x00x\x00\r\x00\n\x00", "\xfe\xff\x00e\x00:\x00x\x00\n")
	}
	t.text = &all
}

func (g generator) hash() vector {
	if g.percent(7) {
		return pick(g, vector{"p", ""}, vector{"p", "x"}, vector{"p", "*0"}, vector{"p", "$2y$04$cut"}, vector{"p", "$2y$"}, vector{"p", "{PLAIN}p"}, vector{"p", "$apr1$"})
	}
	return pick(g, g.hashes...)
}

// answer makes what is read from standard input.
func (g generator) answer(t *trial) {
	p := t.password.text
	switch t.source {
	case 'i':
		t.stdin = p + pick(g, "", "\n", "\n", "\r\n")
		if g.percent(5) {
			t.stdin = pick(g, p+"\n\n", p+"\n"+p+"\n", p+"\x00")
			t.password.bad = true
		}
		if g.percent(5) {
			t.stdin, t.encoded = pick(g, "\ufeff"+p, utf16Of(p+"\r\n")), true
		}
	case 0:
		t.stdin = p + "\n" + p + "\n"
		if t.mode == 'v' {
			t.stdin = p + "\n"
		}
		if g.percent(25) {
			t.stdin = pick(g, "", p+"\n", p+"\n"+p, p+"\nanother\n", p+"\n\n")
		}
	}
}

// utf16Of is the text as Windows PowerShell 5.1 may send it.
func utf16Of(s string) string {
	b := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return string(b)
}

// write writes the arguments: the flags in any order and clustered in any way,
// but for the order of those of which the last one counts.
func (g generator) write(t *trial, noCost bool) {
	var algorithms, sources, modes, flags []byte
	if t.algorithm != 0 {
		if g.percent(10) {
			algorithms = append(algorithms, pick(g, []byte("Bmdsp25")...))
		}
		algorithms = append(algorithms, t.algorithm)
	}
	if t.source != 0 {
		if g.percent(5) {
			sources = append(sources, pick(g, []byte("bi")...))
		}
		sources = append(sources, t.source)
	}
	if t.mode != 0 {
		modes = append(modes, t.mode)
		if g.percent(3) && t.mode != 'n' || t.misuse == "-nn" {
			modes = append(modes, t.mode)
		}
	}
	if t.misuse == "-nn" && t.mode != 'n' {
		t.misuse = "missing"
	}
	if t.misuse == "two modes" {
		modes = append(modes, pick(g, []byte("cnvD")...))
		if len(modes) == 1 {
			t.mode = modes[0]
		}
	}
	if t.misuse == "unknown" {
		flags = append(flags, pick(g, []byte("aefhxqzR19?:;%")...))
	}
	lists := [][]byte{algorithms, sources, modes, flags}
	if !noCost {
		lists = append(lists, []byte{pick[byte](g, 'C', 'C', 'C', 'r')})
	}
	if t.misuse == "repeated" && !noCost {
		lists = append(lists, []byte{0}) // -C 6 before it
	}
	g.Shuffle(len(lists), func(i, j int) { lists[i], lists[j] = lists[j], lists[i] })
	cluster := ""
	flush := func() {
		if cluster != "" {
			t.args = append(t.args, "-"+cluster)
			cluster = ""
		}
	}
	for _, list := range lists {
		for _, letter := range list {
			switch letter {
			case 0:
				t.args = append([]string{"-C", "6"}, t.args...)
			case 'C', 'r':
				cluster += string(letter)
				if t.cost != "" && g.percent(50) {
					cluster += t.cost
					flush()
				} else {
					flush()
					t.args = append(t.args, t.cost)
				}
			default:
				cluster += string(letter)
				if g.percent(40) {
					flush()
				}
			}
		}
	}
	if t.misuse == "dash" {
		cluster += pick(g, "-", "-B", "B-")
	}
	flush()
	if t.misuse == "long flag" {
		t.args = append(t.args, pick(g, "--cost", "--version", "--password=x", "--b", "---"))
	}
	if t.misuse == "no argument" {
		t.args = append(t.args, pick(g, "-C", "-r", "-BC"))
		if g.percent(80) {
			return
		}
	}
	g.writeOperands(t)
}

func (g generator) writeOperands(t *trial) {
	var operands []string
	if t.mode != 'n' {
		file := t.file
		if file != "" && !filepath.IsAbs(file) {
			file = "%DIR/" + file
		}
		operands = append(operands, file)
	}
	operands = append(operands, t.user.text)
	if t.source == 'b' {
		operands = append(operands, t.password.text)
	}
	switch t.misuse {
	case "-nn":
		operands = operands[:len(operands)-g.IntN(2)]
	case "missing":
		operands = operands[:g.IntN(len(operands))]
	case "extra":
		operands = append(operands, pick(g, "", "extra", "-B"))
	}
	if t.misuse != "long flag" && (len(operands) > 0 && strings.HasPrefix(operands[0], "-") || g.percent(5)) {
		t.args = append(t.args, "--")
	}
	t.args = append(t.args, operands...)
}

// onTerminal runs a program on a pseudo-terminal, types each answer when it has
// asked once more, and returns what the screen shows in the end.
func onTerminal(t *testing.T, path string, args []string, answers ...string) (screen string, status int) {
	t.Helper()
	tty, near, err := pty.Open()
	require.NoError(t, err)
	defer tty.Close()
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = near, near, near
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(t, cmd.Start())
	require.NoError(t, near.Close())
	require.NoError(t, tty.SetDeadline(time.Now().Add(20*time.Second)))
	var shown strings.Builder
	buf := make([]byte, 1024)
	for typed := 0; ; {
		n, err := tty.Read(buf) // fails when the program has ended
		shown.Write(buf[:n])
		if err != nil {
			require.NotErrorIs(t, err, os.ErrDeadlineExceeded, shown.String())
			break
		}
		if typed < len(answers) && strings.Count(shown.String(), "password: ") > typed {
			_, err := tty.WriteString(answers[typed])
			require.NoError(t, err)
			typed++
		}
	}
	_ = cmd.Wait()
	return shown.String(), cmd.ProcessState.ExitCode()
}

// On a terminal the two ask in the same words, and answer in the same.
func TestHtpasswdOnATerminal(t *testing.T) {
	ours, err := exec.LookPath(program)
	require.NoError(t, err)
	const mismatch = "New password: \r\nRe-type new password: \r\nhtpasswd: password verification error\r\n"
	for _, c := range []struct {
		name    string
		args    string
		answers []string
		screen  string
		status  int
		other   bool // Apache's program does something else
	}{
		{"add", "-BC4 users francis", []string{"r3gL4b\n", "r3gL4b\n"}, "New password: \r\nRe-type new password: \r\nAdding password for user francis\r\n", 0, false},
		{"update", "-BC4 users elton", []string{"r3gL4b\n", "r3gL4b\n"}, "New password: \r\nRe-type new password: \r\nUpdating password for user elton\r\n", 0, false},
		{"create", "-cBC4 new elton", []string{"r3gL4b\n", "r3gL4b\n"}, "New password: \r\nRe-type new password: \r\nAdding password for user elton\r\n", 0, false},
		{"retyped another", "-BC4 users elton", []string{"d0cker\n", "r3gL4b\n"}, mismatch, 3, false},
		{"end of input, retyping", "-BC4 users elton", []string{"d0cker\n", "\x04"}, mismatch, 3, false},
		{"end of input", "-BC4 users elton", []string{"\x04", "\x04"}, "New password: \r\nhtpasswd: the input ended before a password was typed\r\n  hint: -i reads it from standard input\r\n", 5, true},
		{"empty", "-BC4 users elton", []string{"\n"}, "New password: \r\nhtpasswd: invalid password: it is empty\r\n", 5, true},
		{"interrupted", "-BC4 users elton", []string{"d0ck\x03"}, "New password: \r\nhtpasswd: interrupted\r\n", 4, true},
		{"verify", "-v users elton", []string{"d0cker\n"}, "Enter password: \r\nPassword for user elton correct.\r\n", 0, false},
		{"verify another", "-v users elton", []string{"r3gL4b\n"}, "Enter password: \r\nhtpasswd: password verification failed\r\n", 3, false},
		{"nobody", "-v users nobody", nil, "htpasswd: User nobody not found\r\n", 6, false},
		{"no file", "-B absent elton", nil, "htpasswd: cannot modify file absent; use '-c' to create it\r\n", 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			lay := func() {
				_ = os.Remove("new")
				require.NoError(t, os.WriteFile("users", []byte("elton:$2y$04$nqgXJbxWx3BLfgdqva9c2uIJ6shG6Bg8r44Hvx9v3Hq9wiT2Bt0wC\n"), 0o600))
			}
			lay()
			screen, status := onTerminal(t, ours, append([]string{apacheName}, strings.Fields(c.args)...), c.answers...)
			assert.Equal(t, c.status, status)
			if c.name != "interrupted" || screen != "New password: " { // the kernel may drop what was written when it sends the signal
				assert.Equal(t, c.screen, screen)
			}
			if c.other {
				return
			}
			testserver.Need(t, apacheName)
			lay()
			screen, status = onTerminal(t, apacheName, strings.Fields(c.args), c.answers...)
			assert.Equal(t, c.status, status)
			assert.Equal(t, strings.ReplaceAll(c.screen, "htpasswd: ", ""), strings.ReplaceAll(strings.ReplaceAll(screen, "htpasswd: ", ""), "password: password", "password: \r\npassword"))
		})
	}
}

// The name that the program is called by, with or without its folder.
func TestIsApacheName(t *testing.T) {
	for arg0, want := range map[string]bool{
		"htpasswd": true, "./htpasswd": true, "/usr/local/bin/htpasswd": true, "htpasswd.exe": true, "HTPASSWD.EXE": true,
		"registryctl": false, "htpasswd2": false, "/htpasswd/registryctl": false, "": false,
	} {
		assert.Equal(t, want, isApacheName(arg0), arg0)
	}
}

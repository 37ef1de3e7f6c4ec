package cli

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"
)

func TestMain(m *testing.M) {
	// By a link or a copy that a script has made: a command of testscript would
	// stand in the way of Apache's program on PATH.
	if isApacheName(os.Args[0]) {
		os.Exit(mainWatched())
	}
	testscript.Main(m, map[string]func(){program: func() { os.Exit(mainWatched()) }})
}

// exampleHash is of d0cker.
const exampleHash = "$2y$04$nqgXJbxWx3BLfgdqva9c2uIJ6shG6Bg8r44Hvx9v3Hq9wiT2Bt0wC"

// TestScript runs what a person types and compares what they see.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "../../testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv(fileVariable, "")
			path, err := exec.LookPath(program)
			env.Setenv("PROGRAM", path) // to link to
			env.Setenv("HASH", exampleHash)
			env.Setenv("GORACE", "atexit_sleep_ms=0") // else each program waits a second for races of its last moment
			env.Setenv("Q", quote(" ")[:1])           // a quotation mark of a hint
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"bytes":    writeBytes,
			"registry": answeringRegistry,
			"letsin":   letsIn,
			"status":   exitStatus,
			"many":     writeMany,
		},
		Condition: func(cond string) (bool, error) {
			if cond != "unprivileged" {
				return false, fmt.Errorf("unknown condition %q", cond)
			}
			return os.Geteuid() > 0, nil // -1 on Windows
		},
		RequireExplicitExec: true,
	})
}

// secrets are in no output: the passwords of the scripts, and anything that is a hash.
var secrets = regexp.MustCompile(`d0cker|r3gL4b|s3cret|\$2[abxy]\$[0-9]|\$apr1\$|\{SHA\}`)

// htpasswdN is "htpasswd" with "-n", which Apache's command line prints a line with.
var htpasswdN = regexp.MustCompile(`htpasswd(\.exe)? (.* )?-[A-Za-z0-9]*n`)

// exitLeak is an exit status that no command has.
const exitLeak = 99

// mainWatched is Main, and fails a script in which the program says a password
// or a hash, other than where it was asked to.
func mainWatched() int {
	containerMarks = nil // wherever the tests run
	var out, errOut bytes.Buffer
	status := Main(os.Args, os.Stdin, io.MultiWriter(os.Stdout, &out), io.MultiWriter(os.Stderr, &errOut))
	wanted := slices.Contains(os.Args, "--print") || slices.Contains(os.Args, "--as") || strings.Contains(strings.Join(os.Args, " "), "-f -") ||
		htpasswdN.MatchString(strings.Join(os.Args, " "))
	if secrets.Match(errOut.Bytes()) || (!wanted && secrets.Match(out.Bytes())) {
		_, _ = os.Stderr.WriteString("a secret was printed\n")
		return exitLeak
	}
	return status
}

// writeBytes is "bytes FILE STRING": the file holds the string, with Go's escapes.
func writeBytes(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: bytes FILE STRING")
	}
	text, err := strconv.Unquote(`"` + args[1] + `"`)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

// letsIn is "letsin FILE USER PASSWORD": whether the registry would let the user
// in. It reads the file in its own way, not by the library.
func letsIn(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: letsin FILE USER PASSWORD")
	}
	hash := ""
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		if user, rest, ok := strings.Cut(strings.TrimSpace(line), ":"); ok && user == args[1] {
			hash = rest
		}
	}
	err := bcrypt.CompareHashAndPassword([]byte(hash), []byte(args[2]))
	if (err == nil) == neg {
		ts.Fatalf("bcrypt says: %v", err)
	}
}

// exitStatus is "status N PROGRAM ARGS...": like exec, for one exit status.
func exitStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N PROGRAM ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := err.(interface{ ExitCode() int })
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// writeMany is "many FILE": more users than a completion offers.
func writeMany(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: many FILE")
	}
	var text []byte
	for i := range 1100 {
		text = fmt.Appendf(text, "u%d:x\n", i)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), text, 0o600))
}

// lookProgram is the program as testscript has put it on the path.
func lookProgram(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath(program)
	require.NoError(t, err)
	return path
}

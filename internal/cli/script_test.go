package cli

import (
	"bytes"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/crypto/bcrypt"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){program: func() { os.Exit(mainWatched()) }})
}

// TestScript runs what a person types and compares what they see.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "../../testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv(fileVariable, "")
			env.Setenv("HASH", "$2y$04$nqgXJbxWx3BLfgdqva9c2uIJ6shG6Bg8r44Hvx9v3Hq9wiT2Bt0wC") // of d0cker
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"bytes":  writeBytes,
			"letsin": letsIn,
			"status": exitStatus,
		},
		RequireExplicitExec: true,
	})
}

// secrets are in no output: the passwords of the scripts, and anything that is a hash.
var secrets = regexp.MustCompile(`d0cker|r3gL4b|s3cret|\$2[abxy]\$[0-9]|\$apr1\$|\{SHA\}`)

// exitLeak is an exit status that no command has.
const exitLeak = 99

// mainWatched is Main, and fails a script in which the program says a password
// or a hash, other than where it was asked to.
func mainWatched() int {
	var out, errOut bytes.Buffer
	status := Main(os.Args, os.Stdin, io.MultiWriter(os.Stdout, &out), io.MultiWriter(os.Stderr, &errOut))
	wanted := slices.Contains(os.Args, "--print") || strings.Contains(strings.Join(os.Args, " "), "-f -")
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

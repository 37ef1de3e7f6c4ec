package main

import (
	"bytes"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// suite stops the cluster when all tests are done.
type suite struct{ *testing.M }

func (s suite) Run() int {
	defer stopCluster()
	return s.M.Run()
}

func TestMain(m *testing.M) {
	testscript.Main(suite{m}, map[string]func(){
		"kubectl-registryctl":          main,
		"kubectl_complete-registryctl": main,
	})
}

// hash is one of "secret", as cheap as bcrypt gets.
const hash = "$2y$04$S.3MoMrmoS0e9Qu9EPuZGe9DWg3ImZkflqdb5sWGt8lDtVW7q0UkS"

// secretsOf are in nothing that the program says: passwords of the scripts, and
// anything that is a hash, also in base 64.
var secretsOf = regexp.MustCompile(`d0cker|r3gL4b|\$2[aby]\$[0-9]|JDJ[5hi]JD`)

// klogLine is what client-go logs.
var klogLine = regexp.MustCompile(`(?m)^[IWEF][0-9]{4} `)

// TestScript runs what a person types, with the real kubectl and in a namespace
// for each script, and compares what they see.
func TestScript(t *testing.T) {
	c := startCluster(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			t := env.T().(testing.TB)
			env.Setenv("KUBECONFIG", c.kubeconfig(t, c.url, adminToken, c.newNamespace(t)))
			env.Setenv("KUBECACHEDIR", c.dir)
			env.Setenv("HASH", hash)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"bytes":  writeBytes,
			"status": exitStatus,
			"until":  until,
		},
		RequireExplicitExec: true,
	})
}

// writeBytes is "bytes FILE N": a file of so many bytes.
func writeBytes(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: bytes FILE N")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), bytes.Repeat([]byte("x"), n), 0o600))
}

// exitStatus is "status N PROGRAM ARGS...": like exec, for one exit status.
func exitStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N PROGRAM ARGS...")
	}
	got := "0"
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("exit status %s, want %s", got, args[0])
	}
	if said := ts.ReadFile("stdout") + ts.ReadFile("stderr"); secretsOf.MatchString(said) {
		ts.Fatalf("a secret was printed")
	}
	if klogLine.MatchString(ts.ReadFile("stderr")) {
		ts.Fatalf("client-go has logged")
	}
}

// until is "until PROGRAM ARGS...", which waits till it succeeds: what a role
// allows is allowed a moment later.
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: until PROGRAM ARGS...")
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		err := ts.Exec(args[0], args[1:]...)
		if err == nil {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("still: %v", err)
		}
	}
}

func runProgram(args []string, out, errOut io.Writer) int {
	p := newProgram()
	p.Stdin, p.Stdout, p.Stderr = strings.NewReader(""), out, errOut
	return p.Main(append([]string{"kubectl-registryctl"}, args...))
}

// run runs the program in this process; it has to succeed.
func run(t *testing.T, args ...string) (stdout string) {
	t.Helper()
	var out, errOut bytes.Buffer
	require.Zero(t, runProgram(args, &out, &errOut), errOut.String())
	return out.String()
}

// Every command has a help that fits a terminal and speaks of this program and not of
// another, whose examples name a Secret.
func TestHelp(t *testing.T) {
	root := newProgram().Commands()
	require.NotEmpty(t, root.Commands())
	for _, cmd := range append(root.Commands(), root) {
		words := strings.Fields(cmd.CommandPath())[2:]
		out := run(t, append(words, "--help")...)
		assert.Equal(t, out, run(t, append([]string{"help"}, words...)...))
		assert.NotContains(t, out, "registryctl user")
		assert.NotRegexp(t, `(?m)(^| )-f\b`, out)
		text, _, _ := strings.Cut(out, "\nExamples:\n")
		for line := range strings.Lines(text) {
			assert.LessOrEqual(t, len(line), 81, line)
		}
		for line := range strings.Lines(cmd.Example) {
			assert.Regexp(t, `^  (kubectl|oc) registryctl (help|[a-z]+ .*--secret )`, line)
		}
	}
}

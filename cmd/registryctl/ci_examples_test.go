//go:build unix

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/assert/yaml"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/testserver"
)

// exampleFile reads one of the examples that a team copies into its CI.
func exampleFile(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../testdata/ci", name))
	require.NoError(t, err)
	return text
}

// A checkout is what a job of a CI finds: the folder of the repository, with
// registryctl on the PATH, and the file of a registry.
type checkout struct {
	dir      string
	htpasswd string
}

func newCheckout(t *testing.T) checkout {
	c := checkout{dir: t.TempDir(), htpasswd: create(t, line("old")+line("elton"))}
	c.write(t, "users.txt", line("elton")+line("francis"))
	return c
}

func (c checkout) write(t *testing.T, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0o600))
}

// run runs a command line there. Of two variables of the same name the later counts.
func (c checkout) run(t *testing.T, env []string, argv ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), runFor)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = c.dir
	cmd.Env = slices.Concat(os.Environ(), []string{"PATH=" + filepath.Dir(testserver.Build(t)) + ":" + os.Getenv("PATH")}, env)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		require.ErrorAs(t, err, new(*exec.ExitError), "%q", argv)
	}
	require.NoError(t, ctx.Err(), "%q hangs", argv)
	o := outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
	assert.NotRegexp(t, `secret|\$2y\$`, o.stdout+o.stderr, "%q", argv)
	return o
}

// inPath are the variables that name the registry's file.
func (c checkout) inPath() []string { return []string{"REGISTRY_AUTH_HTPASSWD_PATH=" + c.htpasswd} }

// What an example reports of a run.
const (
	same    = "same" // the file is as listed
	changed = "changed"
	failed  = "failed"
)

// An example provisions the users of a registry.
type example struct {
	plan, apply func() string      // run it, the first without changing anything
	reports     bool               // apply tells same from changed
	users       []string           // whom it lists, all with the password "secret"
	listNobody  func(t *testing.T) // leaves it without the list
}

// testExample takes a registry through what happens to it: a change of the list,
// a run that has nothing to do, an edit by hand, a list that is gone.
func testExample(t *testing.T, file string, e example) {
	done := func(what string) string {
		if e.reports {
			return what
		}
		return same
	}
	asListed := func() {
		t.Helper()
		f, err := htpasswd.Parse([]byte(contents(t, file)))
		require.NoError(t, err)
		var users []string
		for entry := range f.All() {
			users = append(users, entry.User)
			assert.NoError(t, entry.Hash.Verify([]byte("secret")), entry.User)
		}
		assert.ElementsMatch(t, e.users, users)
	}

	before := contents(t, file)
	assert.Equal(t, changed, e.plan())
	assert.Equal(t, before, contents(t, file), "by a plan")
	assert.Equal(t, done(changed), e.apply())
	asListed()

	info, err := os.Stat(file)
	require.NoError(t, err)
	assert.Equal(t, same, e.plan())
	assert.Equal(t, same, e.apply())
	again, err := os.Stat(file)
	require.NoError(t, err)
	assert.True(t, os.SameFile(info, again), "the file was written again")
	assert.Equal(t, info.ModTime(), again.ModTime())

	require.NoError(t, os.WriteFile(file, []byte(contents(t, file)+line("mallory")), 0o600))
	assert.Equal(t, changed, e.plan())
	assert.Contains(t, contents(t, file), "mallory")
	assert.Equal(t, done(changed), e.apply())
	asListed()

	e.listNobody(t)
	assert.Equal(t, failed, e.plan())
	assert.Equal(t, failed, e.apply())
	asListed()
}

// A githubWorkflow is what a test looks at of one.
type githubWorkflow struct {
	On   map[string]any
	Jobs map[string]struct {
		If     string
		RunsOn string `yaml:"runs-on"`
		Env    map[string]string
		Steps  []struct {
			Uses, If, Run string
			Env           map[string]string
		}
	}
}

// TestGitHubExample runs the steps of the workflow as a runner does, with a
// registry that reads the file.
func TestGitHubExample(t *testing.T) {
	testserver.Need(t, "bash", "registry")
	text := exampleFile(t, "github.yml")
	var w githubWorkflow
	require.NoError(t, yaml.Unmarshal(text, &w))
	check, users := w.Jobs["check"], w.Jobs["users"]

	// The code of a pull request never runs on the registry's host.
	require.Len(t, w.Jobs, 2)
	assert.Equal(t, "github.event_name == 'pull_request'", check.If)
	assert.Equal(t, "ubuntu-latest", check.RunsOn)
	assert.Equal(t, "github.event_name != 'pull_request'", users.If)
	assert.Equal(t, "self-hosted", users.RunsOn)

	// Dependabot keeps the actions of our own workflows up to date.
	ours, err := os.ReadFile("../../.github/workflows/test.yml")
	require.NoError(t, err)
	for _, uses := range regexp.MustCompile(`uses: .*`).FindAll(text, -1) {
		assert.Contains(t, string(ours), string(uses))
	}

	c := newCheckout(t)
	c.write(t, "users.txt", line("elton")+line("robot"))
	registry := testserver.StartRegistry(t, "registry", testserver.RegistryConfig{Htpasswd: c.htpasswd})
	ofTest := append(c.inPath(), "REGISTRY="+registry.Addr)
	expressions := strings.NewReplacer("${{ secrets.ROBOT_PASSWORD }}", "secret")
	environment := func(variables map[string]string) (env []string) {
		for name, value := range variables {
			value = expressions.Replace(value)
			require.NotContains(t, value, "${{")
			env = append(env, name+"="+value)
		}
		return env
	}
	on := regexp.MustCompile(`^github\.event_name == '(\w+)'$`)
	run := func(event string) outcome {
		require.Contains(t, w.On, event)
		job := users
		if event == "pull_request" {
			job = check
		}
		var all outcome
		for _, step := range job.Steps {
			if step.Uses != "" || strings.HasPrefix(step.Run, "go install ") {
				continue
			}
			condition := on.FindStringSubmatch(step.If)
			require.True(t, condition != nil || step.If == "", "a condition that this test cannot read: %s", step.If)
			if condition != nil && condition[1] != event {
				continue
			}
			o := c.run(t, slices.Concat(environment(job.Env), environment(step.Env), ofTest), "bash", "-e", "-c", step.Run)
			all = outcome{o.status, all.stdout + o.stdout, all.stderr + o.stderr}
			if o.status != 0 {
				break
			}
		}
		return all
	}

	testExample(t, c.htpasswd, example{
		plan: func() string {
			pull, night := run("pull_request"), run("schedule")
			switch {
			case pull.status == 0 && night.status == 8:
				return changed
			case pull.status == 0 && night.status == 0:
				return same
			}
			assert.Equal(t, night.status, pull.status)
			return failed
		},
		apply: func() string {
			o := run("push")
			if o.status != 0 {
				return failed
			}
			assert.Contains(t, o.stderr, registry.URL+` lets "robot" in`)
			return same
		},
		users:      []string{"elton", "robot"},
		listNobody: func(t *testing.T) { c.write(t, "users.txt", "") },
	})

	// A robot with another password than the CI has.
	c.write(t, "users.txt", line("elton")+"robot:"+hashNumber(1)+"\n")
	assert.Equal(t, 3, run("push").status)
}

// A gitlabJob is what a test looks at of one.
type gitlabJob struct {
	Rules        []struct{ If string }
	Script       []string
	AllowFailure struct {
		ExitCodes int `yaml:"exit_codes"`
	} `yaml:"allow_failure"`
}

func TestGitLabExample(t *testing.T) {
	testserver.Need(t, "sh")
	var pipeline struct {
		Variables   map[string]string
		Plan, Apply gitlabJob
	}
	require.NoError(t, yaml.Unmarshal(exampleFile(t, "gitlab.yml"), &pipeline))
	rule := func(s string) []struct{ If string } { return []struct{ If string }{{s}} }
	assert.Equal(t, rule(`$CI_PIPELINE_SOURCE == "merge_request_event" && $REGISTRY_USERS`), pipeline.Plan.Rules)
	assert.Equal(t, rule(`$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH`), pipeline.Apply.Rules)
	assert.Contains(t, pipeline.Variables, "REGISTRY_AUTH_HTPASSWD_PATH")

	c := newCheckout(t)
	c.write(t, "the users", "elton:secret\nfrancis:secret") // a file of GitLab's, without an extension
	env := append(c.inPath(), "REGISTRY_USERS="+filepath.Join(c.dir, "the users"))
	run := func(job gitlabJob) string {
		switch o := c.run(t, env, "sh", "-e", "-c", strings.Join(job.Script, "\n")); o.status {
		case 0:
			return same
		case job.AllowFailure.ExitCodes:
			return changed
		}
		return failed
	}
	testExample(t, c.htpasswd, example{
		plan:       func() string { return run(pipeline.Plan) },
		apply:      func() string { return run(pipeline.Apply) },
		users:      []string{"elton", "francis"},
		listNobody: func(*testing.T) { env = c.inPath() }, // a protected variable
	})
}

func TestMakeExample(t *testing.T) {
	testserver.Need(t, "make")
	c := newCheckout(t)
	c.write(t, "Makefile", string(exampleFile(t, "Makefile")))
	run := func(target string, env []string) string {
		switch o := c.run(t, env, "make", target); {
		case o.status == 0:
			return same
		case strings.HasSuffix(o.stderr, "Error 8\n"):
			return changed
		}
		return failed
	}
	testExample(t, c.htpasswd, example{
		plan:       func() string { return run("users-diff", c.inPath()) },
		apply:      func() string { return run("users", c.inPath()) },
		users:      []string{"elton", "francis"},
		listNobody: func(t *testing.T) { c.write(t, "users.txt", "# nobody\n") },
	})

	// Without the variable it is the file beside.
	c.write(t, "users.txt", line("elton"))
	assert.Equal(t, same, run("users", []string{"REGISTRY_AUTH_HTPASSWD_PATH="}))
	assert.Equal(t, line("elton"), contents(t, filepath.Join(c.dir, "auth", "registry.htpasswd")))
}

func TestAnsibleExample(t *testing.T) {
	testserver.Need(t, "ansible-playbook")
	c := newCheckout(t)
	c.write(t, "ansible.yml", string(exampleFile(t, "ansible.yml")))
	c.write(t, "hosts", "registry ansible_connection=local ansible_python_interpreter='{{ ansible_playbook_python }}'\n")
	tmp := t.TempDir()
	env := []string{"HOME=" + tmp, "ANSIBLE_HOME=" + tmp, "ANSIBLE_LOCAL_TEMP=" + tmp, "ANSIBLE_REMOTE_TMP=" + tmp, "ANSIBLE_CONFIG=", "ANSIBLE_NOCOLOR=1", "LC_ALL=C.UTF-8"}
	secrets := []string{"ELTON_PASSWORD=secret", "FRANCIS_HASH=" + hash}
	noSecrets := []string{"ELTON_PASSWORD=", "FRANCIS_HASH="}
	recap := regexp.MustCompile(`(?m)^registry +: .* changed=([01]) .* failed=([01]) `)
	run := func(args ...string) string {
		// With as many details as there are, none of which is a password.
		args = append([]string{"ansible-playbook", "-vvv", "--inventory=hosts", "--extra-vars=registry_htpasswd=" + c.htpasswd, "ansible.yml"}, args...)
		o := c.run(t, slices.Concat(env, secrets), args...)
		counts := recap.FindStringSubmatch(o.stdout)
		require.NotNil(t, counts, "%s%s", o.stdout, o.stderr)
		assert.Equal(t, counts[2] == "0", o.status == 0)
		switch fmt.Sprint(counts[1:]) {
		case "[0 0]":
			return same
		case "[1 0]":
			return changed
		}
		assert.Contains(t, o.stdout, `"registryctl: standard input:1: `, "why it failed")
		return failed
	}
	testExample(t, c.htpasswd, example{
		plan:       func() string { return run("--check") },
		apply:      func() string { return run() },
		reports:    true,
		users:      []string{"elton", "francis"},
		listNobody: func(*testing.T) { secrets = noSecrets },
	})

	// Where registryctl is not installed the playbook says so.
	notInstalled := c.run(t, slices.Concat(env, secrets, []string{"PATH=" + os.Getenv("PATH")}),
		"ansible-playbook", "--inventory=hosts", "--extra-vars=registry_htpasswd="+c.htpasswd, "ansible.yml")
	assert.NotZero(t, notInstalled.status)
	assert.Regexp(t, `"msg": ".*No such file or directory.*registryctl`, notInstalled.stdout)
}

// readmeBlock is the code in this language below a heading of the README.
func readmeBlock(t *testing.T, heading, language string) string {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	_, section, ok := strings.Cut(string(readme), "\n"+heading+"\n")
	require.True(t, ok, heading)
	_, section, _ = strings.Cut(section, "\n```"+language+"\n")
	code, _, ok := strings.Cut(section, "\n```\n")
	require.True(t, ok, language)
	return code
}

// The lines of the README for a CI, one after the other.
func TestReadmeInCI(t *testing.T) {
	testserver.Need(t, "sh")
	lines := strings.Split(readmeBlock(t, "## In CI", "sh"), "\n")
	require.Len(t, lines, 3)
	plan, apply, fromStore := lines[0], lines[1], lines[2]
	c := newCheckout(t)
	sh := func(line string, env ...string) int {
		return c.run(t, append(c.inPath(), env...), "sh", "-c", line).status
	}

	assert.Equal(t, 8, sh(plan))
	assert.Equal(t, line("old")+line("elton"), contents(t, c.htpasswd))
	assert.Zero(t, sh(apply))
	assert.Equal(t, line("elton")+line("francis"), contents(t, c.htpasswd))
	assert.Zero(t, sh(plan))
	assert.Zero(t, sh(fromStore, "REGISTRY_USERS=francis:"+hash+"\ngordon:secret"))
	assert.Regexp(t, `\Afrancis:.*\ngordon:.*\n\z`, contents(t, c.htpasswd))
	assert.Equal(t, 2, sh(fromStore, "REGISTRY_USERS="), "a secret that is not set")

	// A line that its owner makes.
	made := run(t, testserver.Build(t), "user", "add", "elton", "--print", "--hash", hash)
	assert.Zero(t, made.status, made.stderr)
	assert.Equal(t, line("elton"), made.stdout)
}

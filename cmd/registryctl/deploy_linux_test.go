package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/assert/yaml"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/internal/testserver"
)

func deployExample(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "testdata", "deploy", name))
	require.NoError(t, err)
	return string(text)
}

// TestSwarm types the lines for Docker Swarm, in a swarm of one node.
func TestSwarm(t *testing.T) {
	e := startEngine(t)
	if state := strings.TrimSpace(e.ok("docker", "info", "-f", "{{.Swarm.LocalNodeState}}")); state != "inactive" {
		t.Skip("this node is in a swarm already: " + state)
	}
	_, text, _ := strings.Cut(document(t, "DEPLOY.md"), "```sh\n")
	text, _, _ = strings.Cut(text, "\n```\n")
	before, after, ok := strings.Cut(text, "\n\n")
	require.True(t, ok)
	port := testserver.FreePort(t)
	names := strings.NewReplacer("published=5000", "published="+port, "registry:3", e.registryImage())
	registryctl(t, "user", "add", "elton", "--hash", hash, "-f", filepath.Join(e.dir, "htpasswd"))
	require.NoError(t, os.Mkdir(filepath.Join(e.dir, "auth"), 0o700))
	require.NoError(t, os.Rename(filepath.Join(e.dir, "htpasswd"), filepath.Join(e.dir, "auth", "registry.htpasswd")))

	e.ok("docker", "swarm", "init", "--advertise-addr", "127.0.0.1")
	t.Cleanup(func() { _, _ = e.run("docker", "swarm", "leave", "--force") })
	typed := func(lines string) {
		for _, line := range strings.Split(names.Replace(lines), "\n") {
			if strings.HasPrefix(line, "registryctl ") {
				line += " --hash '" + hash + "'"
			}
			e.ok("sh", "-c", "PATH="+filepath.Dir(testserver.Build(t))+":$PATH; "+line)
		}
	}
	address := "localhost:" + port
	typed(before)
	e.awaitRegistry(port)
	assert.NoError(t, e.login(address, "elton", "secret"))
	assert.Error(t, e.login(address, "francis", "secret"))
	typed(after)
	assert.Eventually(t, func() bool { return e.login(address, "francis", "secret") == nil }, time.Minute, 200*time.Millisecond)
	assert.NoError(t, e.login(address, "elton", "secret"))
}

// The registry of the chart reads the key that the plugin makes, in a mount that an edit
// reaches.
func TestHelmExample(t *testing.T) {
	var values struct {
		ExtraVolumes      []struct{ Name string }
		ExtraVolumeMounts []struct{ Name, MountPath, SubPath string }
		ExtraEnvVars      []struct{ Name, Value string }
	}
	decode(t, deployExample(t, "helm-values.yaml"), &values)
	mount := values.ExtraVolumeMounts[0]
	assert.Equal(t, values.ExtraVolumes[0].Name, mount.Name)
	assert.Empty(t, mount.SubPath)
	env := make(map[string]string)
	for _, e := range values.ExtraEnvVars {
		env[e.Name] = e.Value
	}
	assert.Equal(t, "htpasswd", env["REGISTRY_AUTH"])
	assert.Equal(t, mount.MountPath+"/htpasswd", env["REGISTRY_AUTH_HTPASSWD_PATH"])
}

// decode decodes YAML by the names that it has in Kubernetes.
func decode(t *testing.T, text string, v any) {
	t.Helper()
	var tree any
	require.NoError(t, yaml.Unmarshal([]byte(text), &tree))
	asJSON, err := json.Marshal(tree)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(asJSON, v))
}

// The program of the data source is called as Terraform calls it: the query comes on
// standard input, and an object of strings goes out. The same query has the same answer.
func TestTerraformExample(t *testing.T) {
	testserver.Need(t, "sh", "jq")
	text := deployExample(t, "users.tf")
	if _, err := exec.LookPath("terraform"); err == nil {
		assert.NoError(t, exec.Command("terraform", "fmt", "-check", filepath.Join(root, "testdata/deploy/users.tf")).Run())
	}
	program := regexp.MustCompile(`(?s)program = \["sh", "-c", <<-EOT\n(.*?)\n  EOT`).FindStringSubmatch(text)
	require.NotNil(t, program)
	c := newCheckout(t)
	file := filepath.Join(c.dir, "registry.htpasswd")
	ask := func(query string) string {
		t.Helper()
		c.write(t, "query", query)
		cmd := exec.Command("sh", "-c", program[1], file)
		cmd.Dir = c.dir
		cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(testserver.Build(t))+":"+os.Getenv("PATH"))
		cmd.Stdin = strings.NewReader(query)
		out, err := cmd.Output()
		require.NoError(t, err)
		var answer map[string]string
		require.NoError(t, json.Unmarshal(out, &answer))
		assert.Equal(t, contents(t, file), answer["htpasswd"])
		return answer["htpasswd"]
	}
	first := ask(`{"elton":"d0cker123","francis":"r3gL4b123"}`)
	assert.Equal(t, first, ask(`{"elton":"d0cker123","francis":"r3gL4b123"}`))
	another := ask(`{"elton":"d0cker123","francis":"another123"}`)
	assert.Equal(t, strings.Split(first, "\n")[0], strings.Split(another, "\n")[0])
	assert.NotEqual(t, first, another)
	assert.Regexp(t, `\Aelton:.*\n\z`, ask(`{"elton":"d0cker123"}`))
}

// The lines for a store, which a file stands for, change nothing the second time.
func TestExternalSecretsExample(t *testing.T) {
	testserver.Need(t, "sh")
	text := deployExample(t, "external-secret.yaml")
	var secret struct {
		Spec struct {
			Data []struct {
				SecretKey string
				RemoteRef struct{ Key, Property string }
			}
		}
	}
	decode(t, text, &secret)
	ref := secret.Spec.Data[0].RemoteRef
	assert.Equal(t, "htpasswd", secret.Spec.Data[0].SecretKey)
	lines := regexp.MustCompile(`(?m)^#   (.*)$`).FindAllStringSubmatch(text, -1)
	require.Len(t, lines, 3)
	script := fmt.Sprintf("set -e\nvault() { if [ \"$2 $3\" = 'get -field=%s' ]; then cat \"store/${4##*/}\"; else cp \"${4#%[1]s=@}\" \"store/${3##*/}\"; fi; }\n", ref.Property)
	for _, line := range lines {
		script += line[1] + "\n"
	}
	c := newCheckout(t)
	require.NoError(t, os.Mkdir(filepath.Join(c.dir, "store"), 0o700))
	c.write(t, filepath.Join("store", ref.Key), line("francis"))
	stored := func() string {
		t.Helper()
		o := c.run(t, []string{"PW=d0cker123"}, "sh", "-c", script)
		require.Zero(t, o.status, o.stderr)
		return contents(t, filepath.Join(c.dir, "store", ref.Key))
	}
	first := stored()
	assert.Regexp(t, `\Afrancis:.*\nelton:.*\n\z`, first)
	assert.Equal(t, first, stored())
}

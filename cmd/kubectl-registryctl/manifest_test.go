package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// With a dry run every command that edits prints the Secret as it would be, and
// nothing else, and the Secret stays as it is.
func TestManifestOfEachEdit(t *testing.T) {
	c := startCluster(t)
	namespace := c.newNamespace(t)
	t.Setenv("KUBECONFIG", c.kubeconfig(t, c.url, adminToken, namespace))
	dir := t.TempDir()
	users, list := filepath.Join(dir, "users"), filepath.Join(dir, "list")
	require.NoError(t, os.WriteFile(users, []byte("elton:"+hash+"\nfrancis:!"+hash+"\nno entry\n"), 0o600))
	require.NoError(t, os.WriteFile(list, []byte("name,password\ngordon,d0ckerd0cker\n"), 0o600))
	c.kubectl(t, "create", "secret", "generic", "broken", "-n", namespace, "--from-file=htpasswd="+users)
	c.kubectl(t, "create", "secret", "generic", "users", "-n", namespace, "--from-literal=htpasswd=elton:"+hash+"\nfrancis:!"+hash+"\n")
	state := func() string { return c.kubectl(t, "get", "secrets", "-n", namespace, "-o", "yaml") }
	before := state()
	for _, edit := range []string{
		"add gordon --hash " + hash, "add gordon --create --secret new --hash " + hash, "add elton --update --hash " + hash,
		"passwd francis --hash " + hash, "remove elton", "remove gordon --if-exists", "rename elton gordon",
		"import " + list + " --cost 4", "import " + list + " --cost 4 --prune", "disable elton", "enable francis", "check --fix --secret broken",
	} {
		for _, dryRun := range []string{"client", "server"} {
			for _, format := range []string{"yaml", "json", "name"} {
				if format == "json" && strings.HasPrefix(edit, "check") {
					continue // its report
				}
				args := append([]string{"--secret", "users"}, strings.Fields(edit)...)
				args = append(args, "--dry-run="+dryRun, "-o", format)
				var stdout, stderr bytes.Buffer
				require.Zero(t, runProgram(args, &stdout, &stderr), "%q: %s", args, &stderr)
				if format == "name" {
					assert.Regexp(t, `^secret/(users|new|broken)\n$`, stdout.String(), args)
					continue
				}
				text, err := yaml.YAMLToJSONStrict(stdout.Bytes()) // JSON is YAML
				require.NoError(t, err, args)
				var object struct {
					Kind     string
					Metadata map[string]any
					Data     map[string]string
				}
				require.NoError(t, json.Unmarshal(text, &object))
				assert.Equal(t, "Secret", object.Kind, args)
				assert.NotEmpty(t, object.Data["htpasswd"], args)
				assert.Equal(t, dryRun == "server", object.Metadata["uid"] != nil, args)
			}
		}
	}
	assert.Equal(t, before, state())

	// There is no place for a generated password.
	for _, args := range [][]string{{"add", "gordon"}, {"passwd", "elton"}, {"import", list}} {
		for _, format := range []string{"yaml", "json", "name"} {
			var stdout, stderr bytes.Buffer
			args := append([]string{"--secret", "users", "--generate", "--dry-run=client", "-o", format}, args...)
			assert.Equal(t, 2, runProgram(args, &stdout, &stderr), args)
			assert.Empty(t, stdout.String())
			assert.Contains(t, stderr.String(), "standard output cannot be both the manifest and the generated password\n")
		}
	}
}

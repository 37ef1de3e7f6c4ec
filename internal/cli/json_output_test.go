package cli

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/htpasswd/lint"
)

// A jsonOutput is what "-o json" of a command is: somebody's script reads it, so
// that no field may change its name, type, place or meaning, nor may a value of
// an enumeration.
type jsonOutput struct {
	command      string
	shape        string // with the types of the fields, as shapeOf has it
	enumerations []enumeration
	runs         func(t *testing.T) []json.RawMessage // that come to each value of an enumeration
}

// An enumeration is all the values that there are of a field.
type enumeration struct {
	path   string // names of fields, through any array
	inHelp bool
	values []string
}

var jsonOutputs = []jsonOutput{
	{
		command: "user list",
		shape:   "[{user: string, scheme: string, cost: number|null, line: number, problem: string}]",
		enumerations: []enumeration{
			{"scheme", false, []string{"bcrypt", "apr1", "md5-crypt", "sha1", "ssha", "sha256-crypt", "sha512-crypt", "des-crypt", "plain", "yescrypt", "unknown"}},
		},
		runs: func(t *testing.T) (outputs []json.RawMessage) {
			for _, file := range wild(t) {
				outputs = append(outputs, jsonOf(t, "", "user", "list", "-f", file))
			}
			return outputs
		},
	},
	{
		command: "user verify",
		shape:   "{user: string, accepted: boolean, reason: string, file: string, file_reason: string, registry: string}",
		enumerations: []enumeration{
			{"reason", true, []string{
				"accepted", "wrong-password", "unknown-user", "disabled", "not-bcrypt", "unknown-hash", "malformed-file", "no-file", "unreadable-file",
				"refused", "file-refused", "no-password", "token", "redirect", "untrusted", "not-tls", "plain-http", "connection-refused", "timeout", "unexpected",
			}},
			{"file_reason", true, []string{"accepted", "wrong-password", "unknown-user", "disabled", "not-bcrypt", "unknown-hash", "malformed-file", "no-file", "unreadable-file", ""}},
		},
		runs: func(t *testing.T) []json.RawMessage { return append(verifyFiles(t), verifyRegistries(t)...) },
	},
	{
		command:      "user import",
		shape:        "{file: string, users: [{user: string, action: string}]}",
		enumerations: []enumeration{{"users.action", true, []string{"add", "update", "remove", "keep", "skip"}}},
		runs: func(t *testing.T) []json.RawMessage {
			file := create(t, fileOf(t, "kept:d0cker", "updated:d0cker", "removed:d0cker"))
			list := "kept:d0cker\nupdated:r3gL4b\nadded:d0cker\nskipped:{SHA}x\n"
			plan := jsonOf(t, list, "user", "import", "--prune", "--skip-unsupported", "--cost", "4", "--dry-run", "-f", file)
			done := jsonOf(t, list, "user", "import", "--prune", "--skip-unsupported", "--cost", "4", "-f", file)
			assert.Equal(t, string(plan), string(done), "of a dry run, and of the run itself")
			return []json.RawMessage{plan, done}
		},
	},
	{
		command: "check",
		shape: "{file: string, findings: [{kind: string, server: string, severity: string, line: number, column: number, user: string, message: string, hint: string, remedy: string}]," +
			" changes: [{kind: string, line: number, done: string}], grants: [{severity: string, file: string, line: number, user: string, message: string}]}",
		enumerations: []enumeration{
			{"findings.kind", false, []string{
				"utf-16", "byte-order-mark", "byte-order-mark-before-comment", "no-colon", "line-too-long", "lone-cr", "glued-lines",
				"blank-around-line", "blank-before-hash", "backslash-at-line-end", "unread-line", "empty-name", "bad-name",
				"nul-in-name", "duplicate-user", "empty-hash", "unknown-hash", "not-bcrypt", "maybe-des", "plain-password", "ssha-hash",
				"broken-bcrypt", "odd-bcrypt", "prefix-2b", "prefix-2x", "text-after-hash", "third-field", "low-cost", "high-cost",
				"no-users", "not-htpasswd", "mixed-utf-16", "ignored-record", "mangled-name", "long-name", "similar-names", "registry-made-user",
				"plain-text", "commented-out-user", "shell-expanded", "doubled-dollars", "quoted-hash", "inexact-hash",
				"no-final-newline", "readable-by-others", "writable-by-others", "readable-by-owner-only",
			}},
			{"findings.server", true, []string{"registry", "nginx", "apache", "lighttpd", "zot", "traefik"}},
			{"findings.severity", true, []string{"error", "warning"}},
			{"changes.kind", false, []string{
				"utf-16", "byte-order-mark", "no-colon", "line-too-long", "lone-cr", "glued-lines",
				"blank-before-hash", "duplicate-user", "no-final-newline", "ignored-record", "doubled-dollars", "quoted-hash",
			}},
		},
		runs: func(t *testing.T) (outputs []json.RawMessage) {
			for _, file := range wild(t) {
				for _, flags := range [][]string{nil, {"--fix", "--dry-run"}} {
					outputs = append(outputs, jsonOf(t, "", slices.Concat([]string{"check", "--for", strings.Join(serverNames(), ","), "-f", file}, flags)...))
				}
			}
			// What a file's mode comes to depends on the system and on who asks.
			modes := checkReport{
				Findings: append(lint.CheckMode(0o666, false, lint.Registry), lint.CheckMode(0o600, true, lint.Nginx)...),
				Changes:  []lint.Change{},
				Grants:   []grantFinding{{Severity: "warning"}},
			}
			return append(outputs, jsonText(modes))
		},
	},
	{
		command: "cost",
		shape:   "{target_ms: number, suggested: number|null, costs: [{cost: number, milliseconds: number, logins_per_second: number, extrapolated: boolean}]}",
		enumerations: []enumeration{
			{"costs.cost", false, []string{"4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16", "17", "18", "19", "20"}},
			{"costs.extrapolated", false, []string{"false", "true"}},
		},
		runs: func(t *testing.T) []json.RawMessage {
			outputs := make([]json.RawMessage, 2)
			var both sync.WaitGroup // at once, for it takes two seconds
			both.Go(func() { outputs[0] = jsonOf(t, "", "cost", "--target", "1ns") })
			both.Go(func() { outputs[1] = jsonOf(t, "", "cost", "--target", "1h") })
			both.Wait()
			return outputs
		},
	},
}

// The JSON output is as the help says, and as it has been.
func TestJSONOutput(t *testing.T) {
	for _, o := range jsonOutputs {
		t.Run(o.command, func(t *testing.T) {
			outputs := o.runs(t)
			assert.Equal(t, o.shape, shapeOf(t, outputs))
			for _, output := range outputs {
				first, rest, _ := bytes.Cut(output, []byte("\n"))
				assert.True(t, len(rest) == 0 || !json.Valid(first), "PowerShell's ConvertFrom-Json would take the first line for all")
			}

			var help, errOut bytes.Buffer
			status := Main(append([]string{program, "help"}, strings.Fields(o.command)...), nil, &help, &errOut)
			require.Zero(t, status, errOut.String())
			said := strings.Join(strings.Fields(help.String()), " ")
			assert.Contains(t, said, strings.TrimSuffix(strings.TrimPrefix(namesOf(o.shape), "["), "]"))
			for _, e := range o.enumerations {
				assert.ElementsMatch(t, e.values, valuesOf(t, outputs, e.path), e.path)
				for _, value := range e.values {
					assert.True(t, !e.inHelp || strings.Contains(said, value), "%s: %s", e.path, value)
				}
			}
		})
	}
}

// Where there is nothing, there is an empty array and no null.
func TestJSONOutputOfNothing(t *testing.T) {
	file := create(t, "# nobody\n")
	assert.Equal(t, "[]\n", string(jsonOf(t, "", "user", "list", "-f", file)))
	name, err := json.Marshal(file)
	require.NoError(t, err)
	assert.JSONEq(t, fmt.Sprintf(`{"file": %s, "users": []}`, name), string(jsonOf(t, "", "user", "import", "-f", file)))
	require.NoError(t, os.WriteFile(file, []byte("elton:"+strings.Replace(exampleHash, "$04$", "$10$", 1)+"\n"), 0o600))
	assert.JSONEq(t, fmt.Sprintf(`{"file": %s, "findings": [], "changes": [], "grants": []}`, name), string(jsonOf(t, "", "check", "--fix", "-f", file)))
}

// jsonOf is what a command writes with "-o json", whatever its exit status.
func jsonOf(t *testing.T, stdin string, args ...string) json.RawMessage {
	t.Helper()
	var out, errOut bytes.Buffer
	Main(slices.Concat([]string{program}, args, []string{"-o", "json"}), strings.NewReader(stdin), &out, &errOut)
	assert.True(t, json.Valid(out.Bytes()), "%q: %s%s", args, out.String(), errOut.String())
	return out.Bytes()
}

// wild are the files as people have them.
func wild(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../../testdata/wild/*.htpasswd")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return files
}

// verifyFiles comes to each reason that a file can be.
func verifyFiles(t *testing.T) (outputs []json.RawMessage) {
	folder := t.TempDir()
	for _, file := range []string{
		create(t, fileOf(t, "elton:d0cker")),
		create(t, fileOf(t, "elton:an0ther")),
		create(t, fileOf(t, "francis:d0cker")),
		create(t, strings.Replace(fileOf(t, "elton:d0cker"), ":", ":!", 1)),
		create(t, "elton:{SHA}kNoej8FsdG2erAqFiri5sSEd/XM=\n"),
		create(t, "elton:d\n"),
		create(t, "no entry\n"),
		filepath.Join(folder, "absent"),
		folder,
	} {
		outputs = append(outputs, jsonOf(t, "d0cker", "user", "verify", "elton", "--password-stdin", "-f", file))
	}
	return outputs
}

// verifyRegistries comes to each reason that a registry can be.
func verifyRegistries(t *testing.T) (outputs []json.RawMessage) {
	file := create(t, fileOf(t, "elton:d0cker"))
	ask := func(address string, args ...string) {
		args = slices.Concat([]string{"user", "verify", "elton", "--password-stdin", "--timeout", "60s", "-f", file, "--registry", address}, args)
		outputs = append(outputs, jsonOf(t, "d0cker", args...))
	}
	serve := func(challenge string, answers ...int) *httptest.Server {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			answer := answers[0]
			if r.Header.Get("Authorization") != "" {
				answer = answers[1]
			}
			w.Header().Set("WWW-Authenticate", challenge)
			w.WriteHeader(answer)
		}))
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		t.Cleanup(s.Close)
		return s
	}
	started := func(s *httptest.Server) *httptest.Server { s.Start(); return s }
	const login = "Basic realm=x"
	for _, answer := range []int{200, 400, 401, 503} {
		ask(started(serve(login, 401, answer)).URL)
	}
	ask(started(serve("", 200)).URL)
	ask(started(serve("Bearer realm=x", 401)).URL)
	ask(started(serve("", 301)).URL)

	plain := started(serve(login, 401, 200))
	ask("https://" + plain.Listener.Addr().String())
	plain.Close()
	ask(plain.URL)
	ask("http://192.0.2.1") // which is not asked
	tls := serve(login, 401, 200)
	tls.StartTLS()
	ask(tls.URL)
	certificate := create(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: tls.Certificate().Raw})))
	ask(tls.URL, "--ca-file", certificate)

	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(silent.Close)
	ask(silent.URL, "--timeout", "50ms")
	return outputs
}

// shapeOf is the one shape that all the values have, in the notation of the help
// with types: {user: string, cost: number|null}.
func shapeOf(t *testing.T, values []json.RawMessage) string {
	t.Helper()
	var (
		kinds    []string
		names    []string // of the fields of an object, in their order
		fields   = make(map[string][]json.RawMessage)
		elements []json.RawMessage
	)
	for _, value := range values {
		require.NotEmpty(t, value)
		kind := "number"
		switch value[0] {
		case '"':
			kind = "string"
		case 't', 'f':
			kind = "boolean"
		case 'n':
			kind = "null"
		case '[':
			kind = "array"
			var list []json.RawMessage
			require.NoError(t, json.Unmarshal(value, &list))
			elements = append(elements, list...)
		case '{':
			order := fieldNames(t, value)
			if !slices.Contains(kinds, "object") {
				names = order
			}
			require.Equal(t, names, order, "two objects in the same place")
			kind = "object"
			var object map[string]json.RawMessage
			require.NoError(t, json.Unmarshal(value, &object))
			for name, field := range object {
				fields[name] = append(fields[name], field)
			}
		}
		if !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	slices.SortFunc(kinds, func(a, b string) int { return strings.Compare(b, a) }) // null behind others
	for i, kind := range kinds {
		switch kind {
		case "array":
			kinds[i] = "[" + shapeOf(t, elements) + "]"
		case "object":
			for j, name := range names {
				names[j] = name + ": " + shapeOf(t, fields[name])
			}
			kinds[i] = "{" + strings.Join(names, ", ") + "}"
		}
	}
	return strings.Join(kinds, "|")
}

func fieldNames(t *testing.T, object json.RawMessage) (names []string) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(object))
	_, err := d.Token()
	require.NoError(t, err)
	for d.More() {
		name, err := d.Token()
		require.NoError(t, err)
		names = append(names, name.(string))
		var value json.RawMessage
		require.NoError(t, d.Decode(&value))
	}
	return names
}

// valuesOf returns each value at a path of names, through any array, once.
func valuesOf(t *testing.T, outputs []json.RawMessage, path string) (values []string) {
	t.Helper()
	var walk func(v any, path []string)
	walk = func(v any, path []string) {
		switch v := v.(type) {
		case []any:
			for _, element := range v {
				walk(element, path)
			}
		case map[string]any:
			walk(v[path[0]], path[1:])
		default:
			if s := fmt.Sprint(v); !slices.Contains(values, s) {
				values = append(values, s)
			}
		}
	}
	for _, output := range outputs {
		var v any
		require.NoError(t, json.Unmarshal(output, &v))
		walk(v, strings.Split(path, "."))
	}
	return values
}

// namesOf is a shape without the types, as the help has it.
func namesOf(shape string) string {
	for _, kind := range []string{": string", ": number", ": boolean", "|null"} {
		shape = strings.ReplaceAll(shape, kind, "")
	}
	return shape
}

package tokens

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/internal/testserver"
)

// A lab is a registry, with the token server that it sends its clients to.
type lab struct {
	*testserver.Registry
	server *testServer
	realm  string
}

func startLab(t *testing.T, program string) *lab {
	t.Helper()
	testserver.Need(t, program)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := newTestServer(t, t.TempDir(), rightsText)
	realm := serve(t, s, l)
	r := testserver.StartRegistry(t, program, testserver.RegistryConfig{Env: []string{
		"REGISTRY_AUTH=token",
		"REGISTRY_AUTH_TOKEN_REALM=" + realm,
		"REGISTRY_AUTH_TOKEN_SERVICE=" + s.Service,
		"REGISTRY_AUTH_TOKEN_ISSUER=" + s.Issuer,
		"REGISTRY_AUTH_TOKEN_ROOTCERTBUNDLE=" + filepath.Join(s.dir, "token.crt"),
		"REGISTRY_STORAGE_DELETE_ENABLED=true",
	}})
	return &lab{r, s, realm}
}

// serve runs the server until the test ends, and returns the address of its tokens.
func serve(t *testing.T, s *testServer, l net.Listener) string {
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		assert.NoError(t, <-ended)
	})
	return fmt.Sprintf("http://localhost:%d/token", l.Addr().(*net.TCPAddr).Port)
}

// An answer is what a registry has said.
type answer struct {
	status              int
	location, challenge string
}

var challengeParam = regexp.MustCompile(`(\w+)="([^"]*)"`)

// do does what a client does: it asks the registry, then the realm of the challenge
// for a token, and the registry again.
func (l *lab) do(t *testing.T, user, method, path, contentType string, body []byte) answer {
	t.Helper()
	first := l.send(t, method, path, contentType, body, "")
	if first.status != http.StatusUnauthorized {
		return first
	}
	params := url.Values{}
	realm := ""
	for _, m := range challengeParam.FindAllStringSubmatch(first.challenge, -1) {
		if m[1] == "realm" {
			realm = m[2]
		} else {
			params.Add(m[1], m[2])
		}
	}
	require.Equal(t, l.realm, realm)
	return l.send(t, method, path, contentType, body, getToken(t, realm+"?"+params.Encode(), user))
}

// getToken returns the token that the user gets there.
func getToken(t *testing.T, address, user string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	require.NoError(t, err)
	if user != "" {
		req.SetBasicAuth(user, password)
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	var answer struct{ Token string }
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&answer))
	return answer.Token
}

func (l *lab) send(t *testing.T, method, path, contentType string, body []byte, token string) answer {
	t.Helper()
	if !strings.HasPrefix(path, "http") {
		path = l.URL + path
	}
	req, err := http.NewRequestWithContext(t.Context(), method, path, bytes.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Accept", manifestType) // or 2.8 converts it to an older one
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := l.Client.Do(req)
	require.NoError(t, err)
	_, _ = io.Copy(io.Discard, resp.Body)
	require.NoError(t, resp.Body.Close())
	return answer{resp.StatusCode, resp.Header.Get("Location"), resp.Header.Get("WWW-Authenticate")}
}

// putBlob uploads content and returns its digest.
func (l *lab) putBlob(t *testing.T, user, repository string, content []byte) string {
	t.Helper()
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256(content))
	resp := l.do(t, user, http.MethodPost, "/v2/"+repository+"/blobs/uploads/", "", nil)
	require.Equal(t, http.StatusAccepted, resp.status)
	resp = l.do(t, user, http.MethodPut, resp.location+"&digest="+digest, "application/octet-stream", content)
	require.Equal(t, http.StatusCreated, resp.status)
	return digest
}

const manifestType = "application/vnd.docker.distribution.manifest.v2+json"

// putImage pushes an image, and returns the digest of its only blob.
func (l *lab) putImage(t *testing.T, user, repository string) string {
	t.Helper()
	config := []byte("{}")
	digest := l.putBlob(t, user, repository, config)
	manifest := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":"application/vnd.docker.container.image.v1+json","size":%d,"digest":%q},"layers":[]}`, manifestType, len(config), digest)
	resp := l.do(t, user, http.MethodPut, "/v2/"+repository+"/manifests/latest", manifestType, manifest)
	require.Equal(t, http.StatusCreated, resp.status)
	return digest
}

// rightsText is what the users of rightsTable may do.
const rightsText = `# user       actions     repositories
@dev = elton francis
elton        all         **               # delete and the catalog too
@dev         push        labs/**          # push implies pull
ci           push        labs/app tools/*
*            pull        public/**        # everyone, also without a login
@users       pull        shared
cleaner      delete      **
"el ton"     pull        labs/**/b
`

// rightsTable says who may do what of pull, push and delete; - is nothing, and
// nobody is who has not logged in.
const rightsTable = `
           labs   labs/app  labs/a/b  tools/x  tools/x/y  public/p  public  shared  other/labs/app
elton      ppd    ppd       ppd       ppd      ppd        ppd       ppd     ppd     ppd
francis    -      pp        pp        -        -          p         -       p       -
ci         -      pp        -         pp       -          p         -       p       -
stranger   -      -         -         -        -          p         -       p       -
cleaner    d      d         d         d        d          pd        d       pd      d
el_ton     -      -         p         -        -          p         -       p       -
nobody     -      -         -         -        -          p         -       -       -
`

func TestRegistries(t *testing.T) {
	for _, program := range testserver.Registries {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			l := startLab(t, program)
			rows := strings.Split(strings.TrimSpace(rightsTable), "\n")
			repositories := strings.Fields(rows[0])
			blob := ""
			for _, repository := range repositories {
				blob = l.putImage(t, "elton", repository)
			}
			t.Run("table", func(t *testing.T) { l.testTable(t, rows) })
			t.Run("mount", func(t *testing.T) { l.testMount(t, blob) })
			t.Run("tokens", l.testTokens)
			t.Run("clocks", l.testClocks)
			t.Run("two servers", l.testTwoServers)
			t.Run("edits", l.testEdits)
			t.Run("crane", l.testCrane)
		})
	}
}

func (l *lab) testTable(t *testing.T, rows []string) {
	cases := 0
	repositories := strings.Fields(rows[0])
	for _, row := range rows[1:] {
		cells := strings.Fields(row)
		user := strings.ReplaceAll(cells[0], "_", " ")
		if user == "nobody" {
			user = ""
		}
		for i, repository := range repositories {
			may := cells[i+1]
			for _, c := range []struct {
				method, path string
				allowed      bool
				status       int // if it is
			}{
				{http.MethodGet, "/manifests/latest", strings.HasPrefix(may, "p"), http.StatusOK},
				{http.MethodPost, "/blobs/uploads/", strings.HasPrefix(may, "pp"), http.StatusAccepted},
				{http.MethodDelete, "/manifests/sha256:" + strings.Repeat("0", 64), strings.HasSuffix(may, "d"), http.StatusNotFound},
			} {
				if !c.allowed {
					c.status = http.StatusUnauthorized
				}
				resp := l.do(t, user, c.method, "/v2/"+repository+c.path, "", nil)
				assert.Equal(t, c.status, resp.status, "%q %s %s", user, c.method, repository)
				if !c.allowed {
					assert.Contains(t, resp.challenge, "insufficient_scope")
				}
				cases++
			}
		}
		status := http.StatusUnauthorized
		if user == "elton" {
			status = http.StatusOK
		}
		assert.Equal(t, status, l.do(t, user, http.MethodGet, "/v2/_catalog", "", nil).status, "%q catalog", user)
		assert.Equal(t, http.StatusOK, l.do(t, user, http.MethodGet, "/v2/", "", nil).status, "%q login", user)
		cases += 2
	}
	assert.GreaterOrEqual(t, cases, 60)
}

func (l *lab) testMount(t *testing.T, blob string) {
	for _, tt := range []struct {
		user, from, to string
		status         int
	}{
		{"ci", "labs/app", "tools/new", http.StatusCreated},
		{"ci", "public/p", "tools/new2", http.StatusCreated},
		{"ci", "labs/a/b", "tools/new3", http.StatusUnauthorized},   // may not read there
		{"francis", "labs/app", "tools/x", http.StatusUnauthorized}, // may not write there
		{"", "public/p", "labs/app", http.StatusUnauthorized},
	} {
		resp := l.do(t, tt.user, http.MethodPost, "/v2/"+tt.to+"/blobs/uploads/?mount="+blob+"&from="+tt.from, "", nil)
		assert.Equal(t, tt.status, resp.status, "%+v", tt)
	}
	// A client that is denied the source asks for a token without it, and uploads.
	resp := l.do(t, "ci", http.MethodPost, "/v2/tools/new3/blobs/uploads/", "", nil)
	assert.Equal(t, http.StatusAccepted, resp.status)
}

func (l *lab) pull(t *testing.T, token string) int {
	t.Helper()
	return l.send(t, http.MethodGet, "/v2/labs/app/manifests/latest", "", nil, token).status
}

const pullScope = "?service=registry&scope=repository:labs/app:pull"

func (l *lab) testTokens(t *testing.T) {
	token := getToken(t, l.realm+pullScope, "francis")
	assert.Equal(t, http.StatusOK, l.pull(t, token))
	parts := strings.Split(token, ".")
	// Another token's claims, with the signature of this one.
	other := strings.Split(getToken(t, l.realm+pullScope, "elton"), ".")
	assert.Equal(t, http.StatusUnauthorized, l.pull(t, other[0]+"."+other[1]+"."+parts[2]))

	// Somebody else's CA.
	foreign := newTestServer(t, t.TempDir(), rightsText)
	assert.Equal(t, http.StatusUnauthorized, l.pull(t, foreign.token(t, "francis", pullScope)))

	// The key is replaced while tokens of the old one are good.
	l.server.signer.mu.Lock()
	l.server.signer.since = time.Now().Add(-2 * rotation)
	l.server.signer.mu.Unlock()
	rotated := getToken(t, l.realm+pullScope, "francis")
	assert.NotEqual(t, parts[0], strings.Split(rotated, ".")[0], "the certificate is another one")
	assert.Equal(t, http.StatusOK, l.pull(t, rotated))
	assert.Equal(t, http.StatusOK, l.pull(t, token))
}

func (l *lab) testClocks(t *testing.T) {
	defer l.server.setClock(0)
	for _, tt := range []struct {
		off    time.Duration
		status int
	}{
		{30 * time.Second, http.StatusOK},
		{-30 * time.Second, http.StatusOK},
		{-2*time.Minute - l.server.TTL, http.StatusUnauthorized}, // ended more than a minute ago
		{2 * time.Minute, http.StatusUnauthorized},               // not good yet
	} {
		l.server.setClock(tt.off)
		assert.Equal(t, tt.status, l.pull(t, getToken(t, l.realm+pullScope, "francis")), "%s", tt.off)
	}
}

func (l *lab) testTwoServers(t *testing.T) {
	second := newTestServer(t, l.server.dir, "")
	assert.Equal(t, http.StatusOK, l.pull(t, second.token(t, "francis", pullScope)))
	assert.Equal(t, http.StatusOK, l.pull(t, l.server.token(t, "francis", pullScope)))
}

// Each edit counts for the next token.
func (l *lab) testEdits(t *testing.T) {
	defer func() { l.server.setRights(t, rightsText) }()
	for i := range 300 {
		text, status := rightsText, http.StatusUnauthorized
		if i%2 == 0 {
			text, status = rightsText+"stranger pull labs/app\n", http.StatusOK
		}
		l.server.setRights(t, text)
		require.Equal(t, status, l.pull(t, l.server.token(t, "stranger", pullScope)), "edit %d", i)
	}
}

func (l *lab) testCrane(t *testing.T) {
	testserver.Need(t, "crane")
	dir := t.TempDir()
	layer := filepath.Join(dir, "layer.tar")
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	require.NoError(t, w.WriteHeader(&tar.Header{Name: "hello", Mode: 0o644, Size: 5}))
	_, err := w.Write([]byte("hello"))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, os.WriteFile(layer, b.Bytes(), 0o600))

	crane := func(user, password string, args ...string) (string, error) {
		t.Helper()
		config := t.TempDir()
		if user != "" {
			auth := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
			text := fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, l.Addr, auth)
			require.NoError(t, os.WriteFile(filepath.Join(config, "config.json"), []byte(text), 0o600))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		cmd := exec.CommandContext(ctx, "crane", args...)
		cmd.Env = append(os.Environ(), "DOCKER_CONFIG="+config)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	allowed := func(user string, args ...string) string {
		t.Helper()
		out, err := crane(user, password, args...)
		assert.NoError(t, err, "%s %s: %s", user, args, out)
		return strings.TrimSpace(out)
	}
	denied := func(user string, args ...string) {
		t.Helper()
		out, err := crane(user, password, args...)
		assert.Error(t, err, "%s %s", user, args)
		// The last is what crane says when it is asked for a token with a request half sent.
		assert.Regexp(t, "UNAUTHORIZED|401|DENIED|with Body length 0", out)
	}
	image := func(repository string) string { return l.Addr + "/" + repository + ":v1" }
	push := func(repository string) []string { return []string{"append", "-f", layer, "-t", image(repository)} }
	file := filepath.Join(dir, "image.tar")

	allowed("francis", push("labs/new")...)
	allowed("francis", "pull", image("labs/new"), file)
	allowed("elton", "push", file, image("public/new"))
	allowed("", "pull", image("public/new"), file)
	allowed("ci", "push", file, image("tools/new"))
	allowed("francis", "copy", image("public/new"), image("labs/copy"))
	assert.Contains(t, allowed("elton", "catalog", l.Addr), "labs/copy")
	digest := allowed("cleaner", "digest", image("public/new"))
	allowed("cleaner", "delete", l.Addr+"/public/new@"+digest)

	denied("", "pull", image("labs/new"), file)
	denied("", push("public/new")...)
	denied("stranger", "pull", image("labs/new"), file)
	denied("francis", push("tools/new")...)
	denied("francis", "delete", image("labs/new"))
	denied("francis", "catalog", l.Addr)

	out, err := crane("francis", "wrong", "pull", image("labs/new"), file)
	assert.Error(t, err)
	assert.Contains(t, out, "wrong user name or password")
}

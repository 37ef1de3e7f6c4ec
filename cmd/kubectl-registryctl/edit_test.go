package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/cli"
)

// Whether a write was made is told by the lines that it added and took away,
// whatever others have done since.
func TestWriteIsIn(t *testing.T) {
	for _, tt := range []struct {
		name          string
		before, after string
		now           string
		want          bool
	}{
		{"added", "a\n", "a\nb\n", "a\nb\n", true},
		{"not added", "a\n", "a\nb\n", "a\n", false},
		{"added, and another", "a\n", "a\nb\n", "a\nb\nc\n", true},
		{"not added, but another", "a\n", "a\nb\n", "a\nc\n", false},
		{"added, and the rest removed", "a\n", "a\nb\n", "b\n", true},
		{"added by another, with another hash", "a\n", "a\nb:1\n", "a\nb:2\n", false},
		{"removed", "a\nb\n", "a\n", "a\n", true},
		{"not removed", "a\nb\n", "a\n", "a\nb\n", false},
		{"removed, and another added", "a\nb\n", "a\n", "a\nc\n", true},
		{"changed", "a:1\nb\n", "a:2\nb\n", "a:2\nb\n", true},
		{"not changed", "a:1\nb\n", "a:2\nb\n", "a:1\nb\n", false},
		{"changed, and again by another", "a:1\n", "a:2\n", "a:3\n", false},
		{"a duplicate removed", "a\na\n", "a\n", "a\n", true},
		{"a duplicate not removed", "a\na\n", "a\n", "a\na\n", false},
		{"added to a text without a last newline", "a", "a\nb\n", "a\nb\n", true},
		{"nothing but a last newline", "a", "a\n", "a\n", true},
		{"not even a last newline", "a", "a\n", "a", false},
		{"made", "", "a\n", "a\n", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			assert.Equal(t, tt.want, write{before: []byte(tt.before), after: []byte(tt.after)}.isIn([]byte(tt.now)))
		})
	}
}

// A fakeServer keeps one Secret, and fails as it is told.
type fakeServer struct {
	mu       sync.Mutex
	object   map[string]any
	version  int
	requests []string                                // their methods
	failing  func(put int) (before, after fakeFault) // of each PUT, counted from 1
}

// A fakeFault is what goes wrong before or after a write.
type fakeFault int

const (
	none     fakeFault = iota
	hangUp             // the connection breaks
	conflict           // another edit comes first
	internal           // 500
	invalid            // 422
	tooLong            // 504
)

func newFakeServer(t *testing.T, text string) (*fakeServer, *secret) {
	t.Helper()
	f := &fakeServer{version: 1, failing: func(int) (before, after fakeFault) { return none, none }}
	f.object = map[string]any{
		"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
		"metadata": map[string]any{"name": "name", "namespace": "ns", "uid": "u", "labels": map[string]any{"app": "registry"}, "newerField": []any{"kept"}},
		"data":     map[string]any{"htpasswd": base64.StdEncoding.EncodeToString([]byte(text)), "other": "AP8="},
		"newer":    map[string]any{"number": json.Number("9007199254740993"), "nothing": nil},
	}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	return f, newSecret(t, server.URL)
}

// newSecret returns one that a server at this address has.
func newSecret(t *testing.T, url string) *secret {
	t.Helper()
	client, err := newClient(&rest.Config{Host: url, QPS: -1})
	require.NoError(t, err)
	client.once = true
	p := newProgram()
	p.Commands() // has the flags
	p.Stdout, p.Stderr = new(said), new(said)
	return &secret{
		program: p, client: client, namespace: "ns", name: "name", fieldManager: defaultManager,
		options: cli.OpenOptions{Access: cli.ToEdit}, patience: 5 * time.Second,
	}
}

// said is what the program has said, also from another goroutine.
type said struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *said) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(text)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func (f *fakeServer) text(t *testing.T) string {
	t.Helper()
	text, err := base64.StdEncoding.DecodeString(f.object["data"].(map[string]any)["htpasswd"].(string))
	require.NoError(t, err)
	return string(text)
}

func (f *fakeServer) puts() int {
	return strings.Count(strings.Join(f.requests, " "), http.MethodPut)
}

func (f *fakeServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, r.Method)
	before, after := none, none
	if r.Method == http.MethodPut {
		before, after = f.failing(f.puts())
	}
	if !fails(w, before) {
		return
	}
	if before == conflict {
		f.version++
	}
	metadata := f.object["metadata"].(map[string]any)
	metadata["resourceVersion"] = strconv.Itoa(f.version)
	if r.Method == http.MethodPut {
		var object map[string]any
		decoder := json.NewDecoder(r.Body)
		decoder.UseNumber()
		if err := decoder.Decode(&object); err != nil {
			panic(err)
		}
		if object["metadata"].(map[string]any)["resourceVersion"] != metadata["resourceVersion"] {
			answer(w, http.StatusConflict, "Conflict")
			return
		}
		f.object = object
		f.version++
	}
	if fails(w, after) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(f.object)
	}
}

// fails makes the fault, and reports whether to go on.
func fails(w http.ResponseWriter, fault fakeFault) bool {
	switch fault {
	case hangUp:
		panic(http.ErrAbortHandler)
	case internal:
		answer(w, http.StatusInternalServerError, "InternalError")
	case tooLong:
		answer(w, http.StatusGatewayTimeout, "Timeout")
	case invalid:
		answer(w, http.StatusUnprocessableEntity, "Invalid")
	default:
		return true
	}
	return false
}

func answer(w http.ResponseWriter, code int, reason string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]any{"apiVersion": "v1", "kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": "as told"})
}

func mustHash(t *testing.T) htpasswd.Hash {
	t.Helper()
	h, err := htpasswd.ParseHash(hash)
	require.NoError(t, err)
	return h
}

// An edit is made once and reported right, whatever goes wrong on the way.
func TestEdit(t *testing.T) {
	const elton = "elton:x\n"
	for _, tt := range []struct {
		name          string
		before, after fakeFault
		times         int // of the first PUTs
		puts          int
		err           string
		written       bool
	}{
		{name: "nothing", puts: 1, written: true},
		{name: "another edit is faster", before: conflict, times: 3, puts: 4, written: true},
		{name: "others always are", before: conflict, times: 1 << 30, err: "others kept changing secret ns/name for 1s; nothing was written"},
		{name: "the connection breaks before it is written", before: hangUp, times: 2, puts: 3, written: true},
		{name: "the connection breaks after it was written", after: hangUp, times: 1, puts: 1, written: true},
		{name: "the connection always breaks before", before: hangUp, times: 1 << 30, err: "there was no clear answer to the write of secret ns/name, which may or may not have succeeded"},
		{name: "the server has a moment", before: internal, times: 2, puts: 3, written: true},
		{name: "the server has a moment after it was written", after: internal, times: 1, puts: 1, written: true},
		{name: "the server always fails", before: internal, times: 1 << 30, err: "nothing was written: the cluster refused the request: as told"},
		{name: "the server or a proxy has not waited for it", before: tooLong, times: 1 << 30, err: "there was no clear answer to the write of secret ns/name, which may or may not have succeeded"},
		{name: "the server refuses it", before: invalid, times: 1 << 30, puts: 1, err: "the cluster refused the request: as told"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, s := newFakeServer(t, elton)
			if tt.times > 10 {
				s.patience = time.Second
			}
			f.failing = func(put int) (before, after fakeFault) {
				if put <= tt.times {
					return tt.before, tt.after
				}
				return none, none
			}
			changed, err := s.Update(t.Context(), func(f *htpasswd.File) error { return f.Add("francis", mustHash(t)) })
			f.mu.Lock()
			defer f.mu.Unlock()
			if tt.err != "" {
				require.ErrorContains(t, err, tt.err)
			} else {
				require.NoError(t, err)
			}
			assert.Equal(t, tt.written, changed)
			if tt.puts > 0 {
				assert.Equal(t, tt.puts, f.puts())
			}
			want := elton
			if tt.written {
				want += "francis:" + hash + "\n"
			}
			assert.Equal(t, want, f.text(t))
		})
	}
}

// An edit changes its key and no other byte of what the server has, also what
// this program cannot know of; one that changes nothing sends nothing.
func TestEditKeepsTheRest(t *testing.T) {
	f, s := newFakeServer(t, "elton:x\n")
	others := func() string {
		data := f.object["data"].(map[string]any)
		text := data["htpasswd"]
		delete(data, "htpasswd")
		delete(f.object["metadata"].(map[string]any), "resourceVersion")
		json, err := json.Marshal(f.object)
		require.NoError(t, err)
		data["htpasswd"] = text
		return string(json)
	}
	before := others()
	changed, err := s.Update(t.Context(), func(f *htpasswd.File) error { return f.Rename("elton", "gordon") })
	require.NoError(t, err)
	assert.True(t, changed)
	assert.Equal(t, "gordon:x\n", f.text(t))
	assert.Equal(t, before, others())

	changed, err = s.Update(t.Context(), func(*htpasswd.File) error { return nil })
	require.NoError(t, err)
	assert.False(t, changed)
	assert.Equal(t, 1, f.puts())
}

// An edit takes two requests: what Read has found is what Update edits, if nobody
// else has edited it meanwhile. Before a prompt there is a review of the rights.
func TestRequestsOfEdit(t *testing.T) {
	add := func(f *htpasswd.File) error { return f.Add("francis", mustHash(t)) }
	f, s := newFakeServer(t, "")
	_, err := s.Read(t.Context())
	require.NoError(t, err)
	_, err = s.Update(t.Context(), add)
	require.NoError(t, err)
	assert.Equal(t, []string{http.MethodGet, http.MethodPut}, f.requests)

	f, s = newFakeServer(t, "")
	s.options.Prompt = true
	_, err = s.Read(t.Context())
	require.NoError(t, err)
	f.version++ // somebody else
	_, err = s.Update(t.Context(), add)
	require.NoError(t, err)
	assert.Equal(t, []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodGet, http.MethodPut}, f.requests)
}

// Who interrupts an edit is told what became of it: a write that is under way is
// waited for, the next try is not.
func TestInterrupt(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault fakeFault
		err   string
	}{
		{"while it is written", none, ""},
		{"while it is tried again", conflict, "context canceled"},
		{"while the server is away", internal, "context canceled"},
		{"while nothing answers", hangUp, "may or may not have succeeded: context canceled"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, s := newFakeServer(t, "")
			s.patience = time.Hour
			ctx, cancel := context.WithCancel(t.Context())
			f.failing = func(int) (before, after fakeFault) {
				cancel()
				return tt.fault, none
			}
			changed, err := s.Update(ctx, func(f *htpasswd.File) error { return f.Add("elton", mustHash(t)) })
			if tt.err == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, tt.err)
			}
			assert.Equal(t, tt.err == "", changed)
			assert.Equal(t, tt.err == "", f.text(t) != "")
			assert.Equal(t, 1, f.puts())
		})
	}
}

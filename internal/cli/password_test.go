package cli

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/htpasswd"
)

// No password is set that nobody could see.
func TestGenerateWithoutOutput(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	require.NoError(t, err)
	defer null.Close()
	closed, err := os.Create(filepath.Join(t.TempDir(), "closed"))
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	for _, out := range []*os.File{null, closed} {
		file := create(t, "elton:"+exampleHash+"\n")
		var said strings.Builder
		status := Main([]string{program, "user", "passwd", "elton", "--generate", "--cost", "4", "-f", file}, nil, out, &said)
		assert.Equal(t, int(exitIO), status, said.String())
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Equal(t, "elton:"+exampleHash+"\n", string(text))
	}
}

// The variable of --password-env is gone as soon as the flag is read.
func TestPasswordEnvIsRemoved(t *testing.T) {
	t.Setenv("PW", "d0cker")
	var e envFlag
	require.NoError(t, e.Set("PW"))
	assert.Equal(t, envFlag{"PW", "d0cker", true}, e)
	_, found := os.LookupEnv("PW")
	assert.False(t, found)
}

// A password is overwritten once it is hashed or compared, and so is the buffer that
// it was read into.
func TestPasswordIsOverwritten(t *testing.T) {
	p := newRegistryctl()
	p.Stderr = new(bytes.Buffer)
	none := make([]byte, len("d0cker"))

	c := credential{password: []byte("d0cker")}
	hash, err := new(newPassword).encode(t.Context(), p, c, htpasswd.MinCost)
	require.NoError(t, err)
	assert.Equal(t, none, c.password)

	password := []byte("d0cker")
	found := userVerify{program: p, user: "elton"}.compare(t.Context(), htpasswd.Entry{User: "elton", Hash: hash}, password)
	require.NoError(t, found.err)
	assert.Equal(t, none, password)

	in := &seenReader{text: "d0cker\n"}
	line, _, err := decodeLine(t.Context(), in)
	require.NoError(t, err)
	assert.Equal(t, "d0cker", string(line))
	assert.Equal(t, none, in.buffer[:len(none)])
}

// A seenReader keeps the buffer that its text was read into.
type seenReader struct {
	text   string
	buffer []byte
}

func (r *seenReader) Read(b []byte) (int, error) {
	n := copy(b, r.text)
	if n == 0 {
		return 0, io.EOF
	}
	r.buffer, r.text = b, r.text[n:]
	return n, nil
}

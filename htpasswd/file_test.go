package htpasswd

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/internal/testserver"
)

// Hashes of "d0cker" and of "r3gL4b" at cost 4, made by this package.
const (
	dockerHash = "$2y$04$nqgXJbxWx3BLfgdqva9c2uIJ6shG6Bg8r44Hvx9v3Hq9wiT2Bt0wC"
	otherHash  = "$2y$04$VQv2x9Mu.Z/5wjFHTZV6a.8OfTJf8hC7f.iAFWm0Z7/4dRkNzoplK"
)

func parseHash(t testing.TB, text string) Hash {
	t.Helper()
	h, err := ParseHash(text)
	require.NoError(t, err)
	return h
}

func mustParse(t testing.TB, text string) *File {
	t.Helper()
	f, err := Parse([]byte(text))
	require.NoError(t, err)
	return f
}

func text(t testing.TB, f *File) string {
	t.Helper()
	var b strings.Builder
	n, err := f.WriteTo(&b)
	require.NoError(t, err)
	require.EqualValues(t, b.Len(), n)
	return b.String()
}

func TestParseReadsWhatTheRegistryReads(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string // user@line
	}{
		"empty":                   {"", nil},
		"one":                     {"elton:h\n", []string{"elton@1"}},
		"no final newline":        {"elton:h", []string{"elton@1"}},
		"CRLF":                    {"elton:h\r\nfrancis:h\r\n", []string{"elton@1", "francis@2"}},
		"lone CR is no line end":  {"elton:h\rfrancis:h\r", []string{"elton@1"}},
		"comments and blanks":     {"# a:b\n\n \t\n  # c:d\nelton:h\n", []string{"elton@5"}},
		"blanks around a line":    {" \u00a0elton:h \u2003\n", []string{"elton@1"}},
		"a blank before a colon":  {"elton :h\n", []string{"elton @1"}},
		"first colon":             {"elton:h:third\n", []string{"elton@1"}},
		"no name":                 {":h\n", []string{"@1"}},
		"no hash":                 {"elton:\n", []string{"elton@1"}},
		"twice":                   {"elton:a\nfrancis:b\nelton:c\n", []string{"elton@1", "francis@2", "elton@3"}},
		"byte order mark":         {"\ufeffelton:h\n", []string{"\ufeffelton@1"}},
		"Chinese":                 {"王小明:h\n", []string{"王小明@1"}},
		"65,535 bytes":            {"a:" + strings.Repeat("x", 65533) + "\nb:h\n", []string{"a@1", "b@2"}},
		"65,535 bytes at the end": {"a:" + strings.Repeat("x", 65533), []string{"a@1"}},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Parse([]byte(c.text))
			require.NoError(t, err)
			var got []string
			for e := range f.All() {
				got = append(got, fmt.Sprintf("%s@%d", e.User, e.Line))
			}
			assert.Equal(t, c.want, got)
			assert.Equal(t, c.text, text(t, f))
		})
	}
}

func TestParseRefusesWhatTheRegistryRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		line int
		err  error
	}{
		"no colon":                {"a:h\nb\n", 2, ErrNoColon},
		"no colon, last":          {"a:h\n\n# c\nb", 4, ErrNoColon},
		"byte order mark":         {"\ufeff# users\n", 1, ErrNoColon},
		"65,536 bytes":            {"a:h\nb:" + strings.Repeat("x", 65534) + "\n", 2, ErrLineTooLong},
		"65,536 bytes with CR":    {"b:" + strings.Repeat("x", 65533) + "\r\n", 1, ErrLineTooLong},
		"65,536 bytes of comment": {"#" + strings.Repeat(":", 65535), 1, ErrLineTooLong},
		"UTF-16LE":                {"\xff\xfea\x00:\x00h\x00", 1, ErrUTF16},
		"UTF-16BE":                {"\xfe\xff\x00a\x00:\x00h", 1, ErrUTF16},
		"UTF-16LE without mark":   {"a\x00:\x00h\x00", 1, ErrUTF16},
		"cut UTF-16":              {"\xff\xfea\x00:", 1, ErrUTF16},
		// With a line added to it, this would be UTF-16.
		"3 bytes of UTF-16BE": {"\x00:\x00", 1, ErrUTF16},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Parse([]byte(c.text))
			var perr *ParseError
			require.ErrorAs(t, err, &perr)
			assert.Equal(t, c.line, perr.Line)
			require.ErrorIs(t, err, c.err)

			// What is there can be read, and nothing edits it.
			h := parseHash(t, dockerHash)
			require.ErrorIs(t, f.Add("new", h), c.err)
			require.ErrorIs(t, f.Set("a", h), c.err)
			require.ErrorIs(t, f.Remove("a"), c.err)
			require.ErrorIs(t, f.Rename("a", "b"), c.err)
			assert.Equal(t, c.text, text(t, f))
		})
	}
}

func TestUTF16CanBeRead(t *testing.T) {
	f, err := Parse([]byte("\xff\xfee\x00:\x00h\x00\r\x00\n\x00"))
	require.ErrorIs(t, err, ErrUTF16)
	_, ok := f.Lookup("e")
	assert.True(t, ok)
}

func TestLookupTakesTheLastLine(t *testing.T) {
	f, err := Parse([]byte("a:" + otherHash + "\n\nb:y\na:" + dockerHash + "\n"))
	require.NoError(t, err)
	e, ok := f.Lookup("a")
	require.True(t, ok)
	assert.Equal(t, 4, e.Line)
	assert.Equal(t, dockerHash, e.Hash.Encoded())
	_, ok = f.Lookup("c")
	assert.False(t, ok)

	require.NoError(t, f.Remove("b"))
	e, _ = f.Lookup("a")
	assert.Equal(t, 3, e.Line, "of the text as it is now")
}

func TestVerify(t *testing.T) {
	f := new(File)
	h, err := HashPassword([]byte("d0cker"), MinCost)
	require.NoError(t, err)
	require.NoError(t, f.Add("elton", h))
	require.NoError(t, f.Verify("elton", []byte("d0cker")))
	require.ErrorIs(t, f.Verify("elton", []byte("docker")), ErrMismatch)
	require.ErrorIs(t, f.Verify("francis", []byte("d0cker")), ErrUserNotFound)
}

func seed(f *testing.F) {
	for _, s := range []string{
		"", "\n", "a:h", "a:h\r\nb:h\r\n", "# c\n\n a:h \n", "a:h\nb\n", ":\n", "a:\n", "\ufeffa:h\n",
		"\xff\xfea\x00:\x00h\x00", "a:" + dockerHash + "\na:" + otherHash, "a:h\rb:h\r", "a :h:t\n\xa0:\xff\n",
		"a:" + dockerHash + "b:" + dockerHash + "\n", "a: !" + dockerHash + "b:\n",
	} {
		f.Add([]byte(s), "a", "b")
	}
}

func FuzzParse(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, in []byte, _, _ string) {
		file, err := Parse(in)
		require.Equal(t, string(in), text(t, file))
		want, ok := testserver.RegistryReads(string(in))
		if err == nil {
			require.True(t, ok)
			users := make(map[string]bool)
			for e := range file.All() {
				users[e.User] = true
			}
			require.Len(t, users, len(want))
			for user, hash := range want {
				e, found := file.Lookup(user)
				require.True(t, found)
				require.True(t, strings.HasPrefix(hash, e.Hash.Encoded()))
			}
		} else {
			var perr *ParseError
			require.ErrorAs(t, err, &perr)
			require.True(t, !ok || errors.Is(err, ErrUTF16))
		}
	})
}

func TestUsersYieldsEachOnce(t *testing.T) {
	f := mustParse(t, "b:1\n# a:2\na:3\n\nb:4\n:5\n")
	require.Equal(t, []string{"b", "a", ""}, slices.Collect(f.Users()))
	require.NoError(t, f.Remove("b"))
	require.NoError(t, f.Rename("a", "c"))
	require.Equal(t, []string{"c", ""}, slices.Collect(f.Users()))
}

// What a program prints of a File, on purpose or not, holds no hash.
func TestFilePrintsNoHash(t *testing.T) {
	f := mustParse(t, "elton:"+dockerHash+"\n")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		assert.Equal(t, "htpasswd.File", fmt.Sprintf(verb, f), verb)
	}
	var out strings.Builder
	slog.New(slog.NewTextHandler(&out, nil)).Info("read", "file", f, "hash", parseHash(t, dockerHash))
	asJSON, err := json.Marshal(map[string]any{"file": f, "hash": parseHash(t, dockerHash)})
	require.NoError(t, err)
	assert.NotContains(t, out.String()+string(asJSON), "$")
	assert.JSONEq(t, `{"file":{},"hash":"bcrypt(4)"}`, string(asJSON))
}

func TestParseKeepsNoReferenceToItsText(t *testing.T) {
	in := []byte("elton:x\n")
	f, err := Parse(in)
	require.NoError(t, err)
	copy(in, "frank:y")
	assert.Equal(t, "elton:x\n", text(t, f))
}

package htpasswd

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"
)

func TestHashPassword(t *testing.T) {
	h, err := HashPassword([]byte("d0cker"), 5)
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(h.Encoded(), "$2y$05$"))
	assert.Equal(t, Bcrypt, h.Scheme())
	cost, ok := h.Cost()
	assert.True(t, ok)
	assert.Equal(t, 5, cost)
	require.NoError(t, h.Verify([]byte("d0cker")))
	require.ErrorIs(t, h.Verify([]byte("d0cker ")), ErrMismatch)
	require.NoError(t, bcrypt.CompareHashAndPassword([]byte(h.Encoded()), []byte("d0cker")), "as the registry does it")
}

func TestHashPasswordRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		password string
		cost     int
		err      error
	}{
		"empty":     {"", 4, ErrInvalidPassword},
		"73 bytes":  {strings.Repeat("x", 73), 4, ErrInvalidPassword},
		"NUL":       {"pw\x00pw", 4, ErrInvalidPassword},
		"cost 3":    {"pw", 3, ErrInvalidCost},
		"cost 21":   {"pw", 21, ErrInvalidCost},
		"cost -1":   {"pw", -1, ErrInvalidCost},
		"cost 0":    {"pw", 0, nil},
		"72 bytes":  {strings.Repeat("x", 72), 4, nil},
		"any bytes": {"\xff\xfe 王", 4, nil},
	} {
		t.Run(name, func(t *testing.T) {
			h, err := HashPassword([]byte(c.password), c.cost)
			require.ErrorIs(t, err, c.err)
			if err == nil {
				require.NoError(t, h.Verify([]byte(c.password)))
			}
		})
	}
}

func TestParseHash(t *testing.T) {
	for text, want := range map[string]string{
		dockerHash:                             "bcrypt(4)",
		"$2a$20" + dockerHash[6:]:              "bcrypt(20)",
		"$2b$10" + dockerHash[6:]:              "bcrypt(10)",
		"$2x$12" + dockerHash[6:]:              "bcrypt(12)",
		"$2z$10" + dockerHash[6:]:              "bcrypt(10)", // as the registry reads it
		"$2$+5" + dockerHash[6:]:               "bcrypt(5)",
		"$apr1$r31...1$HqJZimcKQFAMYayBlzkrA/": "apr1",
		"{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=":    "sha1",
	} {
		h, err := ParseHash(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, h.String())
		assert.Equal(t, text, h.Encoded())
	}
	for _, text := range []string{
		"{PLAIN}d0cker", "abcdefghijklm", "$2a$31" + dockerHash[6:], // nobody can verify these, or not within a day
		"", "d0cker", dockerHash[:59], dockerHash + "x", dockerHash + "\n", " " + dockerHash,
		"$2y$03" + dockerHash[6:], "$2y$32" + dockerHash[6:], "$2y$1x" + dockerHash[6:],
		"$2y$10$" + strings.Repeat("!", 53), "$$2y$$10$$" + dockerHash[7:],
	} {
		_, err := ParseHash(text)
		require.ErrorIs(t, err, ErrUnsupportedHash, text)
	}
}

func TestForeignHashesAreVerified(t *testing.T) {
	h := parseHash(t, "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=")
	require.NoError(t, h.Verify([]byte("password")))
	require.ErrorIs(t, h.Verify([]byte("Password")), ErrMismatch)
	require.ErrorIs(t, Hash{}.Verify(nil), ErrUnsupportedHash)
	require.ErrorIs(t, newHash("plain").Verify([]byte("plain")), ErrUnsupportedHash)
	require.ErrorIs(t, newHash("").Verify(nil), ErrUnsupportedHash)
}

// However a Hash is printed, also as part of something else, its text is not.
func TestHashIsNotPrinted(t *testing.T) {
	h := parseHash(t, dockerHash)
	inside := struct {
		Exported   Hash
		unexported Hash
		all        []Entry
	}{h, h, []Entry{{"elton", h, 1}}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X", "%T", "%p"} {
		for _, v := range []any{h, &h, inside, &inside, []Hash{h}, map[string]Hash{"elton": h}, Entry{"elton", h, 1}} {
			out := fmt.Sprintf(verb, v)
			assert.NotContains(t, out, dockerHash[7:], verb)
			assert.NotContains(t, strings.ToLower(out), fmt.Sprintf("%x", dockerHash[7:]), verb)
		}
	}
	out, err := json.Marshal(inside)
	require.NoError(t, err)
	assert.NotContains(t, string(out), dockerHash[7:])
	assert.Equal(t, "bcrypt(4)", fmt.Sprint(h))
	assert.Equal(t, "unknown", fmt.Sprint(Hash{}))
}

func TestDisabled(t *testing.T) {
	f := mustParse(t, "elton:"+dockerHash+"\n")
	require.NoError(t, f.Verify("elton", []byte("d0cker")))
	require.NoError(t, f.Disable("elton"))
	require.ErrorIs(t, f.Verify("elton", []byte("d0cker")), ErrUnsupportedHash)
	e, _ := f.Lookup("elton")
	assert.Equal(t, Scheme(""), e.Hash.Scheme())
	assert.Equal(t, "disabled bcrypt(4)", e.Hash.String())
	before, ok := e.Hash.Disabled()
	require.True(t, ok)
	require.NoError(t, before.Verify([]byte("d0cker")))
	require.NoError(t, f.Enable("elton"))
	require.NoError(t, f.Verify("elton", []byte("d0cker")))
	_, ok = parseHash(t, dockerHash).Disabled()
	require.False(t, ok)
}

func TestErrorsHoldNothingSecret(t *testing.T) {
	f, err := Parse([]byte("elton:" + dockerHash + "\nsecret line\n"))
	assert.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), "secret")
	assert.NotContains(t, fmt.Sprintf("%v", f.Add("elton", Hash{})), "elton")
	_, err = ParseHash("secret")
	assert.NotContains(t, err.Error(), "secret")
}

package charset

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDecode(t *testing.T) {
	for in, want := range map[string]string{
		"":                               "",
		"pw":                             "pw",
		"\xffpw":                         "\xffpw",
		"p\x00w\x00":                     "p\x00w\x00", // no mark: it may be meant
		"\ufeffpw":                       "pw",
		"\xff\xfep\x00w\x00":             "pw",
		"\xfe\xff\x00p\x00w":             "pw",
		"\xff\xfe\x3d\xd8\x00\xde":       "😀",
		"\xff\xfe":                       "",
		"\xff\xfe\xc6\x5b\x01\x78\n\x00": "密码\n",
	} {
		got, err := Decode([]byte(in))
		require.NoError(t, err, "%q", in)
		assert.Equal(t, want, string(got), "%q", in)
	}
	for _, in := range []string{"\xff\xfep", "\xff\xfe\x00\xd8", "\xff\xfe\x00\xd8p\x00", "\xff\xfe\x00\xde\x00\xd8"} {
		_, err := Decode([]byte(in))
		require.ErrorIs(t, err, ErrUTF16, "%q", in)
	}
}

func TestUTF16Order(t *testing.T) {
	for _, in := range []string{"\xff\xfe", "\xfe\xff", "e\x00:\x00", "\x00e\x00:"} {
		_, ok := UTF16Order([]byte(in))
		assert.True(t, ok, "%q", in)
	}
	for _, in := range []string{"", "elton:x", "e\x00:x", "\x00\x00\x00\x00", "e\x00"} {
		_, ok := UTF16Order([]byte(in))
		assert.False(t, ok, "%q", in)
	}
}

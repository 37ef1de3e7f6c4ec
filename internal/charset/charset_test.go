package charset

import (
	"strings"
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
	const record = ":$2y$04$nqgXJbxW"
	for in, want := range map[string]struct{ utf16, mixed bool }{
		"\xff\xfe":   {utf16: true},
		"\xfe\xff":   {utf16: true},
		"e\x00:\x00": {utf16: true},
		"\x00e\x00:": {utf16: true},
		"\xff\xfe\xc6\x5b:\x00" + strings.Repeat("x\x00", 60):       {utf16: true},
		"\xff\xfea\x00:\x00" + strings.Repeat("x\x00", 60) + "b:xx": {utf16: true},
		"\xff\xfea\x00:\x00x\x00b" + record:                         {mixed: true},
		"\xfe\xff\x00a\x00:\x00x\nb" + record:                       {mixed: true},
		"a\x00b\x00:x\nelton" + record:                              {mixed: true},
		"\xff\xfeelton" + record:                                    {mixed: true},
		"":                                                          {},
		"elton" + record:                                            {},
		"e\x00:x":                                                   {},
		"\x00\x00\x00\x00":                                          {},
		"e\x00":                                                     {},
		"\x00e\x00:\x00":                                            {utf16: true}, // as with the LF that ends the line
		"\x00:\x00":                                                 {utf16: true},
		"e\x00:\x00\x00\xd8":                                        {},
	} {
		_, ok := UTF16Order(in)
		assert.Equal(t, want.utf16, ok, "%q", in)
		assert.Equal(t, want.mixed, IsMixed(in), "%q", in)
	}
}

package crypt

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What this package makes of the schemes that testdata/vectors has. What htpasswd -p writes is none.
var schemes = map[string]struct{ known, verified bool }{
	Bcrypt:      {known: true, verified: true},
	APR1:        {known: true, verified: true},
	MD5Crypt:    {known: true, verified: true},
	SHA1:        {known: true, verified: true},
	SSHA:        {known: true, verified: true},
	SHA256Crypt: {known: true, verified: true},
	SHA512Crypt: {known: true, verified: true},
	DESCrypt:    {known: true},
	Plain:       {known: true},
	Yescrypt:    {known: true},
	"unmarked":  {},
}

type vector struct {
	password []byte
	encoded  string
}

// readVectors reads testdata/vectors: SCHEME.ORIGIN.txt, where comments come first, and then lines of password, tab and hash.
func readVectors(t testing.TB) map[string][]vector {
	names, err := filepath.Glob("../../testdata/vectors/*.txt")
	require.NoError(t, err)
	files := map[string][]vector{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
		require.True(t, strings.HasPrefix(lines[0], "# "), "%s does not name its origin", name)
		for len(lines) > 0 && strings.HasPrefix(lines[0], "# ") {
			lines = lines[1:]
		}
		name = filepath.Base(name)
		for _, line := range lines {
			password, encoded, ok := strings.Cut(line, "\t")
			require.True(t, ok, "%s: a line without a tab", name)
			files[name] = append(files[name], vector{[]byte(password), encoded})
		}
		require.NotEmpty(t, files[name], name)
	}
	return files
}

func schemeOf(file string) string {
	scheme, _, _ := strings.Cut(file, ".")
	return scheme
}

func TestVectors(t *testing.T) {
	missing := map[string]bool{}
	for scheme := range schemes {
		missing[scheme] = true
	}
	for file, vectors := range readVectors(t) {
		scheme := schemeOf(file)
		require.Contains(t, schemes, scheme, file)
		delete(missing, scheme)
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			for _, v := range vectors {
				gotScheme, n := Scan(v.encoded)
				switch want := schemes[scheme]; {
				case want.verified:
					assert.Equal(t, scheme, gotScheme, "%q", v)
					assert.Equal(t, len(v.encoded), n, "%q", v)
					assert.NoError(t, Verify(v.encoded, v.password), "%q", v)
					for _, other := range otherPasswords(v.password) {
						assert.ErrorIs(t, Verify(v.encoded, other), ErrMismatch, "%q with %q", v, other)
					}
				case want.known:
					assert.Equal(t, scheme, gotScheme, "%q", v)
					assert.Equal(t, len(v.encoded), n, "%q", v)
					assert.ErrorIs(t, Verify(v.encoded, v.password), ErrUnsupported, "%q", v)
				default:
					assert.Empty(t, gotScheme, "%q", v)
					assert.Zero(t, n, "%q", v)
					assert.ErrorIs(t, Verify(v.encoded, v.password), ErrUnsupported, "%q", v)
				}
			}
		})
	}
	assert.Empty(t, missing, "schemes without a vector")
}

// otherPasswords are near to the given one: the last byte is changed, or gone.
func otherPasswords(password []byte) [][]byte {
	if len(password) == 0 {
		return [][]byte{{'x'}} // not NUL, which bcrypt cannot tell from nothing
	}
	last := len(password) - 1
	changed := append([]byte(nil), password...)
	changed[last] ^= 1
	return [][]byte{changed, password[:last]}
}

// A hash that is changed in one place verifies no more, wherever that is.
func TestVerifyChangedHash(t *testing.T) {
	for encoded, password := range map[string]string{
		"$apr1$39q02AtV$GcO5CSjo/G0YFNm3dvv5z.":                     "",
		"$1$x.$LV6ONbTTdHslNG4XDWbJ80":                              "a",
		"{SHA}hvfkN/qlp/zhXR3cuerq6jd2Z7g=":                         "a",
		"{SSHA}p4h+p4bGWpFuP5W30GiAMTBkb4ebVv2cUAAELg==":            "a",
		"$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5": "Hello world!",
		"$6$rounds=1234$./short$EIJXgOPNPL2BQHvBRAVnrvh7N/2I4wF9D42/oZiAUOc5ZDzQUaDXQhReBh8ZHKoUjviXts2M8/y2DlQ9t3xQm/": "a",
	} {
		require.NoError(t, Verify(encoded, []byte(password)), encoded)
		for i := range encoded {
			to := "A"
			if encoded[i] == 'A' {
				to = "B"
			}
			assert.Error(t, Verify(encoded[:i]+to+encoded[i+1:], []byte(password)), "%s at %d", encoded, i)
		}
		assert.ErrorIs(t, Verify(encoded[:len(encoded)-1], []byte(password)), ErrUnsupported, "%s, cut", encoded)
		assert.ErrorIs(t, Verify(encoded+"A", []byte(password)), ErrUnsupported, "%s, longer", encoded)
		assert.ErrorIs(t, Verify(" "+encoded, []byte(password)), ErrUnsupported, "%s, behind a blank", encoded)
	}
}

func TestScanStopsBeforeGluedText(t *testing.T) {
	for file, vectors := range readVectors(t) {
		scheme := schemeOf(file)
		// A salt of 16 bytes leaves nothing to see the end by, see TestScanGuessesSSHA.
		if !schemes[scheme].known || scheme == Plain || scheme == DESCrypt || file == "ssha.openssl-16.txt" {
			continue
		}
		for _, v := range vectors {
			for _, tail := range []string{"francis:$2y$05$x", "f:{SHA}x", ":x", " ", "\r", "\n", "$", "密码"} {
				got, n := Scan(v.encoded + tail)
				assert.Equal(t, scheme, got, "%q + %q", v.encoded, tail)
				assert.Equal(t, len(v.encoded), n, "%q + %q", v.encoded, tail)
			}
		}
	}
}

func TestScanWithoutAnEnd(t *testing.T) {
	for _, s := range []string{"{PLAIN}", "{PLAIN}d0cker", "{PLAIN}a b:c"} {
		scheme, n := Scan(s)
		assert.Equal(t, Plain, scheme, s)
		assert.Equal(t, len(s), n, s)
	}
	for _, tail := range []string{"francis:x", ":x"} {
		scheme, n := Scan("K7b8ubX4b7JGg" + tail)
		assert.Empty(t, scheme, tail)
		assert.Zero(t, n, tail)
	}
}

func TestScanGuessesSSHA(t *testing.T) {
	const (
		salt4  = "{SSHA}xLpXN1FVGeog9VEb2FvnVLpjZpREcSmW"
		salt16 = "{SSHA}ZUu/hLBqkh1cvba7JeIaEOMRfh+pshVpWVRp6zVVf3IV26IB"
	)
	for s, want := range map[string]int{
		salt4:                len(salt4),
		salt4 + "francis:x":  len(salt4),
		salt4 + "caroline:x": len(salt4), // eight letters, which would be whole base64 too
		salt16:               len(salt16),
		salt16 + "francis:x": len(salt4), // wrong, and nothing tells
	} {
		scheme, n := Scan(s)
		assert.Equal(t, SSHA, scheme, s)
		assert.Equal(t, want, n, s)
	}
}

func TestNoHash(t *testing.T) {
	const md5Digest, sha256Digest = "AnEF1GOUN.o.gz2EQgFZf/", "5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"
	require.Equal(t, 22, len(md5Digest))
	for _, s := range []string{
		"", "$", "$$", "$1", "$1$", "$1$$", "$apr1$", "$apr1$salt", "$apr1$salt$",
		"$apr1$salt$" + md5Digest[:21], "$apr1$salt$" + md5Digest[:21] + "=",
		"$apr1$sa:lt$" + md5Digest, "$apr1$salt:" + md5Digest, "$apr1$sa\nlt$" + md5Digest, "$APR1$salt$" + md5Digest, "$2$salt$" + md5Digest,
		"{SHA}", "{SHA}hvfkN/qlp/zhXR3cuerq6jd2Z7g", "{SHA}hvfkN/qlp/zhXR3cuerq6jd2Z7gA", "{SHA}hvfkN/qlp/zhXR3cuerq6jd2Z7g-", "{SHA}=vfkN/qlp/zhXR3cuerq6jd2Z7g=",
		"{sha}hvfkN/qlp/zhXR3cuerq6jd2Z7g=",
		"{SSHA}", "{SSHA}====", "{SSHA}AAAA", "{SSHA}hvfkN/qlp/zhXR3cuerq6jd2Z7g", "{SSHA}hvfkN/qlp/zhXR3cuerq6jd2Zw==",
		"$5$rounds=$salt$" + sha256Digest, "$5$rounds=1000", "$5$rounds=-1$salt$" + sha256Digest,
		"$5$rounds=+1000$salt$" + sha256Digest, "$5$rounds=1e4$salt$" + sha256Digest, "$5$rounds=1000$" + sha256Digest,
		"$6$salt$" + sha256Digest,
		"$y$j9T$salt$" + sha256Digest[1:], "$y$$salt$" + sha256Digest, "$y$j9T$" + sha256Digest,
		"$y$j9T$sa=lt$" + sha256Digest, "$y$j=T$salt$" + sha256Digest, "$y$j9T$" + strings.Repeat("x", 87) + "$" + sha256Digest,
		"twelve.chars", "fourteen.chars", "thirteen-char", "thirteen:char", "d0cker", "{MD5}x", "$2y$05$x",
	} {
		scheme, n := Scan(s)
		assert.Empty(t, scheme, "%q", s)
		assert.Zero(t, n, "%q", s)
		assert.ErrorIs(t, Verify(s, []byte("x")), ErrUnsupported, "%q", s)
	}
}

// Texts that crypt(3) would write in another way; the digests are Drepper's.
func TestVerifyAnotherSpelling(t *testing.T) {
	const (
		tooFewSHA256 = "$roundstoolow$yfvwcWrQ8l/K0DAWyuPMDNHpIVlTQebY9l/gL972bIC"
		tooFewSHA512 = "$roundstoolow$kUMsbe306n21p9R.FRkW3IGn.S9NPN0x50YhH1xhLsPuWGsUSklZt58jaTfF4ZEQpyUNGc0dqbpBYYBaHHrsX."
	)
	for encoded, password := range map[string]string{
		"$5$rounds=10" + tooFewSHA256:    "the minimum number is still observed",
		"$5$rounds=0" + tooFewSHA256:     "the minimum number is still observed",
		"$5$rounds=01000" + tooFewSHA256: "the minimum number is still observed",
		"$6$rounds=10" + tooFewSHA512:    "the minimum number is still observed",
		"$5$rounds=5000$toolongsaltstring$Un/5jzAHMgOGZ5.mWJpuVolil07guHPvOW8mGRcvxa5": "This is just a test",
		"$5$toolongsaltstring$Un/5jzAHMgOGZ5.mWJpuVolil07guHPvOW8mGRcvxa5":             "This is just a test",
		"$1$toolongsalt$cARG.ecOrMi6EP6awI4Z50":                                        "pw", // libxcrypt 4.4.33
	} {
		assert.NoError(t, Verify(encoded, []byte(password)), encoded)
		assert.ErrorIs(t, Verify(encoded, []byte(password+"x")), ErrMismatch, encoded)
	}
}

// Each of these would take between seconds and years.
func TestVerifyRefusesWhatIsTooExpensive(t *testing.T) {
	const sha256, sha512 = "$salt$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5",
		"$salt$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"
	for _, rounds := range []string{"10000000", "999999999", "1000000000", "4294967296", "18446744073709551616", "0" + strings.Repeat("9", 5000)} {
		for _, encoded := range []string{"$5$rounds=" + rounds + sha256, "$6$rounds=" + rounds + sha512} {
			assert.ErrorIs(t, Verify(encoded, []byte("x")), ErrTooExpensive, encoded)
			_, n := Scan(encoded)
			assert.Equal(t, len(encoded), n, "recognised all the same: %s", encoded)
		}
	}

	for _, cost := range []string{"21", "31"} {
		encoded := "$2y$" + cost + "$nqgXJbxWx3BLfgdqva9c2uIJ6shG6Bg8r44Hvx9v3Hq9wiT2Bt0wC"
		assert.ErrorIs(t, Verify(encoded, []byte("x")), ErrTooExpensive, encoded)
	}

	long := make([]byte, 100<<20)
	for _, encoded := range []string{"$5" + sha256, "$6" + sha512, "$1$x.$LV6ONbTTdHslNG4XDWbJ80", "$apr1$x.$LV6ONbTTdHslNG4XDWbJ80"} {
		assert.ErrorIs(t, Verify(encoded, long), ErrTooExpensive, encoded)
		assert.ErrorIs(t, Verify(encoded, long[:MaxPassword+1]), ErrTooExpensive, encoded)
		assert.ErrorIs(t, Verify(encoded, long[:MaxPassword]), ErrMismatch, encoded)
	}
}

func FuzzVerify(f *testing.F) {
	files := readVectors(f)
	for _, file := range slices.Sorted(maps.Keys(files)) { // so that a seed has the same number in each run
		v := files[file][0]
		f.Add(v.encoded, v.password)
		f.Add(v.encoded+"francis:x", v.password)
		f.Add(v.encoded, make([]byte, MaxPassword+1))
	}
	f.Fuzz(func(t *testing.T, encoded string, password []byte) {
		scheme, n := Scan(encoded)
		require.LessOrEqual(t, n, len(encoded))
		require.Equal(t, scheme == "", n == 0)
		againScheme, againN := Scan(encoded[:n])
		require.Equal(t, scheme, againScheme)
		require.Equal(t, n, againN)

		cost, _, _ := ParseBcrypt(encoded)
		if rounds := parse(encoded).rounds; 20_000 < rounds && rounds <= MaxRounds || 6 < cost && cost <= MaxCost {
			t.Skip("allowed, and slow")
		}
		err := Verify(encoded, password)
		if n != len(encoded) || !schemes[scheme].verified {
			require.ErrorIs(t, err, ErrUnsupported)
			return
		}
		require.NotErrorIs(t, err, ErrUnsupported)
		if len(password) > MaxPassword && scheme != Bcrypt { // which looks at 72 bytes
			require.ErrorIs(t, err, ErrTooExpensive)
		}
	})
}

// A text that the computation takes and that the servers refuse. testdata/wild has what they answer.
func TestIsExact(t *testing.T) {
	for file, vectors := range readVectors(t) {
		if !schemes[schemeOf(file)].known {
			continue
		}
		for _, v := range vectors {
			assert.True(t, IsExact(v.encoded), "%s: %q", file, v.encoded)
			assert.False(t, IsExact(v.encoded+"x") && schemeOf(file) != Plain, "%s: %q", file, v.encoded)
		}
	}
	const md5Digest, sha256Digest = "AnEF1GOUN.o.gz2EQgFZf/", "5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"
	for encoded, want := range map[string]bool{
		"$5$rounds=1000$salt$" + sha256Digest:            true,
		"$5$rounds=999$salt$" + sha256Digest:             false,
		"$5$rounds=10$salt$" + sha256Digest:              false,
		"$5$rounds=0000$salt$" + sha256Digest:            false,
		"$5$rounds=01000$salt$" + sha256Digest:           false,
		"$5$rounds=1000000000$salt$" + sha256Digest:      false,
		"$5$sixteencharacter$" + sha256Digest:            true,
		"$5$seventeencharacte$" + sha256Digest:           false,
		"$5$sa!t$" + sha256Digest:                        false,
		"$5$sa*t$" + sha256Digest:                        false,
		"$5$sa;t$" + sha256Digest:                        false,
		"$5$sa\\t$" + sha256Digest:                       false,
		"$5$sa t$" + sha256Digest:                        false,
		"$5$sa\tt$" + sha256Digest:                       false,
		"$5$sält$" + sha256Digest:                        false,
		"$5$sa-t$" + sha256Digest:                        true,
		"$5$salt$" + sha256Digest[:42] + "z":             false,
		"$1$eightcha$" + md5Digest:                       true,
		"$1$ninechars$" + md5Digest:                      false,
		"$1$sa!t$" + md5Digest:                           false,
		"$1$salt$" + md5Digest[:21] + "2":                false,
		"$apr1$eightcha$" + md5Digest:                    true,
		"$apr1$ninechars$" + md5Digest:                   false,
		"$apr1$salt$" + md5Digest[:21] + "2":             false,
		"{SHA}hvfkN/qlp/zhXR3cuerq6jd2Z7g=":              true,
		"{SHA}hvfkN/qlp/zhXR3cuerq6jd2Z7h=":              false,
		"{SSHA}p4h+p4bGWpFuP5W30GiAMTBkb4ebVv2cUAAELg==": true,
		"{SSHA}p4h+p4bGWpFuP5W30GiAMTBkb4ebVv2cUAAELh==": false,
		"K7b8ubX4b7JGg":                                  true,
		"K7b8ubX4b7JGh":                                  false,
		"":                                               false,
	} {
		assert.Equal(t, want, IsExact(encoded), "%q", encoded)
	}
}

package crypt

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// What Assess measures, Verify verifies, and nothing else.
func TestAssessAgreesWithVerify(t *testing.T) {
	for file, vectors := range readVectors(t) {
		for _, v := range vectors {
			e, n := Assess(v.encoded)
			if schemes[schemeOf(file)].verified {
				assert.Equal(t, schemeOf(file), e.Scheme, "%q", v)
				assert.Equal(t, len(v.encoded), n, "%q", v)
			} else {
				assert.ErrorIs(t, Verify(v.encoded, v.password), ErrUnsupported, "%q", v)
				assert.Zero(t, e, "%q", v)
				assert.Zero(t, n, "%q", v)
			}
		}
	}
}

func TestAssess(t *testing.T) {
	const (
		salted = "saIVQ.pV.9EPOsLpNP04puj0Mf9r2wMHeGg/XViGhPfdoxb1oaCPO"
		sha256 = "$salt$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"
	)
	for s, want := range map[string]struct {
		e Effort
		n int
	}{
		"$2y$05$" + salted:                  {Effort{Scheme: Bcrypt, Rounds: 5}, 60},
		"$2y$20$" + salted + ":admin":       {Effort{Scheme: Bcrypt, Rounds: 20}, 60},
		"$2y$21$" + salted:                  {},
		"$2y$05$" + salted[1:]:              {},
		" $2y$05$" + salted:                 {},
		"$5" + sha256:                       {Effort{SHA256Crypt, 5000, 4}, 2 + len(sha256)},
		"$5$rounds=10" + sha256:             {Effort{SHA256Crypt, 1000, 4}, 12 + len(sha256)},
		"$5$rounds=9999999" + sha256:        {Effort{SHA256Crypt, 9_999_999, 4}, 17 + len(sha256)},
		"$5$rounds=10000000" + sha256:       {},
		"$5" + sha256 + ":admin":            {Effort{SHA256Crypt, 5000, 4}, 2 + len(sha256)},
		"$5" + sha256 + " :admin":           {},
		"{SHA}hvfkN/qlp/zhXR3cuerq6jd2Z7g=": {Effort{Scheme: SHA1}, 33},
		"{PLAIN}d0cker":                     {},
		"":                                  {},
	} {
		e, n := Assess(s)
		assert.Equal(t, want.e, e, s)
		assert.Equal(t, want.n, n, s)
	}
}

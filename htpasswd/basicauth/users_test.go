package basicauth

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/crypt"
)

// The users of a text, and their hashes, are those that htpasswd.Parse reads.
func FuzzUsers(f *testing.F) {
	h := ofCost(4)
	for _, text := range []string{
		"", "\n", "a:" + h, "a:" + h + "\r\n#b:" + h + "\n\n \u00a0c:" + h + "\u2003\n", "a:" + h + "\na:x\nb:x\nb:" + h + "\nb:" + ofCost(5),
		":" + h, "a :" + h, "a: " + h, "\ufeffa:" + h, "a:" + h + "\rb:" + h, "a:" + h + ":x", "a:" + h + "x", "no colon", "\xff\xfea\x00:\x00",
		"a:$2y$31$" + h[7:], "a:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\nb:{PLAIN}x\nc:$apr1$39q02AtV$GcO5CSjo/G0YFNm3dvv5z.",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := htpasswd.Parse(text)
		r := rule{schemes: verifiable[:1+len(text)%2], maxCost: 10} // bcrypt, or bcrypt and apr1
		u, newErr := newUsers(string(text), r)
		require.Equal(t, err, newErr)
		if err != nil {
			require.Nil(t, u)
			return
		}
		want, refused := map[crypt.Effort]int{}, 0
		for user := range file.Users() {
			e, ok := file.Lookup(user)
			require.True(t, ok)
			effort, n := crypt.Assess(e.Hash.Encoded())
			ok = htpasswd.ValidateUser(user) == nil && n > 0 && effort.Rounds <= 10 &&
				slices.Contains(r.schemes, htpasswd.Scheme(effort.Scheme))
			hash, has := u.hashes[user]
			require.Equal(t, ok, has, "%q", user)
			if ok {
				require.Equal(t, e.Hash.Encoded()[:n], hash, "%q", user)
				want[effort]++
			} else {
				refused++
			}
		}
		require.Len(t, u.refused, refused)
		for _, name := range []string{"", "a", "b", "#", "a:", "nobody", string(text)} {
			if _, ok := file.Lookup(name); !ok {
				require.NotContains(t, u.hashes, name)
			}
		}
		total := 0
		for _, k := range u.kinds {
			require.Equal(t, want[k.effort], k.users)
			effort, n := crypt.Assess(k.hash)
			require.Equal(t, k.effort, effort)
			require.Equal(t, len(k.hash), n)
			total += k.users
			delete(want, k.effort)
		}
		require.Empty(t, want)
		require.Equal(t, len(u.hashes), total)
	})
}

func TestRefusals(t *testing.T) {
	text := "elton:" + ofCost(4) + "\nfrancis:" + ofCost(4) + "\n" +
		"francis:$apr1$39q02AtV$GcO5CSjo/G0YFNm3dvv5z.\n" + // the last line counts
		"costly:" + ofCost(16) + "\nplain:d0cker\n:" + ofCost(4) + "\n" +
		ofCost(4) + ":swapped\nback:x\nback:" + ofCost(4) + "\n" +
		"rounds:$5$rounds=99999999$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5\n"
	r, err := newRule([]htpasswd.Scheme{htpasswd.Bcrypt, "sha256-crypt"}, 0)
	require.NoError(t, err)
	u, err := newUsers(text, r)
	require.NoError(t, err)
	require.Len(t, u.hashes, 2)
	require.Equal(t, []Refusal{
		{"francis", 3, "the scheme apr1 is not accepted"},
		{"costly", 4, "the bcrypt cost 16 is above the limit of 15"},
		{"plain", 5, "no hash of a known scheme"},
		{"", 6, "invalid user name: it is empty"},
		{"[hidden]", 7, "no hash of a known scheme"},
		{"rounds", 10, "the sha256-crypt hash is malformed or too expensive"},
	}, u.refused)
}

func TestSchemesThatCannotBeVerified(t *testing.T) {
	for _, scheme := range []htpasswd.Scheme{"", "plain", "yescrypt", "sha"} {
		a := &Authenticator{Path: "testdata/registry.htpasswd", Schemes: []htpasswd.Scheme{htpasswd.Bcrypt, scheme}}
		require.ErrorContains(t, a.Reload(t.Context()), "cannot be verified")
		require.ErrorContains(t, a.Verify(t.Context(), "elton", "d0cker"), "cannot be verified")
		require.ErrorContains(t, a.Load(nil), "cannot be verified")
	}
}

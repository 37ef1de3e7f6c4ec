package basicauth

import (
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
		which := accepted{maxCost: 10, legacy: len(text)%2 == 0}
		u, newErr := newUsers(text, which)
		require.Equal(t, err, newErr)
		if err != nil {
			require.Nil(t, u)
			return
		}
		want := map[crypt.Effort]int{}
		for user := range file.Users() {
			e, ok := file.Lookup(user)
			require.True(t, ok)
			effort, n := crypt.Assess(e.Hash.Encoded())
			ok = n > 0 && (effort.Scheme != crypt.Bcrypt && which.legacy || effort.Scheme == crypt.Bcrypt && effort.Rounds <= 10)
			hash, has := u.hash(user)
			require.Equal(t, ok, has, "%q", user)
			if ok {
				require.Equal(t, e.Hash.Encoded(), hash, "%q", user)
				want[effort]++
			}
		}
		for _, name := range []string{"", "a", "b", "#", "a:", "nobody", string(text)} {
			if _, ok := file.Lookup(name); !ok {
				_, ok := u.hash(name)
				require.False(t, ok, "%q", name)
			}
		}
		total := 0
		for _, k := range u.kinds {
			require.Equal(t, want[k.Effort], k.users)
			effort, n := crypt.Assess(k.hash)
			require.Equal(t, k.Effort, effort)
			require.Equal(t, len(k.hash), n)
			total += k.users
			delete(want, k.Effort)
		}
		require.Empty(t, want)
		require.Equal(t, u.total, total)
	})
}

package basicauth

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/crypt"
)

func hashed(t testing.TB, password string) string {
	t.Helper()
	h, err := htpasswd.HashPassword([]byte(password), htpasswd.MinCost)
	require.NoError(t, err)
	return h.Encoded()
}

// ofCost is a hash that no password is known for.
func ofCost(cost int) string {
	return fmt.Sprintf("$2y$%02d$%s", cost, "saIVQ.pV.9EPOsLpNP04puj0Mf9r2wMHeGg/XViGhPfdoxb1oaCPO")
}

func load(t testing.TB, a *Authenticator, text string) *Authenticator {
	t.Helper()
	require.NoError(t, a.Load(strings.NewReader(text)))
	return a
}

// instead has a compare nothing but say which hash it was asked for.
func instead(a *Authenticator, hashes *[]string) *Authenticator {
	a.ready().compare = func(hash string, _ []byte) error {
		*hashes = append(*hashes, hash)
		return crypt.ErrMismatch
	}
	return a
}

func TestVerify(t *testing.T) {
	long := strings.Repeat("x", 72)
	apr1 := "$apr1$39q02AtV$GcO5CSjo/G0YFNm3dvv5z." // of the empty password, which nobody logs in with
	text := strings.Join([]string{
		"# users of the lab",
		"elton:" + hashed(t, "d0cker"),
		"\tfrancis:" + hashed(t, "r3gL4b") + " \r",
		"",
		"twice:" + hashed(t, "first"),
		"twice:" + hashed(t, "last"),
		"field:" + hashed(t, "d0cker") + ":admins",
		":" + hashed(t, "nameless"),
		"<token>:" + hashed(t, "d0cker"),
		"spaces:" + hashed(t, " d0cker "), // htpasswd.ValidatePassword refuses it, but it is in use
		"jürgen:" + hashed(t, "пароль"),
		"long:" + hashed(t, long),
		"nothing:",
		"cut:" + hashed(t, "d0cker")[:59],
		"blank: " + hashed(t, "d0cker"),
		"plain:{PLAIN}d0cker",
		"sha:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", // password
		"third:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=:Third Field",
		"ssha:{SSHA}p4h+p4bGWpFuP5W30GiAMTBkb4ebVv2cUAAELg==",
		"apr1:" + apr1,
	}, "\n")
	for _, schemes := range [][]htpasswd.Scheme{nil, verifiable, {"ssha"}} {
		a := load(t, &Authenticator{Schemes: schemes}, text)
		bcrypt := !slices.Equal(schemes, []htpasswd.Scheme{"ssha"})
		sha := slices.Contains(schemes, crypt.SHA1)
		ssha := slices.Contains(schemes, crypt.SSHA)
		for _, tt := range []struct {
			user, password string
			want           bool
		}{
			{"elton", "d0cker", bcrypt},
			{"elton", "d0cker ", false},
			{"elton", "docker", false},
			{"elton", "", false},
			{"elton", "d0cker\x00", false},
			{"elton", "d0cker\x00d0cker", false}, // the registry takes this one
			{"ELTON", "d0cker", false},
			{" elton", "d0cker", false},
			{"elton:", "d0cker", false},
			{"", "d0cker", false},
			{"", "nameless", false},
			{"<token>", "d0cker", false},
			{"spaces", " d0cker ", bcrypt},
			{"nobody", "d0cker", false},
			{"# users of the lab", "d0cker", false},
			{"francis", "r3gL4b", bcrypt},
			{"\tfrancis", "r3gL4b", false},
			{"twice", "last", bcrypt},
			{"twice", "first", false},
			{"field", "d0cker", bcrypt},
			{"jürgen", "пароль", bcrypt},
			{"long", long, bcrypt},
			{"long", long + "x", false}, // and this one
			{"nothing", "", false},
			{"cut", "d0cker", false},
			{"blank", "d0cker", false},
			{"plain", "d0cker", false},
			{"sha", "password", sha},
			{"third", "password", sha},
			{"sha", "passwort", false},
			{"ssha", "a", ssha},
			{"apr1", "", false},
		} {
			err := a.Verify(t.Context(), tt.user, tt.password)
			if tt.want {
				assert.NoError(t, err, "%q %q %v", tt.user, tt.password, schemes)
			} else {
				assert.Equal(t, ErrUnauthorized, err, "%q %q %v", tt.user, tt.password, schemes)
			}
		}
	}
}

// withKey has the key of another process.
func withKey(key string) *Authenticator {
	a := &Authenticator{}
	a.ready().key = []byte(key)
	return a
}

func TestVerifyWithoutAText(t *testing.T) {
	a := &Authenticator{}
	require.ErrorIs(t, a.Verify(t.Context(), "elton", "d0cker"), errNothingLoaded)
	require.ErrorIs(t, a.Reload(t.Context()), errNothingLoaded)
	load(t, a, "")
	require.Equal(t, ErrUnauthorized, a.Verify(t.Context(), "elton", "d0cker"))
	require.NoError(t, a.Reload(t.Context()))
}

func TestLoadKeepsTheLastGoodText(t *testing.T) {
	a := load(t, &Authenticator{}, "elton:"+hashed(t, "d0cker"))
	var malformed *htpasswd.ParseError
	require.ErrorAs(t, a.Load(strings.NewReader("elton:x\nno colon")), &malformed)
	assert.Equal(t, 2, malformed.Line)
	broken := errors.New("connection lost")
	require.ErrorIs(t, a.Load(readerFunc(func([]byte) (int, error) { return 0, broken })), broken)
	require.NoError(t, a.Verify(t.Context(), "elton", "d0cker"))
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

func TestMaxCost(t *testing.T) {
	for _, tt := range []struct{ max, cost, compared int }{
		{0, 15, 15}, {0, 16, 4}, {0, 31, 4}, {-1, 15, 15}, {-1, 16, 4},
		{4, 4, 4}, {4, 5, 4}, {10, 10, 10}, {10, 11, 4}, {31, 20, 20}, {31, 21, 4},
	} {
		var hashes []string
		a := load(t, instead(&Authenticator{MaxCost: tt.max}, &hashes), "elton:"+ofCost(tt.cost)+"\nfrancis:"+ofCost(4))
		require.Equal(t, ErrUnauthorized, a.Verify(t.Context(), "elton", "d0cker"))
		assert.Equal(t, []string{ofCost(tt.compared)}, hashes, "%+v", tt)
	}
}

// Whatever is wrong with a user or a password, one comparison of a hash is made
// that the file has, and of the user's own where there is one.
func TestEveryRefusalIsCompared(t *testing.T) {
	var hashes []string
	a := instead(&Authenticator{}, &hashes)
	s := a.ready()
	compare := s.compare
	s.compare = func(hash string, password []byte) error {
		assert.LessOrEqual(t, len(password), 72) // as a scheme other than bcrypt looks at all of it
		return compare(hash, password)
	}
	load(t, a, "elton:"+ofCost(5)+"\nfrancis:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\ncaroline:"+ofCost(31))
	for _, user := range []string{"elton", "nobody", "francis", "caroline", ""} {
		for _, password := range []string{"d0cker", "", "\x00", strings.Repeat("x", 10_000)} {
			hashes = nil
			require.Equal(t, ErrUnauthorized, a.Verify(t.Context(), user, password))
			assert.Equal(t, []string{ofCost(5)}, hashes, "%q", user)
		}
	}
	// Where nobody can log in there is nothing to hide.
	for _, text := range []string{"", "caroline:" + ofCost(31)} {
		hashes = nil
		load(t, a, text)
		require.Equal(t, ErrUnauthorized, a.Verify(t.Context(), "caroline", "d0cker"))
		assert.Empty(t, hashes)
	}
}

// A user who is not there is refused also with the password of the one whose
// hash is compared instead.
func TestUnknownUserWithTheRightPassword(t *testing.T) {
	a := load(t, &Authenticator{CacheTTL: 1e18}, "elton:"+hashed(t, "d0cker"))
	for range 3 {
		require.Equal(t, ErrUnauthorized, a.Verify(t.Context(), "nobody", "d0cker"))
	}
	require.NoError(t, a.Verify(t.Context(), "elton", "d0cker"))
	require.Equal(t, ErrUnauthorized, a.Verify(t.Context(), "nobody", "d0cker"))
}

// Users who are not there take the times of those who are, each as often as the
// file has it; and each of them always the same one, as those who are there do.
func TestDecoysAreDrawnAsTheFileHasThem(t *testing.T) {
	var text strings.Builder
	want := map[string]float64{}
	for cost, n := range map[int]int{4: 10, 5: 500, 10: 200, 12: 290} {
		for i := range n {
			fmt.Fprintf(&text, "user%d-%d:%s\n", cost, i, ofCost(cost))
			fmt.Fprintf(&text, "replaced:%s\n", ofCost(6)) // all but the last count for nothing
		}
		want[ofCost(cost)] = float64(n) / 1000
	}
	fmt.Fprintf(&text, "tooexpensive:%s\nlegacy:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\nreplaced:x\n", ofCost(16))

	var hashes []string
	a := load(t, instead(&Authenticator{}, &hashes), text.String())
	const names = 20_000
	drawn := func() (of map[string]string, share map[string]float64) {
		of, share = map[string]string{}, map[string]float64{}
		for i := range names {
			name := fmt.Sprint("nobody", i)
			hashes = nil
			require.Equal(t, ErrUnauthorized, a.Verify(t.Context(), name, "d0cker"))
			require.Len(t, hashes, 1)
			of[name] = hashes[0]
			share[hashes[0]] += 1.0 / names
		}
		return of, share
	}
	of, share := drawn()
	require.Len(t, share, len(want))
	for hash, w := range want {
		assert.InDelta(t, w, share[hash], 0.02, hash[:7]) // six standard deviations and more
	}
	again, _ := drawn()
	require.True(t, maps.Equal(of, again))

	// An edit of the file moves hardly any.
	load(t, a, text.String()+"another:"+ofCost(4)+"\n")
	after, _ := drawn()
	moved := 0
	for name := range of {
		if of[name] != after[name] {
			moved++
		}
	}
	assert.Less(t, moved, names/200)

	// Another process draws others.
	b := load(t, instead(withKey("of another process"), &hashes), text.String())
	differ := 0
	for name := range of {
		hashes = nil
		require.Equal(t, ErrUnauthorized, b.Verify(t.Context(), name, "d0cker"))
		if hashes[0] != of[name] {
			differ++
		}
	}
	assert.Greater(t, differ, names/4)
}

func TestDecoysOfOtherSchemes(t *testing.T) {
	const sum = "$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"
	text := "a:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\nb:$5" + sum + "\nc:$5$rounds=1000" + sum + "\nd:$5$rounds=99999999" + sum + "\ne:{PLAIN}x\n"
	u, err := newUsers(text, rule{verifiable, 15})
	require.NoError(t, err)
	share := map[string]int{}
	for i := range uint64(300) {
		share[u.decoy(i*(1<<63/150)+1<<32)]++
	}
	assert.Equal(t, map[string]int{"{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=": 100, "$5" + sum: 100, "$5$rounds=1000" + sum: 100}, share)
	assert.NotEmpty(t, u.decoy(1<<64-1), "the last place is within the line")
	for _, user := range []string{"d", "e", "f"} {
		assert.NotContains(t, u.hashes, user)
	}
}

// No two lists of parts are one message, another key gives others, and all of a
// process have the same.
func TestMAC(t *testing.T) {
	a, b, c := load(t, &Authenticator{}, ""), load(t, withKey("another"), ""), load(t, &Authenticator{}, "")
	seen := map[credential]bool{}
	lists := [][]string{
		{}, {""}, {"", ""}, {"a"}, {"a", ""}, {"", "a"}, {"ab"}, {"a", "b"}, {"b", "a"}, {"ab", "", "c"}, {"a", "b", "c"},
		{string(binary.BigEndian.AppendUint64(nil, 0))}, {strings.Repeat("a", 1000)},
	}
	for _, parts := range lists {
		require.Equal(t, a.ready().mac(parts...), c.ready().mac(parts...))
		assert.False(t, seen[a.ready().mac(parts...)], "%q", parts)
		assert.False(t, seen[b.ready().mac(parts...)], "%q", parts)
		seen[a.ready().mac(parts...)], seen[b.ready().mac(parts...)] = true, true
	}
}

// What an Authenticator has to say holds no password and no line of the file.
func TestErrorsTellNothing(t *testing.T) {
	a := &Authenticator{}
	err := a.Load(strings.NewReader("elton:$2y$\nsecret line"))
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "secret")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	load(t, a, "elton:"+hashed(t, "d0cker"))
	err = a.Verify(ctx, "elton", "d0cker")
	require.ErrorIs(t, err, context.Canceled)
	assert.NotContains(t, err.Error(), "elton")
}

package lint_test

import (
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/htpasswd/lint"
	"github.com/registryctl/registryctl/internal/testserver"
)

// Real registries let the same users in, with the same passwords, before and
// after a fix. With REQUIRE_PEERS=1 they are asked about 2,000 files, else about
// a few.
func TestFixAgainstRegistries(t *testing.T) {
	testserver.Need(t, testserver.Registries...)
	files := 60
	if os.Getenv("REQUIRE_PEERS") == "1" {
		files = 2000
	}
	passwords := []string{"pw-a", "pw-b", "pw-c"}
	hashes := make([]string, len(passwords))
	for i, p := range passwords {
		h, err := htpasswd.HashPassword([]byte(p), htpasswd.MinCost)
		require.NoError(t, err)
		hashes[i] = h.Encoded()
	}
	for _, program := range testserver.Registries {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			file := newSharedFile(t)
			registry := testserver.StartRegistry(t, program, testserver.RegistryConfig{Htpasswd: file.path})
			logins, fixed, refused, differences := 0, 0, 0, 0
			// ask returns who gets in with which password.
			ask := func(text string, users []string) map[string]string {
				file.write(t, text, 0o644)
				in := make(map[string]string)
				for _, user := range users {
					for _, password := range passwords {
						logins++
						switch registry.Login(t, user, password) {
						case http.StatusOK:
							in[user] += password + " "
						case http.StatusBadRequest: // from now on the registry would go by the file before
							return nil
						}
					}
				}
				return in
			}
			random := rand.New(rand.NewPCG(1, 2))
			for n := range files {
				text := randomFile(random, hashes)
				result, changes, err := lint.Fix(t.Context(), text)
				if err != nil {
					require.ErrorIs(t, err, lint.ErrUnfixable)
					refused++
					continue
				}
				if len(changes) == 0 {
					continue
				}
				fixed++
				listed, _ := testserver.RegistryLogins(strings.TrimLeft(text, "\ufeff")) // also if the registry refuses the text
				users := usersOf(text, result)
				before, after := ask(text, users), ask(result, users)
				for _, user := range users {
					was, is := before[user], after[user]
					fine := was == is
					switch {
					case was == "":
						_, isRead := listed[user]
						fine = is == "" || strings.Count(is, " ") == 1 && (isRead || isListedOutsideComments(text, user))
					case is == "": // the byte order mark before the text is not a part of the name
						fine = strings.HasPrefix(user, "\ufeff") && strings.HasPrefix(text, user+":")
					}
					if !fine {
						differences++
						t.Errorf("file %d: user %q: %q before, %q after: %q, %q", n, user, was, is, text, result)
					}
				}
			}
			t.Logf("%d files, %d of them fixed and %d refused, %d logins, %d differences", files, fixed, refused, logins, differences)
			assert.Positive(t, fixed)
		})
	}
}

// usersOf returns the names that the registry reads in either text.
func usersOf(texts ...string) []string {
	users := make(map[string]bool)
	for _, text := range texts {
		logins, _ := testserver.RegistryLogins(text)
		for user := range logins {
			users[user] = true
		}
		for user := range lint.Listed(text) {
			users[user] = true
		}
	}
	return slices.Sorted(maps.Keys(users))
}

// randomFile returns a text of a few lines, most of which have something wrong.
func randomFile(random *rand.Rand, hashes []string) string {
	pick := func(from ...string) string { return from[random.IntN(len(from))] }
	var line func(depth int) string
	line = func(depth int) string {
		user := pick("u", "u", "u", "u", "v", "v", "v", "v", "w", "w", "u ", "v\u200b", "\ufeffu", "")
		hash := pick(hashes...)
		switch random.IntN(14) {
		case 0:
			return "# " + user + ":" + hash
		case 1:
			return pick("note", "", "New password: ", "-")
		case 2:
			return user + ": " + hash
		case 3:
			return user + ":" + pick(apr1, "x", "", "!"+hash, `"`+hash+`"`, strings.ReplaceAll(hash, "$", "$$"))
		case 4:
			return user + ":" + hash + pick(":third", " # note", "text")
		case 5, 6:
			if depth < 3 {
				return user + ":" + hash + line(depth+1)
			}
		case 7, 8:
			if depth < 3 {
				return line(depth+1) + "\r" + line(depth+1)
			}
		case 9:
			if depth < 3 {
				return pick("# old", "#", "text") + "\r" + line(depth+1)
			}
		}
		return pick("", "", " ") + user + ":" + hash
	}
	var text strings.Builder
	text.WriteString(pick("", "", "", "", "\ufeff", "\ufeff\ufeff"))
	ending := pick("\n", "\n", "\r\n")
	for range 1 + random.IntN(3) {
		text.WriteString(line(0))
		text.WriteString(ending)
	}
	all := text.String()
	if random.IntN(4) == 0 {
		all = strings.TrimSuffix(all, ending)
	}
	if random.IntN(20) == 0 {
		all = wide(all, "\xff\xfe")
	}
	return all
}

// Each form of a hash, with the right password and with a wrong one: Check,
// Problem, Hash.Verify and the registries agree. Verify also finds a password
// right whose scheme the registry does not accept; Problem says so.
func TestHashForms(t *testing.T) {
	hash := hashOf(t, "d0cker")
	salt, digest := hash[7:29], hash[29:]
	bcryptOf := func(head string) string { return head + salt + digest }
	forms := map[string]struct {
		text string
		in   bool // the registry lets the user in with the right password
	}{
		"2y": {bcryptOf("$2y$04$"), true}, "2a": {bcryptOf("$2a$04$"), true}, "2b": {bcryptOf("$2b$04$"), true}, "2x": {bcryptOf("$2x$04$"), true},
		"2": {bcryptOf("$2$04$"), true}, "2z": {bcryptOf("$2z$04$"), true}, "2Y": {bcryptOf("$2Y$04$"), true}, "1y": {bcryptOf("$1y$04$"), true},
		"plus": {bcryptOf("$2y$+4$"), true}, "2, plus": {bcryptOf("$2$+4$"), true}, "no dollar": {bcryptOf("$2y$04x"), true}, "no dollar before": {bcryptOf("$2yx04$"), true},
		"text behind": {bcryptOf("$2y$04$") + "text", true}, "third field": {bcryptOf("$2y$04$") + ":x", true}, "text behind 2": {bcryptOf("$2$04$") + "text", true},
		"spare bits of the digest": {bcryptOf("$2y$04$")[:59] + "!", false}, "cost 3": {bcryptOf("$2y$03$"), false}, "cost 32": {bcryptOf("$2y$32$"), false},
		"one digit": {bcryptOf("$2y$4$"), false}, "cut": {bcryptOf("$2y$04$")[:59], false}, "3y": {bcryptOf("$3y$04$"), false}, "escaped": {strings.ReplaceAll(bcryptOf("$2y$04$"), "$", `\$`), false},
		"blank before": {" " + bcryptOf("$2y$04$"), false}, "quoted": {`"` + bcryptOf("$2y$04$") + `"`, false}, "disabled": {"!" + bcryptOf("$2y$04$"), false},
		"doubled dollars": {strings.ReplaceAll(bcryptOf("$2y$04$"), "$", "$$"), false}, "expanded": {"ybash4" + salt + digest, false},
		"apr1": {apr1, false}, "sha1": {"{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", false}, "plain": {"d0cker", false}, "PLAIN": {"{PLAIN}d0cker", false}, "empty": {"", false},
	}
	assert.GreaterOrEqual(t, len(forms), 30)
	var text strings.Builder
	for name, form := range forms {
		text.WriteString(strings.ReplaceAll(name, " ", "-") + ":" + form.text + "\n")
	}
	findings := check(t, text.String(), lint.Registry)
	file, err := htpasswd.Parse([]byte(text.String()))
	require.NoError(t, err)

	var registries []*testserver.Registry
	if !testing.Short() {
		shared := newSharedFile(t)
		shared.write(t, text.String(), 0o644)
		for _, program := range testserver.Registries {
			registries = append(registries, testserver.StartRegistry(t, program, testserver.RegistryConfig{Htpasswd: shared.path}))
		}
	}
	for name, form := range forms {
		user := strings.ReplaceAll(name, " ", "-")
		entry, ok := file.Lookup(user)
		require.True(t, ok, name)
		assert.Equal(t, form.in, lint.Problem(entry, lint.Registry) == "", "%s: Problem", name)
		assert.Equal(t, !form.in && name != "disabled", slices.ContainsFunc(findings, func(f lint.Finding) bool {
			return f.User == user && f.Severity == lint.SeverityError
		}), "%s: Check", name)
		for _, password := range []string{"d0cker", "wrong"} {
			want := form.in && password == "d0cker"
			accepts := lint.Problem(entry, lint.Registry) == "" && file.Verify(user, []byte(password)) == nil
			assert.Equal(t, want, accepts, "%s: Verify %s", name, password)
			for _, r := range registries {
				assert.Equal(t, want, r.Login(t, user, password) == http.StatusOK, "%s: the registry, %s", name, password)
			}
		}
	}
}

func hashOf(t *testing.T, password string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	require.NoError(t, err)
	return string(hash)
}

package htpasswd

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/internal/record"
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

func parse(t testing.TB, text string) *File {
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

func TestEdits(t *testing.T) {
	const h = dockerHash
	long := "c:" + strings.Repeat("x", MaxLineBytes-len("c:")) // with CRLF it would be too long
	for name, c := range map[string]struct {
		before string
		edit   func(*File, Hash) error
		after  string
	}{
		"add to nothing":           {"", add("a"), "a:" + h + "\n"},
		"add behind a newline":     {"b:x\n", add("a"), "b:x\na:" + h + "\n"},
		"add a missing newline":    {"b:x", add("a"), "b:x\na:" + h + "\n"},
		"add with CRLF":            {"b:x\r\n", add("a"), "b:x\r\na:" + h + "\r\n"},
		"add a missing CRLF":       {"b:x\r\nc:y", add("a"), "b:x\r\nc:y\r\na:" + h + "\r\n"},
		"add behind a long line":   {"b:x\r\n" + long, add("a"), "b:x\r\n" + long + "\na:" + h + "\r\n"},
		"add behind a comment":     {"# end", add("a"), "# end\na:" + h + "\n"},
		"add Chinese":              {"", add("王小明"), "王小明:" + h + "\n"},
		"add twice":                {"b:x", both(add("a"), add("c")), "b:x\na:" + h + "\nc:" + h + "\n"},
		"add and remove":           {"b:x", both(add("a"), remove("a")), "b:x"},
		"add and rename":           {"", both(add("a"), rename("a", "c")), "c:" + h + "\n"},
		"set keeps the place":      {"# c\na:x\nb:y\n", set("a"), "# c\na:" + h + "\nb:y\n"},
		"set keeps blanks and CR":  {" a:x \r\nb:y", set("a"), " a:" + h + " \r\nb:y"},
		"set the last line":        {"b:y\na:x", set("a"), "b:y\na:" + h},
		"set adds":                 {"b:y\n", set("a"), "b:y\na:" + h + "\n"},
		"set an empty hash":        {"a:\nb:y\n", set("a"), "a:" + h + "\nb:y\n"},
		"set drops a blank":        {"a: x\n", set("a"), "a:" + h + "\n"},
		"set keeps a third field":  {"a:x:Alice\n", set("a"), "a:" + h + ":Alice\n"},
		"set keeps a glued record": {"a:" + otherHash + "b:" + otherHash + "\n", set("a"), "a:" + h + "b:" + otherHash + "\n"},
		"set keeps behind a CR":    {"a:x\rb:y\r", set("a"), "a:" + h + "\rb:y\r"},
		"set the last of several":  {"a:x\nb:y\na:z\nc:w\n", set("a"), "b:y\na:" + h + "\nc:w\n"},
		"remove":                   {"a:x\n# c\nb:y\n", remove("a"), "# c\nb:y\n"},
		"remove the last line":     {"b:y\na:x", remove("a"), "b:y\n"},
		"remove the only line":     {"a:x\n", remove("a"), ""},
		"remove every line":        {"a:x\nb:y\n a:z\r\n", remove("a"), "b:y\n"},
		"remove a bad name":        {"a b \u200b:x\n", remove("a b \u200b"), ""},
		"remove no name":           {":x\nb:y\n", remove(""), "b:y\n"},
		"remove, not a longer one": {"aa:x\nba:y\na:z\n", remove("a"), "aa:x\nba:y\n"},
		"remove, not a comment":    {"# a:x\na:z\n", remove("a"), "# a:x\n"},
		"remove and add":           {"a:x\nb:y\n", both(remove("a"), add("a")), "b:y\na:" + h + "\n"},
		"rename":                   {" a:x:f\r\nb:y\n", rename("a", "c"), " c:x:f\r\nb:y\n"},
		"rename every line":        {"a:x\nb:y\na:z", rename("a", "c"), "c:x\nb:y\nc:z"},
		"rename a bad name":        {"a :x\n", rename("a ", "a"), "a:x\n"},
		"rename and set":           {"a:x\nb:y\n", both(rename("a", "c"), set("c")), "c:" + h + "\nb:y\n"},
		"rename there and back":    {"a:x\nb:y\n", both(rename("a", "c"), rename("c", "a")), "a:x\nb:y\n"},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Parse([]byte(c.before))
			require.NoError(t, err)
			require.NoError(t, c.edit(f, parseHash(t, h)))
			assert.Equal(t, c.after, text(t, f))
			assert.Equal(t, c.after != c.before, f.edited())
			parse(t, c.after)
		})
	}
}

type edit = func(*File, Hash) error

func add(user string) edit    { return func(f *File, h Hash) error { return f.Add(user, h) } }
func set(user string) edit    { return func(f *File, h Hash) error { return f.Set(user, h) } }
func remove(user string) edit { return func(f *File, _ Hash) error { return f.Remove(user) } }

func rename(from, to string) edit {
	return func(f *File, _ Hash) error { return f.Rename(from, to) }
}

func both(a, b edit) edit {
	return func(f *File, h Hash) error {
		if err := a(f, h); err != nil {
			return err
		}
		return b(f, h)
	}
}

func TestEditsThatAreRefused(t *testing.T) {
	const before = "a:x\nb:y\n"
	foreign := parseHash(t, "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=")
	long := strings.Repeat("x", MaxLineBytes-2)
	for name, c := range map[string]struct {
		before string
		edit   edit
		err    error
	}{
		"add who is there":             {before, add("a"), ErrUserExists},
		"add a bad name":               {before, add("c:d"), ErrInvalidUser},
		"add a foreign hash":           {before, func(f *File, _ Hash) error { return f.Add("c", foreign) }, ErrUnsupportedHash},
		"add no hash":                  {before, func(f *File, _ Hash) error { return f.Add("c", Hash{}) }, ErrUnsupportedHash},
		"set a foreign hash":           {before, func(f *File, _ Hash) error { return f.Set("a", foreign) }, ErrUnsupportedHash},
		"set a bad name":               {before, set("#c"), ErrInvalidUser},
		"set makes a line too long":    {"a:x:" + long[:MaxLineBytes-5] + "\n", set("a"), ErrLineTooLong},
		"remove who is not there":      {before, remove("c"), ErrUserNotFound},
		"rename who is not there":      {before, rename("c", "d"), ErrUserNotFound},
		"rename to who is there":       {before, rename("a", "b"), ErrUserExists},
		"rename to oneself":            {before, rename("a", "a"), ErrUserExists},
		"rename to a bad name":         {before, rename("a", ""), ErrInvalidUser},
		"rename makes a line too long": {"a:" + long + "\n", rename("a", "ab"), ErrLineTooLong},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Parse([]byte(c.before))
			require.NoError(t, err)
			require.ErrorIs(t, c.edit(f, parseHash(t, dockerHash)), c.err)
			assert.Equal(t, c.before, text(t, f))
			assert.False(t, f.edited())
		})
	}
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
	assert.Equal(t, 4, e.Line, "an edit renumbers no other line")
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

// registryReads is a model of how the registry reads a file, in the terms of its
// own source: the users with their hashes, or false if it refuses the file.
func registryReads(text []byte) (users map[string]string, ok bool) {
	users = make(map[string]string)
	for line := range bytes.SplitAfterSeq(text, []byte("\n")) {
		line = bytes.TrimSuffix(line, []byte("\n"))
		if len(line) >= 64*1024 {
			return nil, false
		}
		s := strings.TrimSpace(string(line))
		if s == "" || s[0] == '#' {
			continue
		}
		user, hash, found := strings.Cut(s, ":")
		if !found {
			return nil, false
		}
		users[user] = hash
	}
	return users, true
}

func seed(f *testing.F) {
	for _, s := range []string{
		"", "\n", "a:h", "a:h\r\nb:h\r\n", "# c\n\n a:h \n", "a:h\nb\n", ":\n", "a:\n", "\ufeffa:h\n",
		"\xff\xfea\x00:\x00h\x00", "a:" + dockerHash + "\na:" + otherHash, "a:h\rb:h\r", "a :h:t\n\xa0:\xff\n",
		"a:" + dockerHash + "b:" + dockerHash + "\n",
	} {
		f.Add([]byte(s), "a", "b")
	}
}

func FuzzParse(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, in []byte, _, _ string) {
		file, err := Parse(in)
		require.Equal(t, string(in), text(t, file))
		want, ok := registryReads(in)
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

// Whatever an edit does, the lines of other users stay, and the registry reads
// the file as the edit says.
func FuzzEdit(f *testing.F) {
	seed(f)
	h := parseHash(f, dockerHash)
	f.Fuzz(func(t *testing.T, in []byte, user, to string) {
		edits := map[string]edit{"add": add(user), "set": set(user), "remove": remove(user), "rename": rename(user, to)}
		for name, edit := range edits {
			file, err := Parse(in)
			if err != nil {
				require.Error(t, edit(file, h))
				continue
			}
			indexed, _ := Parse(in)
			indexed.index.build(indexed)
			err, indexedErr := edit(file, h), edit(indexed, h)
			out := text(t, file)
			require.Equal(t, err, indexedErr)
			require.Equal(t, out, text(t, indexed), "with and without an index")
			if err != nil {
				require.Equal(t, string(in), out)
				continue
			}
			named := []string{user}
			if name == "rename" {
				named = append(named, to)
			}
			want, got := othersLines(in, named), othersLines([]byte(out), named)
			if got != want && (name == "add" || name == "set") {
				want += string(record.LineEnd(file.text)) // the last line was ended for the new one
			}
			require.Equal(t, want, got, name)

			before, _ := registryReads(in)
			after, ok := registryReads([]byte(out))
			require.True(t, ok, "a write never produces a file that is refused")
			switch name {
			case "add", "set":
				require.True(t, strings.HasPrefix(after[user], dockerHash))
			case "remove":
				require.NotContains(t, after, user)
			case "rename":
				require.Equal(t, before[user], after[to])
				require.NotContains(t, after, user)
			}
		}
	})
}

// othersLines returns the lines that name none of these users.
func othersLines(text []byte, users []string) string {
	var lines strings.Builder
	for line := range bytes.SplitAfterSeq(text, []byte("\n")) {
		if r, ok := record.Parse(line); ok && slices.Contains(users, string(r.User)) {
			continue
		}
		lines.Write(line)
	}
	return lines.String()
}

func FuzzAddRemove(f *testing.F) {
	seed(f)
	h := parseHash(f, dockerHash)
	f.Fuzz(func(t *testing.T, in []byte, user, _ string) {
		file, err := Parse(in)
		if err != nil || file.Add(user, h) != nil {
			return
		}
		again, err := Parse([]byte(text(t, file)))
		require.NoError(t, err)
		require.NoError(t, again.Remove(user))
		out := text(t, again)
		if len(in) > 0 && in[len(in)-1] != '\n' {
			in = append(in, record.LineEnd(file.text)...)
		}
		require.Equal(t, string(in), out)
	})
}

// A large text is looked through in parts, of whole lines.
func TestParseOfALargeText(t *testing.T) {
	line := "elton:" + dockerHash + "\n"
	lines := 5 << 20 / len(line)
	whole := strings.Repeat(line, lines)
	parse(t, whole)
	for _, at := range []int{0, 1, lines / 3, lines / 2, lines - 1} {
		bad := []byte(whole)
		bad = slices.Replace(bad, at*len(line), at*len(line)+len("elton:"), []byte("elton ")...)
		bad = append(bad, "francis"...)
		_, err := Parse(bad)
		var refused *ParseError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, at+1, refused.Line)
	}
}

// Any number of edits of one File make what the same edits make when each has
// the File parsed anew, with an index and without.
func TestManyEditsOfOneFile(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	h := parseHash(t, dockerHash)
	name := func() string { return strconv.Itoa(random.IntN(12)) }
	for range 300 {
		end := []string{"\n", "\r\n"}[random.IntN(2)]
		lines := []string{"# two lines that tell", "# the line ends"}
		for range random.IntN(20) {
			lines = append(lines, []string{"", "# note", " " + name() + ":x ", name() + ":" + dockerHash + ":more"}[random.IntN(4)])
		}
		in := strings.Join(lines, end) + []string{"", end}[random.IntN(2)]
		scanned, indexed := parse(t, in), parse(t, in)
		indexed.index.build(indexed)
		for range random.IntN(40) {
			user, to := name(), name()
			edit := []edit{add(user), set(user), remove(user), rename(user, to)}[random.IntN(4)]
			anew := parse(t, text(t, scanned))
			scanned.index.scans.Store(0)
			err := edit(anew, h)
			require.Equal(t, err, edit(scanned, h), "seed %d", seed)
			require.Equal(t, err, edit(indexed, h), "seed %d", seed)
			out := text(t, scanned)
			require.Equal(t, out, text(t, indexed), "seed %d", seed)
			require.Equal(t, out != in, scanned.edited(), "seed %d", seed)
			// Each time anew, who was added and removed has left a last line ended.
			require.Equal(t, strings.TrimSuffix(text(t, anew), end), strings.TrimSuffix(out, end), "seed %d", seed)
			require.Equal(t, slices.Collect(anew.Users()), slices.Collect(indexed.Users()), "seed %d", seed)
			for range 3 {
				user := name()
				want, found := anew.Lookup(user)
				got, ok := scanned.Lookup(user)
				require.Equal(t, found, ok, "seed %d", seed)
				require.Equal(t, want.Hash, got.Hash, "seed %d", seed)
				all := slices.DeleteFunc(slices.Collect(scanned.All()), func(e Entry) bool { return e.User != user })
				if ok {
					require.Equal(t, all[len(all)-1], got, "seed %d", seed)
				}
				again, _ := indexed.Lookup(user)
				require.Equal(t, got, again, "seed %d", seed)
			}
			if appended, ok := scanned.appended(); ok {
				require.Equal(t, out, in+string(appended), "seed %d", seed)
			}
		}
	}
}

// AddAll is Add for each, or for none.
func TestAddAll(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	h := parseHash(t, dockerHash)
	name := func() string { return strconv.Itoa(random.IntN(40)) }
	for range 1000 {
		end := []string{"\n", "\r\n"}[random.IntN(2)]
		in := strings.Join([]string{"# users", name() + ":x", name() + ":y"}, end) + []string{"", end}[random.IntN(2)]
		one, all := parse(t, in), parse(t, in)
		both := func(edit edit) error {
			err := edit(one, h)
			require.Equal(t, err, edit(all, h), "seed %d", seed)
			require.Equal(t, text(t, one), text(t, all), "seed %d", seed)
			require.Equal(t, slices.Collect(one.All()), slices.Collect(all.All()), "seed %d", seed)
			return err
		}
		for range random.IntN(5) {
			_ = both([]edit{add(name()), set(name()), remove(name())}[random.IntN(3)])
		}

		users := make([]string, random.IntN(5))
		for i := range users {
			users[i] = []string{name(), name(), name(), name(), "a:b"}[random.IntN(5)]
		}
		before := text(t, all)
		err := all.AddAll(func(yield func(string, Hash) bool) {
			for _, user := range users {
				if !yield(user, h) {
					return
				}
			}
		})
		var want error
		added := parse(t, before)
		for _, user := range users {
			want = cmp.Or(want, added.Add(user, h))
		}
		if want != nil {
			require.Error(t, err, "seed %d", seed)
			require.Equal(t, before, text(t, all), "seed %d", seed)
		} else {
			require.NoError(t, err, "seed %d", seed)
			for _, user := range users {
				require.NoError(t, one.Add(user, h), "seed %d", seed)
			}
		}
		for range 5 {
			_ = both([]edit{add(name()), set(name()), remove(name()), rename(name(), name())}[random.IntN(4)])
		}
	}
}

func TestAddAllNamesTheUser(t *testing.T) {
	for name, c := range map[string]struct {
		users map[string]Hash
		err   error
	}{
		"exists":     {map[string]Hash{"elton": parseHash(t, dockerHash)}, ErrUserExists},
		"no name":    {map[string]Hash{"a:b": parseHash(t, dockerHash)}, ErrInvalidUser},
		"not bcrypt": {map[string]Hash{"new": parseHash(t, "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=")}, ErrUnsupportedHash},
	} {
		f := parse(t, "elton:"+dockerHash+"\n")
		err := f.AddAll(maps.All(c.users))
		require.ErrorIs(t, err, c.err, name)
		for user := range c.users {
			require.ErrorContains(t, err, strconv.Quote(user), name)
		}
		require.False(t, f.edited())
	}
	once := maps.All(map[string]Hash{"francis": parseHash(t, dockerHash)})
	f := parse(t, "elton:"+dockerHash+"\n")
	require.Error(t, f.AddAll(func(yield func(string, Hash) bool) {
		once(yield)
		once = func(func(string, Hash) bool) {}
	}), "the users cannot be gone through twice")
	require.False(t, f.edited())
	lists := [][]string{{strings.Repeat("a", 32), strings.Repeat("b", 33)}, {"x", "y", "z"}}
	require.Error(t, f.AddAll(func(yield func(string, Hash) bool) {
		for _, user := range lists[0] {
			yield(user, parseHash(t, dockerHash))
		}
		lists = lists[1:]
	}), "other users, of as many bytes")
	require.False(t, f.edited())
	twice := 0
	require.Panics(t, func() {
		_ = f.AddAll(func(yield func(string, Hash) bool) {
			yield("francis", parseHash(t, dockerHash))
			if twice++; twice == 2 {
				panic("of the caller")
			}
		})
	})
	require.False(t, f.edited())
	require.Equal(t, "elton:"+dockerHash+"\n", text(t, f))
	f, parseErr := Parse([]byte("no colon"))
	require.ErrorIs(t, f.AddAll(maps.All(map[string]Hash{"elton": parseHash(t, dockerHash)})), parseErr)
}

func TestUsersYieldsEachOnce(t *testing.T) {
	f := parse(t, "b:1\n# a:2\na:3\n\nb:4\n:5\n")
	require.Equal(t, []string{"b", "a", ""}, slices.Collect(f.Users()))
	require.NoError(t, f.Remove("b"))
	require.NoError(t, f.Rename("a", "c"))
	require.Equal(t, []string{"c", ""}, slices.Collect(f.Users()))
}

// Look-ups that happen to build the index do so side by side.
func TestLookupsSideBySide(t *testing.T) {
	var in strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&in, "user%d:%s\n", i, dockerHash)
	}
	f := parse(t, in.String())
	var group sync.WaitGroup
	for g := range 8 {
		group.Go(func() {
			for i := g; i < 1000; i += 8 {
				e, ok := f.Lookup("user" + strconv.Itoa(i))
				assert.True(t, ok)
				assert.Equal(t, i+1, e.Line)
			}
		})
	}
	group.Wait()
}

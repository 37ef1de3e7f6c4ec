package htpasswd

import (
	"bytes"
	"cmp"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/internal/record"
	"github.com/registryctl/registryctl/internal/testserver"
)

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
		"add and remove":           {"b:x", both(add("a"), remove("a")), "b:x\n"},
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
		"set an empty hash, CR":    {"a:\rb:y\n", set("a"), "a:" + h + "\rb:y\n"},
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
		"disable":                  {" a:x:f\r\nb:y\na:" + h + "\n", disable("a"), " a:!x:f\r\nb:y\na:!" + h + "\n"},
		"disable twice":            {"a:x\n", both(disable("a"), disable("a")), "a:!x\n"},
		"disable and enable":       {"a:x\n", both(disable("a"), enable("a")), "a:x\n"},
		"enable":                   {"a:!" + h + "\n", enable("a"), "a:" + h + "\n"},
		"enable who is enabled":    {"a:x\n", enable("a"), "a:x\n"},
		"set keeps one disabled":   {"a:!" + otherHash + ":f\n", set("a"), "a:!" + h + ":f\n"},
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
			assert.Equal(t, c.after != c.before, f.Changed())
			mustParse(t, c.after)
		})
	}
}

type edit = func(*File, Hash) error

func add(user string) edit    { return func(f *File, h Hash) error { return f.Add(user, h) } }
func set(user string) edit    { return func(f *File, h Hash) error { return f.Set(user, h) } }
func remove(user string) edit { return func(f *File, _ Hash) error { return f.Remove(user) } }

func disable(user string) edit { return func(f *File, _ Hash) error { return f.Disable(user) } }
func enable(user string) edit  { return func(f *File, _ Hash) error { return f.Enable(user) } }

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
		"add who is there":              {before, add("a"), ErrUserExists},
		"add a bad name":                {before, add("c:d"), ErrInvalidUser},
		"add a foreign hash":            {before, func(f *File, _ Hash) error { return f.Add("c", foreign) }, ErrUnsupportedHash},
		"add no hash":                   {before, func(f *File, _ Hash) error { return f.Add("c", Hash{}) }, ErrUnsupportedHash},
		"set a foreign hash":            {before, func(f *File, _ Hash) error { return f.Set("a", foreign) }, ErrUnsupportedHash},
		"set a bad name":                {before, set("#c"), ErrInvalidUser},
		"set makes a line too long":     {"a:x:" + long[:MaxLineBytes-5] + "\n", set("a"), ErrLineTooLong},
		"disable who is not there":      {before, disable("c"), ErrUserNotFound},
		"disable makes a line too long": {"a:" + long + "\n", disable("a"), ErrLineTooLong},
		"remove who is not there":       {before, remove("c"), ErrUserNotFound},
		"rename who is not there":       {before, rename("c", "d"), ErrUserNotFound},
		"rename to who is there":        {before, rename("a", "b"), ErrUserExists},
		"rename to oneself":             {before, rename("a", "a"), ErrUserExists},
		"rename to a bad name":          {before, rename("a", ""), ErrInvalidUser},
		"rename makes a line too long":  {"a:" + long + "\n", rename("a", "ab"), ErrLineTooLong},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Parse([]byte(c.before))
			require.NoError(t, err)
			require.ErrorIs(t, c.edit(f, parseHash(t, dockerHash)), c.err)
			assert.Equal(t, c.before, text(t, f))
			assert.False(t, f.Changed())
		})
	}
}

// Any number of edits of one File give the text that the same edits give if the
// text is parsed anew before each of them.
func TestManyEditsOfOneFile(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	h := parseHash(t, dockerHash)
	name := func() string { return strconv.Itoa(random.IntN(12)) }
	for range 300 {
		end := []string{"\n", "\r\n"}[random.IntN(2)]
		lines := []string{"# two lines that tell", "# the line ending"}
		for range random.IntN(20) {
			lines = append(lines, []string{"", "# note", " " + name() + ":x ", name() + ":" + dockerHash + ":more"}[random.IntN(4)])
		}
		in := strings.Join(lines, end) + []string{"", end}[random.IntN(2)]
		f := mustParse(t, in)
		for range random.IntN(40) {
			user, to := name(), name()
			edit := []edit{add(user), set(user), remove(user), rename(user, to)}[random.IntN(4)]
			anew := mustParse(t, text(t, f))
			err := edit(anew, h)
			require.Equal(t, err, edit(f, h), "seed %d", seed)
			out := text(t, f)
			require.Equal(t, text(t, anew), out, "seed %d", seed)
			require.Equal(t, out, f.Text())
			require.Equal(t, out != in, f.Changed(), "seed %d", seed)
			require.Equal(t, slices.Collect(anew.Users()), slices.Collect(f.Users()), "seed %d", seed)
			for range 3 {
				user := name()
				want, found := anew.Lookup(user)
				got, ok := f.Lookup(user)
				require.Equal(t, found, ok, "seed %d", seed)
				require.True(t, want.Hash.Equal(got.Hash), "seed %d", seed)
				all := slices.DeleteFunc(slices.Collect(f.All()), func(e Entry) bool { return e.User != user })
				if ok {
					require.Equal(t, all[len(all)-1].Line, got.Line, "seed %d", seed)
				}
			}
		}
	}
}

// Apply gives the text that Set and Remove give for one user after the other, or
// it fails and leaves the text as it was.
func TestApply(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	h := parseHash(t, dockerHash)
	name := func() string { return strconv.Itoa(random.IntN(20)) }
	for range 2000 {
		end := []string{"\n", "\r\n"}[random.IntN(2)]
		lines := []string{"# users"}
		for range random.IntN(12) {
			lines = append(lines, name()+":x")
		}
		in := strings.Join(lines, end) + []string{"", end}[random.IntN(2)]
		named := make(map[string]bool)
		var changes []Change
		for range random.IntN(6) {
			c := Change{User: name(), Hash: h, Remove: random.IntN(3) == 0}
			if random.IntN(20) == 0 {
				c.User = "a:b"
			}
			if !named[c.User] {
				named[c.User] = true
				changes = append(changes, c)
			}
		}
		one, all := mustParse(t, in), mustParse(t, in)
		var want error
		for _, c := range changes {
			if c.Remove {
				want = cmp.Or(want, one.Remove(c.User))
			} else {
				want = cmp.Or(want, one.Set(c.User, c.Hash))
			}
		}
		err := all.Apply(changes)
		if want != nil {
			require.ErrorContains(t, err, want.Error(), "seed %d", seed)
			require.ErrorContains(t, err, "user ", "seed %d", seed)
			require.Equal(t, in, text(t, all), "seed %d", seed)
			continue
		}
		require.NoError(t, err, "seed %d", seed)
		// An added user who comes before the removal of the last line has ended it.
		require.Equal(t, strings.TrimRight(text(t, one), "\r\n"), strings.TrimRight(text(t, all), "\r\n"), "seed %d", seed)
	}
}

func TestApplyIsAllOrNothing(t *testing.T) {
	const before = "elton:x\nfrancis:y"
	h := parseHash(t, dockerHash)
	for name, c := range map[string]struct {
		changes []Change
		err     string
	}{
		"twice":      {[]Change{{User: "elton", Hash: h}, {User: "elton", Remove: true}}, `user "elton": changed twice`},
		"not bcrypt": {[]Change{{User: "elton", Hash: h}, {User: "new", Hash: parseHash(t, "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=")}}, `user "new": unsupported hash`},
		"no hash":    {[]Change{{User: "elton"}}, `user "elton": unsupported hash`},
		"bad name":   {[]Change{{User: "new", Hash: h}, {User: "#a", Hash: h}}, `user "#a": invalid user name: it begins with #, which starts a comment in the file`},
		"not there":  {[]Change{{User: "elton", Remove: true}, {User: "nobody", Remove: true}}, `user "nobody": no such user`},
	} {
		f := mustParse(t, before)
		require.EqualError(t, f.Apply(c.changes), c.err, name)
		require.Equal(t, before, text(t, f), name)
		require.False(t, f.Changed(), name)
	}
	f, refused := Parse([]byte("no colon"))
	require.ErrorIs(t, f.Apply(nil), refused)
}

func TestReset(t *testing.T) {
	for name, c := range map[string]struct {
		before, to string
		err        error
	}{
		"another text":      {"a:x\n", "b:y\n", nil},
		"a refused text":    {"a:x\nb\n", "a:x\n# b\n", nil},
		"UTF-16":            {"\xff\xfea\x00:\x00x\x00", "a:x", nil},
		"to a refused text": {"a:x\n", "b\n", ErrNoColon},
		"to nothing":        {"a:x\n", "", ErrNoUsers},
		"to comments":       {"a:x\n", "# a:x\n", ErrNoUsers},
		"without users":     {"# none\n", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			f, _ := Parse([]byte(c.before))
			err := f.Reset(c.to)
			require.ErrorIs(t, err, c.err)
			want := c.to
			if c.err != nil {
				want = c.before
			}
			assert.Equal(t, want, text(t, f))
			assert.Equal(t, c.err == nil, f.Changed())
			if c.err == nil {
				require.NoError(t, f.Add("new", parseHash(t, dockerHash)))
			}
		})
	}
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
			err = edit(file, h)
			out := text(t, file)
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
				want += record.LineEnding(string(in)) // the last line was ended for the new one
			}
			require.Equal(t, want, got, name)

			before, _ := testserver.RegistryReads(string(in))
			after, ok := testserver.RegistryReads(out)
			require.True(t, ok, "a write never produces a file that is refused")
			switch name {
			case "add", "set":
				mark := ""
				if old := strings.TrimLeftFunc(before[user], func(c rune) bool { return unicode.IsSpace(c) && c != '\r' }); strings.HasPrefix(old, record.DisabledMark) {
					mark = record.DisabledMark
				}
				require.True(t, strings.HasPrefix(after[user], mark+dockerHash))
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
		if r, kind := record.Parse(string(line)); kind == record.Entry && slices.Contains(users, r.User) {
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
			in = append(in, record.LineEnding(string(in))...)
		}
		require.Equal(t, string(in), out)
	})
}

package userlist

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/htpasswd"
)

const hash = "$2y$04$nqgXJbxWx3BLfgdqva9c2uIJ6shG6Bg8r44Hvx9v3Hq9wiT2Bt0wC"

// show is "line name=password", with the kind of the hash or "none" instead.
func show(u User) string {
	switch {
	case u.HasHash():
		return fmt.Sprintf("%d %s=%s", u.Line, u.Name, u.Hash)
	case u.Password == nil:
		return fmt.Sprintf("%d %s none", u.Line, u.Name)
	}
	return fmt.Sprintf("%d %s=%q", u.Line, u.Name, u.Password)
}

func TestParse(t *testing.T) {
	for name, c := range map[string]struct {
		file, text, format string
		want               []string
	}{
		"nothing":          {"", "", Lines, nil},
		"lines":            {"", "# users\nelton:d0cker\n\nfrancis:a:b \n", Lines, []string{`2 elton="d0cker"`, `4 francis="a:b "`}},
		"CRLF":             {"", "elton:d0cker\r\nfrancis:x", Lines, []string{`1 elton="d0cker"`, `2 francis="x"`}},
		"byte order mark":  {"", "\ufeffelton:d0cker\r\n", Lines, []string{`1 elton="d0cker"`}},
		"UTF-16":           {"", "\xff\xfee\x00:\x00p\x00\r\x00\n\x00", Lines, []string{`1 e="p"`}},
		"ready hash":       {"", "elton:" + hash + "\n", Lines, []string{"1 elton=bcrypt(4)"}},
		"names only":       {"", "elton\n", Lines, []string{"1 elton none"}},
		"CSV":              {"", "name,password\nelton,d0cker\n\"a, b\",\"x\"\"y\"\n", CSV, []string{`2 elton="d0cker"`, `3 a, b="x\"y"`}},
		"CSV by its name":  {"users.CSV", "NAME\nelton\n", CSV, []string{"2 elton none"}},
		"Export-Csv":       {"", "\ufeff#TYPE System.Management.Automation.PSCustomObject\r\n\"Name\",\"Password\"\r\n\"elton\",\"d0cker\"\r\n", CSV, []string{`3 elton="d0cker"`}},
		"other columns":    {"", "Email,Username,Hash\nx@y,elton," + hash + "\n", CSV, []string{"2 elton=bcrypt(4)"}},
		"CSV without one":  {"", "name,password\nelton,\nfrancis\n", CSV, []string{"2 elton none", "3 francis none"}},
		"CSV of one line":  {"", "name,password", CSV, nil},
		"JSON":             {"", "[\n {\"name\": \"elton\", \"password\": \"d0cker\"},\n {\"user\": \"francis\", \"hash\": \"" + hash + "\"}\n]\n", JSON, []string{`2 elton="d0cker"`, "3 francis=bcrypt(4)"}},
		"JSON lines":       {"", "{\"name\":\"elton\",\"password\":\"密码\"}\n\n{\"name\":\"francis\"}\n", JSON, []string{`1 elton="密码"`, "3 francis none"}},
		"empty JSON":       {"", "[]", JSON, nil},
		"JSON by its name": {"users.json", "", JSON, nil},
		"JSON escapes":     {"", `{"name":"elton","password":"\ud83d\uDE00 \ufffd � \\ud800 \\\\"}`, JSON, []string{`1 elton="😀 � � \\ud800 \\\\"`}},
		"names in quotes":  {"", "\"name\"\r\n\"elton\"\r\n", CSV, []string{"2 elton none"}},
		"names, typed":     {"", "#TYPE System.Object\nname\nelton\n", CSV, []string{"3 elton none"}},
		"not a type":       {"", "#TYPE of user: ci\nelton:x\n", Lines, []string{`2 elton="x"`}},
		"a user of lines":  {"", "user:x\nelton:y\n", Lines, []string{`1 user="x"`, `2 elton="y"`}},
		"one without any":  {"", "user\nelton:y\n", Lines, []string{"1 user none", `2 elton="y"`}},
		"blank, then CSV":  {"", "\r\nname,mail\r\nelton,x@y\r\n", CSV, []string{"3 elton none"}},
		"blanks in CSV":    {"", "name, password\nelton, d0cker\nfrancis, \"a, b\"\n", CSV, []string{`2 elton="d0cker"`, `3 francis="a, b"`}},
		"a blank in CSV":   {"", "name,password\nelton, d0cker\n", CSV, []string{`2 elton=" d0cker"`}},
		"JSON in any case": {"", `{"Name":"elton","PASSWORD":"d0cker","mail":{"name":"x"},"hash":null}`, JSON, []string{`1 elton="d0cker"`}},
		"lines by name":    {"users.txt", "{x:y\n", Lines, []string{`1 {x="y"`}},
	} {
		t.Run(name, func(t *testing.T) {
			format := Guess(c.file, []byte(c.text))
			require.Equal(t, c.format, format)
			users, problems := Parse([]byte(c.text), format, true)
			require.Empty(t, problems)
			var got []string
			for _, u := range users {
				got = append(got, show(u))
			}
			assert.Equal(t, c.want, got)
		})
	}
}

func TestProblems(t *testing.T) {
	long := strings.Repeat("x", 73)
	for name, c := range map[string]struct {
		text, format string
		want         map[int]error
	}{
		"all of them": {
			"elton:d0cker\n#c\n a:x\nb:\nc:" + long + "\nd:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\ne:$2y$10$short\nelton:y\n", Lines,
			map[int]error{3: htpasswd.ErrInvalidUser, 4: htpasswd.ErrInvalidPassword, 5: htpasswd.ErrInvalidPassword, 6: ErrNoEntry, 7: ErrNoEntry, 8: htpasswd.ErrUserExists},
		},
		"sorted, and one twice": {"a:x\nb:x\nb:x\nc:x\n", Lines, map[int]error{3: htpasswd.ErrUserExists}},
		"broken UTF-16":         {"\xff\xfee\x00:", Lines, map[int]error{1: ErrNoEntry}},
		"a hash that is none, in its own field": {
			"name,hash\nelton,rqXexS6ZhobKA\nfrancis,d0cker\ndora,\n", CSV, map[int]error{2: ErrNoEntry, 3: ErrNoEntry}},
		"a hash that is none in JSON": {`{"name":"elton","hash":"d0cker"}`, JSON, map[int]error{1: ErrNoEntry}},
		"password and hash":           {"name,password,hash\nelton,d0cker," + hash + "\n", CSV, map[int]error{2: ErrNoEntry}},
		"no header":                   {"elton,d0cker\n", CSV, map[int]error{1: ErrNoEntry}},
		"broken CSV":                  {"name,password\nelton,x\nfrancis,\"y\n", CSV, map[int]error{3: ErrNoEntry}},
		"bad name in CSV":             {"name,password\n,x\n", CSV, map[int]error{2: htpasswd.ErrInvalidUser}},
		"no objects":                  {"[\"elton\",\n 5,\n {}]", JSON, map[int]error{1: ErrNoEntry, 2: ErrNoEntry, 3: ErrNoEntry}},
		"broken JSON":                 {"[{\"name\":\"elton\"},\n {\"name", JSON, map[int]error{2: ErrNoEntry}},
		"cut JSON":                    {"[{\"name\":\"elton\"}\n", JSON, map[int]error{2: ErrNoEntry}},
		"two arrays":                  {"[{\"name\":\"elton\"}]\n[{\"name\":\"francis\"}]", JSON, map[int]error{2: ErrNoEntry}},
		"behind an array":             {"[{\"name\":\"elton\"}\n]\n\n garbage", JSON, map[int]error{4: ErrNoEntry}},
		"an object behind an array":   {"[]\n{\"name\":\"elton\"}", JSON, map[int]error{2: ErrNoEntry}},
		"a brace too much":            {"{\"name\":\"elton\"}},\n{\"name\":\"francis\"}", JSON, map[int]error{1: ErrNoEntry}},
		"a comma too much":            {"{\"name\":\"elton\"},\n{\"name\":\"francis\"}", JSON, map[int]error{1: ErrNoEntry}},
		"a brace in an array":         {"[{\"name\":\"elton\"}\n},\n{\"name\":\"francis\"}]", JSON, map[int]error{2: ErrNoEntry}},
		"a bracket alone":             {"\n]", JSON, map[int]error{2: ErrNoEntry}},
		"no comma":                    {"[{\"name\":\"elton\"}\n{\"name\":\"francis\"}]", JSON, map[int]error{2: ErrNoEntry}},
		"not UTF-8":                   {"[{\"name\":\"elton\"},\n{\"name\":\"francis\",\"password\":\"\xe9\"},\n{\"name\":\"\xe9\"}]", JSON, map[int]error{2: ErrNoEntry, 3: ErrNoEntry}},
		"half a character": {`{"name":"a","password":"\ud800"}` + "\n" + `{"name":"b","password":"\uDC00\ud800"}` + "\n" + `{"name":"c","password":"\ud83d\\uDE00"}` + "\n" + `{"name":"\udfff","password":"d"}`, JSON,
			map[int]error{1: ErrNoEntry, 2: ErrNoEntry, 3: ErrNoEntry, 4: ErrNoEntry}},
		"more than one line": {"a:x\r\r\nb:x\ry\nc:x\n" + "d:x\r", Lines,
			map[int]error{1: htpasswd.ErrInvalidPassword, 2: htpasswd.ErrInvalidPassword, 4: htpasswd.ErrInvalidPassword}},
		"CR for a line end":            {"elton:x\r" + strings.Repeat("francis:y\r", 9), Lines, map[int]error{1: htpasswd.ErrInvalidPassword}},
		"CR behind a comment":          {"#c\r\n#c\relton:x\n", Lines, map[int]error{2: ErrNoEntry}},
		"more than one line in JSON":   {`{"name":"elton","password":"x\ny"}`, JSON, map[int]error{1: htpasswd.ErrInvalidPassword}},
		"more than one line in CSV":    {"name,password\nelton,\"x\ny\"\nfrancis,x\r\r\n", CSV, map[int]error{2: htpasswd.ErrInvalidPassword, 4: htpasswd.ErrInvalidPassword}},
		"CSV with CR":                  {"name,password\relton,x\r", CSV, map[int]error{1: ErrNoEntry}},
		"CSV with CR, but for the end": {"name,password\relton,x\r\n", CSV, map[int]error{1: ErrNoEntry}},
		"typed CSV with CR":            {"#TYPE x\r\"name\"\r\"elton\"\r", CSV, map[int]error{1: ErrNoEntry}},
		"too many columns":             {"name,password\nelton,correct,horse\nfrancis,x,\n", CSV, map[int]error{2: ErrNoEntry, 3: ErrNoEntry}},
		"two passwords":                {"name,password,Password\nelton,x,y\n", CSV, map[int]error{1: ErrNoEntry}},
		"two hashes":                   {"#TYPE x\n\nname,hash,hash\n", CSV, map[int]error{3: ErrNoEntry}},
		"two names":                    {"name,username\nElton John,elton\n", CSV, map[int]error{1: ErrNoEntry}},
		"behind broken JSON lines": {`{"name":"a"}` + "\n" + `{"name":"b","password":}` + "\n" + `{"name":"c"}` + "\nnot json\n" + `{"name":"d","password":""}` + "\n{\n", JSON,
			map[int]error{2: ErrNoEntry, 4: ErrNoEntry, 5: htpasswd.ErrInvalidPassword, 6: ErrNoEntry}},
		"behind broken CSV": {"name,password\na,x\"y\nb,ok\nc,\"q\"z\n,x\n\"\nd\n", CSV,
			map[int]error{2: ErrNoEntry, 4: ErrNoEntry, 5: htpasswd.ErrInvalidUser, 6: ErrNoEntry}},
		"two of one field in JSON": {`{"name":"a","password":"x","Password":"y"}` + "\n" + `{"name":"b","username":"c"}` + "\n" + `{"name":"d","hash":"","hash":""}`, JSON,
			map[int]error{1: ErrNoEntry, 2: ErrNoEntry, 3: ErrNoEntry}},
		"names that are CSV":          {"name;password\nelton;d0cker\nelton,d0cker\n", Lines, map[int]error{1: ErrNoEntry, 2: ErrNoEntry, 3: ErrNoEntry}},
		"a blank before the password": {"elton: d0cker\nfrancis:\td0cker\n", Lines, map[int]error{1: htpasswd.ErrInvalidPassword, 2: htpasswd.ErrInvalidPassword}},
		"empty password":              {"{\"name\":\"elton\",\"password\":\"\"}", JSON, map[int]error{1: htpasswd.ErrInvalidPassword}},
	} {
		t.Run(name, func(t *testing.T) {
			_, problems := Parse([]byte(c.text), c.format, true)
			got := make(map[int]error)
			for _, p := range problems {
				for _, kind := range []error{ErrNoEntry, htpasswd.ErrInvalidUser, htpasswd.ErrInvalidPassword, htpasswd.ErrUserExists} {
					if errors.Is(p.Err, kind) {
						got[p.Line] = kind
					}
				}
				assert.NotContains(t, p.Err.Error(), "short")
				assert.NotContains(t, p.Err.Error(), "{SHA}")
			}
			assert.Equal(t, c.want, got)
			assert.Len(t, problems, len(c.want))
		})
	}
}

// A hash that has been spoilt on its way is not hashed as a password: whoever has
// read it would be let in, and its owner would not.
func TestNoHashIsTakenForAPassword(t *testing.T) {
	for _, value := range []string{
		"$2y$10$short", " " + hash, `"` + hash + `"`, "'" + hash + "'", strings.ReplaceAll(hash, "$", "$$"), strings.ReplaceAll(hash, "$", `\$`),
		hash + " ", "{CRYPT}" + hash, "{BCRYPT}" + hash, "{BLF-CRYPT}" + hash, "{crypt}" + hash, "$2$10$x", "$2z$10$x",
		"$apr1$39q02AtV$GcO5CSjo", `\$apr1$39q02AtV$GcO5CSjo`, "$1$x$y", "$5$x$y", "$6$rounds=1000$x", "$7$x", "$y$x", "$gy$x", "$md5$x", "$sha1$x",
		"$scrypt$x", "$argon2id$v=19$x", "$pbkdf2-sha512$x", "$P$Bx", "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "{SSHA}x", "{SSHA512}x", "{PLAIN}x",
	} {
		text, err := json.Marshal(map[string]string{"name": "elton", "password": value})
		require.NoError(t, err)
		users, problems := Parse(text, JSON, false)
		require.Empty(t, users, value)
		require.Len(t, problems, 1, value)
		assert.ErrorIs(t, problems[0].Err, ErrNoEntry, value)
		assert.NotContains(t, problems[0].Err.Error(), value)
	}
	for _, value := range []string{"$ecret$auce", "$2", "2y$10$x", "{d0cker}", "$money$", "a$1$b", "$100$", "#1"} {
		users, problems := Parse([]byte("elton:"+value), Lines, false)
		require.Empty(t, problems, value)
		assert.Equal(t, value, string(users[0].Password))
	}
}

// The first one decides the exit status.
func TestProblemsInTheirOrder(t *testing.T) {
	_, problems := Parse([]byte(`[{"name":"elton"}, {"name":"elton","password":"x"}, {"name":"elton","password":"x"}, {"name":"b","password":""}, {"name":" "}]`), JSON, false)
	require.Len(t, problems, 4)
	for i, kind := range []error{ErrNoEntry, htpasswd.ErrUserExists, htpasswd.ErrInvalidPassword, htpasswd.ErrInvalidUser} {
		assert.ErrorIs(t, problems[i].Err, kind)
	}
}

// The first line is the header or a user: neither may be lost.
func TestGuessNothing(t *testing.T) {
	for _, list := range []string{"name\nelton\n", "\ufeffUser\r\nelton\r\n", "username"} {
		assert.Empty(t, Guess("-", []byte(list)), list)
		assert.Equal(t, Lines, Guess("list.txt", []byte(list)), list)
	}
}

// A long list is read in parts, and says the same.
func TestLongList(t *testing.T) {
	var text strings.Builder
	for n := range 100_000 {
		switch n % 7 {
		case 3:
			text.WriteString("# none\n\n")
		case 5:
			fmt.Fprintf(&text, "user%d:cut:\x00\n", n)
		default:
			fmt.Fprintf(&text, "user%d:%s\n", n, hash)
		}
	}
	for _, last := range []string{"", "elton:d0cker"} {
		list := text.String() + last
		whole := &parser{}
		whole.lines([]byte(list), 0)
		users, problems := Parse([]byte(list), Lines, true)
		require.Equal(t, whole.users, users)
		require.Equal(t, whole.problems, problems)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"elton:d0cker\n", "name,password\n\"a\",b\n", "[{\"name\":\"a\",\"password\":\"b\"}]", "\ufeff#TYPE x\r\n", "\xff\xfee\x00:\x00"} {
		f.Add([]byte(s), "x.csv")
		f.Add([]byte(s), "")
	}
	f.Fuzz(func(t *testing.T, text []byte, name string) {
		users, _ := Parse(text, Guess(name, text), true)
		for _, u := range users {
			require.NoError(t, htpasswd.ValidateUser(u.Name))
			require.Positive(t, u.Line)
			if u.Password != nil {
				require.NoError(t, htpasswd.ValidatePassword(u.Password))
			}
		}
	})
}

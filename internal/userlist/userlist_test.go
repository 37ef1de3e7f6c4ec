package userlist

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
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

// problemsOf returns what is wrong with a list.
func problemsOf(t *testing.T, err error) []Problem {
	t.Helper()
	var bad *Error
	require.ErrorAs(t, err, &bad)
	return bad.Problems
}

func TestParse(t *testing.T) {
	for name, c := range map[string]struct {
		file, text string
		format     Format
		want       []string
	}{
		"nothing":                    {"", "", Lines, nil},
		"lines":                      {"", "# users\nelton:d0cker\n\nfrancis:a:b\n", Lines, []string{`2 elton="d0cker"`, `4 francis="a:b"`}},
		"CRLF":                       {"", "elton:d0cker\r\nfrancis:x", Lines, []string{`1 elton="d0cker"`, `2 francis="x"`}},
		"byte order mark":            {"", "\ufeffelton:d0cker\r\n", Lines, []string{`1 elton="d0cker"`}},
		"UTF-16":                     {"", "\xff\xfee\x00:\x00p\x00\r\x00\n\x00", Lines, []string{`1 e="p"`}},
		"ready hash":                 {"", "elton:" + hash + "\n", Lines, []string{"1 elton=bcrypt(4)"}},
		"names only":                 {"", "elton\n", Lines, []string{"1 elton none"}},
		"CSV":                        {"", "name,password\nelton,d0cker\n\"a, b\",\"x\"\"y\"\n", CSV, []string{`2 elton="d0cker"`, `3 a, b="x\"y"`}},
		"CSV by its name":            {"users.CSV", "NAME\nelton\n", CSV, []string{"2 elton none"}},
		"Export-Csv":                 {"", "\ufeff#TYPE System.Management.Automation.PSCustomObject\r\n\"Name\",\"Password\"\r\n\"elton\",\"d0cker\"\r\n", CSV, []string{`3 elton="d0cker"`}},
		"other columns":              {"", "Email,Username,Hash\nx@y,elton," + hash + "\n", CSV, []string{"2 elton=bcrypt(4)"}},
		"CSV without one":            {"", "name,password\nelton,\nfrancis\n", CSV, []string{"2 elton none", "3 francis none"}},
		"CSV of one line":            {"", "name,password", CSV, nil},
		"JSON":                       {"", "[\n {\"name\": \"elton\", \"password\": \"d0cker\"},\n {\"user\": \"francis\", \"hash\": \"" + hash + "\"}\n]\n", JSON, []string{`2 elton="d0cker"`, "3 francis=bcrypt(4)"}},
		"JSON lines":                 {"", "{\"name\":\"elton\",\"password\":\"密码\"}\n\n{\"name\":\"francis\"}\n", JSON, []string{`1 elton="密码"`, "3 francis none"}},
		"empty JSON":                 {"", "[]", JSON, nil},
		"an empty hashtable":         {"", "{}\r\n", JSON, nil},
		"an empty hash":              {"", `{"name":"elton","password":"d0cker","hash":""}`, JSON, []string{`1 elton="d0cker"`}},
		"quoted for a spreadsheet":   {"", "name,password\n'=svc,a\n''+x,'-b\n'elton,c\n-y,d\n", CSV, []string{`2 =svc="a"`, `3 '+x="'-b"`, `4 'elton="c"`, `5 -y="d"`}},
		"JSON by its name":           {"users.json", "", JSON, nil},
		"JSON escapes":               {"", `{"name":"elton","password":"\ud83d\uDE00 \\ud800 \\\\"}`, JSON, []string{`1 elton="😀 \\ud800 \\\\"`}},
		"names in quotes":            {"", "\"name\"\r\n\"elton\"\r\n", CSV, []string{"2 elton none"}},
		"names, typed":               {"", "#TYPE System.Object\nname\nelton\n", CSV, []string{"3 elton none"}},
		"not a type":                 {"", "#TYPE of user: ci\nelton:x\n", Lines, []string{`2 elton="x"`}},
		"a user of lines":            {"", "user:x\nelton:y\n", Lines, []string{`1 user="x"`, `2 elton="y"`}},
		"one without any":            {"", "user\nelton:y\n", Lines, []string{"1 user none", `2 elton="y"`}},
		"blank, then CSV":            {"", "\r\nname,mail\r\nelton,x@y\r\n", CSV, []string{"3 elton none"}},
		"blanks in CSV":              {"", "name, password\nelton, d0cker\nfrancis, \"a, b\"\n", CSV, []string{`2 elton="d0cker"`, `3 francis="a, b"`}},
		"JSON in any case":           {"", `{"Name":"elton","PASSWORD":"d0cker","mail":{"name":"x"},"hash":null}`, JSON, []string{`1 elton="d0cker"`}},
		"lines by name":              {"users.htpasswd", "{x:y\n", Lines, []string{`1 {x="y"`}},
		"semicolons":                 {"", "Name;Password;E-Mail\r\nelton;d0,cker;e@x\r\n;;\r\nfrancis;r3gL4b;\r\n", CSV, []string{`2 elton="d0,cker"`, `4 francis="r3gL4b"`}},
		"tabs, in a .txt":            {"users.txt", "login\tpassword\r\nelton\td0cker\r\n\t\r\n", CSV, []string{`2 elton="d0cker"`}},
		"an empty cell before a tab": {"", "name\t password\tmail\nelton\t\te@x\n", CSV, []string{"2 elton none"}},
		"sep=":                       {"", "sep=|\r\nname|password\r\nelton|d0;cker\r\n", CSV, []string{`3 elton="d0;cker"`}},
		"sep= in quotes":             {"users.csv", "\"SEP=;\"\nUSERNAME;hash\nelton;" + hash + "\n", CSV, []string{"3 elton=bcrypt(4)"}},
		"sep= after #TYPE":           {"", "#TYPE x\nsep=;\nname;password\nelton;x\n", CSV, []string{`4 elton="x"`}},
		"UTF-16 CSV":                 {"", "\xfe\xff\x00n\x00a\x00m\x00e\x00;\x00x\x00\n\x00e\x00;\x00y\x00\n", CSV, []string{"2 e none"}},
		"quoted, with ;":             {"", "\"name\";\"password\"\n\"a;b\";\"x\"\n", CSV, []string{`2 a;b="x"`}},
		"hashtable":                  {"", "{\r\n  \"elton\": \"d0cker\",\r\n  \"王\": \"x\",\r\n  \"francis\": \"" + hash + "\",\r\n  \"new\": null\r\n}\r\n", JSON, []string{`2 elton="d0cker"`, `3 王="x"`, "4 francis=bcrypt(4)", "5 new none"}},
		"nested values":              {"", "[{\"name\":\"a\"},\n{\"name\":\"b\",\"tags\":[1,{\"x\":2}]}]", JSON, []string{"1 a none", "2 b none"}},
		"htpasswd":                   {"", "# users\n  # more\r\nelton:" + hash + " \r\nfrancis:" + hash + ":a comment\r\n", Lines, []string{"3 elton=bcrypt(4)", "4 francis=bcrypt(4)"}},
	} {
		t.Run(name, func(t *testing.T) {
			format, err := Guess(c.file, c.text)
			require.NoError(t, err)
			require.Equal(t, c.format, format)
			list, err := Parse(c.text, Options{Name: c.file, Generate: true})
			require.NoError(t, err)
			var got []string
			for _, u := range list {
				got = append(got, show(u))
			}
			assert.Equal(t, c.want, got)
		})
	}
}

func TestProblems(t *testing.T) {
	long := strings.Repeat("x", 73)
	for name, c := range map[string]struct {
		text   string
		format Format
		want   map[int]error
	}{
		"all of them": {
			"elton:d0cker\n#c\n a:x\nb:\nc:" + long + "\nd:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\ne:$2y$10$short\nelton:y\n", Lines,
			map[int]error{3: htpasswd.ErrInvalidUser, 4: htpasswd.ErrInvalidPassword, 5: htpasswd.ErrInvalidPassword, 6: ErrInvalidEntry, 7: ErrInvalidEntry, 8: htpasswd.ErrUserExists},
		},
		"sorted, and one twice": {"a:x\nb:x\nb:x\nc:x\n", Lines, map[int]error{3: htpasswd.ErrUserExists}},
		"a hash that is none, in its own field": {
			"name,hash\nelton,rqXexS6ZhobKA\nfrancis,d0cker\ndora,\n", CSV, map[int]error{2: ErrInvalidEntry, 3: ErrInvalidEntry}},
		"a hash that is none in JSON": {`{"name":"elton","hash":"d0cker"}`, JSON, map[int]error{1: ErrInvalidEntry}},
		"password and hash":           {"name,password,hash\nelton,d0cker," + hash + "\n", CSV, map[int]error{2: ErrInvalidEntry}},
		"no header":                   {"elton,d0cker\n", CSV, map[int]error{1: ErrInvalidEntry}},
		"broken CSV":                  {"name,password\nelton,x\nfrancis,\"y\n", CSV, map[int]error{3: ErrInvalidEntry}},
		"bad name in CSV":             {"name,password\n,x\n", CSV, map[int]error{2: htpasswd.ErrInvalidUser}},
		"no objects":                  {"[\"elton\",\n 5,\n {}]", JSON, map[int]error{1: ErrInvalidEntry, 2: ErrInvalidEntry, 3: ErrInvalidEntry}},
		"broken JSON":                 {"[{\"name\":\"elton\"},\n {\"name", JSON, map[int]error{2: ErrInvalidEntry}},
		"cut JSON":                    {"[{\"name\":\"elton\"}\n", JSON, map[int]error{2: ErrInvalidEntry}},
		"two arrays":                  {"[{\"name\":\"elton\"}]\n[{\"name\":\"francis\"}]", JSON, map[int]error{2: ErrInvalidEntry}},
		"behind an array":             {"[{\"name\":\"elton\"}\n]\n\n garbage", JSON, map[int]error{4: ErrInvalidEntry}},
		"an object behind an array":   {"[]\n{\"name\":\"elton\"}", JSON, map[int]error{2: ErrInvalidEntry}},
		"a brace too much":            {"{\"name\":\"elton\"}},\n{\"name\":\"francis\"}", JSON, map[int]error{1: ErrInvalidEntry}},
		"a comma too much":            {"{\"name\":\"elton\"},\n{\"name\":\"francis\"}", JSON, map[int]error{1: ErrInvalidEntry}},
		"a brace in an array":         {"[{\"name\":\"elton\"}\n},\n{\"name\":\"francis\"}]", JSON, map[int]error{2: ErrInvalidEntry}},
		"a bracket alone":             {"\n]", JSON, map[int]error{2: ErrInvalidEntry}},
		"no comma":                    {"[{\"name\":\"elton\"}\n{\"name\":\"francis\"}]", JSON, map[int]error{2: ErrInvalidEntry}},
		"not UTF-8":                   {"[{\"name\":\"elton\"},\n{\"name\":\"francis\",\"password\":\"\xe9\"},\n{\"name\":\"\xe9\"}]", JSON, map[int]error{2: htpasswd.ErrInvalidPassword, 3: htpasswd.ErrInvalidUser}},
		"half a character": {`{"name":"a","password":"\ud800"}` + "\n" + `{"name":"b","password":"\uDC00\ud800"}` + "\n" + `{"name":"c","password":"\ud83d\\uDE00"}` + "\n" + `{"name":"\udfff","password":"d"}`, JSON,
			map[int]error{1: htpasswd.ErrInvalidPassword, 2: htpasswd.ErrInvalidPassword, 3: htpasswd.ErrInvalidPassword, 4: htpasswd.ErrInvalidUser}},
		"lost characters in lines":     {"a:\ufffd\nb\ufffd:x\n", Lines, map[int]error{1: htpasswd.ErrInvalidPassword, 2: htpasswd.ErrInvalidUser}},
		"two CRs in a line end":        {"c:x\na:x\r\r\nb:x\ry\n", Lines, map[int]error{2: ErrInvalidEntry}},
		"CR at the end":                {"d:x\r", Lines, map[int]error{1: ErrInvalidEntry}},
		"CR for a line end":            {"elton:x\r" + strings.Repeat("francis:y\r", 9), Lines, map[int]error{1: ErrInvalidEntry}},
		"CR behind a comment":          {"#c\r\n#c\relton:x\n", Lines, map[int]error{2: ErrInvalidEntry}},
		"more than one line in JSON":   {`{"name":"elton","password":"x\ny"}`, JSON, map[int]error{1: htpasswd.ErrInvalidPassword}},
		"more than one line in CSV":    {"name,password\nelton,\"x\ny\"\n", CSV, map[int]error{2: htpasswd.ErrInvalidPassword}},
		"CSV with CR":                  {"name,password\relton,x\r", CSV, map[int]error{1: ErrInvalidEntry}},
		"CSV with CR, but for the end": {"name,password\relton,x\r\n", CSV, map[int]error{1: ErrInvalidEntry}},
		"typed CSV with CR":            {"#TYPE x\r\"name\"\r\"elton\"\r", CSV, map[int]error{1: ErrInvalidEntry}},
		"too many columns":             {"name,password\nelton,correct,horse\nfrancis,x,\n", CSV, map[int]error{2: ErrInvalidEntry, 3: ErrInvalidEntry}},
		"two passwords":                {"name,password,Password\nelton,x,y\n", CSV, map[int]error{1: ErrInvalidEntry}},
		"two hashes":                   {"#TYPE x\n\nname,hash,hash\n", CSV, map[int]error{3: ErrInvalidEntry}},
		"two names":                    {"name,username\nElton John,elton\n", CSV, map[int]error{1: ErrInvalidEntry}},
		"behind broken JSON lines": {`{"name":"a"}` + "\n" + `{"name":"b","password":}` + "\n" + `{"name":"c"}` + "\nnot json\n" + `{"name":"d","password":""}` + "\n{\n", JSON,
			map[int]error{2: ErrInvalidEntry}},
		"behind broken CSV": {"name,password\na,x\"y\nb,ok\nc,\"q\"z\n,x\n\"\nd\n", CSV,
			map[int]error{2: ErrInvalidEntry, 4: ErrInvalidEntry, 5: htpasswd.ErrInvalidUser, 6: ErrInvalidEntry}},
		"two of one field in JSON": {`{"name":"a","password":"x","Password":"y"}` + "\n" + `{"name":"b","username":"c"}` + "\n" + `{"name":"d","hash":"","hash":""}`, JSON,
			map[int]error{1: ErrInvalidEntry, 2: ErrInvalidEntry, 3: ErrInvalidEntry}},
		"names that are CSV":          {"name;password\nelton;d0cker\nelton,d0cker\n", Lines, map[int]error{1: ErrInvalidEntry, 2: ErrInvalidEntry, 3: ErrInvalidEntry}},
		"a blank before the password": {"elton: d0cker\nfrancis:\td0cker\n", Lines, map[int]error{1: htpasswd.ErrInvalidPassword, 2: htpasswd.ErrInvalidPassword}},
		"whitespace around a password": {"name,password\nelton, x\nfrancis,x \ngordon,\"x\u00a0\"\n", CSV,
			map[int]error{2: htpasswd.ErrInvalidPassword, 3: htpasswd.ErrInvalidPassword, 4: htpasswd.ErrInvalidPassword}},
		"a password that is not UTF-8": {"elton:d0cker-\xe9\n", Lines, map[int]error{1: htpasswd.ErrInvalidPassword}},
		"a name in a map twice":        {"{\"elton\":\"x\",\n\"elton\":\"y\"}", JSON, map[int]error{2: htpasswd.ErrUserExists}},
		"a map of objects":             {"{\"elton\":{\"password\":\"x\"},\n\"francis\":5}", JSON, map[int]error{1: ErrInvalidEntry, 2: ErrInvalidEntry}},
		"two maps":                     {"{\"elton\":\"x\"}\n{\"francis\":\"y\"}", JSON, map[int]error{2: ErrInvalidEntry}},
		"a map in an array":            {"[{\"elton\":\"x\"}]", JSON, map[int]error{1: ErrInvalidEntry}},
		"no name":                      {"{\"nme\":\"elton\",\"password\":\"x\"}", JSON, map[int]error{1: ErrInvalidEntry}},
		"a number for a password":      {"{\"name\":\"elton\",\"password\":5}", JSON, map[int]error{1: ErrInvalidEntry}},
		"an unknown separator":         {"sep=|\nname;password\nelton;x\n", CSV, map[int]error{2: ErrInvalidEntry}},
		"an old htpasswd file":         {"a:" + hash + "\nb:$apr1$39q02AtV$GcO5CSjoTOnRt1Vk4mTuH/\nc:rqXexS6ZhobKA\nd:x y\n", Lines, map[int]error{2: ErrInvalidEntry, 3: ErrInvalidEntry}},
		"empty password":               {"{\"name\":\"elton\",\"password\":\"\"}", JSON, map[int]error{1: htpasswd.ErrInvalidPassword}},
	} {
		t.Run(name, func(t *testing.T) {
			list, err := Parse(c.text, Options{Format: c.format, Generate: true})
			require.Empty(t, list)
			problems := problemsOf(t, err)
			got := make(map[int]error)
			for _, p := range problems {
				for _, kind := range []error{ErrInvalidEntry, htpasswd.ErrInvalidUser, htpasswd.ErrInvalidPassword, htpasswd.ErrUserExists} {
					if errors.Is(p.Err, kind) {
						got[p.Line] = kind
					}
				}
				assert.NotContains(t, p.String(), "short")
				assert.NotContains(t, p.String(), "{SHA}")
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
		"!" + hash, "$2y$10$short", " " + hash, `"` + hash + `"`, "'" + hash + "'", strings.ReplaceAll(hash, "$", "$$"), strings.ReplaceAll(hash, "$", `\$`),
		hash + " ", "{CRYPT}" + hash, "{BCRYPT}" + hash, "{BLF-CRYPT}" + hash, "{crypt}" + hash, "$2$10$x", "$2z$10$x",
		"$apr1$39q02AtV$GcO5CSjo", `\$apr1$39q02AtV$GcO5CSjo`, "$1$x$y", "$5$x$y", "$6$rounds=1000$x", "$7$x", "$y$x", "$gy$x", "$md5$x", "$sha1$x",
		"$scrypt$x", "$argon2id$v=19$x", "$pbkdf2-sha512$x", "$P$Bx", "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "{SSHA}x", "{SSHA512}x", "{PLAIN}x",
	} {
		text, err := json.Marshal(map[string]string{"name": "elton", "password": value})
		require.NoError(t, err)
		list, err := Parse(string(text), Options{Format: JSON})
		require.Empty(t, list, value)
		problems := problemsOf(t, err)
		require.Len(t, problems, 1, value)
		assert.ErrorIs(t, err, ErrInvalidEntry, value)
		assert.NotContains(t, problems[0].String(), value)
		assert.Equal(t, `"elton"`, problems[0].User)
	}
	for _, value := range []string{"$ecret$auce", "$2", "2y$10$x", "{d0cker}", "$money$", "a$1$b", "$100$", "#1"} {
		list, err := Parse("elton:"+value, Options{Format: Lines})
		require.NoError(t, err, value)
		assert.Equal(t, value, string(list[0].Password))
	}
}

// The first one decides the exit status.
func TestProblemsInTheirOrder(t *testing.T) {
	_, err := Parse(`[{"name":"elton"}, {"name":"elton","password":"x"}, {"name":"elton","password":"x"}, {"name":"b","password":""}, {"name":" "}]`, Options{})
	problems := problemsOf(t, err)
	require.Len(t, problems, 4)
	for i, kind := range []error{ErrInvalidEntry, htpasswd.ErrUserExists, htpasswd.ErrInvalidPassword, htpasswd.ErrInvalidUser} {
		assert.ErrorIs(t, problems[i].Err, kind)
	}

	// Who is listed twice is named, also if the second entry is bad in another way; the
	// first does not count if it is bad itself.
	_, err = Parse("a:d0cker99\na\nb\nb:d0cker99\n", Options{Format: Lines})
	assert.Equal(t, []Problem{
		{Line: 2, User: `"a"`, Err: problemsOf(t, err)[0].Err, entry: 2},
		{Line: 3, Err: errNoPassword, entry: 3},
	}, problemsOf(t, err))
	assert.ErrorIs(t, err, htpasswd.ErrUserExists)
}

// The first line is the header or a user: neither may be lost.
func TestGuessAmbiguous(t *testing.T) {
	for _, list := range []string{"name\nelton\n", "\ufeffUser\r\nelton\r\n", "username"} {
		for _, name := range []string{"", "list.txt"} {
			_, err := Guess(name, list)
			assert.ErrorIs(t, err, ErrAmbiguous, list)
		}
		format, err := Guess("list.htpasswd", list)
		require.NoError(t, err)
		assert.Equal(t, Lines, format, list)
	}
}

func TestFormatErrors(t *testing.T) {
	for name, c := range map[string]struct {
		file, text string
		want       FormatError
	}{
		"xlsx":                 {"users.xlsx", "PK\x03\x04\x14\x00\x06\x00", ErrWorkbook},
		"xlsx called CSV":      {"users.csv", "PK\x03\x04\x14\x00\x06\x00", ErrWorkbook},
		"xls":                  {"", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00", ErrBinary},
		"UTF-16 without mark":  {"", "e\x00:\x00x\x00", ErrBinary},
		"NUL":                  {"", "elton:d0\x00cker\n", ErrBinary},
		"NUL in UTF-16":        {"", "\xff\xfee\x00:\x00\x00\x00", ErrBinary},
		"odd UTF-16":           {"", "\xff\xfee\x00:", ErrBrokenUTF16},
		"half a character":     {"", "\xff\xfee\x00:\x00\x00\xd8", ErrBrokenUTF16},
		"YAML by its name":     {"users.YML", "elton: d0cker\n", ErrYAML},
		"YAML document":        {"", "\ufeff---\nelton: d0cker\n", ErrYAML},
		"YAML sequence":        {"", "\n# users\r\n- elton: d0cker\r\n", ErrYAML},
		"YAML key":             {"users.txt", "users:\n\n  elton: d0cker\n", ErrYAML},
		"YAML key, a sequence": {"", "users:\r\n- name: elton\r\n", ErrYAML},
	} {
		t.Run(name, func(t *testing.T) {
			list, err := Parse(c.text, Options{Name: c.file})
			require.Empty(t, list)
			assert.ErrorIs(t, err, c.want)
			_, err = Guess(c.file, c.text)
			assert.ErrorIs(t, err, c.want)
		})
	}
	for _, text := range []string{"-elton:x\n", "--:x\n", "users:x\n y:z\n", "elton:\nfrancis:x\n"} {
		format, err := Guess("", text)
		require.NoError(t, err, text)
		assert.Equal(t, Lines, format, text)
	}
}

// Users with a hash that the registry does not accept are refused, or marked.
func TestSkipUnsupported(t *testing.T) {
	const text = "a:" + hash + "\nb:$apr1$39q02AtV$GcO5CSjoTOnRt1Vk4mTuH/\nc:rqXexS6ZhobKA\nd:{SSHA}x:y\ne:d0cker\nf:!" + hash
	_, err := Parse(text, Options{})
	for i, user := range []string{`"b"`, `"c"`, `"d"`, `"f"`} {
		assert.Equal(t, user, problemsOf(t, err)[i].User)
	}
	list, err := Parse(text, Options{SkipUnsupported: true})
	require.NoError(t, err)
	for i, skip := range []bool{false, true, true, true, false, true} {
		assert.Equal(t, skip, list[i].Skip, list[i].Name)
		assert.Equal(t, i == 4, list[i].Password != nil, list[i].Name)
	}

	// A damaged hash is a mistake, not another scheme.
	for _, value := range []string{"$2y$10$cut", `"` + hash + `"`, "$$2y$$04$$x"} {
		_, err := Parse("elton:"+value, Options{SkipUnsupported: true})
		assert.ErrorIs(t, err, ErrInvalidEntry, value)
	}
}

// A hash of the old crypt(3) looks like a password of 13 characters.
func TestDESCrypt(t *testing.T) {
	list, err := Parse("elton:rqXexS6ZhobKA\n", Options{Name: "users.txt"})
	require.NoError(t, err)
	assert.Equal(t, "rqXexS6ZhobKA", string(list[0].Password))

	_, err = Parse("elton:rqXexS6ZhobKA\n", Options{Name: "users.htpasswd"})
	assert.ErrorIs(t, err, ErrInvalidEntry)
	_, err = Parse("elton:rqXexS6ZhobKA\nb:\nc:"+hash, Options{})
	require.Len(t, problemsOf(t, err), 2)
	assert.Equal(t, 1, problemsOf(t, err)[0].Line, "in the order of the list")
}

// An empty password is the same problem in every format.
func TestEmptyPassword(t *testing.T) {
	for _, list := range []string{"elton:\n", "name,password\nelton,\n", "name,password\nelton\n", `{"name":"elton","password":""}`, `{"elton":""}`} {
		_, err := Parse(list, Options{})
		require.Len(t, problemsOf(t, err), 1, list)
		assert.Equal(t, `user "elton": invalid password: it is empty`, problemsOf(t, err)[0].String(), list)
	}
}

func TestProblemShowsTheUser(t *testing.T) {
	for list, want := range map[string]string{
		"elton:":                              `user "elton": invalid password: it is empty`,
		"el\x1bton:x":                         `user "el\x1bton": invalid user name: it contains a control character or a line separator`,
		hash + ":":                            `user [hidden]: invalid password: it is empty`,
		"elton " + hash + ":x\nelton:":        `user "elton": invalid password: it is empty`,
		"elton\td0cker:":                      `invalid user name: it contains a control character or a line separator`,
		"d0cker":                              `invalid entry: no password; --generate creates one for a new user`,
		"elton;d0cker":                        `invalid entry: no colon; CSV needs a header such as "name,password"`,
		`{"user":"d0cker","mail":"e@x"}`:      `invalid entry: no password; --generate creates one for a new user`,
		strings.Repeat("d0cker ", 50) + ":x":  `invalid user name: it is longer than 255 bytes`,
		"name,password\na,\"x\nb,y\n":         `invalid entry: extraneous or missing " in quoted-field`,
		`{"name":"elton","password":"d0cker"`: `invalid entry: not valid JSON; the rest of the list was not read`,
		"elton:x\nelton:y":                    `user "elton": user already exists in the list: also on line 1`,
		"name;password\na;x;y":                `invalid entry: more columns than the header; put a password with a semicolon in double quotes`,
		"elton:$2y$21$nqgXJbxWx3BLfgdqva9c2uIJ6shG6Bg8r44Hvx9v3Hq9wiT2Bt0wC": `user "elton": invalid entry: the hash has cost 21, and 20 is the highest supported`,
		`{"elton":["d0cker"]}`:                    `user "elton": invalid entry: its value is not a string; in a list of objects each has a "name"`,
		"elton:" + hash[:59]:                      `user "elton": invalid entry: the hash is truncated or damaged`,
		"elton:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=": `user "elton": invalid entry: the hash is sha1, and the registry accepts only bcrypt; --skip-unsupported skips such users`,
	} {
		_, err := Parse(list, Options{})
		problems := problemsOf(t, err)
		assert.Equal(t, want, problems[len(problems)-1].String(), list)
		assert.NotContains(t, err.Error(), "d0cker", list)
		assert.NotContains(t, err.Error(), hash, list)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"elton:d0cker\n", "name,password\n\"a\",b\n", "[{\"name\":\"a\",\"password\":\"b\"}]", "\ufeff#TYPE x\r\n", "\xff\xfee\x00:\x00"} {
		f.Add(s, "x.csv")
		f.Add(s, "")
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		list, err := Parse(text, Options{Name: name, Generate: true})
		var bad *Error
		if errors.As(err, &bad) {
			require.NotEmpty(t, bad.Problems)
			require.True(t, slices.IsSortedFunc(bad.Problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) }))
		}
		names := make(map[string]bool)
		for _, u := range list {
			require.NoError(t, htpasswd.ValidateUser(u.Name))
			require.Positive(t, u.Line)
			require.False(t, names[u.Name], "listed twice")
			names[u.Name] = true
			if u.Password != nil {
				require.NoError(t, htpasswd.ValidatePassword(u.Password))
			}
		}
	})
}

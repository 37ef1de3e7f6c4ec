package registry

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestParseChallenges(t *testing.T) {
	type p = map[string]string
	for header, want := range map[string][]challenge{
		``:                                       nil,
		`,`:                                      nil,
		`realm="no scheme"`:                      nil,
		`Basic`:                                  {{"basic", p{}}},
		`Basic realm="a, Bearer b"`:              {{"basic", p{"realm": "a, Bearer b"}}},
		`Basic realm="a\", Bearer b"`:            {{"basic", p{"realm": `a", Bearer b`}}},
		`Basic realm = "a", Charset = "UTF-8"`:   {{"basic", p{"realm": "a", "charset": "UTF-8"}}},
		"Basic\trealm=a":                         {{"basic", p{"realm": "a"}}},
		`Negotiate, Basic realm="a=b"`:           {{"negotiate", p{}}, {"basic", p{"realm": "a=b"}}},
		`Bearer realm="a",scope="b,c" , BASIC `:  {{"bearer", p{"realm": "a", "scope": "b,c"}}, {"basic", p{}}},
		`Bearer realm="unclosed, Basic`:          {{"bearer", p{"realm": `"unclosed, Basic`}}},
		`Negotiate dG9rZW4=, Basic realm=""`:     {{"negotiate", p{"dg9rzw4": ""}}, {"basic", p{"realm": ""}}},
		`Bearer realm="https://a/token?x=1&y=2"`: {{"bearer", p{"realm": "https://a/token?x=1&y=2"}}},
	} {
		assert.Equal(t, want, parseChallenges(http.Header{"Www-Authenticate": {header}}), header)
	}
}

func FuzzParseChallenges(f *testing.F) {
	f.Add(`Bearer realm="https://auth.example/token",service="a \"b\"", Basic realm=x`)
	f.Add(`,=," \`)
	f.Fuzz(func(t *testing.T, header string) {
		for _, c := range parseChallenges(http.Header{"Www-Authenticate": {header}}) {
			assert.NotEmpty(t, c.scheme)
			assert.NotContains(t, c.scheme, " ")
			if u := c.realm(); u != nil {
				assert.Regexp(t, `^https?://[0-9A-Za-z.:_\[\]-]+$`, origin(u))
			}
		}
	})
}

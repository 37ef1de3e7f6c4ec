package record

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestParse(t *testing.T) {
	for line, want := range map[string]struct {
		Record
		Kind
	}{
		"":                         {Kind: Comment},
		" \t\u00a0\r\n":            {Kind: Comment},
		"# elton:x\n":              {Kind: Comment},
		"\u2003# elton:x\n":        {Kind: Comment},
		"elton\n":                  {Kind: Malformed},
		"\ufeff# elton\n":          {Kind: Malformed},
		"elton:x\r\n":              {Record{0, "elton", "x"}, Entry},
		" \u00a0elton:x:more \r\n": {Record{3, "elton", "x:more"}, Entry},
		"elton : x":                {Record{0, "elton ", " x"}, Entry},
		":\n":                      {Record{0, "", ""}, Entry},
		"\xa0:\xff\n":              {Record{0, "\xa0", "\xff"}, Entry},
	} {
		r, kind := Parse(line)
		assert.Equal(t, want.Record, r, "%q", line)
		assert.Equal(t, want.Kind, kind, "%q", line)
	}
}

func TestLineEnding(t *testing.T) {
	for text, want := range map[string]string{
		"": "\n", "a:x": "\n", "\n": "\n", "a:x\n": "\n", "a:x\r\n": "\r\n",
		"a:x\r\nb:y": "\r\n", "a:x\r\nb:y\n": "\n", "a:x\nb:y\r\nc": "\r\n", "\r": "\n",
	} {
		assert.Equal(t, want, LineEnding(text), "%q", text)
	}
}

func TestEndLine(t *testing.T) {
	longest := strings.Repeat("x", MaxLineBytes)
	assert.Equal(t, "a\r\n", EndLine("a", "\r\n"))
	assert.Equal(t, longest+"\n", EndLine(longest, "\n"))
	assert.Equal(t, longest+"\n", EndLine(longest, "\r\n"), "a CR counts, and would make the line too long")
	assert.Equal(t, longest[1:]+"\r\n", EndLine(longest[1:], "\r\n"))
}

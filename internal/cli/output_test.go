package cli

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestColumns(t *testing.T) {
	for text, want := range map[string]int{"": 0, "elton": 5, "王小明": 6, "E\u0301lan": 4, "ＡＢ": 4, "Łódź": 4} {
		assert.Equal(t, want, columns(text), text)
	}
}
